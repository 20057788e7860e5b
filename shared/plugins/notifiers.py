"""The contract of a notifier: a channel by which an asker is told something (group `gridwhistle.notifiers`).

A notifier sends one message to one address and says whether the other side took it. It must never retry on its own
(notify does, by its own back-off), never log an address or a text, and never keep either longer than the call.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime
from typing import Protocol


class TemporaryFailure(Exception):
    """Not now: the other side is away or busy. The message is tried again later, under the same id."""


class PermanentFailure(Exception):
    """Never: the address or the message is refused. It is not tried again; a desk has to call."""


@dataclass(frozen=True, kw_only=True)
class Contact:
    """How an asker can be reached. Shown to a notifier so that it can say which address is its own."""

    name: str | None = field(default=None, repr=False)
    phone: str | None = field(default=None, repr=False)
    mail: str | None = field(default=None, repr=False)


@dataclass(frozen=True, kw_only=True)
class Message:
    """One message, rendered."""

    #: Stays the same over all attempts: the idempotency key for whoever can use one.
    id: str
    #: What `Notifier.address` gave.
    address: str = field(repr=False)
    name: str | None = field(repr=False)
    subject: str = field(repr=False)
    #: Chinese.
    zh: str = field(repr=False)
    #: English.
    en: str = field(repr=False)
    #: Template's id, for channels with templates registered at the provider.
    template: str
    #: When this attempt began.
    at: datetime
    #: Who speaks, for a sender's name.
    sender: str

    @property
    def text(self) -> str:
        """Both languages, Chinese first; the Chinese alone where the pack gives no English."""
        return self.zh if self.en in ("", self.zh) else f"{self.zh}\n\n{self.en}"


@dataclass(frozen=True, kw_only=True)
class Receipt:
    """The other side took the message."""

    #: Its name for it, to ask it later; at most 200 characters are kept.
    provider_ref: str | None = None


class Notifier(Protocol):
    """A channel."""

    #: What a pack's templates call it: mail, sms, wecom, file …
    kind: str

    def address(self, contact: Contact) -> str | None:
        """The address of the contact that this channel can use, or None."""
        ...

    def send(self, message: Message) -> Receipt:
        """Hand the message over within seconds. Raises TemporaryFailure or PermanentFailure."""
        ...


class SettlingNotifier(Notifier, Protocol):
    """A channel that does something once for several messages: only then are they handed over."""

    def settle(self) -> None:
        """Finish what `send` began since the last call: sync a file, flush a batch. Raises TemporaryFailure for all."""
        ...
