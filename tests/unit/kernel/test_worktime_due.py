"""Due instants of every kind of target on the Chinese calendar, with pauses, shares and the covered range's end."""

from __future__ import annotations

from datetime import UTC, date, datetime, time, timedelta
from zoneinfo import ZoneInfo

import pytest

from shared.kernel.worktime import (
    BeyondCalendar,
    InvalidCalendar,
    InvalidPause,
    Target,
    WorkingCalendar,
    national_days,
    parse_target,
)

SPLIT_DAY = [["09:00", "12:00"], ["13:30", "17:30"]]
ROUND_THE_CLOCK = {day: [["00:00", "24:00"]] for day in ("mon", "tue", "wed", "thu", "fri", "sat", "sun")}
WEEK = dict.fromkeys(("mon", "tue", "wed", "thu", "fri"), SPLIT_DAY)


def chinese_calendar(**changes):
    """Return the national calendar with office hours."""
    days = national_days("cn")
    parts = {
        "name": "office",
        "timezone": "Asia/Shanghai",
        "week": WEEK,
        "days_off": days.days_off,
        "makeup_days": days.makeup_days,
        "covered_from": days.covered_from,
        "covered_until": days.covered_until,
        "version": days.version,
    }
    return WorkingCalendar.build(**{**parts, **changes})


OFFICE = chinese_calendar()


def local(text):
    """Return the UTC instant of a Chinese local time."""
    return datetime.fromisoformat(text).replace(tzinfo=ZoneInfo("Asia/Shanghai")).astimezone(UTC)


def due(start, target, *pauses):
    return OFFICE.due(local(start), parse_target(target), [(local(begin), local(end)) for begin, end in pauses])


SAME_DAY = {"end_of_working_day": {"days": 0, "cutoff": "16:00"}}


@pytest.mark.parametrize(
    ("start", "target", "expected"),
    [
        # a hazard runs day and night, through the national holiday (N6)
        ("2025-10-01 23:30", {"elapsed": "2h"}, "2025-10-02 01:30"),
        # working time skips lunch, nights, weekends and holidays
        ("2025-11-05 11:30", {"working": "90m"}, "2025-11-05 14:30"),
        ("2025-11-07 17:00", {"working": "1h"}, "2025-11-10 09:30"),
        ("2025-09-30 17:00", {"working": "1h"}, "2025-10-09 09:30"),
        # Sunday 28 September 2025 is a make-up working day
        ("2025-09-27 10:00", {"working": "1h"}, "2025-09-28 10:00"),
        # used up exactly at the end of the morning or of the day: due then
        ("2025-11-05 09:00", {"working": "3h"}, "2025-11-05 12:00"),
        ("2025-11-05 09:00", {"working": "7h"}, "2025-11-05 17:30"),
        # same day until the cut-off, the next working day after it
        ("2025-11-05 15:59", SAME_DAY, "2025-11-05 17:30"),
        ("2025-11-05 16:00", SAME_DAY, "2025-11-05 17:30"),
        ("2025-11-05 16:00:01", SAME_DAY, "2025-11-06 17:30"),
        ("2025-11-05 06:00", SAME_DAY, "2025-11-05 17:30"),
        ("2025-11-07 18:00", SAME_DAY, "2025-11-10 17:30"),
        ("2025-11-08 10:00", SAME_DAY, "2025-11-10 17:30"),
        ("2025-09-27 10:00", SAME_DAY, "2025-09-28 17:30"),
        # without a cut-off the close of the day is it
        ("2025-11-05 17:29", {"end_of_working_day": {"days": 0}}, "2025-11-05 17:30"),
        ("2025-11-05 17:30", {"end_of_working_day": {"days": 0}}, "2025-11-06 17:30"),
        # five working days after arrival, across the holiday and the make-up Saturday 11 October
        ("2025-09-30 10:00", {"end_of_working_day": {"days": 5}}, "2025-10-14 17:30"),
        ("2025-09-30 17:45", {"end_of_working_day": {"days": 1}}, "2025-10-10 17:30"),
        # the week's last regular working day; a holiday puts it off (Civil Code 203), a make-up day does not
        ("2025-11-05 10:00", {"end_of_week": {}}, "2025-11-07 17:30"),
        ("2025-11-07 17:30", {"end_of_week": {}}, "2025-11-14 17:30"),
        ("2025-11-08 10:00", {"end_of_week": {}}, "2025-11-14 17:30"),
        ("2025-09-29 10:00", {"end_of_week": {}}, "2025-10-09 17:30"),
        ("2025-10-09 10:00", {"end_of_week": {}}, "2025-10-10 17:30"),
        # the month's last regular working day
        ("2025-11-05 10:00", {"end_of_month": {}}, "2025-11-28 17:30"),
        ("2025-11-28 17:30", {"end_of_month": {}}, "2025-12-31 17:30"),
        ("2025-01-06 10:00", {"end_of_month": {}}, "2025-02-05 17:30"),
        # a holiday evening after the regular close: the next period, as on any other day
        ("2025-01-31 17:29", {"end_of_month": {}}, "2025-02-05 17:30"),
        ("2025-01-31 17:30", {"end_of_month": {}}, "2025-02-28 17:30"),
        ("2025-10-03 17:30", {"end_of_week": {}}, "2025-10-10 17:30"),
    ],
)
def test_due(start, target, expected):
    answer = due(start, target)
    assert answer.at == local(expected)
    assert answer.at.tzinfo is UTC
    assert not answer.provisional


