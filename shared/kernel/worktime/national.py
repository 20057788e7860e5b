"""The national tables of days off and make-up working days: versioned data, one JSON file per country.

A new year is added to the file when the State Council has published it, never before. A running installation takes it
in as a `PublishedYear` without waiting for a release.
"""

from __future__ import annotations

import json
from collections.abc import Iterable
from dataclasses import dataclass, replace
from datetime import date
from functools import lru_cache
from pathlib import Path
from typing import Final, Self

from shared.kernel.worktime.hours import InvalidCalendar

_DATA: Final = Path(__file__).parent / "data"
#: Tables that come with the package, by the name a pack's calendar.yaml gives in `national`.
_FILES: Final = {"cn": "cn_workdays.json"}
_SATURDAY: Final = 5


@dataclass(frozen=True, slots=True)
class NationalDays:
    """One country's published days."""

    version: str
    timezone: str
    covered_from: date
    covered_until: date
    days_off: frozenset[date]
    #: Weekend dates on which the country works.
    makeup_days: frozenset[date]
    #: As packs name it in `national`.
    name: str = ""

    def with_years(self, years: Iterable[PublishedYear]) -> Self:
        """Return the table with years as published since, the later word on a year replacing the earlier."""
        found = self
        for one in years:
            off = {day for day in found.days_off if day.year != one.year} | one.days_off
            makeup = {day for day in found.makeup_days if day.year != one.year} | one.makeup_days
            found = replace(
                found,
                version=f"{found.version}+{one.year}.{one.revision}",
                covered_from=min(found.covered_from, date(one.year, 1, 1)),
                covered_until=max(found.covered_until, date(one.year, 12, 31)),
                # A notice may also say how the days around New Year's Eve are worked.
                days_off=frozenset(off - one.makeup_days),
                makeup_days=frozenset(makeup - one.days_off),
            )
        return found


@dataclass(frozen=True, slots=True)
class PublishedYear:
    """One year as the yearly notice has it, or as a later notice changed it; check it with `check_year`."""

    year: int
    days_off: frozenset[date]
    makeup_days: frozenset[date]
    #: Counts what was taken in; 1 is the first.
    revision: int


def check_year(known: NationalDays, year: int, days_off: Iterable[date], makeup_days: Iterable[date]) -> None:
    """Raise InvalidCalendar when this cannot be the notice of a year that follows on, or lies in, the covered range.

    The days lie in the year itself or in the December before it (the notice of 2019 said how 29 December 2018 is
    worked); make-up days are at weekends.
    """
    off, makeup = set(days_off), set(makeup_days)
    if not known.covered_from.year <= year <= known.covered_until.year + 1:
        raise InvalidCalendar(
            "year",
            f"{year} leaves a gap: known are {known.covered_from.year} to {known.covered_until.year}",
            f"import {known.covered_until.year + 1} first",
        )
    for where, days in (("days_off", off), ("makeup_days", makeup)):
        for day in sorted(days):
            if day.year != year and (day.year, day.month) != (year - 1, 12):
                raise InvalidCalendar(where, f"{day} is not in {year}", "give the days of one year's notice")
    if both := sorted(off & makeup):
        raise InvalidCalendar("makeup_days", f"{both[0]} is also a day off", "remove it from one of the two")
    if weekdays := sorted(day for day in makeup if day.weekday() < _SATURDAY):
        raise InvalidCalendar("makeup_days", f"{weekdays[0]} is no Saturday or Sunday", "make-up days are at weekends")


def national_names() -> tuple[str, ...]:
    """Return the names `national_days` knows."""
    return tuple(sorted(_FILES))


@lru_cache(maxsize=len(_FILES))
def national_days(name: str) -> NationalDays:
    """Return a national table. Raises InvalidCalendar for an unknown name."""
    if name not in _FILES:
        raise InvalidCalendar("national", f"there is no {name!r}", f"use one of: {', '.join(national_names())}")
    content = json.loads((_DATA / _FILES[name]).read_text(encoding="utf-8"))
    years = content["years"].values()
    return NationalDays(
        name=name,
        version=content["version"],
        timezone=content["timezone"],
        covered_from=date.fromisoformat(content["covered_from"]),
        covered_until=date.fromisoformat(content["covered_until"]),
        days_off=frozenset(date.fromisoformat(day) for year in years for day in year["days_off"]),
        makeup_days=frozenset(date.fromisoformat(day) for year in years for day in year["makeup_workdays"]),
    )
