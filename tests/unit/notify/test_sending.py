"""Sending: attempts written down first, back-off, giving up, dying in the middle, channels that misbehave."""

from __future__ import annotations

import dataclasses
from datetime import timedelta

import pytest

from services.notify import sending, tables
from services.notify.domain import BACK_OFF, CLAIM
from shared.contracts import notify
from shared.kernel.actor import SYSTEM
from shared.kernel.errors import Conflict, Forbidden, Invalid, Misconfigured, NotFound
from shared.kernel.sealing import Sealer, new_key_text
from shared.ledger.unit_of_work import unit_of_work
from shared.plugins import PermanentFailure, Plugin, Plugins, TemporaryFailure

CLERK = "community-clerk-guanghua-dongli"


def one_message(desk):
    (message,) = desk.rows(tables.messages)
    return message


@pytest.fixture
def waiting(desk):
    desk.hear(desk.registered(), desk.opened())
    return desk


def test_back_off_then_success(waiting):
    desk = waiting
    desk.recorder.plan = [TemporaryFailure("busy"), TemporaryFailure("busy")]
    desk.send()
    message = one_message(desk)
    assert (message.state, message.attempts, message.reason) == ("pending", 1, "busy")
    assert desk.application.next_due() == desk.clock.now() + timedelta(minutes=1)
    assert desk.send() == 0
    desk.clock.advance(timedelta(minutes=1))
    desk.send()
    assert desk.application.next_due() == desk.clock.now() + timedelta(minutes=5)
    desk.clock.advance(timedelta(minutes=5))
    desk.send()
    message = one_message(desk)
    assert (message.state, message.attempts, message.reason, message.provider_ref) == ("delivered", 3, None, "ref-1")
    tried = [(row.number, row.result, row.detail) for row in desk.rows(tables.attempts)]
    assert tried == [(1, "temporary", "busy"), (2, "temporary", "busy"), (3, "delivered", None)]
    assert [type(event) for event in desk.events()] == [notify.MessageDelivered]
    assert {sent.id for sent in desk.recorder.sent} == {message.id}


def test_after_the_last_pause_a_desk_has_to_call_and_may_have_it_retried(waiting):
    desk = waiting
    desk.recorder.plan = [TemporaryFailure("away")] * 6
    while (due := desk.application.next_due()) is not None:
        desk.clock.set(max(due, desk.clock.now()))
        desk.send()
    message = one_message(desk)
    assert (message.state, message.attempts) == ("failed", 6)
    (event,) = desk.events()
    assert isinstance(event, notify.MessageFailed)
    assert (event.attempts, event.reason) == (6, "away")

    reply = desk.application.execute("notify.retry-message", {"message": message.id}, desk.actor(CLERK))
    assert reply.body["state"] == "pending"
    desk.send()
    assert (one_message(desk).state, one_message(desk).attempts) == ("delivered", 7)
    with pytest.raises(Conflict, match="delivered"):
        desk.application.execute("notify.retry-message", {"message": message.id}, desk.actor(CLERK))


def test_letters_of_a_channel_that_settles_are_delivered_when_it_has(desk):
    channel = desk.recorder
    settled = []

    def settle():
        settled.append(len(channel.sent))
        if len(settled) == 1:
            raise TemporaryFailure("disk full")

    channel.settle = settle
    desk.hear(desk.registered(), desk.opened())
    desk.hear(desk.registered("d-2", "m-2"), desk.opened("m-2", demand_id="d-2"))
    desk.send()
    assert settled == [2]
    waiting = {(row.state, row.reason, row.provider_ref) for row in desk.rows(tables.messages)}
    assert waiting == {("pending", "disk full", None)}
    assert desk.events() == []
    desk.clock.advance(timedelta(minutes=1))
    desk.send()
    assert settled == [2, 4]
    assert [row.state for row in desk.rows(tables.messages)] == ["delivered"] * 2
    assert len(desk.events()) == 2


def test_a_permanent_failure_is_not_tried_again(waiting):
    waiting.recorder.plan = [PermanentFailure("no such number")]
    waiting.send()
    assert one_message(waiting).state == "failed"
    assert waiting.application.next_due() is None
    (event,) = waiting.events()
    assert event.reason == "no such number"


def test_a_retry_belongs_to_the_desks_of_the_matter(waiting):
    waiting.recorder.plan = [PermanentFailure("no")]
    waiting.send()
    message = one_message(waiting).id
    with pytest.raises(Forbidden):
        waiting.application.execute(
            "notify.retry-message", {"message": message}, waiting.actor("community-clerk-jianguo-li")
        )
    with pytest.raises(NotFound):
        waiting.application.execute("notify.retry-message", {"message": "none"}, waiting.actor(CLERK))


def claimed(desk):
    with unit_of_work(desk.application.at_hand, actor=SYSTEM) as work:
        letters = sending.claim(work, 10).items
        work.commit()
    return letters