@pytest.mark.parametrize(
    ("pauses", "expected"),
    [
        ([("2025-11-05 10:30", "2025-11-05 11:00")], "2025-11-05 14:00"),
        # over lunch only working time counts
        ([("2025-11-05 11:30", "2025-11-05 14:00")], "2025-11-05 14:30"),
        # overlapping pauses are not counted twice
        ([("2025-11-05 10:30", "2025-11-05 11:00"), ("2025-11-05 10:45", "2025-11-05 11:00")], "2025-11-05 14:00"),
        # before the start it does not count, across the start only what is after it
        ([("2025-11-05 09:00", "2025-11-05 09:30")], "2025-11-05 12:00"),
        ([("2025-11-05 09:30", "2025-11-05 10:30")], "2025-11-05 14:00"),
        # begun at the due instant or later: too late
        ([("2025-11-05 12:00", "2025-11-06 12:00")], "2025-11-05 12:00"),
        ([("2025-11-05 13:00", "2025-11-06 12:00")], "2025-11-05 12:00"),
        # the second begins before the due instant that the first has moved
        ([("2025-11-05 11:00", "2025-11-05 12:00"), ("2025-11-05 14:00", "2025-11-05 14:30")], "2025-11-05 15:00"),
        # outside hours nothing is missed
        ([("2025-11-05 12:00", "2025-11-05 13:30")], "2025-11-05 12:00"),
        ([("2025-11-05 10:30", "2025-11-05 10:30")], "2025-11-05 12:00"),
    ],
)
def test_a_pause_moves_working_time_by_the_working_time_it_covers(pauses, expected):
    assert due("2025-11-05 10:00", {"working": "2h"}, *pauses).at == local(expected)


def test_a_pause_moves_elapsed_time_by_all_its_time():
    pause = ("2025-11-05 10:30", "2025-11-06 10:30")
    assert due("2025-11-05 10:00", {"elapsed": "2h"}, pause).at == local("2025-11-06 12:00")


def test_a_pause_moves_the_end_of_the_day_into_the_next_one():
    pause = ("2025-11-05 10:00", "2025-11-05 11:00")
    assert due("2025-11-05 09:00", SAME_DAY, pause).at == local("2025-11-06 10:00")


def test_a_pause_that_ends_before_it_begins_is_refused():
    with pytest.raises(InvalidPause):
        due("2025-11-05 09:00", SAME_DAY, ("2025-11-05 11:00", "2025-11-05 10:00"))


