"""The national tables of days off and make-up working days: versioned data, one JSON file per country.

A new year is added to the file when the State Council has published it, never before.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from datetime import date
from functools import lru_cache
from pathlib import Path
from typing import Final

from shared.kernel.worktime.hours import InvalidCalendar

_DATA: Final = Path(__file__).parent / "data"
#: Tables that come with the package, by the name a pack's calendar.yaml gives in `national`.
_FILES: Final = {"cn": "cn_workdays.json"}


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
        version=content["version"],
        timezone=content["timezone"],
        covered_from=date.fromisoformat(content["covered_from"]),
        covered_until=date.fromisoformat(content["covered_until"]),
        days_off=frozenset(date.fromisoformat(day) for year in years for day in year["days_off"]),
        makeup_days=frozenset(date.fromisoformat(day) for year in years for day in year["makeup_workdays"]),
    )