def test_the_attempt_stands_in_the_database_before_anything_leaves(waiting):
    (letter,) = claimed(waiting)
    (row,) = waiting.rows(tables.attempts)
    assert (row.number, row.result) == (1, None)
    assert one_message(waiting).state == "sending"
    assert waiting.recorder.sent == []
    assert "AAAA-BBBB" not in repr(letter)
    assert letter.sealed not in repr(letter)
    assert claimed(waiting) == []


def test_a_process_that_died_after_sending_leads_to_a_second_sending_under_the_same_id(waiting):
    desk = waiting
    (letter,) = claimed(desk)
    sending.carry_out(desk.application.at_hand, letter)  # and the process is killed here
    assert desk.send() == 0
    desk.clock.advance(CLAIM)
    assert desk.send() == 1
    assert [row.result for row in desk.rows(tables.attempts)] == ["unknown", "delivered"]
    assert len(desk.recorder.sent) == 2
    assert len({sent.id for sent in desk.recorder.sent}) == 1
    assert [type(event) for event in desk.events()] == [notify.MessageDelivered]


def test_a_message_that_kills_its_process_is_given_up(waiting):
    desk = waiting
    for _ in range(6):
        assert len(claimed(desk)) == 1
        desk.clock.advance(CLAIM)
    assert claimed(desk) == []
    message = one_message(desk)
    assert (message.state, message.attempts, message.next_attempt_at) == ("failed", 6, None)
    (event,) = desk.events()
    assert isinstance(event, notify.MessageFailed)


def record(desk, letter, sent):
    with unit_of_work(desk.application.at_hand, actor=SYSTEM) as work:
        sending.record(work, [(letter, sent)])
        work.commit()


def test_a_late_failure_does_not_undo_the_delivery_of_another_process(waiting):
    desk = waiting
    (slow,) = claimed(desk)
    desk.clock.advance(CLAIM)
    desk.send()
    record(desk, slow, sending.Sent(result=sending.Result.TEMPORARY, channel="letters", detail="too late"))
    assert one_message(desk).state == "delivered"
    assert desk.application.next_due() is None


def test_a_late_delivery_ends_the_retries_and_is_told_once(waiting):
    desk = waiting
    (slow,) = claimed(desk)
    desk.clock.advance(CLAIM)
    desk.recorder.plan = [TemporaryFailure("busy")]
    desk.send()
    delivered = sending.Sent(result=sending.Result.DELIVERED, channel="letters")
    record(desk, slow, delivered)
    record(desk, slow, delivered)
    assert one_message(desk).state == "delivered"
    assert desk.application.next_due() is None
    assert [type(event) for event in desk.events()] == [notify.MessageDelivered]


def test_no_transaction_is_open_while_a_channel_works(waiting, monkeypatch):
    desk = waiting

    def send(message):
        # Opens a write transaction of its own on the one connection there is: an open one would refuse it.
        desk.hear(desk.assigned())
        raise TemporaryFailure("busy")

    monkeypatch.setattr(desk.recorder, "send", send)
    assert desk.send() == 1
    assert [row.template for row in desk.rows(tables.messages)] == ["registered", "assigned"]


def test_a_plugin_that_breaks_its_contract_is_counted_and_tried_again(waiting):
    desk = waiting
    desk.recorder.plan = [ZeroDivisionError("13812345678")]
    desk.send()
    message = one_message(desk)
    assert (message.state, message.reason) == ("pending", "plugin letters raised ZeroDivisionError")
    assert desk.application.at_hand.plugins.raised[sending.GROUP, "letters"] == 1
    assert desk.figure("gridwhistle_plugin_errors", plugin="letters") == 1
    assert desk.figure("gridwhistle_messages", state="pending") == 1


@pytest.mark.parametrize(
    ("contact", "channel"),
    [
        ({"name": None, "phone": "13812345678", "mail": "a@example.org"}, "post"),
        ({"name": None, "phone": "13812345678", "mail": None}, "letters"),
        ({"name": None, "phone": None, "mail": "a@example.org"}, "post"),
    ],
)
def test_the_first_channel_of_the_template_that_has_an_address_is_taken(desk, contact, channel):
    desk.with_plugins(desk.plugins_of(letters=desk.recorder_of("file"), post=desk.recorder_of("mail")))
    desk.hear(desk.registered(contact=contact))
    desk.send()
    assert one_message(desk).channel == channel


def test_without_any_notifier_a_desk_learns_of_it(waiting):
    waiting.with_plugins(Plugins())
    waiting.send()
    (event,) = waiting.events()
    assert isinstance(event, notify.MessageFailed)
    assert "no notifier is installed" in event.reason


def test_an_address_for_no_channel_is_skipped(desk):
    desk.with_plugins(desk.plugins_of(post=desk.recorder_of("mail")))
    desk.hear(desk.registered())
    desk.send()
    assert (one_message(desk).state, one_message(desk).reason) == ("skipped", "no address for any of: mail, sms, file")


def test_a_stranger_without_a_kind_is_passed_over(waiting):
    waiting.with_plugins(
        Plugins(
            (
                Plugin(group=sending.GROUP, name="a", origin="x", state="loaded", made=object()),
                *waiting.plugins_of(letters=waiting.recorder).every,
            )
        )
    )
    waiting.send()
    assert one_message(waiting).channel == "letters"


