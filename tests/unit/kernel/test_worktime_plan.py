"""Years published later, on top of the national table and below what a town decides for itself."""

from __future__ import annotations

from datetime import date

import pytest

from shared.kernel.worktime import CalendarPlan, InvalidCalendar, PublishedYear, check_year, national_days

CN = national_days("cn")
OPEN = [["09:00", "17:00"]]
WEEK = dict.fromkeys(("mon", "tue", "wed", "thu", "fri"), OPEN)


def days(*texts):
    return frozenset(map(date.fromisoformat, texts))


def year(number, off, makeup=(), revision=1):
    return PublishedYear(number, days(*off), days(*makeup), revision)


def plan(**changes):
    parts = {
        "name": "x", "timezone": "Asia/Shanghai", "week": WEEK, "national": CN, "days_off": frozenset(),
        "makeup_days": frozenset(), "version": "x.1",
    }  # fmt: skip
    return CalendarPlan(**parts | changes)


def test_without_a_new_year_it_is_the_national_table():
    made = plan().calendar()
    assert (made.days_off, made.covered_until, made.version) == (CN.days_off, CN.covered_until, "cn-2026.1+x.1")


def test_a_new_year_reaches_further():
    made = plan().calendar([year(2027, ["2027-01-01"], ["2027-01-09"])])
    assert made.covered_until == date(2027, 12, 31)
    assert not made.is_working_day(date(2027, 1, 1))
    assert made.is_working_day(date(2027, 1, 9))
    assert made.is_working_day(date(2026, 10, 10)) is plan().calendar().is_working_day(date(2026, 10, 10))
    assert made.version == "cn-2026.1+2027.1+x.1"


def test_the_later_word_on_a_year_replaces_the_earlier():
    first, second = year(2027, ["2027-01-01"], ["2027-01-09"]), year(2027, ["2027-01-04"], (), 2)
    made = plan().calendar([first, second])
    assert made.is_working_day(date(2027, 1, 1))
    assert not made.is_working_day(date(2027, 1, 4))
    assert not made.is_working_day(date(2027, 1, 9))


def test_what_the_town_decides_goes_before_a_year_published_later():
    town = plan(days_off=days("2027-01-09"), makeup_days=days("2027-01-01"))
    made = town.calendar([year(2027, ["2027-01-01"], ["2027-01-09"])])
    assert made.is_working_day(date(2027, 1, 1))
    assert not made.is_working_day(date(2027, 1, 9))


def test_a_notice_may_change_december_before_and_no_other_day():
    made = plan().calendar([year(2027, ["2026-12-31", "2027-01-01"], ["2026-12-26"])])
    assert made.is_working_day(date(2026, 12, 26))
    assert not made.is_working_day(date(2026, 12, 31))
    check_year(CN, 2027, days("2026-12-31"), days("2026-12-26"))
    with pytest.raises(InvalidCalendar) as refused:
        check_year(CN, 2027, days("2026-11-30"), ())
    assert refused.value.where == "days_off"


@pytest.mark.parametrize("number", [2019, 2028])
def test_no_gap_is_left(number):
    with pytest.raises(InvalidCalendar) as refused:
        check_year(CN, number, days(f"{number}-01-01"), ())
    assert refused.value.where == "year"


@pytest.mark.parametrize("number", [2020, 2026, 2027])
def test_years_in_the_range_and_the_next_one_are_taken(number):
    check_year(CN, number, days(f"{number}-01-01"), ())


def test_half_days_are_kept_over_a_new_year():
    made = plan(shifts={date(2027, 2, 5): [["09:00", "12:00"]]}).calendar([year(2027, ["2027-01-01"])])
    assert made.hours(date(2027, 2, 5)) == ((9 * 3600, 12 * 3600),)
