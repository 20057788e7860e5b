"""Due instants against vectors from the tests of eight public projects and the biz gem on Chinese calendars.

The vectors' source, each with repository and commit, is in sla_vectors.json beside this file.
"""

from __future__ import annotations

import json
from datetime import date, datetime
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest

from shared.kernel.worktime import WorkingCalendar, national_days

VECTORS = json.loads((Path(__file__).parent / "sla_vectors.json").read_text(encoding="utf-8"))
ALL = [*VECTORS["vectors"], *VECTORS["chinese_calendar_vectors"]]
#: Every year a vector touches; "yearly_holidays" are spelled out for them.
YEARS = range(1999, 2040)


def calendar_of(facts):
    """Return the calendar a vector describes."""
    off = {date.fromisoformat(day) for day in facts.get("holidays", ())}
    off |= {date.fromisoformat(f"{year}-{day}") for year in YEARS for day in facts.get("yearly_holidays", ())}
    shifts = {date.fromisoformat(day): hours for day, hours in facts.get("shifts", {}).items()}
    return WorkingCalendar.build(
        name="vector",
        timezone=facts["timezone"],
        week=facts["week"],
        days_off=off,
        makeup_days=(),
        covered_from=date(YEARS[0], 1, 1),
        covered_until=date(YEARS[-1], 12, 31),
        version="1",
        shifts=shifts,
    )


def pauses_of(vector):
    return [tuple(map(datetime.fromisoformat, pause)) for pause in vector.get("pauses", ())]


def of_kind(kind):
    chosen = [vector for vector in ALL if vector["kind"] == kind]
    return pytest.mark.parametrize("vector", chosen, ids=[vector["id"] for vector in chosen])


def test_every_vector_is_of_a_kind_that_is_run():
    kinds = {"add_working_time", "working_time_between", "subtract_working_time", "add_working_days"}
    assert {vector["kind"] for vector in ALL} == kinds
    assert len(ALL) == 223


@of_kind("add_working_time")
def test_working_time_added(vector):
    calendar = calendar_of(vector["calendar"])
    start = datetime.fromisoformat(vector["start"])
    due = calendar.add(start, vector["working_seconds"], pauses_of(vector))
    assert due == datetime.fromisoformat(vector["expected_due"])


@of_kind("working_time_between")
def test_working_time_between(vector):
    calendar = calendar_of(vector["calendar"])
    start, end = (datetime.fromisoformat(vector[name]) for name in ("start", "end"))
    assert calendar.working_seconds(start, end, pauses_of(vector)) == vector["expected_seconds"]


@of_kind("subtract_working_time")
def test_working_time_subtracted(vector):
    calendar = calendar_of(vector["calendar"])
    start = datetime.fromisoformat(vector["start"])
    assert calendar.subtract(start, vector["working_seconds"]) == datetime.fromisoformat(vector["expected"])


@of_kind("add_working_days")
def test_working_days_added(vector):
    calendar = calendar_of(vector["calendar"])
    start, expected = (datetime.fromisoformat(vector[name]) for name in ("start", "expected"))
    if vector["rule"].startswith("count forward"):
        # FixMyStreet counts dates that are landed on; the others move a start on a closed day to the next open one.
        zone = ZoneInfo(vector["calendar"]["timezone"])
        landed = calendar.working_date(start.astimezone(zone).date(), vector["working_days"])
        assert landed == expected.astimezone(zone).date()
        return
    at = "close" if vector["rule"] == "end of working day" else "same-time"
    assert calendar.add_working_days(start, vector["working_days"], at) == expected


CLOSING = VECTORS["boundary_convention_differences"]["examples"]


@pytest.mark.parametrize("example", CLOSING, ids=[example["start"] for example in CLOSING])
def test_a_target_used_up_at_closing_time_is_due_then_and_not_at_the_next_opening(example):
    days = national_days("cn")
    calendar = WorkingCalendar.build(
        name="closing",
        timezone="Asia/Shanghai",
        week=dict.fromkeys(("mon", "tue", "wed", "thu", "fri"), example["hours"]),
        days_off=days.days_off,
        makeup_days=days.makeup_days,
        covered_from=days.covered_from,
        covered_until=days.covered_until,
        version=days.version,
    )
    start, closing, opening = (
        datetime.fromisoformat(example[name])
        for name in ("start", "closing_time_convention", "next_opening_convention_biz")
    )
    assert calendar.add(start, example["working_seconds"]) == closing
    assert calendar.next_opening(closing) == opening


def test_no_vector_names_a_source_without_its_commit():
    assert all(vector["source"]["commit"] for vector in ALL)