@pytest.mark.parametrize(
    ("start", "target", "share", "expected"),
    [
        ("2025-11-05 11:00", {"working": "4h"}, 0.5, "2025-11-05 14:30"),
        ("2025-11-05 11:00", {"working": "4h"}, 0.25, "2025-11-05 12:00"),
        ("2025-11-05 11:00", {"working": "4h"}, 2.0, "2025-11-06 12:00"),
        ("2025-10-01 22:00", {"elapsed": "2h"}, 0.5, "2025-10-01 23:00"),
        ("2025-10-01 22:00", {"elapsed": "2h"}, 0.8, "2025-10-01 23:36"),
        # seven working hours of a day: half of them are used up at 14:00
        ("2025-11-05 09:00", SAME_DAY, 0.5, "2025-11-05 14:00"),
        ("2025-11-05 09:00", SAME_DAY, 2.0, "2025-11-06 17:30"),
        # over the weekend the budget begins on Monday
        ("2025-11-08 10:00", SAME_DAY, 0.5, "2025-11-10 14:00"),
    ],
)
def test_share_of_the_budget_in_the_clocks_own_time(start, target, share, expected):
    assert OFFICE.share(local(start), parse_target(target), share) == local(expected)


def test_a_pause_moves_a_warning_only_when_it_begins_before_it():
    start, target = local("2025-11-05 09:00"), Target.working(4 * 3600)
    pause = (local("2025-11-05 11:30"), local("2025-11-05 12:00"))
    assert OFFICE.share(start, target, 0.5, [pause]) == local("2025-11-05 11:00")
    assert OFFICE.share(start, target, 0.8, [pause]) == local("2025-11-05 14:12")


@pytest.mark.parametrize("share", [0, -1, 101, float("nan")])
def test_a_share_that_means_nothing_is_refused(share):
    with pytest.raises(ValueError, match="share"):
        OFFICE.share(local("2025-11-05 09:00"), Target.working(60), share)


def test_past_the_published_calendar_a_due_instant_is_provisional():
    inside = due("2026-12-31 09:00", {"working": "7h"})
    assert (inside.at, inside.provisional) == (local("2026-12-31 17:30"), False)
    # New Year's Day 2027 will be a day off, but nobody has said so yet: plain weekdays, and it says it is a guess.
    outside = due("2026-12-31 10:30", {"working": "7h"})
    assert (outside.at, outside.provisional) == (local("2027-01-01 10:30"), True)
    assert outside.steps[-1].code == "provisional"
    assert due("2019-12-31 09:00", {"working": "1h"}).provisional


def test_wall_clock_time_is_never_provisional():
    assert not due("2030-01-01 00:00", {"elapsed": "2h"}).provisional


def test_the_steps_say_why():
    answer = due("2025-11-08 10:00", SAME_DAY, ("2025-11-10 09:00", "2025-11-10 10:00"))
    assert [step.code for step in answer.steps] == ["started", "arrived", "promised", "paused"]
    assert all(step.zh and step.en for step in answer.steps)
    put_off = due("2025-09-29 10:00", {"end_of_week": {}})
    assert [step.code for step in put_off.steps] == ["started", "promised", "put-off"]
    outside = due("2025-11-08 10:00", {"working": "1h"})
    assert [step.code for step in outside.steps] == ["started", "opened", "promised"]


def test_a_target_beyond_all_tables_is_refused_and_not_computed_for_ever():
    seldom = chinese_calendar(week={"mon": [["09:00", "09:01"]]}, makeup_days=())
    with pytest.raises(BeyondCalendar):
        seldom.due(local("2025-11-05 09:00"), Target.working(10 * 3600 * 24 * 300))


def test_naive_instants_are_refused():
    with pytest.raises(ValueError, match="time zone"):
        OFFICE.due(datetime(2025, 11, 5, 9, 0), Target.working(60))


@pytest.mark.parametrize(
    ("instant", "is_open", "opening"),
    [
        ("2025-11-05 09:00", True, "2025-11-05 09:00"),
        ("2025-11-05 11:59:59", True, "2025-11-05 11:59:59"),
        ("2025-11-05 12:00", False, "2025-11-05 13:30"),
        ("2025-11-05 17:30", False, "2025-11-06 09:00"),
        ("2025-10-01 10:00", False, "2025-10-09 09:00"),
        ("2025-10-11 10:00", True, "2025-10-11 10:00"),
        ("2025-12-31 18:00", False, "2026-01-04 09:00"),
    ],
)
def test_open_and_next_opening(instant, is_open, opening):
    assert OFFICE.is_open(local(instant)) is is_open
    assert OFFICE.next_opening(local(instant)) == local(opening)


