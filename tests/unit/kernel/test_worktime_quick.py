"""The short way gives the very instants of the long way, on calendars of every kind."""

from __future__ import annotations

from datetime import UTC, date, datetime, time, timedelta

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from shared.kernel.worktime import BeyondCalendar, InvalidPause, Target, WorkingCalendar, national_days

CN = national_days("cn")
FIVE = ("mon", "tue", "wed", "thu", "fri")
SPLIT = [["09:00", "12:00"], ["13:30", "17:30"]]
NEVER_CLOSED = [["00:00", "24:00"]]
#: Work in the very hours in which clocks are changed.
NIGHTS = {**dict.fromkeys(FIVE, SPLIT), "sun": [["01:30", "04:00"]]}


def calendar(timezone="Asia/Shanghai", week=None, **changes):
    parts = {
        "name": "x", "timezone": timezone, "week": week or dict.fromkeys(FIVE, SPLIT), "days_off": CN.days_off,
        "makeup_days": CN.makeup_days, "covered_from": CN.covered_from, "covered_until": CN.covered_until,
        "version": "1",
    }  # fmt: skip
    return WorkingCalendar.build(**parts | changes)


CALENDARS = {
    "office": calendar(),
    # Afternoons off before holidays, an evening once a month.
    "half-days": calendar(
        shifts={
            date(2025, 9, 30): [["09:00", "12:00"]], date(2026, 2, 13): [["09:00", "12:00"]],
            date(2026, 5, 29): [["09:00", "12:00"]], date(2026, 1, 29): [["13:00", "20:00"]],
        }
    ),
    "round-the-clock": calendar(week=dict.fromkeys((*FIVE, "sat", "sun"), NEVER_CLOSED)),
    "clock-changes": calendar(timezone="Europe/Berlin", week=NIGHTS),
    "half-hour-zone": calendar(timezone="Asia/Kolkata"),
    "other-side": calendar(timezone="America/Los_Angeles"),
}  # fmt: skip

instants = st.datetimes(datetime(2024, 1, 1), datetime(2027, 12, 31)).map(lambda at: at.replace(tzinfo=UTC))
seconds = st.integers(1, 60 * 7 * 3600)
targets = st.one_of(
    seconds.map(Target.working),
    seconds.map(Target.elapsed),
    st.builds(
        Target.end_of_working_day,
        st.integers(0, 40),
        st.none() | st.times().map(lambda at: time(at.hour, at.minute)),
    ),
    st.just(Target.end_of_week()),
    st.just(Target.end_of_month()),
)


@pytest.mark.parametrize("name", CALENDARS)
@settings(max_examples=150)
@given(start=instants, target=targets)
@example(start=datetime(2025, 9, 30, 4, 0, tzinfo=UTC), target=Target.end_of_week())
@example(start=datetime(2026, 5, 29, 4, 0, tzinfo=UTC), target=Target.end_of_month())
@example(start=datetime(2026, 3, 29, 1, 0, tzinfo=UTC), target=Target.end_of_working_day(0, time(3, 30)))
@example(start=datetime(2026, 10, 25, 1, 0, tzinfo=UTC), target=Target.end_of_working_day(0))
@example(start=datetime(2026, 11, 16, 9, 30, tzinfo=UTC), target=Target.end_of_working_day(0))
def test_both_ways_give_the_same_instant(name, start, target):
    calendar_ = CALENDARS[name]
    assert calendar_.due_at(start, target) == calendar_.due(start, target).at


@given(
    start=instants, target=targets, minutes=st.integers(0, 20_000), length=st.integers(0, 9_000), days=st.integers(0, 9)
)
def test_with_pauses_and_extensions_too(start, target, minutes, length, days):
    office = CALENDARS["office"]
    begin = start + timedelta(minutes=minutes)
    pauses = [(begin, begin + timedelta(minutes=length))]
    assert office.due_at(start, target, pauses, extended=days) == office.due(start, target, pauses, extended=days).at


#: From the start: minutes until each pause begins, and how long it lasts. In no order, and they may overlap.
rests = st.lists(st.tuples(st.integers(-20_000, 60_000), st.integers(0, 30_000)), max_size=4)


@pytest.mark.parametrize("name", CALENDARS)
@settings(max_examples=150)
@given(start=instants, target=targets, rests=rests, tidy=st.booleans())
@example(start=datetime(2025, 9, 30, 4, 0, tzinfo=UTC), target=Target.working(3600), rests=[(0, 60)], tidy=True)
@example(start=datetime(2026, 3, 2, 1, 0, tzinfo=UTC), target=Target.elapsed(60), rests=[(1, 60)], tidy=True)
@example(start=datetime(2026, 3, 2, 1, 0, tzinfo=UTC), target=Target.elapsed(3600), rests=[(0, 9), (9, 9)], tidy=True)
@example(start=datetime(2027, 12, 1, tzinfo=UTC), target=Target.working(3600), rests=[(0, 60_000)], tidy=True)
def test_with_several_pauses_in_any_order_too(name, start, target, rests, tidy):
    calendar_ = CALENDARS[name]
    pauses = [(start + timedelta(minutes=begin), start + timedelta(minutes=begin + length)) for begin, length in rests]
    if tidy:
        pauses.sort()
    assert calendar_.due_at(start, target, pauses) == calendar_.due(start, target, pauses).at


def test_a_rest_before_the_first_opening_that_is_known():
    """The table begins with the year; its first days are a holiday."""
    fresh, start = calendar(), datetime(2026, 1, 2, 1, 0, tzinfo=UTC)
    for target in (Target.end_of_week(), Target.working(3600), Target.end_of_working_day(1)):
        pauses = [(start + timedelta(hours=1), start + timedelta(hours=2)), (start, start + timedelta(days=4))]
        for given_ in (pauses, pauses[:1], pauses[1:]):
            fresh.due_at(start, Target.working(60))
            assert fresh.due_at(start, target, given_) == CALENDARS["office"].due(start, target, given_).at


def test_pauses_that_make_no_sense_are_refused_on_both_ways():
    office, start = CALENDARS["office"], datetime(2026, 3, 2, 1, 0, tzinfo=UTC)
    for way in (office.due_at, office.due):
        with pytest.raises(InvalidPause):
            way(start, Target.working(3600), [(start + timedelta(hours=2), start + timedelta(hours=1))])
        with pytest.raises(ValueError, match="no time zone"):
            way(start, Target.working(3600), [(datetime(2026, 3, 2), datetime(2026, 3, 3))])


@given(first=instants, then=instants, target=targets)
def test_the_order_in_which_years_are_asked_for_does_not_matter(first, then, target):
    fresh = calendar()
    fresh.due_at(first, target)
    assert fresh.due_at(then, target) == CALENDARS["office"].due(then, target).at


def test_naive_instants_and_times_beyond_all_tables_are_refused_on_both_ways():
    office = CALENDARS["office"]
    with pytest.raises(ValueError, match="no time zone"):
        office.due_at(datetime(2026, 1, 1), Target.end_of_week())
    for target in (Target.end_of_working_day(2), Target.working(3600), Target.end_of_month()):
        with pytest.raises(BeyondCalendar):
            office.due_at(datetime(2250, 1, 1, tzinfo=UTC), target)
    with pytest.raises(BeyondCalendar):
        office.due_at(datetime(9999, 12, 31, tzinfo=UTC), Target.elapsed(2 * 86_400))
