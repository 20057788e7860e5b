"""Who is told what: one message per asker and piece of news, in whatever order events arrive."""

from __future__ import annotations

import dataclasses
import itertools
from datetime import timedelta

import pytest

from services.notify import tables
from shared.contracts import dispatch, intake, registry, timing
from shared.jurisdiction import Label, Template

GRID = "guanghua-dongli-1"


def templates(desk):
    return [message.template for message in desk.recorder.sent]


def test_the_way_of_a_demand(desk):
    due = desk.clock.now() + timedelta(days=4)
    desk.hear(desk.registered(), desk.opened())
    desk.send()
    desk.hear(
        dispatch.MatterClassified(
            matter_id="m-1", response_class="within-week", rule="r", inputs={}, policy_version="p", decided_by="system"
        ),
        desk.assigned(),
        dispatch.ClockStarted(
            clock_id="c-1", matter_id="m-1", kind="resolve", response_class="within-week", unit=GRID,
            started_at=desk.clock.now(), due_at=due, target="5 days", provisional=False, attempt=1,
        ),
        dispatch.MatterEscalated(
            matter_id="m-1", from_unit=GRID, from_level="grid", to_unit="guanghua-dongli", to_level="community",
            cause="reason", reason="needs-funds", note="王某某说没钱", escalated_by="x",
        ),
    )  # fmt: skip
    desk.send()
    desk.hear(desk.closed(), desk.evaluation())
    desk.send()
    assert templates(desk) == ["registered", "assigned", "escalated", "closed", "evaluation"]
    registered, assigned, escalated, closed, evaluation = desk.recorder.sent
    assert "编号 N-d-1" in registered.zh
    assert "AAAA-BBBB-CCCC-DDDD" in registered.zh
    assert "“周内办”类事项响应，预计于 2025年9月12日（星期五）09:30 前办结" in assigned.zh
    assert "提级至光华东里社区统筹办理（原因：需要落实资金）" in escalated.zh
    assert "http://127.0.0.1:8704/evaluate/e-d-1?t=" in evaluation.zh
    assert "AAAA-BBBB-CCCC-DDDD" in closed.zh
    assert "王某某" not in "".join(message.text for message in desk.recorder.sent)


@pytest.mark.parametrize(("provisional", "said"), [(True, True), (False, False)])
def test_a_letter_says_when_the_due_time_is_a_guess_until_it_is_certain(desk, provisional, said):
    clock = {"clock_id": "c-1", "matter_id": "m-1", "kind": "resolve", "response_class": "within-week", "unit": GRID}
    due = desk.clock.now() + timedelta(days=4)
    desk.hear(
        desk.registered(), desk.opened(),
        dispatch.ClockStarted(
            **clock, started_at=desk.clock.now(), due_at=due, target="5 days", provisional=True, attempt=1
        ),
        timing.ClockRecounted(
            **clock, from_due_at=due, due_at=due, original_due_at=due, target="5 days", provisional=provisional,
            calendar="cn",
        ),
        desk.assigned(),
    )  # fmt: skip
    desk.send()
    (letter,) = (one for one in desk.recorder.sent if "已交由" in one.zh)
    assert ("暂定" in letter.zh, "provisional" in letter.en) == (said, said)


def test_a_reopening_is_told_without_its_free_text(desk):
    desk.hear(desk.registered(), desk.opened())
    desk.send()
    desk.hear(dispatch.MatterReopened(matter_id="m-1", unit=GRID, reason="王某某不满意", reopened_by="x", attempt=2))
    desk.send()
    assert templates(desk) == ["registered", "reopened"]
    assert "王某某" not in "".join(message.text for message in desk.recorder.sent)


def test_a_pack_says_what_is_told_and_to_whom(desk, pack):
    progress = Template("p", "dispatch.matter-progressed", "asker", ("file",), None, Label("进展", "Progress"))
    inward = Template("i", "dispatch.matter-progressed", "desk", ("file",), None, Label("内部", "Inward"))
    at_hand = dataclasses.replace(
        desk.application.at_hand, jurisdiction=dataclasses.replace(pack, templates=(progress, inward))
    )
    desk.application = dataclasses.replace(desk.application, at_hand=at_hand)
    note = dispatch.MatterProgressed(matter_id="m-1", unit=GRID, note="n", noted_by="x")
    desk.hear(desk.registered(), desk.opened(), note)
    desk.send()
    (message,) = desk.recorder.sent
    assert (message.template, message.subject, message.text) == ("p", "N-d-1", "进展\n\nProgress")


