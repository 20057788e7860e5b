"""The working calendar of a place: statutory days off, make-up working days, lunch breaks, local hours.

Rules, each with its reason (research/sla_monitoring.md, section 1):
- a target used up exactly at closing time is due at closing time, not at the next opening;
- a pause moves the due instant by the time of the clock it covers, and not at all when it begins at or after
  it;
- a period's last day that falls on a day off is put off to the next working day (Civil Code, article 203);
- past the covered range plain weekdays are assumed and the due instant says `provisional`.
It must never present a guess as certain, and never look at the current time.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import date, datetime, timedelta
from types import MappingProxyType
from typing import TYPE_CHECKING, Literal, Self
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from shared.kernel.worktime import quick
from shared.kernel.worktime.days import DayTable, GrowingDays
from shared.kernel.worktime.due import Due, compute, compute_all, period_closes, run
from shared.kernel.worktime.hours import (
    Hours,
    InvalidCalendar,
    day_intervals,
    local_instant,
    parse_hours,
    parse_week,
)
from shared.kernel.worktime.pauses import Pause, merged
from shared.kernel.worktime.table import (
    FIRST_YEAR,
    LAST_YEAR,
    BeyondCalendar,
    GrowingTable,
    Interval,
    IntervalTable,
    instant_of,
    micros,
)

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from shared.kernel.worktime.targets import Target

_SECOND = 1_000_000


@dataclass(frozen=True)
class WorkingCalendar:
    """A versioned calendar; build it with `WorkingCalendar.build`."""

    name: str
    timezone: str
    #: Seven days' hours, Monday first.
    week: tuple[Hours, ...]
    days_off: frozenset[date]
    #: Working dates with hours of their own: make-up days and shifts.
    shifts: Mapping[date, Hours]
    #: First and last date for which days off and make-up days are known.
    covered_from: date
    covered_until: date
    version: str
    _zone: ZoneInfo = field(repr=False, compare=False)
    _table: GrowingTable = field(repr=False, compare=False)
    _days: GrowingDays = field(repr=False, compare=False)
    #: The covered range as instants, without the days at its ends.
    _covered: tuple[int, int] = field(repr=False, compare=False)
    #: (week or month, local date) -> when its period closes regularly, really, and when the next one does.
    _periods: dict[tuple[bool, date], tuple[int, int, int]] = field(default_factory=dict, repr=False, compare=False)

    @classmethod
    def build(  # noqa: PLR0913, PLR0917 (a calendar has nine parts, and callers name them)
        cls,
        name: str,
        timezone: str,
        week: Mapping[str, Iterable[Iterable[str]]],
        days_off: Iterable[date],
        makeup_days: Iterable[date],
        covered_from: date,
        covered_until: date,
        version: str,
        shifts: Mapping[date, Iterable[Iterable[str]]] | None = None,
    ) -> Self:
        """Return a calendar of local opening hours.

        `week` maps mon…sun to pairs of local times (seconds are kept, "24:00" is the next midnight). A
        make-up day has the hours of the first weekday that has any, unless `shifts` gives it its own. A shift
        replaces a date's hours; a day off wins over a shift. Raises InvalidCalendar when the parts contradict
        each other.
        """
        try:
            zone = ZoneInfo(timezone)
        except (ZoneInfoNotFoundError, ValueError) as error:
            raise InvalidCalendar("timezone", f"{timezone!r} is unknown", "use a name like Asia/Shanghai") from error
        days = parse_week(week)
        off, makeup = frozenset(days_off), frozenset(makeup_days)
        if both := sorted(off & makeup):
            raise InvalidCalendar("makeup_days", f"{both[0]} is also a day off", "remove it from one of the two")
        if covered_from > covered_until:
            raise InvalidCalendar("covered_from", f"it is after {covered_until}", "exchange the two dates")
        typical = next(hours for hours in days if hours)
        own = {day: typical for day in makeup if not days[day.weekday()]}
        own |= {day: parse_hours(pairs, f"shifts.{day}") for day, pairs in (shifts or {}).items()}
        own = {day: hours for day, hours in own.items() if day not in off}

        def intervals(day: date) -> list[Interval]:
            hours = () if day in off else own.get(day, days[day.weekday()])
            return day_intervals(day, hours, zone)

        def closing(day: date) -> int | None:
            hours = () if day in off else own.get(day, days[day.weekday()])
            return micros(local_instant(day, hours[-1][1], zone)) if hours else None

        return cls(
            name, timezone, days, off, MappingProxyType(own), covered_from, covered_until, version,
            zone, GrowingTable(intervals), GrowingDays(lambda day: local_instant(day, 0, zone), closing),
            (micros(local_instant(covered_from, 0, zone)), micros(local_instant(covered_until, 0, zone))),
        )  # fmt: skip

    # --- days

    def hours(self, day: date) -> Hours:
        """Return the opening hours of a local date in seconds of the day; () when closed."""
        return () if day in self.days_off else self.shifts.get(day, self.week[day.weekday()])

    def is_working_day(self, day: date) -> bool:
        """Say whether work is done on a local date."""
        return bool(self.hours(day))

    def is_covered(self, day: date) -> bool:
        """Say whether days off and make-up days are known for a local date."""
        return self.covered_from <= day <= self.covered_until

    def covers(self, instant: datetime) -> bool:
        """Say whether days off and make-up days are known for the local date of an instant."""
        value = micros(instant)
        if self._covered[0] <= value < self._covered[1]:
            return True
        return self.is_covered(self.local_date(instant))

    def local(self, instant: datetime) -> datetime:
        """Return an instant as the calendar's clocks on the wall show it."""
        return instant.astimezone(self._zone)

    def local_date(self, instant: datetime) -> date:
        """Return the local date of an aware instant."""
        return instant.astimezone(self._zone).date()

    def working_date(self, day: date, count: int) -> date:
        """Return the `count`-th working date after `day` (before it when negative); `day` itself for 0."""
        step = timedelta(days=1 if count > 0 else -1)
        for _ in range(abs(count)):
            day = self._working_day(day + step, step)
        return day

    def working_day_from(self, day: date) -> date:
        """Return `day` when it is a working date, else the next one."""
        return self._working_day(day, timedelta(days=1))

    def _working_day(self, day: date, step: timedelta) -> date:
        while not self.is_working_day(day):
            day += step
            if not FIRST_YEAR <= day.year <= LAST_YEAR:
                raise BeyondCalendar(f"no working day between {FIRST_YEAR} and {LAST_YEAR}")
        return day

    def add_working_days(
        self, start: datetime, count: int, at: Literal["same-time", "close"] = "same-time"
    ) -> datetime:
        """Return `start` moved by working days, keeping the local time of day or moved to closing time.

        A start on a closed day counts as 00:00 of the next working day. Negative counts go back.
        """
        local = start.astimezone(self._zone)
        day, second = local.date(), local.hour * 3600 + local.minute * 60 + local.second
        rest = timedelta(microseconds=local.microsecond)
        if not self.is_working_day(day):
            day, second, rest = self.working_day_from(day), 0, timedelta()
        day = self.working_date(day, count)
        return self.close(day) if at == "close" else self.instant(day, second) + rest

    def later_by_working_days(self, instant: datetime, days: int) -> datetime:
        """Return `instant` put off by working days (an extension 延期): the same time of day, but never after closing.

        Raises BeyondCalendar.
        """
        local = instant.astimezone(self._zone)
        day = self.working_date(local.date(), days)
        second = local.hour * 3600 + local.minute * 60 + local.second
        return min(self.instant(day, second) + timedelta(microseconds=local.microsecond), self.close(day))

    # --- instants

    def instant(self, day: date, second: int) -> datetime:
        """Return the UTC instant of a second of a local date; 86400 is the next midnight."""
        return local_instant(day, second, self._zone)

    def close(self, day: date) -> datetime:
        """Return the closing time (UTC) of a working date."""
        return self.instant(day, self.hours(day)[-1][1])

    def table(self, first_year: int, last_year: int) -> IntervalTable:
        """Return working intervals that cover at least these local years."""
        return self._table.covering(first_year, last_year)

    def intervals_at(self, value: int, until: int | None = None) -> IntervalTable | None:
        """Return the working intervals made so far when they hold an instant (microseconds), and all up to another."""
        return self._table.at(value, until)

    def days_at(self, value: int, instant: datetime) -> DayTable | None:
        """Return the days around an instant, given also in microseconds; None outside 1971-2199."""
        return self._days.at(value, lambda: self.local_date(instant).year)

    def period_closes(self, day: date, *, week: bool) -> tuple[int, int, int]:
        """Return when a date's week or month closes regularly, when it really does, and when the next one does.

        In microseconds since 1970; kept, for there are few dates.
        """
        found = self._periods.get((week, day))
        if found is None:
            found = self._periods[week, day] = period_closes(self, day, week=week)
        return found

    def is_open(self, instant: datetime) -> bool:
        """Say whether `instant` is working time; the opening is, the closing is not."""
        return self.next_opening(instant) == instant

    def next_opening(self, instant: datetime) -> datetime:
        """Return `instant` itself when it is working time, else the next opening (UTC)."""
        value = micros(instant)
        made = self._table.at(value)
        opening = None if made is None else made.opening(value)
        if opening is not None:
            return instant_of(opening)
        year = self.local_date(instant).year
        for last in range(year + 1, LAST_YEAR + 1):
            opening = self._table.covering(year, last).opening(value)
            if opening is not None:
                return instant_of(opening)
        raise BeyondCalendar(f"no opening after {instant}")

    def working_seconds(self, start: datetime, end: datetime, pauses: Sequence[Pause] = ()) -> float:
        """Return the working seconds between two instants outside the pauses.

        0 when `end` is not after `start`.
        """
        first, last = micros(start), micros(end)
        if last <= first:
            return 0.0
        table = self._table.covering(self.local_date(start).year, self.local_date(end).year)
        total = table.worked(last) - table.worked(first)
        for begin, finish in merged(pauses, first):
            total -= table.worked(min(finish, last)) - table.worked(min(begin, last))
        return total / _SECOND

    def add(self, start: datetime, seconds: float, pauses: Sequence[Pause] = ()) -> datetime:
        """Return when `seconds` of working time after `start` are used up (UTC); for 0 the next opening."""
        if seconds <= 0:
            return self.next_opening(start)
        begin, budget = micros(start), round(seconds * _SECOND)
        value, _ = run(self, start, start, lambda table: table.worked(begin) + budget, merged(pauses, begin))
        return instant_of(value)

    def subtract(self, end: datetime, seconds: float) -> datetime:
        """Return the instant from which `seconds` of working time lead to `end`.

        For 0 the last open moment.
        """
        value, year = micros(end), self.local_date(end).year
        back = round(seconds * _SECOND)
        for first in range(year - 1, FIRST_YEAR - 1, -1):
            table = self._table.covering(first, year)
            worked = table.worked(value) - back
            if worked > 0 or (worked == 0 and back):
                return instant_of(table.resumed(worked) if back else table.reached(worked))
        raise BeyondCalendar(f"no working time before {end}")

    def due(self, start: datetime, target: Target, pauses: Sequence[Pause] = (), *, extended: int = 0) -> Due:
        """Return when `target`, started at `start`, is used up, with the reason in steps.

        `extended`: working days granted on top. Raises BeyondCalendar when that lies after 2199, ValueError for naive
        instants and pauses that end before they begin.
        """
        return compute(self, start, target, pauses, share=1.0, extended=extended)

    def due_at(self, start: datetime, target: Target, pauses: Sequence[Pause] = (), *, extended: int = 0) -> datetime:
        """Return `due(...).at`, without the reasons and several times as fast where nothing extended it."""
        if extended:
            found = None
        elif pauses:
            found = quick.paused(self, micros(start), start, target, pauses)
        else:
            found = quick.due(self, micros(start), start, target)
        return self.due(start, target, pauses, extended=extended).at if found is None else instant_of(found)

    def share(self, start: datetime, target: Target, share: float, pauses: Sequence[Pause] = ()) -> datetime:
        """Return the instant (UTC) at which `share` of the target's time is used up, in the clock's own time.

        0.5 of four working hours is two working hours; 1.0 is the due instant; 2.0 is gross overdue.
        """
        return compute(self, start, target, pauses, share=share).at

    def due_and_shares(
        self,
        start: datetime,
        target: Target,
        shares: Iterable[float],
        pauses: Sequence[Pause] = (),
        *,
        extended: int = 0,
    ) -> tuple[Due, tuple[datetime, ...]]:
        """Return `due` and the `share` of each: the same answers, worked out once."""
        return compute_all(self, start, target, pauses, shares, extended)
