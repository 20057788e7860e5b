"""The short way to a due instant: bisects over tables, in microseconds, for what is asked often.

It gives the very answer of `due` or none at all: pauses, extensions, days that have not 24 hours and whatever lies
beyond the tables made so far go the long way.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from shared.kernel.worktime.targets import Target, TargetKind

if TYPE_CHECKING:
    from datetime import datetime, time

    from shared.kernel.worktime.calendar import WorkingCalendar

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


def _of_day(at: time) -> int:
    return (at.hour * 3600 + at.minute * 60 + at.second) * _SECOND
