"""Clock rules: equal is met, breach comes after, nothing happens twice, the scan's hour never decides."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.dispatch.domain import clocks
from services.dispatch.domain.clocks import BREACH_AFTER, Band, SlaClock, Status
from shared.jurisdiction import Label, ResponseClass
from shared.kernel.worktime import Target

MONDAY = datetime(2026, 11, 16, 1, 0, tzinfo=UTC)
TICK = timedelta(microseconds=1)
ELAPSED = Target.elapsed(4 * 3600)
TARGETS = st.sampled_from([ELAPSED, Target.working(4 * 3600), Target.end_of_working_day(0), Target.end_of_week()])
INSTANTS = st.datetimes(datetime(2026, 1, 1), datetime(2026, 12, 20), timezones=st.just(UTC))


def rule(target, *, pausable=True):
    return ResponseClass(
        id="c", name=Label("类", "class"), clocks={"resolve": target}, pausable=pausable, warn_shares=(0.5, 0.8),
        grossly_overdue_share=2.0,
    )  # fmt: skip


def clock_of(pack, target=ELAPSED, start=MONDAY, **more) -> SlaClock:
    made = clocks.promise(pack.calendar, start, target, rule(target))
    return SlaClock(
        id="k", matter_id="m", kind="resolve", attempt=1, stage=0, response_class="c", unit="u", target=target,
        words=made.words, started_at=start, original_due_at=made.due_at, due_at=made.due_at,
        provisional=made.provisional, steps=made.steps, fired=0, promise=1, status=Status.RUNNING, **more,
    )  # fmt: skip


def test_equal_is_met_and_the_next_microsecond_is_late():
    assert clocks.outcome_of(MONDAY, MONDAY) == "met"
    assert clocks.outcome_of(MONDAY + TICK, MONDAY) == "breached"
    assert clocks.outcome_of(MONDAY - TICK, MONDAY) == "met"


@given(target=TARGETS, start=INSTANTS)
def test_steps_come_in_order_and_the_due_step_right_after_the_due_instant(pack, target, start):
    clock = clock_of(pack, target, start)
    assert [step.name for step in clock.steps] == ["warn-50", "warn-80", "due", "gross"]
    assert [step.at for step in clock.steps] == sorted(step.at for step in clock.steps)
    assert clock.steps[2].at == clock.due_at + BREACH_AFTER
    assert start <= clock.steps[0].at
    assert clock.words


@given(stop=st.integers(-(10**7), 10**7), scans=st.lists(st.integers(0, 10**7), max_size=4), target=TARGETS)
def test_the_outcome_is_the_same_whenever_the_scan_ran(pack, stop, scans, target):
    """Scans before the stop, late scans, no scan: the outcome looks at two instants and nothing else."""
    clock = clock_of(pack, target)
    at = clock.due_at + timedelta(microseconds=stop)
    seen = clock
    for scan in sorted(scans):
        seen = replace(seen, fired=seen.fired + len(clocks.passed(seen, at - timedelta(microseconds=scan))))
    assert clocks.stopped(seen, at).outcome == clocks.stopped(clock, at).outcome == ("met" if stop <= 0 else "breached")


@given(moments=st.lists(st.integers(0, 20 * 3600), min_size=1, max_size=12))
def test_each_step_is_passed_exactly_once(pack, moments):
    clock, done = clock_of(pack), []
    for moment in [*sorted(moments), 20 * 3600]:
        steps = clocks.passed(clock, MONDAY + timedelta(seconds=moment))
        done += [step.name for step in steps]
        clock = replace(clock, fired=clock.fired + len(steps))
    assert done == ["warn-50", "warn-80", "due", "gross"]
    assert clock.next_step_at is None


def test_only_running_clocks_have_a_next_step(pack):
    clock = clock_of(pack)
    assert clock.next_step_at == MONDAY + timedelta(hours=2)
    for status in (Status.PAUSED, Status.HELD, Status.STOPPED):
        assert replace(clock, status=status).next_step_at is None
        assert clocks.passed(replace(clock, status=status), MONDAY + timedelta(days=9)) == ()


def test_stale_warnings_are_not_announced(pack):
    steps = clocks.passed(clock_of(pack), MONDAY + timedelta(hours=5))
    assert [step.name for step in clocks.worth_telling(steps)] == ["due"]
    both = clocks.passed(clock_of(pack), MONDAY + timedelta(hours=3.5))
    assert [step.percent for step in clocks.worth_telling(both)] == [50, 80]


@pytest.mark.parametrize(
    ("hours", "band"),
    [(0, Band.OK), (3.19, Band.OK), (3.2, Band.DUE_SOON), (4, Band.DUE_SOON), (4.01, Band.OVERDUE),
     (8, Band.GROSSLY_OVERDUE)],
)  # fmt: skip
def test_bands(pack, hours, band):
    assert clocks.band(clock_of(pack), MONDAY + timedelta(hours=hours)) is band


def test_bands_of_clocks_that_stand(pack):
    late = MONDAY + timedelta(days=3)
    assert clocks.band(replace(clock_of(pack), status=Status.PAUSED), late) is Band.PAUSED
    assert clocks.band(clocks.stopped(clock_of(pack), late), late) is None


@given(pause=st.integers(1, 3 * 3600))
def test_a_pause_moves_the_due_instant_by_its_length(pack, pause):
    begin = MONDAY + timedelta(minutes=30)
    pauses = ((begin, begin + timedelta(seconds=pause)),)
    kept = clocks.promise(pack.calendar, MONDAY, ELAPSED, rule(ELAPSED), pauses)
    clock = clocks.resumed(replace(clock_of(pack), status=Status.PAUSED), kept)
    assert clock.due_at - clock.original_due_at == timedelta(seconds=pause)
    assert clock.status is Status.RUNNING
    assert clocks.budget_used(pack.calendar, clock, clock.due_at, pauses) == pytest.approx(1)


@given(target=TARGETS, start=INSTANTS)
def test_the_due_instant_is_the_whole_budget(pack, target, start):
    clock = clock_of(pack, target, start)
    assert clocks.budget_used(pack.calendar, clock, clock.due_at) == pytest.approx(1)
    assert clocks.budget_used(pack.calendar, clock, start) == 0


def test_a_new_promise_keeps_the_start_and_does_not_repeat_a_standing_breach(pack):
    now = MONDAY + timedelta(hours=5)
    late = replace(clock_of(pack), fired=3, breached_at=MONDAY + timedelta(hours=4))
    short, long = Target.elapsed(3600), Target.elapsed(24 * 3600)
    worse = clocks.renewed(late, clocks.promise(pack.calendar, MONDAY, short, rule(short)), rule(short), short, now=now)
    assert worse.started_at == MONDAY
    assert worse.due_at == MONDAY + timedelta(hours=1)
    assert [step.name for step in clocks.passed(worse, now)] == ["gross"]
    better = clocks.renewed(late, clocks.promise(pack.calendar, MONDAY, long, rule(long)), rule(long), long, now=now)
    assert better.breached_at is None
    assert clocks.passed(better, now) == ()
    assert [step.name for step in clocks.passed(better, MONDAY + timedelta(hours=25))] == ["warn-50", "warn-80", "due"]
    assert better.original_due_at == late.original_due_at
    assert (worse.promise, better.promise) == (2, 2)


@given(target=TARGETS, start=INSTANTS, days=st.integers(1, 20), fired=st.integers(0, 4), hours=st.integers(0, 3_000))
def test_more_time_takes_no_step_back_that_still_lies_behind_and_skips_none(pack, target, start, days, fired, hours):
    """Each step of the new promise is either done and behind, or still to be done."""
    now = start + timedelta(hours=hours)
    clock = clock_of(pack, target, start)
    fired = min(fired, len([step for step in clock.steps if step.at <= now]))
    breached = clock.due_at if fired > 2 else None
    clock = replace(clock, fired=fired, breached_at=breached)
    longer = clocks.promise(pack.calendar, start, target, rule(target), extended=days)
    made = clocks.remade(replace(clock, extended_days=days), longer, now=now)
    assert made.due_at > clock.due_at
    assert (made.original_due_at, made.started_at) == (clock.original_due_at, clock.started_at)
    assert all(step.at <= now for step in made.steps[: made.fired])
    assert all(step.at > now for step in made.steps[made.fired : clock.fired])
    assert made.promise == clock.promise + (made.fired < clock.fired)
    assert (made.breached_at is None) == (made.fired <= 2)


@given(target=TARGETS, start=INSTANTS, fired=st.integers(0, 4))
def test_counted_anew_on_the_same_calendar_nothing_changes(pack, target, start, fired):
    clock = clock_of(pack, target, start)
    clock = replace(clock, fired=fired, breached_at=clock.due_at if fired > 2 else None)
    now = clock.steps[fired - 1].at if fired else start
    same = clocks.promise(pack.calendar, start, target, rule(target))
    assert clocks.remade(clock, same, now=now) == clock
