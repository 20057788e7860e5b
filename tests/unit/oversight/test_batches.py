"""Several events handled in one transaction leave and tell exactly what they would have one by one."""

from __future__ import annotations

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from services.oversight import tables
from shared.contracts.dispatch import MatterClosed, MatterReopened
from shared.contracts.envelope import from_bytes
from shared.contracts.intake import DemandRegistered
from shared.contracts.values import Place
from shared.ledger import outbox
from shared.ledger.engines import reading
from shared.ledger.reception import Outcome
from tests.unit.oversight.conftest import GRID, make
from tests.unit.oversight.test_projection import a_life


def registered(number, matter="m-1"):
    return DemandRegistered(
        demand_id=f"d{number}", matter_id=matter, number=f"D{number}", matter_number="N", channel="web",
        asker_kind="resident", anonymous=False, private=False, joined=number > 0, unit=GRID, text="灯不亮",
        place=Place(),
    )  # fmt: skip


def closed(matter="m-1"):
    return MatterClosed(
        matter_id=matter, unit=GRID, level="grid", response_class="same-day", outcome="亮了", on_time=True,
        closed_by="x", attempt=1,
    )  # fmt: skip


def reopened(matter="m-1"):
    return MatterReopened(matter_id=matter, unit=GRID, reason="r", reopened_by="y", attempt=2)


def told(overseer):
    """What was asked, of whom, because of what."""
    with reading(overseer.engine) as db:
        envelopes = [from_bytes(row.envelope) for row in outbox.pending(db, 100)]
    return [(one.payload().demand_id, one.causationid, one.correlationid) for one in envelopes]


def hear_together(overseer, events):
    raws = [overseer.envelope(event).to_bytes() for event in events]
    received = overseer.application.receive_many(raws)
    assert [one.outcome for one in received] == [Outcome.HANDLED] * len(raws)


@pytest.fixture
def one_by_one(pack):
    overseer = make(pack)
    yield overseer
    overseer.engine.dispose()


@pytest.mark.parametrize(
    "events",
    [
        [registered(0), closed()],
        [closed(), registered(0)],
        [registered(0), closed(), registered(1)],
        [registered(0), registered(1), closed()],
        [registered(0), registered(5, "m-2"), closed(), closed("m-2"), registered(1)],
        [registered(0), closed(), reopened()],
    ],
    ids=["asked-at-the-end", "known-late", "one-each", "two-at-once", "two-matters", "reopened-at-once"],
)
def test_the_same_askers_are_asked_because_of_the_same_events(overseer, one_by_one, events):
    for event in events:
        one_by_one.hear(event)
    hear_together(overseer, events)
    assert told(overseer) == told(one_by_one)
    assert len(told(overseer)) == len([one for one in events if isinstance(one, DemandRegistered)])
    asked = [(row["demand_id"], row["attempt"]) for row in overseer.rows(tables.evaluations)]
    assert sorted(asked) == sorted((row["demand_id"], row["attempt"]) for row in one_by_one.rows(tables.evaluations))


def test_one_that_cannot_be_stored_troubles_only_itself(overseer):
    """Its row is written with those of others; then each is handled alone."""
    good, bad = overseer.envelope(registered(0)), overseer.envelope(closed("m-2"))
    broken = bad.to_bytes().replace(b'"attempt":1', b'"attempt":99999999999999999999')
    received = overseer.application.receive_many([good.to_bytes(), broken])
    assert received[0].outcome is Outcome.HANDLED
    assert received[1].outcome is not Outcome.HANDLED
    assert [row["demand_id"] for row in overseer.rows(tables.demands)] == ["d0"]


@settings(max_examples=25, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(data=st.data())
def test_a_life_in_batches_of_any_size_leaves_the_same_rows(pack, one_life, data):
    overseer = make(pack)
    streams = [list(stream) for stream in a_life(overseer)]
    events = []
    while any(streams):
        stream = data.draw(st.sampled_from([one for one in streams if one]))
        events.append(stream.pop(0))
    while events:
        size = data.draw(st.integers(min_value=1, max_value=len(events)))
        hear_together(overseer, events[:size])
        events = events[size:]
    found = overseer.projected()
    overseer.engine.dispose()
    assert {name: found[name] for name in one_life} == one_life


@pytest.fixture(scope="module")
def one_life(pack):
    overseer = make(pack)
    for stream in a_life(overseer):
        for event in stream:
            overseer.hear(event)
    yield {name: rows for name, rows in overseer.projected().items() if name != "evaluations"}
    overseer.engine.dispose()