def test_every_asker_of_a_merged_matter_is_told_once(desk):
    desk.hear(desk.registered("d-1"), desk.opened(), desk.assigned())
    desk.clock.advance(timedelta(hours=1))
    desk.hear(desk.registered("d-2", joined=True), desk.joined("d-2"), desk.closed())
    desk.hear(desk.evaluation("d-1"), desk.evaluation("d-2"))
    desk.send()
    messages = desk.rows(tables.messages)
    by_asker = {d: sorted(m.template for m in messages if m.demand_id == d) for d in ("d-1", "d-2")}
    assert by_asker == {
        "d-1": ["assigned", "closed", "evaluation", "registered"],
        "d-2": ["closed", "evaluation", "joined", "registered"],
    }
    joined = next(one for one in desk.recorder.sent if one.template == "joined")
    assert "M-m-1" in joined.zh


def test_the_order_in_which_queues_deliver_does_not_matter(desk):
    """Streams keep their own order, but any interleaving of them tells the same people the same things."""
    times = [desk.clock.now() + timedelta(hours=hours) for hours in range(4)]

    def raw(event, at):
        desk.clock.set(at)
        return desk.envelope(event)

    demand_1 = [raw(desk.registered("d-1"), times[0])]
    matter = [raw(desk.opened(), times[0]), raw(desk.joined("d-2"), times[2])]
    handling = [raw(desk.assigned(), times[1]), raw(desk.closed(), times[3])]
    demand_2 = [raw(desk.registered("d-2", joined=True), times[2])]
    outcomes = set()
    streams = [demand_1, matter, handling, demand_2]
    for order in itertools.permutations(range(4)):
        desk.empty()
        for index in order:
            for one in streams[index]:
                desk.application.receive(one)
        outcomes.add(tuple(sorted((m.demand_id, m.template) for m in desk.rows(tables.messages))))
    assert outcomes == {
        (
            ("d-1", "assigned"), ("d-1", "closed"), ("d-1", "registered"),
            ("d-2", "closed"), ("d-2", "joined"), ("d-2", "registered"),
        )
    }  # fmt: skip


def test_an_event_delivered_twice_tells_once(desk):
    raw = desk.envelope(desk.registered())
    desk.application.receive(raw)
    desk.application.receive(raw)
    desk.send()
    assert templates(desk) == ["registered"]


@pytest.mark.parametrize("contact", [None, {"name": None, "phone": None, "mail": None}])
def test_an_asker_without_an_address_is_skipped_and_nobody_fails(desk, contact):
    desk.hear(desk.registered(contact=contact), desk.opened())
    desk.send()
    desk.hear(desk.assigned(), desk.closed())
    desk.send()
    states = [(message.template, message.state) for message in desk.rows(tables.messages)]
    assert sorted(states) == [("assigned", "skipped"), ("closed", "skipped"), ("registered", "skipped")]
    assert desk.recorder.sent == []
    assert desk.events() == []
    assert desk.application.next_due() is None
    # What holds no address is not opened again.
    assert len(desk.rows(tables.contact_access)) == (0 if contact is None else 1)


def test_nothing_more_after_a_withdrawal(desk):
    desk.hear(desk.registered(), desk.opened())
    withdrawn = intake.DemandWithdrawn(demand_id="d-1", matter_id="m-1", reason="自行解决", last_of_matter=True)
    desk.hear(withdrawn, desk.closed())
    desk.send()
    assert desk.recorder.sent == []
    (message,) = desk.rows(tables.messages)
    assert (message.state, message.reason) == ("skipped", "withdrawn")


def test_contact_data_is_sealed_at_rest_and_every_opening_is_logged(desk):
    desk.hear(desk.registered(), desk.opened(), desk.assigned())
    stored = repr([desk.rows(table) for table in tables.metadata.sorted_tables])
    assert "13812345678" not in stored
    assert "王女士" not in stored
    assert desk.rows(tables.contact_access) == []
    desk.send()
    stored = repr([desk.rows(table) for table in tables.metadata.sorted_tables])
    assert "13812345678" not in stored
    assert "138****5678" in stored
    logged = desk.rows(tables.contact_access)
    assert {row.message_id for row in logged} == {row.id for row in desk.rows(tables.messages)}
    assert {(row.demand_id, row.purpose, row.actor) for row in logged} == {("d-1", "send-message", "system")}


def test_notify_emits_what_the_registry_says(desk):
    desk.hear(desk.registered(), desk.opened())
    desk.send()
    (event,) = desk.events()
    assert registry.by_shape(type(event)).name == "notify.message-delivered"
    assert (event.demand_id, event.matter_id, event.template, event.channel, event.attempts) == (
        "d-1", "m-1", "registered", "letters", 1,
    )  # fmt: skip
