"""The formulas: what is counted, what is in a denominator, how shares are rounded, which rows are hidden."""

from __future__ import annotations

from collections import Counter
from datetime import UTC, datetime, timedelta
from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.oversight.domain.figures import (
    FOLDED,
    SMALL,
    MatterFact,
    Period,
    Share,
    contribution,
    fold_small,
    tally,
)

START, END = datetime(2025, 9, 1, tzinfo=UTC), datetime(2025, 10, 1, tzinfo=UTC)
PERIOD = Period(start=START, end=END)
TICK = timedelta(microseconds=1)

instants = st.datetimes(datetime(2025, 8, 1), datetime(2025, 11, 1), timezones=st.just(UTC))
few = st.integers(0, 5)


@st.composite
def facts(draw):
    closed = draw(st.none() | instants)
    asked = draw(few)
    answers = draw(few)
    said = draw(st.integers(0, answers))
    return MatterFact(
        matter_id="m", number="N", private=draw(st.booleans()), category=None, response_class=None, level=None,
        territory=None, opened_at=draw(instants), first_closed_at=closed,
        first_on_time=None if closed is None else draw(st.booleans()), open_at_end=draw(st.booleans()),
        overdue_at_end=draw(st.booleans()), suspended_at_end=draw(st.booleans()), withdrawn=draw(st.booleans()),
        merged=draw(few), escalations=draw(few), whistles=draw(few), deliberations=draw(few), reopenings=draw(few),
        asked=asked, asked_answered=draw(st.integers(0, asked)), answers=answers,
        satisfied=draw(st.integers(0, answers)), resolved_said=said, resolved=draw(st.integers(0, said)),
    )  # fmt: skip


def fact(**changes):
    usual = {
        "matter_id": "m", "number": "N", "private": False, "category": None, "response_class": None, "level": None,
        "territory": None, "opened_at": START, "first_closed_at": None, "first_on_time": None, "open_at_end": True,
        "overdue_at_end": False, "suspended_at_end": False, "withdrawn": False,
    }  # fmt: skip
    return MatterFact(**(usual | changes))


# -- contributions


@given(st.lists(facts(), max_size=20))
def test_the_counts_fit_together(some):
    total = tally(contribution(one, PERIOD) for one in some)
    assert total["matters"] == len(some)
    assert total["open"] == total["overdue_open"] + total["suspended_open"] + total["in_time_open"]
    assert total["on_time"] <= total["closed"] <= total["judged"] <= total["closed"] + total["overdue_open"]
    assert total["judged"] + total["overdue_reopened"] >= total["overdue_open"]
    for part, whole in (
        ("satisfied", "answers"), ("resolved", "resolved_said"), ("asked_answered", "asked"),
        ("escalated", "escalations"),
    ):  # fmt: skip
        assert total[part] <= total[whole]
    assert all(type(value) is int for value in total.values())


@given(st.lists(facts(), max_size=20))
def test_an_overdue_open_matter_never_betters_the_share(some):
    before = tally(contribution(one, PERIOD) for one in some)
    after = tally(contribution(one, PERIOD) for one in [*some, fact(overdue_at_end=True)])
    share = [Fraction(one["on_time"], one["judged"] or 1) for one in (before, after)]
    assert share[1] <= share[0]
    assert after["judged"] == before["judged"] + 1


