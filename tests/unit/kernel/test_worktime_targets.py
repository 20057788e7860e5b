"""Targets and durations as packs write them, and what is refused."""

from __future__ import annotations

from datetime import time

import pytest

from shared.kernel.worktime import InvalidTarget, Target, format_duration, parse_duration, parse_target


@pytest.mark.parametrize(
    ("text", "seconds"),
    [("30s", 30), ("15m", 900), ("2h", 7200), ("3d", 259_200), ("1h30m", 5400), ("1d2h3m4s", 93_784), ("90m", 5400)],
)
def test_durations(text, seconds):
    assert parse_duration(text) == seconds
    assert parse_duration(format_duration(seconds)) == seconds


@pytest.mark.parametrize(
    "text", ["", "0s", "h", "2", "2 h", "-2h", "2h1d", "1.5h", "2w", "99999d", 7200, None, True, ["2h"]]
)
def test_what_is_no_duration_is_refused(text):
    with pytest.raises(InvalidTarget) as refused:
        parse_duration(text)
    assert refused.value.remedy


@pytest.mark.parametrize(
    ("mapping", "target"),
    [
        ({"elapsed": "2h"}, Target.elapsed(7200)),
        ({"working": "90m"}, Target.working(5400)),
        ({"end_of_working_day": {"days": 0, "cutoff": "16:00"}}, Target.end_of_working_day(0, time(16, 0))),
        ({"end_of_working_day": {"days": 5}}, Target.end_of_working_day(5)),
        ({"end_of_working_day": {}}, Target.end_of_working_day(0)),
        ({"end_of_week": {}}, Target.end_of_week()),
        ({"end_of_week": None}, Target.end_of_week()),
        ({"end_of_month": {}}, Target.end_of_month()),
    ],
)
def test_targets(mapping, target):
    assert parse_target(mapping) == target
    assert parse_target(target.as_mapping()) == target


@pytest.mark.parametrize(
    "mapping",
    [
        None,
        "2h",
        {},
        {"elapsed": "2h", "working": "2h"},
        {"wall": "2h"},
        {"elapsed": 7200},
        {"working": "3d"},
        {"working": "0m"},
        {"end_of_working_day": 1},
        {"end_of_working_day": {"days": -1}},
        {"end_of_working_day": {"days": "1"}},
        {"end_of_working_day": {"days": True}},
        {"end_of_working_day": {"days": 99_999}},
        {"end_of_working_day": {"cutoff": "25:00"}},
        {"end_of_working_day": {"cutoff": 960}},
        {"end_of_working_day": {"day": 1}},
        {"end_of_week": {"weeks": 2}},
        {"end_of_month": "yes"},
    ],
)
def test_what_is_no_target_is_refused(mapping):
    with pytest.raises(InvalidTarget) as refused:
        parse_target(mapping)
    assert refused.value.what
    assert refused.value.remedy
    assert refused.value.code == "invalid-target"


@pytest.mark.parametrize("seconds", [0, -1, True, 10**12])
def test_a_length_that_means_nothing_is_refused(seconds):
    with pytest.raises(InvalidTarget):
        Target.working(seconds)
