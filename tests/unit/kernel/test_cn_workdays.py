"""The national table day by day against two independent packages, chinesecalendar and holidays."""

from __future__ import annotations

from datetime import date, timedelta

import chinese_calendar
import holidays
import pytest

from shared.kernel.worktime import InvalidCalendar, WorkingCalendar, national_days, national_names

DAYS = national_days("cn")
YEARS = range(DAYS.covered_from.year, DAYS.covered_until.year + 1)


def calendar():
    return WorkingCalendar.build(
        name="cn",
        timezone=DAYS.timezone,
        week={day: [["09:00", "17:00"]] for day in ("mon", "tue", "wed", "thu", "fri")},
        days_off=DAYS.days_off,
        makeup_days=DAYS.makeup_days,
        covered_from=DAYS.covered_from,
        covered_until=DAYS.covered_until,
        version=DAYS.version,
    )


@pytest.mark.parametrize("year", YEARS)
def test_every_day_agrees_with_two_packages(year):
    ours, theirs = calendar(), holidays.country_holidays("CN", years=year)
    day = date(year, 1, 1)
    while day.year == year:
        expected = chinese_calendar.is_workday(day)
        assert ours.is_working_day(day) is expected, f"{day} against chinesecalendar"
        assert ours.is_working_day(day) is theirs.is_working_day(day), f"{day} against holidays"
        day += timedelta(days=1)


def test_the_covered_range_is_whole_years_with_data():
    assert (DAYS.covered_from.month, DAYS.covered_from.day) == (1, 1)
    assert (DAYS.covered_until.month, DAYS.covered_until.day) == (12, 31)
    assert {day.year for day in DAYS.days_off} == set(YEARS)


def test_make_up_days_are_weekend_days_only():
    assert all(day.weekday() >= 5 for day in DAYS.makeup_days)
    assert not DAYS.makeup_days & DAYS.days_off


def test_an_unknown_country_is_refused_by_name():
    assert national_names() == ("cn",)
    with pytest.raises(InvalidCalendar, match="cn"):
        national_days("atlantis")