def test_working_days_are_counted_over_holidays_and_make_up_days():
    assert OFFICE.working_date(date(2025, 9, 30), 1) == date(2025, 10, 9)
    assert OFFICE.working_date(date(2025, 9, 27), 1) == date(2025, 9, 28)
    assert OFFICE.working_date(date(2025, 10, 9), -1) == date(2025, 9, 30)
    assert OFFICE.add_working_days(local("2025-09-30 10:15"), 3) == local("2025-10-11 10:15")
    assert OFFICE.add_working_days(local("2025-10-01 10:15"), 0, "close") == local("2025-10-09 17:30")


def test_a_shift_has_its_own_hours_and_a_day_off_wins_over_it():
    half_day = date(2025, 12, 31)
    calendar = chinese_calendar(shifts={half_day: [["09:00", "12:00"]]})
    assert calendar.due(local("2025-12-31 09:00"), Target.end_of_working_day(0)).at == local("2025-12-31 12:00")
    # the regular close is 17:30, yet this December the month ends at noon: who comes later has until January
    assert calendar.due(local("2025-12-31 13:00"), Target.end_of_month()).at == local("2026-01-04 17:30")
    closed = chinese_calendar(shifts={date(2025, 10, 1): [["09:00", "12:00"]]})
    assert not closed.is_working_day(date(2025, 10, 1))


def test_round_the_clock_hours_are_one_stretch():
    calendar = chinese_calendar(
        week=ROUND_THE_CLOCK,
        days_off=(),
        makeup_days=(),
    )
    start = local("2025-12-31 23:00")
    assert calendar.add(start, 7200) == start + timedelta(hours=2)
    assert calendar.subtract(start + timedelta(hours=2), 7200) == start
    assert calendar.is_open(local("2026-01-01 00:00"))


def test_clock_changes_are_honoured():
    berlin = chinese_calendar(
        timezone="Europe/Berlin",
        week=ROUND_THE_CLOCK,
        days_off=(),
        makeup_days=(),
    )
    start, end = datetime(2025, 3, 29, 23, tzinfo=UTC), datetime(2025, 3, 30, 22, tzinfo=UTC)
    assert berlin.working_seconds(start, end) == 23 * 3600


def test_the_calendar_may_be_asked_about_earlier_years_after_later_ones():
    calendar = chinese_calendar()
    late = calendar.due(local("2026-03-02 10:00"), Target.working(3600))
    assert calendar.due(local("2020-02-03 10:00"), Target.working(3600)).at == local("2020-02-03 11:00")
    assert calendar.due(local("2026-03-02 10:00"), Target.working(3600)) == late


@pytest.mark.parametrize(
    ("changes", "where"),
    [
        ({"timezone": "Asia/Peking"}, "timezone"),
        ({"timezone": "../etc"}, "timezone"),
        ({"week": {}}, "week"),
        ({"week": []}, "week"),
        ({"week": {"monday": SPLIT_DAY}}, "week.monday"),
        ({"week": {"mon": [["17:00", "09:00"]]}}, "week.mon"),
        ({"week": {"mon": [["09:00"]]}}, "week.mon"),
        ({"week": {"mon": ["09:00", "12:00"]}}, "week.mon"),
        ({"week": {"mon": "09:00-12:00"}}, "week.mon"),
        ({"week": {"mon": [["9", "12:00"]]}}, "week.mon"),
        ({"week": {"mon": [["09:00", "24:01"]]}}, "week.mon"),
        ({"week": {"mon": [["09:00", "12:00"], ["11:00", "13:00"]]}}, "week.mon"),
        ({"makeup_days": [date(2025, 10, 1)]}, "makeup_days"),
        ({"covered_from": date(2030, 1, 1)}, "covered_from"),
        ({"shifts": {date(2025, 10, 11): [["9:00", "12:00"]]}}, "shifts.2025-10-11"),
    ],
)
def test_a_calendar_that_contradicts_itself_is_refused(changes, where):
    with pytest.raises(InvalidCalendar) as refused:
        chinese_calendar(**changes)
    assert refused.value.where == where
    assert refused.value.what
    assert refused.value.remedy


def test_cutoff_later_than_the_close_changes_nothing():
    late = Target.end_of_working_day(0, time(20, 0))
    assert OFFICE.due(local("2025-11-05 18:00"), late).at == local("2025-11-06 17:30")
