"""A due time in a year whose days off nobody has published: why it is not certain, in the same words everywhere.

It is a notice, not a refusal: nobody's demand waits for the State Council, and the due time is counted anew when the
year is taken in (docs/adr/0012). Only who asked for a certain one (`strict`) is refused.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date, datetime
from typing import Any, Final

from shared.kernel.errors import Refusal
from shared.kernel.worktime import Due, WorkingCalendar

CODE: Final = "provisional-year"


class ProvisionalYear(Refusal):
    """The due time asked for cannot be certain yet. Ask without `strict`, or again when the year has been taken in."""

    code = CODE


def notice(calendar: WorkingCalendar, due_at: datetime, start: datetime | None = None) -> dict[str, Any]:
    """What to say beside a provisional due time: a code for programs, and why and what follows in Chinese and English.

    `year`: the one that is not covered; of two, the one it is due in.
    """
    days = [calendar.local_date(at) for at in (due_at, start) if at is not None]
    day = next((one for one in days if not calendar.is_covered(one)), days[0])
    zh, en = _why(calendar, day)
    return {
        "code": CODE, "year": day.year, "covered_from": calendar.covered_from.isoformat(),
        "covered_until": calendar.covered_until.isoformat(), "zh": zh, "en": en,
    }  # fmt: skip


def _why(calendar: WorkingCalendar, day: date) -> tuple[str, str]:
    if day < calendar.covered_from:
        return (
            f"工作日历自 {calendar.covered_from} 起,{day.year} 年的节假日不在其中,按普通工作日推算",
            f"the calendar begins on {calendar.covered_from}: {day.year} is counted on plain weekdays",
        )
    until = calendar.covered_until
    zh = f"{day.year} 年节假日安排尚未导入(日历止于 {until}),暂按普通工作日计算;导入后重新计算并告知"
    en = f"the days off of {day.year} are not taken in yet (the calendar ends on {until}): counted on plain weekdays"
    return zh, f"{en}, and counted anew and told when they are"


def require_certain(calendar: WorkingCalendar, due: Due, start: datetime, *, where: str | None = None) -> None:
    """Raise ProvisionalYear when a due time is not certain."""
    if due.provisional:
        said: Mapping[str, Any] = notice(calendar, due.at, start)
        raise ProvisionalYear(
            f"{said['zh']} {said['en']}.", where=where,
            remedy="Take the year in (gridwhistle calendar import), or ask without strict for the due time so far.",
        )  # fmt: skip
