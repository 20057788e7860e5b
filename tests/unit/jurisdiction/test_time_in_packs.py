"""What a pack says of time beyond targets: half days, calendars beside its own, limits of more time and of rest."""

from __future__ import annotations

from datetime import date, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest

from shared.jurisdiction import InvalidPack, lint, load
from shared.jurisdiction.policy import Extension, Suspension
from shared.kernel.worktime import PublishedYear

K, P, J = "calendar.yaml", "policy.yaml", "jurisdiction.yaml"


@pytest.fixture
def west(files):
    """A pack with a desk in the west, two hours behind, on duty every day of the week."""
    hours = [["10:00", "14:00"], ["15:30", "19:30"]]
    week = {day: list(hours) for day in ("mon", "tue", "wed", "thu", "fri", "sat", "sun")}
    files[K]["others"] = {"west": {"national": "cn", "timezone": "Asia/Urumqi", "week": week}}
    files[P]["classes"][1]["calendar"] = "west"
    return files


def test_half_days(write, files):
    files[K]["shifts"] = {"2026-02-13": [["09:00", "12:00"]], "2026-10-03": [["09:00", "12:00"]]}
    calendar = load(write(files)).calendar
    assert calendar.hours(date(2026, 2, 13)) == ((9 * 3600, 12 * 3600),)
    assert calendar.hours(date(2026, 10, 3)) == ()  # a day off stays one


def test_a_class_is_counted_on_the_calendar_that_it_names(write, west):
    pack = load(write(west))
    same_day, hazard = pack.policy.classes["same-day"], pack.policy.classes["hazard"]
    assert pack.calendar_of(hazard) is pack.calendar
    other = pack.calendar_of(same_day)
    assert other.timezone == "Asia/Urumqi"
    assert other.version == "cn-2026.1+tiny.west.1"
    # A Saturday, 12:00 in Beijing, which is 10:00 in the west: one desk opens, the other rests.
    saturday = datetime(2026, 11, 14, 12, 0, tzinfo=ZoneInfo("Asia/Shanghai"))
    assert other.is_open(saturday)
    assert not pack.calendar.is_open(saturday)
    due = other.due_at(saturday, same_day.clocks["resolve"])
    assert due == datetime(2026, 11, 14, 19, 30, tzinfo=ZoneInfo("Asia/Urumqi"))


def test_its_zone_is_the_towns_where_it_names_none(write, west):
    del west[K]["others"]["west"]["timezone"]
    assert load(write(west)).calendars["west"].timezone == "Asia/Shanghai"


def test_every_calendar_is_built_again_with_a_year_published_since(write, west):
    pack = load(write(west))
    year = PublishedYear(2027, frozenset({date(2027, 1, 1)}), frozenset(), 1)
    for name, plan in pack.plans.items():
        made = plan.calendar([year])
        assert made.covered_until == date(2027, 12, 31)
        assert (made.name, made.timezone) == (pack.calendars[name].name, pack.calendars[name].timezone)
        assert not made.is_working_day(date(2027, 1, 1))


def test_limits_of_more_time_and_rest(write, files):
    assert load(write(files)).policy.classes["same-day"].extension is None
    assert load(write(files)).policy.suspension == Suspension(None, None)
    files[P]["classes"][1]["extension"] = {"times": 2, "days": 5}
    files[P]["suspension"] = {"times": 3, "longest": "90d"}
    policy = load(write(files)).policy
    assert policy.classes["same-day"].extension == Extension(2, 5)
    assert policy.suspension == Suspension(3, timedelta(days=90))


@pytest.mark.parametrize(
    ("place", "value", "expected"),
    [
        ((K, "shifts"), {"2026-02-30": [["09:00", "12:00"]]}, ("not-a-date", K, "shifts.2026-02-30")),
        ((K, "shifts"), {"2026-02-13": [["12:00", "09:00"]]}, ("invalid-calendar", K, "shifts.2026-02-13")),
        ((K, "others", "west", "week"), {}, ("invalid-calendar", K, "others.west.week")),
        ((K, "others", "west", "timezone"), "Asia/Tibet", ("invalid-calendar", K, "others.west.timezone")),
        ((K, "others", "west", "national"), "us", ("unknown-value", K, "others.west.national")),
        ((K, "others", "West Desk"), {}, ("not-an-id", K, "others.West Desk")),
        ((P, "classes", 1, "calendar"), "wset", ("unknown-calendar", P, "classes[1].calendar")),
        ((P, "classes", 1, "extension"), {"days": 0}, ("out-of-range", P, "classes[1].extension.days")),
        ((P, "classes", 1, "extension"), {"times": 1}, ("missing-field", P, "classes[1].extension.days")),
        ((P, "suspension"), {"longest": "ever"}, ("invalid-target", P, "suspension.longest")),
        ((P, "suspension"), {"times": 0}, ("out-of-range", P, "suspension.times")),
    ],
)
def test_what_cannot_be_meant_is_named(write, west, place, value, expected):
    *way, last = place
    at = west
    for step in way:
        at = at[step]
    at[last] = value
    with pytest.raises(InvalidPack) as found:
        load(write(west))
    assert expected in {(one.code, one.file, one.path) for one in found.value.problems}


def test_danger_gets_no_more_time(write, files):
    files[P]["classes"][0]["clocks"]["hazard-survey"] = {"elapsed": "2h"}
    files[P]["classes"][0]["extension"] = {"days": 1}
    assert "hazard-extendable" in {one.code for one in lint(load(write(files)))}
