"""Hours of the day as packs write them: "09:00" to "12:00", read into seconds of the local day.

It must never guess: a time that cannot be read or hours that overlap are refused with the place named.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from datetime import UTC, date, datetime, timedelta
from itertools import pairwise
from typing import TYPE_CHECKING, Final, TypeAlias

from shared.kernel.worktime.table import Interval, micros

if TYPE_CHECKING:
    from zoneinfo import ZoneInfo

#: Names of the weekdays, Monday first, as `date.weekday()` counts.
WEEKDAYS: Final = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")
#: Seconds of a day; "24:00" is the next midnight.
DAY: Final = 86_400
_TIME: Final = re.compile(r"(\d{2}):([0-5]\d)(?::([0-5]\d))?")

#: Opening hours of one day: pairs (opening, closing) in seconds of the local day, sorted, not overlapping.
Hours: TypeAlias = tuple[tuple[int, int], ...]


class InvalidCalendar(ValueError):
    """A calendar contradicts itself or cannot be read. The receiver may show `where`, `what` and `remedy`."""

    code = "invalid-calendar"

    def __init__(self, where: str, what: str, remedy: str) -> None:
        super().__init__(f"{where}: {what}: {remedy}")
        #: Part of the calendar, e.g. week.mon.
        self.where = where
        self.what = what
        self.remedy = remedy


def parse_time(text: object, where: str) -> int:
    """Return the second of the day of "HH:MM" or "HH:MM:SS", "24:00" included. Raises InvalidCalendar."""
    found = _TIME.fullmatch(text) if isinstance(text, str) else None
    second = -1 if found is None else int(found[1]) * 3600 + int(found[2]) * 60 + int(found[3] or 0)
    if not 0 <= second <= DAY:
        raise InvalidCalendar(where, f"{text!r} is not a time", 'write it like "09:00", at most "24:00"')
    return second


def parse_hours(pairs: object, where: str) -> Hours:
    """Return the hours of a list of pairs of times. Raises InvalidCalendar naming `where`."""
    if isinstance(pairs, str | Mapping) or not isinstance(pairs, Iterable):
        raise InvalidCalendar(where, f"{pairs!r} is not a list of hours", 'write [["09:00", "12:00"]]')
    hours = sorted(_pair(pair, where) for pair in pairs)
    for earlier, later in pairwise(hours):
        if later[0] < earlier[1]:
            raise InvalidCalendar(where, "hours overlap", "join them or move one")
    return tuple(hours)


def _pair(pair: object, where: str) -> tuple[int, int]:
    times = (
        [] if isinstance(pair, str) or not isinstance(pair, Iterable) else [parse_time(part, where) for part in pair]
    )
    match times:
        case [opening, closing] if opening < closing:
            return opening, closing
    raise InvalidCalendar(where, f"{pair!r} is not an opening and a later closing time", 'write ["09:00", "12:00"]')


def parse_week(week: object) -> tuple[Hours, ...]:
    """Return seven days' hours, Monday first, of `{mon: [["09:00", "12:00"]], …}`. Raises InvalidCalendar."""
    if not isinstance(week, Mapping):
        raise InvalidCalendar("week", "it is not a mapping", 'write {mon: [["09:00", "17:00"]], …}')
    for name in week:
        if name not in WEEKDAYS:
            raise InvalidCalendar(f"week.{name}", "there is no such day", f"the days are {', '.join(WEEKDAYS)}")
    days = tuple(parse_hours(week.get(name) or (), f"week.{name}") for name in WEEKDAYS)
    if not any(days):
        # No working time would ever pass, and every due instant would lie beyond all tables.
        raise InvalidCalendar("week", "no day has working hours", "give at least one day its hours")
    return days


def local_instant(day: date, second: int, zone: ZoneInfo) -> datetime:
    """Return the UTC instant of a second of the local day; 86400 is the next midnight."""
    if second >= DAY:
        day, second = day + timedelta(days=1), second - DAY
    hour, rest = divmod(second, 3600)
    return datetime(day.year, day.month, day.day, hour, rest // 60, rest % 60, tzinfo=zone).astimezone(UTC)


def day_intervals(day: date, hours: Hours, zone: ZoneInfo) -> list[Interval]:
    """Return one day's hours as intervals of microseconds.

    Hours that a clock change swallowed are left out.
    """
    pairs = [(micros(local_instant(day, a, zone)), micros(local_instant(day, b, zone))) for a, b in hours]
    return [(opening, closing) for opening, closing in pairs if opening < closing]
