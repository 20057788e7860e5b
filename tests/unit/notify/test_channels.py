"""The built-in channels: mail against a real SMTP server on this machine, and the file."""

from __future__ import annotations

import errno
import json
import os
import stat
from datetime import UTC, datetime
from email import message_from_bytes, policy
from typing import Any

import pytest
from aiosmtpd.controller import Controller
from aiosmtpd.smtp import AuthResult, LoginPassword

from deploy.servers.ports import free_port
from services.notify import tables
from services.notify.channels import file, smtp
from services.notify.channels.smtp import SmtpNotifier, SmtpServer
from shared.kernel.errors import Misconfigured
from shared.plugins import Contact, Message, PermanentFailure, PluginSettings, TemporaryFailure


class Mailbox:
    """An SMTP handler that keeps mail, after answering what `plan` says."""

    def __init__(self) -> None:
        self.mails: list[Any] = []
        self.plan: list[str] = []
        self.rcpt_answer: str | None = None

    async def handle_RCPT(self, server, session, envelope, address, options):  # noqa: N802 -- aiosmtpd's name
        if self.rcpt_answer is not None:
            return self.rcpt_answer
        envelope.rcpt_tos.append(address)
        return "250 OK"

    async def handle_DATA(self, server, session, envelope):  # noqa: N802 -- aiosmtpd's name
        if self.plan:
            return self.plan.pop(0)
        self.mails.append(message_from_bytes(envelope.content, policy=policy.default))
        return "250 taken as 42"


@pytest.fixture
def mailbox():
    return Mailbox()


@pytest.fixture
def server(mailbox):
    controller = Controller(mailbox, hostname="127.0.0.1", port=free_port())
    controller.start()
    yield controller
    if controller.server is not None:
        controller.stop()


@pytest.fixture
def url(server):
    port = server.port
    return f"smtp://127.0.0.1:{port}?sender=notice@street.example"


def message(**changes):
    fields = {
        "id": "m-77", "address": "wang@example.org", "name": "王女士", "subject": "【建外街道】您的诉求已登记：D-1",
        "zh": "您好！编号 D-1。\n查询码：AAAA。", "en": "Registered as D-1.", "template": "registered",
        "at": datetime(2025, 9, 8, 1, 30, tzinfo=UTC), "sender": "建外街道网格哨",
    }  # fmt: skip
    return Message(**(fields | changes))


def notifier(url):
    return smtp.make(PluginSettings(data_dir=None, smtp_url=url))


def test_a_mail_in_chinese_arrives_whole(mailbox, url):
    receipt = notifier(url).send(message())
    (mail,) = mailbox.mails
    assert mail["Subject"] == "【建外街道】您的诉求已登记：D-1"
    assert str(mail["From"]) == "建外街道网格哨 <notice@street.example>"
    assert str(mail["To"]) == "王女士 <wang@example.org>"
    assert mail["Message-ID"] == "<m-77@street.example>" == receipt.provider_ref
    assert mail["Auto-Submitted"] == "auto-generated"
    assert mail["Date"].datetime == datetime(2025, 9, 8, 1, 30, tzinfo=UTC)
    assert mail.get_content().replace("\r\n", "\n").strip() == "您好！编号 D-1。\n查询码：AAAA。\n\nRegistered as D-1."


def test_the_same_message_keeps_its_id(mailbox, url):
    channel = notifier(url)
    channel.send(message())
    channel.send(message())
    assert [mail["Message-ID"] for mail in mailbox.mails] == ["<m-77@street.example>"] * 2


@pytest.mark.parametrize(
    ("answer", "failure"),
    [
        ("451 try later", TemporaryFailure),
        ("421 closing", TemporaryFailure),
        ("554 no spam please", PermanentFailure),
        ("530 authenticate first", TemporaryFailure),
    ],
)
def test_what_the_server_answers_decides(mailbox, url, answer, failure):
    mailbox.plan = [answer]
    with pytest.raises(failure):
        notifier(url).send(message())
    assert mailbox.mails == []


@pytest.mark.parametrize(
    ("answer", "failure"), [("550 no such user", PermanentFailure), ("450 box is busy", TemporaryFailure)]
)
def test_what_it_answers_about_the_recipient_too_and_the_address_is_not_repeated(mailbox, url, answer, failure):
    mailbox.rcpt_answer = answer
    with pytest.raises(failure) as caught:
        notifier(url).send(message())
    assert "wang" not in str(caught.value)


def test_a_server_that_is_away_is_a_temporary_failure(server, url):
    server.stop()
    with pytest.raises(TemporaryFailure, match="ConnectionRefusedError"):
        notifier(url).send(message())


def test_a_mail_taken_is_a_mail_taken_even_when_the_goodbye_fails(mailbox, url, server):
    async def handle_quit(server, session, envelope):
        return "500 no goodbye"

    mailbox.handle_QUIT = handle_quit
    notifier(url).send(message())
    assert len(mailbox.mails) == 1


@pytest.mark.parametrize("address", ["no-address", "a@b@c", "", "a b@example.org"])
def test_what_is_no_address_never_leaves(mailbox, url, address):
    with pytest.raises(PermanentFailure):
        notifier(url).send(message(address=address))
    assert mailbox.mails == []


@pytest.mark.parametrize("field", ["subject", "name"])
def test_no_header_can_be_smuggled_in(mailbox, url, field):
    sneaky = "x\r\nBcc: spy@example.org"
    try:
        notifier(url).send(message(**{field: sneaky}))
    except PermanentFailure:
        assert mailbox.mails == []
    else:
        assert mailbox.mails[0]["Bcc"] is None


