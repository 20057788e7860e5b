"""A file with one year of the national calendar, as the yearly notice has it: YAML or JSON, read and checked.

Either `{year, source, days_off, makeup_days}`, or the national table's own form `{years: {"2027": {days_off,
makeup_workdays}}, source}`. It must never guess a day that is not written there.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date
from pathlib import Path
from typing import Any

from shared.jurisdiction.reading import parse
from shared.kernel.errors import Refusal
from shared.kernel.worktime import PublishedYear

_KNOWN = {"year", "source", "days_off", "makeup_days"}


class BadYearFile(Refusal):
    """The file holds no year that can be taken in. Mend what the message names; nothing was sent."""

    code = "bad-year-file"


@dataclass(frozen=True, slots=True, kw_only=True)
class YearFile:
    """One year, not yet compared with the years known."""

    year: int
    #: Number and title of the notice; "" when the file names none.
    source: str
    days_off: tuple[str, ...]
    makeup_days: tuple[str, ...]

    def published(self) -> PublishedYear:
        """The year as calendars take it."""
        off, makeup = (frozenset(map(date.fromisoformat, days)) for days in (self.days_off, self.makeup_days))
        return PublishedYear(self.year, off, makeup, 1)


def read(path: Path, year: int | None = None) -> YearFile:
    """Return the year of a file, which of several `year` says. Raises BadYearFile."""
    content, problem = parse(path.read_bytes(), path.name)
    if problem is not None:
        raise _bad(path.name, problem.what, problem.remedy)
    if not isinstance(content, Mapping):
        raise _bad(path.name, "it is not a mapping", "Write year, source, days_off and makeup_days.")
    content = _of_table(content, year) if "years" in content else content
    if unknown := sorted(map(str, set(content) - _KNOWN)):
        raise _bad(unknown[0], "there is no such field", f"Write {', '.join(sorted(_KNOWN))}.")
    number = content.get("year")
    if isinstance(number, bool) or not isinstance(number, int) or (year is not None and number != year):
        raise _bad("year", f"it is {number!r}", "Write the year as a number, and give the same with --year or none.")
    return YearFile(
        year=number, source=str(content.get("source") or "").strip(), days_off=_days(content, "days_off"),
        makeup_days=_days(content, "makeup_days"),
    )  # fmt: skip


def _of_table(content: Mapping[str, Any], year: int | None) -> Mapping[str, Any]:
    years = content["years"] if isinstance(content["years"], Mapping) else {}
    named = {str(name): value for name, value in years.items() if isinstance(value, Mapping)}
    wanted = str(year) if year is not None else max(named, default="")
    if wanted not in named:
        raise _bad("years", f"it holds {', '.join(sorted(named)) or 'no year'}", "Say which one with --year.")
    one = named[wanted]
    return {
        "year": int(wanted) if wanted.isdecimal() else wanted, "source": content.get("source"),
        "days_off": one.get("days_off"), "makeup_days": one.get("makeup_workdays"),
    }  # fmt: skip


def _days(content: Mapping[str, Any], field: str) -> tuple[str, ...]:
    given = content.get(field) or []
    if not isinstance(given, list) or (field == "days_off" and not given):
        raise _bad(field, "it is no list of dates", "Write them like [2027-01-01, 2027-01-02].")
    for place, text in enumerate(given):
        try:
            date.fromisoformat(text)
        except (TypeError, ValueError):
            raise _bad(f"{field}[{place}]", f"{text!r} is no date", "Write it like 2027-01-01.") from None
    return tuple(given)


def _bad(where: str, what: str, remedy: str) -> BadYearFile:
    return BadYearFile(f"{where}: {what}.", where=where, remedy=remedy)
