"""Working time as one sorted table: two bisects say how much was worked by then, and when that much was.

It must never know why a day is open or closed, nor anything but whole microseconds since 1970 (exact, unlike
floats).
"""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from datetime import UTC, date, datetime, timedelta
from typing import TYPE_CHECKING, Final, TypeAlias

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
_MICROSECOND: Final = timedelta(microseconds=1)
#: Years a table may span; further away nobody can know working time, and a wrong target must not fill the
#: memory.
FIRST_YEAR: Final = 1971
LAST_YEAR: Final = 2199

#: A working interval [opening, closing) in microseconds since 1970.
Interval: TypeAlias = tuple[int, int]


class BeyondCalendar(ValueError):
    """Working time was asked for outside 1971-2199.

    The receiver should refuse the instant or target that led there.
    """

    code = "beyond-calendar"


def micros(instant: datetime) -> int:
    """Return an aware instant as microseconds since 1970. Raises ValueError for a naive one."""
    if instant.tzinfo is None:
        raise ValueError(f"{instant!r} has no time zone: instants are aware, UTC inside")
    since = instant - EPOCH
    return (since.days * 86_400 + since.seconds) * 1_000_000 + since.microseconds


def instant_of(value: int) -> datetime:
    """Return the UTC instant of microseconds since 1970."""
    return EPOCH + value * _MICROSECOND  # in a third of the time that timedelta(microseconds=value) takes


class IntervalTable:
    """Working intervals of whole years with the working time in front of each."""

    __slots__ = ("_before", "_ends", "_starts", "total")

    def __init__(self, intervals: Iterable[Interval]) -> None:
        """Build from sorted intervals that do not overlap."""
        self._starts: list[int] = []
        self._ends: list[int] = []
        self._before: list[int] = []
        #: Working microseconds in the whole table.
        self.total = 0
        for opening, closing in intervals:
            self._starts.append(opening)
            self._ends.append(closing)
            self._before.append(self.total)
            self.total += closing - opening

    def worked(self, at: int) -> int:
        """Return the working time between the table's begin and `at`."""
        index = bisect_right(self._starts, at) - 1
        if index < 0:
            return 0
        return self._before[index] + min(at, self._ends[index]) - self._starts[index]

    def reached(self, worked: int) -> int:
        """Return when `worked` was used up; at a boundary the closing time, not the next opening."""
        index = max(bisect_left(self._before, worked) - 1, 0)
        return self._starts[index] + worked - self._before[index]

    def used_up(self, at: int, budget: int, rests: Iterable[Interval]) -> int | None:
        """Return when `budget` after `at` is used up, rests left out; None when the table ends before that.

        The rests are sorted and apart and end in the table. It is what `pauses.pushed` says, in as few steps as can be;
        None too for what lies before the first opening.
        """
        starts, ends, before = self._starts, self._ends, self._before
        index = bisect_right(starts, at) - 1
        if index < 0:
            return None
        # Conditions, not min(): calling that costs as much as a bisect.
        closing = ends[index]
        reading = before[index] + (at if at < closing else closing) - starts[index] + budget  # noqa: FURB136
        for first, last in rests:
            index = bisect_right(starts, first) - 1
            if index < 0:
                return None
            closing = ends[index]
            begun = before[index] + (first if first < closing else closing) - starts[index]  # noqa: FURB136
            if begun >= reading:
                break
            if last > closing:
                index = bisect_right(starts, last) - 1
                closing = ends[index]
            reading += before[index] + (last if last < closing else closing) - starts[index] - begun  # noqa: FURB136
        if reading > self.total:
            return None
        index = bisect_left(before, reading, 1) - 1
        return starts[index] + reading - before[index]

    def resumed(self, worked: int) -> int:
        """Return when work beyond `worked` begins; at a boundary the opening."""
        index = bisect_right(self._before, worked) - 1
        return self._starts[index] + worked - self._before[index]

    def opening(self, at: int) -> int | None:
        """Return `at` when it is working time, else the next opening; None when the table ends before it."""
        index = bisect_right(self._starts, at) - 1
        if index >= 0 and at < self._ends[index]:
            return at
        return self._starts[index + 1] if index + 1 < len(self._starts) else None


class GrowingTable:
    """The table of the years asked for so far.

    It grows by whole years, so nothing is computed that nobody asked for.
    """

    def __init__(self, day_intervals: Callable[[date], Iterable[Interval]]) -> None:
        """Take the function that gives one local date's intervals."""
        self._day_intervals = day_intervals
        self._years: dict[int, tuple[Interval, ...]] = {}
        #: First and last year, their table, and instants that lie in those years in every zone.
        self._current: tuple[int, int, IntervalTable, int, int] | None = None

    def at(self, instant: int, until: int | None = None) -> IntervalTable | None:
        """Return the table as it is when it holds that instant, and all up to another; None: ask `covering`."""
        current = self._current
        if current is None or not current[3] <= instant < current[4]:
            return None
        return current[2] if until is None or until < current[4] else None

    def covering(self, first_year: int, last_year: int) -> IntervalTable:
        """Return a table that holds at least these years. Raises BeyondCalendar outside 1971-2199."""
        if first_year < FIRST_YEAR or last_year > LAST_YEAR:
            raise BeyondCalendar(f"working time is known between {FIRST_YEAR} and {LAST_YEAR} only")
        current = self._current
        if current is not None:
            if current[0] <= first_year and last_year <= current[1]:
                return current[2]
            first_year, last_year = min(first_year, current[0]), max(last_year, current[1])
        table = IntervalTable(self._merged(first_year, last_year))
        # One assignment: a second thread sees the old table or the new one, never half of each.
        begin, end = datetime(first_year, 1, 2, tzinfo=UTC), datetime(last_year, 12, 31, tzinfo=UTC)
        self._current = (first_year, last_year, table, micros(begin), micros(end))
        return table

    def _merged(self, first_year: int, last_year: int) -> list[Interval]:
        merged: list[Interval] = []
        for year in range(first_year, last_year + 1):
            for opening, closing in self._year(year):
                if merged and opening <= merged[-1][1]:
                    # 24:00 meets the next day's 00:00, or a clock change makes two days touch: one stretch of
                    # work.
                    merged[-1] = (merged[-1][0], max(closing, merged[-1][1]))
                else:
                    merged.append((opening, closing))
        return merged

    def _year(self, year: int) -> tuple[Interval, ...]:
        if year not in self._years:
            day = date(year, 1, 1)
            intervals: list[Interval] = []
            while day.year == year:
                intervals.extend(self._day_intervals(day))
                day += timedelta(days=1)
            self._years[year] = tuple(intervals)
        return self._years[year]
