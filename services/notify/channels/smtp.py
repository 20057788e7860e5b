"""Mail by SMTP: STARTTLS when offered, time limits everywhere, Chinese headers.

The Message-ID stays the same over all attempts, so that a mail system that looks for doubles finds them.

`GRIDWHISTLE_SMTP_URL=smtp://user:password@host:587?sender=notice@street.example`; `smtps://` speaks TLS from the start.
User and password in percent-encoding. Without `sender` the user is the sender, else notify@<host>. `&verify=no` accepts
any certificate, for a server inside one's own walls.
"""

from __future__ import annotations

import smtplib
import ssl
from contextlib import suppress
from dataclasses import dataclass, field
from email.errors import MessageError
from email.headerregistry import Address
from email.message import EmailMessage
from email.policy import SMTP as SMTP_POLICY
from email.utils import format_datetime
from urllib.parse import parse_qs, unquote, urlsplit

from shared.kernel.errors import Misconfigured
from shared.plugins import Contact, Message, Notifier, PermanentFailure, PluginSettings, Receipt, TemporaryFailure

#: Seconds that connecting and each answer of the server may take.
_TIMEOUT_S = 15.0
_PORTS = {"smtp": 25, "smtps": 465}
#: Replies from 500 on are final (RFC 5321 4.2.1) …
_FINAL = 500
#: … but for these: 530 and 535 say that *we* are not let in, which an operator mends without touching the message.
_OUR_FAULT = frozenset({530, 534, 535, 538})


@dataclass(frozen=True, kw_only=True)
class SmtpServer:
    """Where to hand mail in."""

    host: str
    port: int
    sender: str
    #: TLS from the first byte.
    implicit_tls: bool = False
    #: Check the server's certificate.
    verify: bool = True
    user: str | None = None
    password: str | None = field(default=None, repr=False)
    timeout: float = _TIMEOUT_S

    @classmethod
    def from_url(cls, url: str) -> SmtpServer:
        """Read the setting. Raises Misconfigured, without showing the password."""
        parts = urlsplit(url)
        try:
            port = parts.port
        except ValueError as error:
            message = "GRIDWHISTLE_SMTP_URL: the port is not a number"
            raise Misconfigured(message) from error
        if parts.scheme not in _PORTS or not parts.hostname:
            message = "GRIDWHISTLE_SMTP_URL must read smtp://[user:password@]host[:port][?sender=address]"
            raise Misconfigured(message)
        user = unquote(parts.username) if parts.username else None
        fallback = user if user and "@" in user else f"notify@{parts.hostname}"
        options = parse_qs(parts.query)
        return cls(
            host=parts.hostname,
            port=port or _PORTS[parts.scheme],
            sender=options.get("sender", [fallback])[0],
            verify=options.get("verify", ["yes"])[0] != "no",
            implicit_tls=parts.scheme == "smtps",
            user=user,
            password=unquote(parts.password) if parts.password else None,
        )


class SmtpNotifier:
    """One connection per message: messages are few, and a broken one then harms no other."""

    kind = "mail"

    def __init__(self, server: SmtpServer) -> None:
        self._server = server

    def address(self, contact: Contact) -> str | None:
        """The mail address."""
        return contact.mail

    def send(self, message: Message) -> Receipt:
        """Hand one mail in. Raises TemporaryFailure or PermanentFailure, neither of which names the address."""
        mail = self._written(message)
        try:
            connection = self._connected()
            try:
                connection.send_message(mail)
            except BaseException:
                connection.close()
                raise
        except smtplib.SMTPRecipientsRefused as error:
            code = next(iter(error.recipients.values()))[0]
            raise _failure(code, "the server refused the recipient") from error
        except smtplib.SMTPResponseException as error:
            raise _failure(error.smtp_code, type(error).__name__) from error
        except smtplib.SMTPNotSupportedError as error:
            message_text = "the server takes no such address (no SMTPUTF8) or no login"
            raise PermanentFailure(message_text) from error
        except (smtplib.SMTPException, OSError) as error:
            message_text = f"the server cannot be reached or broke off: {type(error).__name__}"
            raise TemporaryFailure(message_text) from error
        # The mail is handed in; a server that answers QUIT badly must not have it sent again.
        with suppress(smtplib.SMTPException, OSError):
            connection.quit()
        return Receipt(provider_ref=str(mail["Message-ID"]))

    def _connected(self) -> smtplib.SMTP:
        server = self._server
        context = ssl.create_default_context() if server.verify else ssl._create_unverified_context()  # noqa: S323, SLF001 -- asked for by verify=no
        connection: smtplib.SMTP
        if server.implicit_tls:
            connection = smtplib.SMTP_SSL(server.host, server.port, timeout=server.timeout, context=context)
        else:
            connection = smtplib.SMTP(server.host, server.port, timeout=server.timeout)
        try:
            connection.ehlo()
            if not server.implicit_tls and connection.has_extn("starttls"):
                connection.starttls(context=context)
                connection.ehlo()
            if server.user is not None and server.password is not None:
                connection.login(server.user, server.password)
        except BaseException:
            connection.close()
            raise
        return connection

    def _written(self, message: Message) -> EmailMessage:
        mail = EmailMessage(policy=SMTP_POLICY)
        domain = self._server.sender.rpartition("@")[2]
        try:
            mail["From"] = Address(message.sender, addr_spec=self._server.sender)
            mail["To"] = Address(" ".join((message.name or "").split()), addr_spec=message.address)
            mail["Subject"] = " ".join(message.subject.split())
        except (MessageError, ValueError, IndexError) as error:  # the parser's ways to say that this is no address
            message_text = "the address is not a mail address"
            raise PermanentFailure(message_text) from error
        mail["Date"] = format_datetime(message.at)
        mail["Message-ID"] = f"<{message.id}@{domain}>"
        # RFC 3834: no out-of-office answers to a machine.
        mail["Auto-Submitted"] = "auto-generated"
        mail.set_content(message.text)
        return mail


def _failure(code: int, what: str) -> TemporaryFailure | PermanentFailure:
    text = f"{what} ({code})"
    return PermanentFailure(text) if code >= _FINAL and code not in _OUR_FAULT else TemporaryFailure(text)


def make(settings: PluginSettings) -> Notifier | None:
    """The entry point; None without GRIDWHISTLE_SMTP_URL. Raises Misconfigured."""
    return SmtpNotifier(SmtpServer.from_url(settings.smtp_url)) if settings.smtp_url else None