def test_a_missing_key_keeps_the_message(waiting):
    desk = waiting
    at_hand = dataclasses.replace(desk.application.at_hand, sealer=Sealer.from_text(new_key_text("k2")))
    right = desk.application
    desk.application = dataclasses.replace(right, at_hand=at_hand)
    desk.send()
    assert (one_message(desk).state, one_message(desk).reason) == (
        "pending", "no contact key with id 'k1' is configured",
    )  # fmt: skip
    desk.application = right
    desk.clock.advance(timedelta(minutes=1))
    desk.send()
    assert one_message(desk).state == "delivered"


def test_many_messages_go_in_claims_of_a_few(desk):
    for number in range(50):
        desk.hear(desk.registered(f"d-{number:02}", f"m-{number}"))
    assert desk.send() == 50
    assert len({sent.id for sent in desk.recorder.sent}) == 50
    assert {row.state for row in desk.rows(tables.messages)} == {"delivered"}


def test_the_view_is_limited_to_the_desk_and_masks_addresses(waiting):
    desk = waiting
    desk.send()
    desk.hear(desk.registered("d-9", "m-9"), desk.opened("m-9", unit="jianguo-li-1"))
    page = desk.ask("messages", CLERK)
    assert [(item["demand_id"], item["address"], item["state"]) for item in page["items"]] == [
        ("d-1", "138****5678", "delivered")
    ]
    assert page["next"] is None
    street = desk.ask("messages", "street-clerk-jianwai", limit="1")
    rest = desk.ask("messages", "street-clerk-jianwai", limit="1", cursor=street["next"])
    assert [page["items"][0]["demand_id"] for page in (street, rest)] == ["d-9", "d-1"]
    assert desk.ask("messages", "street-clerk-jianwai", state="pending")["items"][0]["demand_id"] == "d-9"
    assert desk.ask("messages", "street-clerk-jianwai", demand="d-1")["items"][0]["demand_id"] == "d-1"
    one = desk.ask("message", CLERK, message=page["items"][0]["message_id"])
    assert [tried["result"] for tried in one["tried"]] == ["delivered"]
    with pytest.raises(Forbidden):
        desk.ask("message", "community-clerk-jianguo-li", message=one["message_id"])
    with pytest.raises(Forbidden):
        desk.ask("messages", "department-officer-dept-water")
    with pytest.raises(Invalid):
        desk.ask("messages", CLERK, state="lost")


def test_a_pack_with_a_broken_template_does_not_start(desk, pack):
    bad = dataclasses.replace(pack.templates[0], body=dataclasses.replace(pack.templates[0].body, zh="{{ salary }}"))
    broken = dataclasses.replace(pack, templates=(bad,))
    at_hand = dataclasses.replace(desk.application.at_hand, jurisdiction=broken)
    with pytest.raises(Misconfigured, match=r"registered.*salary"):
        desk.application.definition.prepare(at_hand)


def test_deliveries_are_counted(waiting):
    waiting.send()
    waiting.hear(waiting.assigned())
    waiting.recorder.plan = [PermanentFailure("no")]
    waiting.send()
    for result in ("delivered", "failed"):
        assert waiting.figure("gridwhistle_deliveries_total", channel="letters", result=result) == 1
    assert waiting.figure("gridwhistle_messages", state="failed") == 1


def test_letters_behind_many_that_reach_nobody_leave_in_the_same_scan(desk):
    """However many of a batch end without an attempt: what is due is worked off before the next scan."""
    nowhere = {"name": "无址", "phone": None, "mail": None}
    askers = [(f"d-{number}", f"m-{number}", {"contact": nowhere} if number < 30 else {}) for number in range(35)]
    # All before anything is sent: that the first thirty leave no address shows at their first letter.
    for demand, matter, contact in askers:
        desk.hear(desk.registered(demand, matter, **contact), desk.opened(matter))
        desk.clock.advance(timedelta(seconds=1))
    for _demand, matter, _contact in askers:
        desk.hear(desk.assigned(matter))
        desk.clock.advance(timedelta(seconds=1))
    assert desk.send() == 70
    assert len(desk.recorder.sent) == 10
    assert desk.application.next_due() is None


def test_more_letters_than_a_batch_that_were_cut_off_every_time_are_ended_and_counted_in_one_scan(desk):
    for number in range(45):
        desk.hear(desk.registered(f"d-{number}", f"m-{number}"))
    with unit_of_work(desk.application.at_hand) as work:
        work.db.execute(
            tables.messages.update().values(
                state="sending", attempts=len(BACK_OFF) + 1, tries=len(BACK_OFF) + 1, channel="file"
            )
        )
        work.commit()
    assert desk.send() == 45
    assert {message.state for message in desk.rows(tables.messages)} == {"failed"}
    ends = {"channel": "file", "result": "failed"}
    assert desk.figure("gridwhistle_deliveries_total", **ends) == 45
