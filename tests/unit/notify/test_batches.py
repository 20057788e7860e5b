"""Several events handled in one transaction tell everybody what they would have been told one by one."""

from __future__ import annotations

from datetime import timedelta

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from services.notify import tables
from shared.contracts.dispatch import ClockStarted
from shared.contracts.intake import DemandWithdrawn
from shared.ledger.reception import Outcome
from tests.unit.notify.conftest import GRID


def a_day(desk):
    """Streams of two matters, the envelopes of each in order, time going on in between."""
    desk._versions.clear()
    now = desk.clock.now()
    clock = ClockStarted(
        clock_id="c", matter_id="m-1", kind="resolve", response_class="same-day", unit=GRID, started_at=now,
        due_at=now + timedelta(hours=8), target="t", provisional=False, attempt=1,
    )  # fmt: skip
    third = desk.registered("d-3", contact=None)
    streams = [
        [desk.registered("d-1")],
        [desk.opened("m-1"), desk.joined("d-2")],
        [desk.assigned("m-1"), desk.closed("m-1")],
        [clock],
        [desk.registered("d-2", joined=True)],
        [third, DemandWithdrawn(demand_id="d-3", matter_id="m-1", reason="x", last_of_matter=False)],
        [desk.evaluation("d-1")],
        [desk.registered("d-9", matter="m-2")],
        [desk.opened("m-2")],
        [desk.assigned("m-2")],
    ]
    made = []
    for stream in streams:
        made.append([desk.envelope(event) for event in stream])
        desk.clock.advance(timedelta(minutes=1))
    return made


def left(desk):
    """What is stored, but for ids made on the way."""
    found = {
        table.name: [dict(row._mapping) for row in desk.rows(table)]
        for table in (tables.addressees, tables.matters, tables.news)
    }
    messages = [{k: v for k, v in row._mapping.items() if k != "id"} for row in desk.rows(tables.messages)]
    found["messages"] = sorted(messages, key=lambda row: (row["demand_id"], row["event_id"], row["template"]))
    return found


@settings(max_examples=30, suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
@given(data=st.data())
def test_batches_of_any_size_in_any_order_leave_what_single_events_leave(desk, data):
    streams = a_day(desk)
    raws = []
    while any(streams):
        stream = data.draw(st.sampled_from([one for one in streams if one]))
        raws.append(stream.pop(0))
    desk.empty()
    for raw in raws:
        assert desk.application.receive(raw) is Outcome.HANDLED
    alone = left(desk)
    assert len(alone["messages"]) >= 5
    desk.empty()
    while raws:
        size = data.draw(st.integers(min_value=1, max_value=len(raws)))
        received = desk.application.receive_many(raws[:size])
        assert {one.outcome for one in received} == {Outcome.HANDLED}
        raws = raws[size:]
    assert left(desk) == alone
