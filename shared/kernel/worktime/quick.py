"""The short way to a due instant: bisects over tables, in microseconds, for what is asked often.

It gives the very answer of `due` or none at all: extensions, pauses that make no sense, days that have not 24 hours and
whatever lies beyond the tables made so far go the long way.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from shared.kernel.worktime.table import EPOCH
from shared.kernel.worktime.targets import Target, TargetKind

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import datetime, time

    from shared.kernel.worktime.calendar import WorkingCalendar
    from shared.kernel.worktime.pauses import Pause
    from shared.kernel.worktime.table import Interval

_SECOND: Final = 1_000_000
#: Microseconds of the year 9999: what an instant can hold.
_LAST: Final = 253_000_000_000 * _SECOND


def due(calendar: WorkingCalendar, begin: int, start: datetime, target: Target) -> int | None:
    """Return when a target started at `begin` (microseconds; `start` as an instant) is used up; None: not this way."""
    kind = target.kind
    if kind is TargetKind.WORKING:
        table = calendar.intervals_at(begin)
        if table is None:
            return None
        reading = table.worked(begin) + target.seconds * _SECOND
        return table.reached(reading) if reading <= table.total else None
    if kind is TargetKind.ELAPSED:
        end = begin + target.seconds * _SECOND
        return end if end < _LAST else None
    days = calendar.days_at(begin, start)
    day = None if days is None else days.day(begin)
    if days is None or day is None:
        return None
    if kind is TargetKind.END_OF_WORKING_DAY:
        number = day.before
        if day.works:
            closing = days.close(number)
            late = target.cutoff is not None and begin > day.midnight + _of_day(target.cutoff)
            if late or closing is None or begin >= closing:
                number += 1
        return days.close(number + target.days)
    regular, close, following = calendar.period_closes(day.date, week=kind is TargetKind.END_OF_WEEK)
    found = close if begin < regular else following
    return found if begin < found else None


def paused(
    calendar: WorkingCalendar, begin: int, start: datetime, target: Target, pauses: Sequence[Pause]
) -> int | None:
    """Return when it is used up with pauses; None: not this way."""
    stretches = _stretches(pauses, begin)
    if stretches is None:
        return None
    if not stretches:
        return due(calendar, begin, start, target)
    kind, last = target.kind, stretches[-1][1]
    if kind is TargetKind.WORKING:
        table = calendar.intervals_at(begin, last)
        return None if table is None else table.used_up(begin, target.seconds * _SECOND, stretches)
    value = due(calendar, begin, start, target)
    if value is None or stretches[0][0] >= value:
        return value
    if kind is not TargetKind.ELAPSED:
        table = calendar.intervals_at(begin, max(value, last))
        return None if table is None else table.used_up(value, 0, stretches)
    for opened, ended in stretches:
        if opened >= value:
            break
        value += ended - opened
    return value if value < _LAST else None


def _stretches(pauses: Sequence[Pause], begin: int) -> list[Interval] | None:
    """Return the pauses after `begin` in microseconds; None unless they are in order and apart, as they are kept."""
    found: list[Interval] = []
    latest = begin
    try:
        for opened, ended in pauses:
            # `micros`, twice; to call it costs more than this loop.
            since, until = opened - EPOCH, ended - EPOCH
            first = (since.days * 86_400 + since.seconds) * _SECOND + since.microseconds
            last = (until.days * 86_400 + until.seconds) * _SECOND + until.microseconds
            if last < first:
                return None
            if last > begin:
                if first < latest:
                    if found:
                        return None
                    first = begin
                found.append((first, last))
                latest = last
    except TypeError:
        return None  # a naive instant: the long way says so
    return found


def _of_day(at: time) -> int:
    return (at.hour * 3600 + at.minute * 60 + at.second) * _SECOND
