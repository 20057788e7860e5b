"""The read tables: the same after a repeat, after a rebuild, and in whichever order services' events come."""

from __future__ import annotations

from datetime import timedelta

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from services.oversight import tables
from services.oversight.repository.projection import PROJECTIONS, Mark, Rows
from services.oversight.repository.rebuild import rebuild
from services.oversight.repository.trace import envelopes
from services.oversight.subscriptions import SUBSCRIPTIONS
from shared.contracts import claims, deliberation, dispatch, intake, oversight, registry
from shared.contracts.envelope import from_bytes
from shared.contracts.values import Place
from shared.ledger.engines import writing
from tests.unit.oversight.conftest import GRID, make


def a_life(overseer, matter="m-1"):
    """The streams of one matter that touches everything; events in each stream in order."""
    m, hour = {"matter_id": matter}, timedelta(hours=1)
    now = overseer.clock.now()
    words = {"unit": GRID, "reason": "r"}
    demand = intake.DemandRegistered(
        demand_id="d", **m, number="D", matter_number="N", channel="web", asker_kind="resident", anonymous=False,
        private=False, joined=False, unit=GRID, text="灯不亮", place=Place(),
    )  # fmt: skip
    opened = intake.MatterOpened(
        **m, number="N", demand_id="d", text="灯不亮", channel="web", asker_kind="resident", private=False, unit=None,
        category="building-light", place=Place(),
    )  # fmt: skip
    clock = {"clock_id": "c", **m, "kind": "resolve", "unit": GRID}
    moved = {"from_due_at": now + hour, "due_at": now + 3 * hour, "original_due_at": now + hour, "target": "t"}
    return [
        [demand, intake.DemandWithdrawn(demand_id="d", **m, reason="x", last_of_matter=True)],
        [opened, intake.MatterLocated(**m, unit=GRID, located_by="x")],
        [
            dispatch.MatterClassified(
                **m, response_class="same-day", category=None, rule="r", inputs={}, policy_version="p", decided_by="s"
            ),
            dispatch.MatterAssigned(**m, **words, level="grid", assigned_by="s"),
            dispatch.MatterAccepted(**m, unit=GRID, accepted_by="x"),
            dispatch.MatterEscalated(
                **m, from_unit=GRID, from_level="grid", to_unit="guanghua-dongli", to_level="community", cause="reason",
                reason="needs-funds", escalated_by="x",
            ),
            dispatch.MatterReturned(
                **m, from_unit="guanghua-dongli", to_unit=GRID, reason="r", returned_by="x", returns=1
            ),
            dispatch.MatterSuspended(**m, reason="r", approved_by="x"),
            dispatch.MatterResumed(**m, reason="r", resumed_by="x"),
            dispatch.MatterResolved(**m, unit=GRID, outcome="亮了", resolved_by="x"),
            dispatch.MatterReworked(**m, **words, sent_back_by="x"),
            dispatch.MatterResolved(**m, unit=GRID, outcome="真的亮了", resolved_by="x"),
            dispatch.MatterVerified(**m, verified_by="y"),
            dispatch.MatterClosed(
                **m, unit=GRID, level="grid", response_class="same-day", outcome="亮了", on_time=False, closed_by="y",
                attempt=1,
            ),
            dispatch.MatterReopened(**m, **words, reopened_by="y", attempt=2),
            dispatch.MatterWithdrawn(**m, reason="r"),
        ],
        [
            dispatch.ClockStarted(
                **clock, response_class="same-day", started_at=now, due_at=now + hour, target="t", provisional=False,
                attempt=1,
            ),
            dispatch.ClockPaused(**clock, paused_at=now),
            dispatch.ClockMoved(**clock, cause="resumed", **moved, provisional=False, response_class="same-day"),
            dispatch.ClockWarned(**clock, percent=80, due_at=now + 3 * hour),
            dispatch.ClockBreached(**clock, due_at=now + 3 * hour),
            dispatch.ClockStopped(**clock, stopped_at=now + 4 * hour, due_at=now + 3 * hour, outcome="breached"),
        ],
        [
            dispatch.WhistleBlown(
                whistle_id="w", **m, whistler="jianwai", departments=("a", "b"), lead="a", request="r",
                report_in_by=now + hour, blown_by="x",
            ),
            dispatch.WhistleOverdue(whistle_id="w", **m, departments=("a",), report_in_by=now + hour),
            dispatch.WhistleAnswered(
                whistle_id="w", **m, department="b", answer="accepted", note="n", late=False, answered_by="x",
                report_in_seconds=5.0,
            ),
            dispatch.WhistleContested(
                whistle_id="w", **m, department="a", ground="g", hop=1, to_unit="jianwai", to_level="street",
                decide_by=now + hour, final=False,
            ),
            dispatch.WhistleContestDecided(
                whistle_id="w", **m, department="a", decision="upheld", reason="r", hop=1, unit="jianwai", final=False,
                lead="a", decided_by="x",
            ),
            dispatch.WhistleScored(
                whistle_id="w", **m, whistler="jianwai", department="b", arrival=5, quality=4, result=3, scored_by="x"
            ),
            dispatch.WhistleEnded(whistle_id="w", **m, outcome="completed"),
        ],
        [
            deliberation.TopicSubmitted(topic_id="t", **m, title="灯", host_unit=GRID, submitted_by="x"),
            deliberation.BallotOpened(topic_id="t", **m, ballot_id="b", question="q", voters=3),
            deliberation.ResolutionAdopted(
                topic_id="t", **m, resolution_id="r", text="换灯", measures=1, adopted_by="x"
            ),
            deliberation.ResolutionFiled(topic_id="t", **m, resolution_id="r", filed_with=("jianwai",)),
        ],
        [
            oversight.RectificationOrdered(
                order_id="o", **m, unit=GRID, request="清理堆物", deadline=now + hour, ordered_by="x"
            ),
            oversight.RectificationWithdrawn(order_id="o", **m, reason="r", withdrawn_by="x"),
        ],
        [
            claims.RectificationAssigned(order_id="o", **m, unit=GRID, level="grid", deadline=now + hour),
            claims.RectificationOverdue(
                order_id="o", **m, from_unit=GRID, to_unit="guanghua-dongli", to_level="community", due_at=now + hour,
                times=1,
            ),
            claims.RectificationReported(
                order_id="o", **m, unit=GRID, outcome="x", on_time=True, reported_by="x"
            ),
            claims.RectificationReworked(order_id="o", **m, unit=GRID, reason="r", sent_back_by="y"),
            claims.RectificationReported(
                order_id="o", **m, unit=GRID, outcome="x", on_time=False, reported_by="x"
            ),
            claims.RectificationClosed(
                order_id="o", **m, unit=GRID, level="grid", inside=False, on_time=False, closed_by="y"
            ),
        ],
    ]  # fmt: skip


