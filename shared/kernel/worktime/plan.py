"""What a working calendar is built from, kept so that it can be built again when a new year is published.

It must never read a file or a database: packs say the plan, services say which years were published since.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date
from typing import Any

from shared.kernel.worktime.calendar import WorkingCalendar
from shared.kernel.worktime.national import NationalDays, PublishedYear


@dataclass(frozen=True, slots=True)
class CalendarPlan:
    """The parts of one calendar of a place."""

    name: str
    timezone: str
    #: Hours of the days of the week, as `WorkingCalendar.build` wants them.
    week: Mapping[str, Any]
    national: NationalDays
    #: What the place decides for itself; it goes before the national table, also before one published later.
    days_off: frozenset[date]
    makeup_days: frozenset[date]
    #: Version of the place's own part.
    version: str
    #: Dates with hours of their own: half days, longer evenings.
    shifts: Mapping[date, Sequence[Sequence[str]]] = field(default_factory=dict)

    def calendar(self, published: Iterable[PublishedYear] = ()) -> WorkingCalendar:
        """Return the calendar with the years published since. Raises InvalidCalendar."""
        national = self.national.with_years(published)
        return WorkingCalendar.build(
            name=self.name,
            timezone=self.timezone,
            week=self.week,
            days_off=(national.days_off - self.makeup_days) | self.days_off,
            makeup_days=(national.makeup_days - self.days_off) | self.makeup_days,
            covered_from=national.covered_from,
            covered_until=national.covered_until,
            version=f"{national.version}+{self.version}",
            shifts=self.shifts,
        )