@pytest.mark.filterwarnings("ignore:Requiring AUTH while not requiring TLS")
def test_it_logs_in_when_told_to(mailbox):
    seen = []

    def check(server, session, envelope, mechanism, data):
        assert isinstance(data, LoginPassword)
        seen.append((data.login, data.password))
        return AuthResult(success=data.password == b"p@ss", handled=False)

    controller = Controller(
        mailbox, hostname="127.0.0.1", port=free_port(), authenticator=check, auth_required=True, auth_require_tls=False
    )
    controller.start()
    try:
        port = controller.port
        right = SmtpServer(host="127.0.0.1", port=port, sender="n@street.example", user="notice", password="p@ss")
        SmtpNotifier(right).send(message())
        wrong = SmtpServer(host="127.0.0.1", port=port, sender="n@street.example", user="notice", password="guess")
        with pytest.raises(TemporaryFailure):
            SmtpNotifier(wrong).send(message())
    finally:
        controller.stop()
    assert seen[0] == (b"notice", b"p@ss")
    assert len(mailbox.mails) == 1


def test_the_setting_is_read_whole():
    server = SmtpServer.from_url("smtps://me%40x.example:p%3Aw@mail.example?verify=no")
    assert server == SmtpServer(
        host="mail.example", port=465, sender="me@x.example", implicit_tls=True, verify=False, user="me@x.example",
        password="p:w",
    )  # fmt: skip
    assert "p:w" not in repr(server)
    assert SmtpServer.from_url("smtp://mail.example").sender == "notify@mail.example"


@pytest.mark.parametrize("wrong", ["mail.example", "http://mail.example", "smtp://", "smtp://u:secret@h:x"])
def test_a_wrong_setting_is_refused_without_showing_the_password(wrong):
    with pytest.raises(Misconfigured) as caught:
        SmtpServer.from_url(wrong)
    assert "secret" not in str(caught.value)


def test_without_a_setting_there_is_no_mail(tmp_path):
    assert smtp.make(PluginSettings(data_dir=tmp_path)) is None
    channel = SmtpNotifier(SmtpServer(host="h", port=25, sender="s@h"))
    assert channel.address(Contact(phone="1", mail="a@b")) == "a@b"
    assert channel.address(Contact(phone="1")) is None


def test_the_service_sends_mail_after_a_busy_server_and_gives_up_on_a_refusing_one(desk, mailbox, url):
    desk.with_plugins(desk.plugins_of(smtp=notifier(url)))
    contact = {"name": "王女士", "phone": None, "mail": "wang@example.org"}
    desk.hear(desk.registered(contact=contact), desk.opened())
    mailbox.plan = ["451 busy", "554 refused"]
    desk.send()
    desk.clock.set(desk.application.next_due())
    mailbox.plan = []
    desk.send()
    mailbox.plan = ["554 refused"]
    desk.hear(desk.assigned())
    desk.send()
    ends = [(row.template, row.state, row.attempts) for row in desk.rows(tables.messages)]
    assert ends == [("registered", "delivered", 2), ("assigned", "failed", 1)]
    (mail,) = mailbox.mails
    assert "编号 N-d-1" in mail.get_content()
    assert [type(event).__name__ for event in desk.events()] == ["MessageDelivered", "MessageFailed"]


# -- the file


@pytest.fixture
def letters(tmp_path):
    return file.make(PluginSettings(data_dir=tmp_path / "new"))


def test_one_line_per_message(letters):
    letters.send(message())
    letters.send(message(id="m-78", zh="第一行\n第二行"))
    lines = [json.loads(line) for line in letters.path.read_text(encoding="utf-8").splitlines()]
    assert [line["id"] for line in lines] == ["m-77", "m-78"]
    assert lines[0] == {
        "id": "m-77", "at": "2025-09-08T01:30:00Z", "template": "registered", "to": "wang@example.org",
        "name": "王女士", "subject": "【建外街道】您的诉求已登记：D-1",
        "text": "您好！编号 D-1。\n查询码：AAAA。\n\nRegistered as D-1.",
    }  # fmt: skip


def test_only_its_owner_may_read_the_letters(letters):
    letters.send(message())
    assert stat.S_IMODE(letters.path.stat().st_mode) == 0o600


def test_a_file_that_cannot_be_written_is_a_temporary_failure(letters):
    letters.path.mkdir(parents=True)
    with pytest.raises(TemporaryFailure, match=r"letters\.jsonl"):
        letters.send(message())


def test_the_file_takes_any_address(letters):
    assert letters.address(Contact(phone="1", mail="a@b")) == "1"
    assert letters.address(Contact(mail="a@b")) == "a@b"
    assert letters.address(Contact(name="王")) is None


def test_what_was_appended_is_synced_together(letters, monkeypatch):
    synced, sync = [], os.fsync
    monkeypatch.setattr(os, "fsync", lambda descriptor: (synced.append(os.fstat(descriptor).st_size), sync(descriptor)))
    letters.send(message())
    letters.send(message(id="m-78"))
    assert synced == []
    letters.settle()
    assert synced == [letters.path.stat().st_size]


def test_a_disk_that_cannot_keep_what_was_appended_is_a_temporary_failure(letters, monkeypatch):
    def full(_descriptor):
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    letters.send(message())
    with pytest.raises(TemporaryFailure, match="No space left"):
        letters.settle()
