"""Promises extended by working days 延期: later, never earlier, and in any order with pauses."""

from __future__ import annotations

from datetime import UTC, datetime, time, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shared.kernel.worktime import Target
from tests.unit.kernel.test_worktime_quick import CALENDARS, calendar, instants, targets

OFFICE = CALENDARS["office"]


def at(text):
    return datetime.fromisoformat(f"{text}+08:00")


@pytest.mark.parametrize(
    ("start", "target", "days", "due"),
    [
        # Closing time stays closing time, over a weekend, a holiday, a make-up day.
        ("2026-11-16T10:00", Target.end_of_working_day(0), 1, "2026-11-17T17:30"),
        ("2026-11-20T10:00", Target.end_of_working_day(0), 1, "2026-11-23T17:30"),
        ("2025-09-30T10:00", Target.end_of_working_day(0), 1, "2025-10-09T17:30"),
        ("2025-10-10T10:00", Target.end_of_working_day(0), 1, "2025-10-11T17:30"),
        # Hours keep the time of day; the wall clock too, but not into the night of a working day.
        ("2026-11-16T10:00", Target.working(3600), 2, "2026-11-18T11:00"),
        ("2026-11-16T22:00", Target.elapsed(7200), 1, "2026-11-18T00:00"),
        ("2026-11-16T20:00", Target.elapsed(7200), 1, "2026-11-17T17:30"),
        ("2026-11-16T10:00", Target.end_of_week(), 5, "2026-11-27T17:30"),
    ],
)
def test_extended(start, target, days, due):
    found = OFFICE.due(at(start), target, extended=days)
    assert found.at == at(due)
    assert [step.code for step in found.steps][-1] == "extended"
    assert found.steps[-1].at == found.at


def test_a_half_day_closes_what_would_be_due_in_its_afternoon():
    found = CALENDARS["half-days"].due(at("2026-05-28T10:00"), Target.end_of_working_day(0), extended=1)
    assert found.at == at("2026-05-29T12:00")


def test_the_steps_tell_the_promise_and_what_was_added():
    pauses = [(at("2026-11-24T09:00"), at("2026-11-25T09:00"))]
    found = OFFICE.due(at("2026-11-16T10:00"), Target.end_of_working_day(5), pauses, extended=2)
    assert [(step.code, step.at) for step in found.steps] == [
        ("started", at("2026-11-16T10:00")),
        ("promised", at("2026-11-23T17:30")),
        ("extended", at("2026-11-25T17:30")),
        ("paused", at("2026-11-25T09:00")),
    ]
    # The pause begins after the first promise and moves the one extended.
    assert found.at == at("2026-11-26T17:30")


def test_extended_into_a_year_that_nobody_has_published_it_is_provisional():
    start = at("2026-12-30T10:00")
    for target in (Target.end_of_working_day(0), Target.elapsed(3600)):
        assert not OFFICE.due(start, target).provisional
        assert OFFICE.due(start, target, extended=5).provisional


@given(instants, targets, st.integers(1, 60), st.integers(1, 60))
def test_more_days_are_later(start, target, one, other):
    fewer, more = sorted((one, other))
    plain = OFFICE.due(start, target).at
    assert plain < OFFICE.due(start, target, extended=fewer).at <= OFFICE.due(start, target, extended=more).at


@given(instants, targets, st.integers(1, 20))
def test_so_many_working_days_later_it_is(start, target, days):
    plain, found = OFFICE.due(start, target).at, OFFICE.due(start, target, extended=days).at
    assert OFFICE.local_date(found) == OFFICE.working_date(OFFICE.local_date(plain), days)


@given(instants, targets, st.integers(0, 9), st.integers(0, 20_000), st.integers(0, 5_000), st.integers(1, 5_000))
def test_pauses_never_make_an_extended_promise_earlier(start, target, days, minutes, length, longer):
    begin = start + timedelta(minutes=minutes)
    ends = [begin + timedelta(minutes=length), begin + timedelta(minutes=length + longer)]
    dues = [OFFICE.due(start, target, pauses, extended=days).at for pauses in ([], *([(begin, end)] for end in ends))]
    assert dues == sorted(dues)


@given(instants, targets, st.integers(1, 9), st.lists(st.floats(0.01, 3.0), min_size=2, max_size=4))
def test_warnings_of_an_extended_promise_rise_with_their_shares(start, target, days, shares):
    due, reached = OFFICE.due_and_shares(start, target, sorted(shares), extended=days)
    assert list(reached) == sorted(reached)
    _, (whole,) = OFFICE.due_and_shares(start, target, [1.0], extended=days)
    assert whole == due.at


@given(instants, st.integers(1, 9))
def test_a_new_holiday_never_makes_an_extended_promise_earlier(start, days):
    holiday = (start + timedelta(days=3)).date()
    other = calendar(days_off=OFFICE.days_off | {holiday}, makeup_days=())
    plain = calendar(makeup_days=())
    target = Target.end_of_working_day(2, time(16, 0))
    assert other.due(start, target, extended=days).at >= plain.due(start, target, extended=days).at


def test_nothing_added_is_nothing_added():
    start = datetime(2026, 11, 16, 2, tzinfo=UTC)
    assert OFFICE.due(start, Target.working(60), extended=0) == OFFICE.due(start, Target.working(60))