@pytest.mark.parametrize(
    ("changes", "expected"),
    [
        ({}, {"opened": 1, "open": 1, "in_time_open": 1, "judged": 0}),
        ({"opened_at": START - TICK}, {"opened": 0, "open": 1}),
        ({"opened_at": END}, {"opened": 0}),
        ({"overdue_at_end": True}, {"overdue_open": 1, "judged": 1, "on_time": 0, "in_time_open": 0}),
        ({"overdue_at_end": True, "suspended_at_end": True}, {"overdue_open": 0, "suspended_open": 1, "judged": 0}),
        (
            {"first_closed_at": START, "first_on_time": True, "open_at_end": False},
            {"closed": 1, "judged": 1, "on_time": 1, "open": 0},
        ),
        (
            {"first_closed_at": END - TICK, "first_on_time": False, "open_at_end": False},
            {"closed": 1, "judged": 1, "on_time": 0},
        ),
        # Closed only after the period: still open and overdue as far as this period knows.
        (
            {"first_closed_at": END, "first_on_time": True, "overdue_at_end": True},
            {"closed": 0, "judged": 1, "on_time": 0},
        ),
        # Judged in an earlier period; reopened and overdue now: shown, not judged twice.
        (
            {"first_closed_at": START - TICK, "first_on_time": True, "overdue_at_end": True, "reopenings": 1},
            {"closed": 0, "judged": 0, "overdue_open": 1, "overdue_reopened": 1, "reopened": 1},
        ),
        # Closed in the period, reopened, overdue: one matter, one judgement, the first outcome.
        (
            {"first_closed_at": START, "first_on_time": True, "overdue_at_end": True, "reopenings": 2},
            {"closed": 1, "judged": 1, "on_time": 1, "overdue_reopened": 1, "reopened": 1},
        ),
        ({"escalations": 3, "whistles": 2}, {"escalated": 1, "escalations": 3, "whistled": 1, "whistles": 2}),
        ({"withdrawn": True, "open_at_end": False}, {"withdrawn": 1, "judged": 0, "open": 0}),
    ],
)
def test_what_one_matter_adds(changes, expected):
    found = contribution(fact(**changes), PERIOD)
    assert {name: found[name] for name in expected} == expected


def test_an_empty_period():
    total = tally(())
    assert total["judged"] == 0
    assert Share(numerator=total["on_time"], denominator=total["judged"]).percent() is None


# -- shares


@pytest.mark.parametrize(
    ("numerator", "denominator", "ratio", "percent"),
    [
        (0, 0, None, None),
        (0, 7, 0.0, "0.0"),
        (7, 7, 1.0, "100.0"),
        (6, 7, 0.8571, "85.7"),
        (1, 8, 0.125, "12.5"),
        (1, 16, 0.0625, "6.3"),  # 6.25 % half up, not to even
        (1, 2000, 0.0005, "0.1"),  # 0.05 % half up
        (1999, 2000, 0.9995, "100.0"),
        (2, 3, 0.6667, "66.7"),
    ],
)
def test_rounding(numerator, denominator, ratio, percent):
    share = Share(numerator=numerator, denominator=denominator)
    assert (share.ratio(), share.percent()) == (ratio, percent)


@given(st.integers(0, 10**9), st.integers(1, 10**9))
def test_rounding_is_half_up_from_the_exact_fraction(numerator, denominator):
    percent = Share(numerator=numerator, denominator=denominator).percent()
    assert percent is not None
    off = Fraction(percent) - Fraction(numerator * 100, denominator)
    assert Fraction(-1, 20) < off <= Fraction(1, 20)


# -- small rows

sizes = st.dictionaries(st.text("abcdefg", min_size=1, max_size=2), st.integers(1, 8), max_size=8)


@given(sizes)
def test_no_small_row_is_shown_or_can_be_worked_out(by_size):
    rows = {key: Counter(matters=size, opened=size // 2) for key, size in by_size.items()}
    shown = fold_small(rows)
    assert tally(shown.values()) == tally(rows.values())
    single = {key: counts for key, counts in shown.items() if key != FOLDED}
    assert all(rows[key] == counts and counts["matters"] >= SMALL for key, counts in single.items())
    if all(size >= SMALL for size in by_size.values()):
        assert shown == rows
    else:
        gathered = len(rows) - len(single)
        assert gathered >= 2 or len(rows) == 1
        assert shown[FOLDED]["matters"] >= SMALL or not single


def test_only_as_many_rows_as_needed_are_folded():
    rows = {"a": Counter(matters=1), "b": Counter(matters=4), "c": Counter(matters=9)}
    assert fold_small(rows) == {"c": Counter(matters=9), FOLDED: Counter(matters=5)}
