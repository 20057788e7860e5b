"""Local days as sorted tables: which day an instant lies in, and when the n-th working day after it closes.

Two bisects instead of walking a calendar; for days of 24 hours only, the others are left to `due`.
It must never know why a day is worked.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Callable
from datetime import date, timedelta
from typing import TYPE_CHECKING, Final, NamedTuple

from shared.kernel.worktime.table import FIRST_YEAR, LAST_YEAR, micros

if TYPE_CHECKING:
    from datetime import datetime

_DAY: Final = 86_400_000_000
#: Years of a table before and after the one first asked for; a table that is asked for more is made anew.
_BEFORE, _AFTER = 1, 2


class Day(NamedTuple):
    """One local day; instants in microseconds since 1970."""

    midnight: int
    #: Number of working days before it in the table.
    before: int
    works: bool
    date: date


class DayTable:
    """The days of some years in a row."""

    __slots__ = ("_closes", "_days", "_midnights", "begin", "end")

    def __init__(
        self, first_year: int, last_year: int, midnight: Callable[[date], datetime], close: Callable[[date], int | None]
    ) -> None:
        """Ask for every day's midnight and closing time (None: it is not worked)."""
        self._days: list[Day] = []
        self._closes: list[int] = []
        day = date(first_year, 1, 1)
        while day.year <= last_year:
            closing = close(day)
            self._days.append(Day(micros(midnight(day)), len(self._closes), closing is not None, day))
            if closing is not None:
                self._closes.append(closing)
            day += timedelta(days=1)
        self._midnights = [each.midnight for each in self._days]
        #: Instants that it knows: from the first midnight to the last.
        self.begin, self.end = self._midnights[0], self._midnights[-1]

    def day(self, at: int) -> Day | None:
        """Return the day an instant within [begin, end) lies in; None when it has not 24 hours."""
        index = bisect_right(self._midnights, at) - 1
        found = self._days[index]
        return found if self._midnights[index + 1] - found.midnight == _DAY else None

    def close(self, working_day: int) -> int | None:
        """Return when the working day with that number closes; None beyond the table."""
        return self._closes[working_day] if working_day < len(self._closes) else None


class GrowingDays:
    """The table of the years asked for lately."""

    def __init__(self, midnight: Callable[[date], datetime], close: Callable[[date], int | None]) -> None:
        """Take what tells a day's midnight and closing time."""
        self._midnight = midnight
        self._close = close
        self._current: DayTable | None = None

    def at(self, instant: int, year: Callable[[], int]) -> DayTable | None:
        """Return a table that knows an instant; `year` tells its local year, if one has to be made.

        None outside 1971-2199.
        """
        current = self._current
        if current is not None and current.begin <= instant < current.end:
            return current
        here = year()
        if not FIRST_YEAR < here < LAST_YEAR:
            return None
        first, last = max(here - _BEFORE, FIRST_YEAR), min(here + _AFTER, LAST_YEAR)
        self._current = made = DayTable(first, last, self._midnight, self._close)
        return made
