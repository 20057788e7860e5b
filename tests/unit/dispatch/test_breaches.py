"""Breach climbs exactly once per breach; silence climbs on to the top; scans may run any number of times."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

from hypothesis import given, settings
from hypothesis import strategies as st

from deploy.launcher.suite import Suite
from services.dispatch.handlers import run_clocks
from shared.ledger.unit_of_work import unit_of_work
from tests.unit.dispatch.conftest import (
    CLERK,
    COMMUNITY,
    DISTRICT,
    GATE,
    GRID,
    LIGHT,
    PHOTO,
    RAMP,
    START,
    STREET,
    STREET_CLERK,
    WORKER,
    Desk,
)  # fmt: skip


def test_silence_climbs_to_the_top_and_stays_there_flagged(desk):
    desk.open(text=RAMP)
    desk.wait(days=20)
    assert desk.climbs() == [
        (COMMUNITY, "breach", "accept"),
        (STREET, "breach", "accept"),
        (DISTRICT, "breach", "accept"),
    ]
    view = desk.view()
    assert (view["unit"]["id"], view["state"], view["flags"]) == (DISTRICT, "assigned", ["cannot-climb"])
    assert view["steps"][-1]["action"] == "climb-skipped"
    assert view["steps"][-1]["detail"]["because"] == "no-level-above"
    accepts = [clock for clock in view["clocks"] if clock["kind"] == "accept"]
    assert [(clock["unit"], clock["outcome"]) for clock in accepts] == [
        (GRID, "breached"), (COMMUNITY, "breached"), (STREET, "breached"), (DISTRICT, None),
    ]  # fmt: skip
    # Each level had its own full target, counted from the hand-over.
    assert [clock["started_at"] >= clock["due_at"] for clock in accepts] == [False] * 4


def test_resolve_breaches_once_and_never_starts_again(desk):
    desk.open()
    desk.do(WORKER, "accept")
    desk.wait(hours=9)
    assert desk.climbs() == [(COMMUNITY, "breach", "resolve")]
    desk.do(CLERK, "accept")
    desk.wait(days=30)
    assert len([one for one in desk.events("clock-breached") if one["kind"] == "resolve"]) == 1
    assert len([one for one in desk.events("clock-started") if one["kind"] == "resolve"]) == 1
    assert desk.climbs() == [(COMMUNITY, "breach", "resolve")]
    grossly = desk.events("clock-grossly-overdue")
    assert sorted(one["kind"] for one in grossly) == ["feedback", "resolve"]
    assert desk.clock("resolve")["band"] == "grossly-overdue"


def test_warnings_at_the_packs_shares(desk):
    desk.open(text=GATE)
    desk.wait(minutes=14)
    warned = [(one["kind"], one["percent"]) for one in desk.events("clock-warned")]
    assert warned == [("accept", 50), ("accept", 80)]


def test_accepted_exactly_when_due_is_met_and_climbs_nowhere(desk):
    desk.open(text=GATE)
    desk.until(START + timedelta(minutes=15))
    assert desk.events("clock-breached") == []
    desk.do(WORKER, "accept")
    assert desk.clock("accept")["outcome"] == "met"
    assert desk.climbs() == []


def test_the_next_microsecond_is_breached(desk):
    desk.open(text=GATE)
    desk.until(START + timedelta(minutes=15, microseconds=1))
    (breach,) = desk.events("clock-breached")
    assert breach["due_at"] == "2026-11-16T01:15:00Z"
    assert breach["detected_at"] == "2026-11-16T01:15:00.000001Z"
    assert desk.climbs() == [(COMMUNITY, "breach", "accept")]


def test_a_breach_of_a_kind_the_pack_does_not_list_climbs_nowhere(desk_of, pack):
    escalation = replace(pack.policy.escalation, on_breach=("resolve",))
    desk = desk_of(replace(pack, policy=replace(pack.policy, escalation=escalation)))
    desk.open(text=GATE)
    desk.wait(minutes=30)
    assert len(desk.events("clock-breached")) == 1
    assert desk.climbs() == []


def test_a_breach_while_it_cannot_climb_is_kept_with_its_reason(desk_of, pack):
    escalation = replace(pack.policy.escalation, on_breach=("feedback",))
    desk = desk_of(replace(pack, policy=replace(pack.policy, escalation=escalation)))
    desk.open()
    desk.do(WORKER, "accept")
    desk.do(WORKER, "resolve", outcome="好了", evidence=[PHOTO])
    desk.wait(days=5)
    assert desk.view()["state"] == "resolved"
    skipped = [step["detail"] for step in desk.view()["steps"] if step["action"] == "climb-skipped"]
    assert skipped == [{"cause": "breach", "reason": "feedback", "because": "state-resolved"}]


def test_scanning_again_changes_nothing(desk):
    desk.open(text=GATE)
    desk.suite.clock.advance(timedelta(minutes=40))
    assert desk.app.run_due() > 0
    desk.suite.settle()
    before = desk.events()
    for _ in range(3):
        desk.app.run_due()
    assert desk.events() == before


def test_a_scan_that_was_rolled_back_is_done_again_by_the_next(desk):
    desk.open(text=GATE)
    desk.suite.clock.advance(timedelta(minutes=20))
    with unit_of_work(desk.app.at_hand) as work:
        assert run_clocks(work, 100) == 1
    assert desk.events("clock-breached") == []
    desk.app.run_due()
    assert len(desk.events("clock-breached")) == 1
    assert len(desk.climbs()) == 1


def test_the_scan_costs_what_is_due_and_takes_the_oldest_first(desk):
    for number in range(6):
        desk.open(f"m-{number}", GATE)
        desk.suite.clock.advance(timedelta(seconds=10))
    desk.suite.clock.set(START + timedelta(minutes=15, seconds=25))
    with unit_of_work(desk.app.at_hand) as work:
        assert run_clocks(work, 2) == 2
        work.commit()
    clocks = {one["clock_id"]: one["matter_id"] for one in desk.events("clock-breached")}
    assert list(clocks.values()) == ["m-0", "m-1"]


@settings(max_examples=12)
@given(scans=st.lists(st.integers(1, 60 * 30), min_size=1, max_size=6))
def test_however_the_scans_fall_the_climbs_are_the_same_set(pack, scans):
    """One breach, one climb: with a scan every second or one in half a day (minutes from the start)."""
    suite = Suite.in_memory(pack, START, only=["dispatch"])
    desk = Desk(suite)
    desk.open(text=LIGHT)
    desk.do(WORKER, "accept")
    for minute in sorted(scans):
        suite.clock.set(START + timedelta(minutes=minute))
        desk.app.run_due()
        desk.app.run_due()
    suite.advance(to=START + timedelta(days=15))
    breaches = [one["clock_id"] for one in desk.events("clock-breached")]
    assert len(breaches) == len(set(breaches))
    climbing = [one for one in desk.events("clock-breached") if one["kind"] in ("resolve", "accept")]
    stuck = [step for step in desk.view()["steps"] if step["action"] == "climb-skipped"]
    assert len(desk.climbs()) + len(stuck) == len(climbing)
    assert [unit for unit, _, _ in desk.climbs()] == [COMMUNITY, STREET, DISTRICT]
    assert desk.climbs()[0][2] == "resolve"
    suite.close()


def test_half_by_reason_half_by_breach(desk):
    desk.open(text=RAMP)
    desk.do(WORKER, "accept")
    desk.do(WORKER, "escalate", reason="beyond-authority")
    desk.wait(days=2)
    desk.do(STREET_CLERK, "accept")
    desk.do(STREET_CLERK, "escalate", reason="needs-funds")
    assert [(unit, cause) for unit, cause, _ in desk.climbs()] == [
        (COMMUNITY, "reason"), (STREET, "breach"), (DISTRICT, "reason"),
    ]  # fmt: skip