def test_what_a_whole_life_leaves(overseer):
    for stream in a_life(overseer):
        for event in stream:
            overseer.hear(event)
    [matter] = overseer.rows(tables.matters)
    assert matter["number"] == "N"
    assert matter["territory"] == GRID
    assert (matter["state"], matter["attempt"], matter["suspended"]) == ("withdrawn", 2, False)
    assert (matter["first_closed_at"], matter["first_on_time"]) == (overseer.clock.now(), False)
    assert [row["ended_as"] for row in overseer.rows(tables.attempts)] == ["closed", "withdrawn"]
    [clock] = overseer.rows(tables.clocks)
    assert clock["due_at"] - clock["original_due_at"] == timedelta(hours=2)
    assert (clock["paused_at"], clock["breached"], clock["outcome"]) == (None, True, "breached")
    [whistle] = overseer.rows(tables.whistles)
    assert (whistle["late"], whistle["outcome"], whistle["departments"]) == (True, "completed", ["a", "b"])
    assert overseer.rows(tables.resolutions)[0]["state"] == "filed"
    [order] = overseer.rows(tables.orders)
    assert (order["held_by"], order["overdue_times"], order["on_time"]) == ("guanghua-dongli", 1, False)
    assert order["closed_at"] == order["withdrawn_at"] == order["ordered_at"] == overseer.clock.now()
    kinds = sorted(row["kind"] for row in overseer.rows(tables.milestones))
    assert kinds == [
        "assigned", "deliberated", "escalated", "reopened", "resumed", "returned", "reworked", "suspended", "whistled",
    ]  # fmt: skip


def test_a_rebuild_gives_the_same_tables(overseer):
    overseer.opened("m-9", asks=2)
    overseer.closed("m-9")
    overseer.settle()
    overseer.answer(overseer.rows(tables.evaluations)[0]["evaluation_id"])
    overseer.do("record-inspection", matter="m-9", kind="cloud", finding="亮", passed=True)
    for stream in a_life(overseer):
        for event in stream:
            overseer.hear(event)
    overseer.settle()
    before = overseer.projected()
    assert all(before.values())
    for _ in range(2):
        with writing(overseer.engine) as db:
            assert rebuild(db) > 0
            db.commit()
        assert overseer.projected() == before


def test_applying_every_event_again_changes_nothing_that_is_counted(overseer):
    for stream in a_life(overseer):
        for event in stream:
            overseer.hear(event)
    counted = (tables.milestones, tables.demands, tables.attempts)
    before = [overseer.rows(table) for table in counted]
    with writing(overseer.engine) as db:
        rows = Rows(db)
        for raw in list(envelopes(db)):
            envelope = from_bytes(raw)
            mark = Mark(message_id=envelope.id, at=envelope.time)
            PROJECTIONS[envelope.name](rows, envelope.payload(), mark)
        rows.flush()
        db.commit()
    assert [overseer.rows(table) for table in counted] == before


@pytest.fixture(scope="module")
def in_order(pack):
    overseer = make(pack)
    for stream in a_life(overseer):
        for event in stream:
            overseer.hear(event)
    yield {name: rows for name, rows in overseer.projected().items() if name != "evaluations"}
    overseer.engine.dispose()


@settings(max_examples=25, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(data=st.data())
def test_the_order_between_streams_does_not_matter(pack, in_order, data):
    overseer = make(pack)
    streams = [list(stream) for stream in a_life(overseer)]
    while any(streams):
        stream = data.draw(st.sampled_from([one for one in streams if one]))
        overseer.hear(stream.pop(0))
    found = overseer.projected()
    overseer.engine.dispose()
    assert {name: found[name] for name in in_order} == in_order


def test_what_is_heard_exists_and_is_ours_to_hear():
    for name in SUBSCRIPTIONS:
        registry.by_name(name)
    assert set(PROJECTIONS) == set(SUBSCRIPTIONS)
