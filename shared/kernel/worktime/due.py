"""When a target is used up and why: the arithmetic of due instants over a working calendar.

It must never decide whether a clock may pause or what to do when it is overdue.
"""

from __future__ import annotations

from calendar import monthrange
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from typing import TYPE_CHECKING, Self

from shared.kernel.worktime.pauses import Pause, merged, pushed
from shared.kernel.worktime.table import (
    LAST_YEAR,
    BeyondCalendar,
    Interval,
    IntervalTable,
    instant_of,
    micros,
)
from shared.kernel.worktime.targets import Target, TargetKind, format_duration

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence

    from shared.kernel.worktime.calendar import WorkingCalendar

_SECOND = 1_000_000
#: Largest share of a budget asked for; gross overdue is 2 or 3.
_LARGEST_SHARE = 100.0


@dataclass(frozen=True, slots=True)
class Step:
    """One step of the answer to "why this instant", in the order it was taken."""

    #: Stable code: started, opened, arrived, promised, put-off, extended, paused, provisional.
    code: str
    #: Aware UTC instant the step led to.
    at: datetime
    zh: str
    en: str


@dataclass(frozen=True, slots=True)
class Due:
    """When a target is used up."""

    #: Aware UTC instant.
    at: datetime
    #: True when a day outside the calendar's covered range was needed: plain weekdays were assumed.
    provisional: bool
    steps: tuple[Step, ...]


def compute(
    calendar: WorkingCalendar, start: datetime, target: Target, pauses: Sequence[Pause], share: float, extended: int = 0
) -> Due:
    """Return the instant at which `share` of the target is used up. Raises as `WorkingCalendar.due` does."""
    return _due(_Course.begin(calendar, start, target, pauses, extended), share)


def compute_all(
    calendar: WorkingCalendar,
    start: datetime,
    target: Target,
    pauses: Sequence[Pause],
    shares: Iterable[float],
    extended: int = 0,
) -> tuple[Due, tuple[datetime, ...]]:
    """Return when the target is used up, and the instant of each share of it. Raises as `WorkingCalendar.due` does."""
    course = _Course.begin(calendar, start, target, pauses, extended)
    return _due(course, 1.0), tuple(course.reached(share)[0] for share in shares)


@dataclass(frozen=True, slots=True)
class _Course:
    """How a target's time passes: all that does not depend on the share of it that is asked for."""

    calendar: WorkingCalendar
    start: datetime
    target: Target
    standing: list[Interval]
    #: What was decided on the way to the promise.
    reasons: tuple[Step, ...]
    #: End of the period that is promised; None for a length of time that was not extended.
    close: datetime | None
    #: What was promised before it was extended by so many working days; None when it was not.
    before: tuple[datetime, int] | None = None

    @classmethod
    def begin(
        cls, calendar: WorkingCalendar, start: datetime, target: Target, pauses: Sequence[Pause], extended: int = 0
    ) -> Self:
        begin = micros(start)
        standing = merged(pauses, begin)
        steps, close = [Step("started", instant_of(begin), "开始计时", "the clock started")], None
        if target.kind is TargetKind.WORKING:
            opened = calendar.next_opening(start)
            if opened > start:
                steps.append(
                    Step("opened", opened, "工作时间外,下次上班起算", "outside hours: counted from the opening")
                )
        elif target.kind is not TargetKind.ELAPSED:
            close, reasons = _period_end(calendar, start, target)
            steps += reasons
        if not extended:
            return cls(calendar, start, target, standing, tuple(steps), close)
        # Counted from the promise without its pauses, which then push the whole: so a pause after the first promise
        # moves an extended one, and it does not matter in which order the two were granted.
        promised, _ = cls(calendar, start, target, [], (), close).reached(1.0)
        later = calendar.later_by_working_days(promised, extended)
        return cls(calendar, start, target, standing, tuple(steps), later, (promised, extended))

    def reached(self, share: float) -> tuple[datetime, list[Interval]]:
        """When a share is used up, and the pauses that moved it."""
        if not 0 < share <= _LARGEST_SHARE:
            raise ValueError(f"share is {share!r}: give a part of the budget above 0, e.g. 0.5, 1.0 or 2.0")
        begin = micros(self.start)
        budget = round(self.target.seconds * share * _SECOND)
        if self.target.kind is TargetKind.ELAPSED:
            if self.close is not None:
                budget = round((micros(self.close) - begin) * share)
            reading, moved = pushed(begin + budget, self.standing, lambda at: at)
            return _instant(reading), moved
        if self.close is None:
            value, moved = run(
                self.calendar, self.start, self.start, lambda table: table.worked(begin) + budget, self.standing
            )
            return instant_of(value), moved
        end = micros(self.close)

        def reading_at(table: IntervalTable) -> int:
            return table.worked(begin) + round((table.worked(end) - table.worked(begin)) * share)

        value, moved = run(self.calendar, self.start, self.close, reading_at, self.standing)
        return instant_of(value), moved


def _due(course: _Course, share: float) -> Due:
    calendar, target = course.calendar, course.target
    due, moved = course.reached(share)
    steps = list(course.reasons)
    promised = due if course.before is None else course.before[0]
    if target.kind is TargetKind.ELAPSED:
        length = format_duration(target.seconds)
        steps.append(Step("promised", promised, f"{length} 自然时间", f"{length} by the wall clock"))
    elif target.kind is TargetKind.WORKING:
        length = format_duration(target.seconds, days=False)
        steps.append(Step("promised", promised, f"{length} 工作时间", f"{length} of working time"))
    if course.before is not None and course.close is not None:
        days = course.before[1]
        zh, en = f"批准延期 {days} 个工作日", f"extended by {days} working day(s)"
        steps.append(Step("extended", course.close, zh, en))
    steps += _paused(calendar, moved)
    if target.kind is TargetKind.ELAPSED and course.before is None:
        return Due(due, provisional=False, steps=tuple(steps))
    provisional = not (calendar.covers(due) and calendar.covers(course.start))
    if provisional:
        known = f"{calendar.covered_from}~{calendar.covered_until}"
        steps.append(
            Step(
                "provisional",
                due,
                f"超出已公布日历({known}),暂定",
                f"outside the published calendar ({known})",
            )
        )
    return Due(due, provisional, tuple(steps))


def run(
    calendar: WorkingCalendar,
    start: datetime,
    last: datetime,
    reading_at: Callable[[IntervalTable], int],
    standing: Sequence[Interval],
) -> tuple[int, list[Interval]]:
    """Return when the working clock shows `reading_at(table)` pushed by the pauses, and which pauses did.

    `last` is the latest instant `reading_at` looks at. Raises BeyondCalendar when the table would pass 2199.
    """
    made = calendar.intervals_at(micros(start)) if not standing else None
    if made is not None and (last is start or calendar.intervals_at(micros(last)) is made):
        reading = reading_at(made)
        if reading <= made.total:
            return made.reached(reading), []
    first_year = calendar.local_date(start).year
    last_year = calendar.local_date(last).year
    if standing:
        last_year = max(last_year, calendar.local_date(_instant(standing[-1][1])).year)
    while True:
        table = calendar.table(first_year, last_year)
        reading, moved = pushed(reading_at(table), standing, table.worked)
        if reading <= table.total:
            return table.reached(reading), moved
        if last_year >= LAST_YEAR:
            raise BeyondCalendar(f"the target started at {start} is not used up by {LAST_YEAR}: shorten it")
        # Doubling keeps a long target from rebuilding the table year by year.
        last_year = min(LAST_YEAR, last_year + max(1, last_year - first_year))


def _instant(value: int) -> datetime:
    try:
        return instant_of(value)
    except OverflowError as error:
        raise BeyondCalendar("the instant lies beyond the year 9999: shorten the target") from error


def _period_end(calendar: WorkingCalendar, start: datetime, target: Target) -> tuple[datetime, list[Step]]:
    if target.kind is TargetKind.END_OF_WORKING_DAY:
        return _working_day_end(calendar, start, target)
    week = target.kind is TargetKind.END_OF_WEEK
    nominal = _last_regular_day(calendar, calendar.local_date(start), week=week)
    # The regular closing decides which period an arrival belongs to, whether or not that very day is a
    # holiday: otherwise a new holiday could move a due instant forward.
    if start >= calendar.instant(nominal, calendar.week[nominal.weekday()][-1][1]):
        following = nominal + timedelta(days=7) if week else _first_of_next_month(nominal)
        nominal = _last_regular_day(calendar, following, week=week)
    close = calendar.close(calendar.working_day_from(nominal))
    while close <= start:
        close = calendar.close(calendar.working_day_from(calendar.local_date(close) + timedelta(days=1)))
    zh, en = ("本周", "week") if week else ("本月", "month")
    steps = [Step("promised", close, f"{zh}最后一个工作日下班前", f"close of the {en}'s last working day")]
    if calendar.local_date(close) != nominal:
        steps.append(
            Step(
                "put-off",
                close,
                f"{nominal} 休息,顺延",
                f"{nominal} is a day off: put off to the next working day",
            )
        )
    return close, steps


def period_closes(calendar: WorkingCalendar, day: date, *, week: bool) -> tuple[int, int, int]:
    """What `WorkingCalendar.period_closes` says, found anew."""
    nominal = _last_regular_day(calendar, day, week=week)
    regular = calendar.instant(nominal, calendar.week[nominal.weekday()][-1][1])
    following = nominal + timedelta(days=7) if week else _first_of_next_month(nominal)
    later = _last_regular_day(calendar, following, week=week)
    close, next_close = (calendar.close(calendar.working_day_from(one)) for one in (nominal, later))
    return micros(regular), micros(close), micros(next_close)


def _working_day_end(calendar: WorkingCalendar, start: datetime, target: Target) -> tuple[datetime, list[Step]]:
    arrival = calendar.local_date(start)
    cutoff = target.cutoff
    late = cutoff is not None and start > calendar.instant(
        arrival, cutoff.hour * 3600 + cutoff.minute * 60 + cutoff.second
    )
    steps = []
    if late or not calendar.is_working_day(arrival) or start >= calendar.close(arrival):
        arrival = calendar.working_day_from(arrival + timedelta(days=1))
        steps.append(
            Step(
                "arrived",
                calendar.instant(arrival, 0),
                f"按 {arrival} 收件",
                f"counts as arrived on {arrival}",
            )
        )
    close = calendar.close(calendar.working_date(arrival, target.days))
    zh = "当日下班前" if target.days == 0 else f"其后第 {target.days} 个工作日下班前"
    en = "close of the day of arrival" if target.days == 0 else f"close of working day {target.days} after arrival"
    return close, [*steps, Step("promised", close, zh, en)]


def _last_regular_day(calendar: WorkingCalendar, day: date, *, week: bool) -> date:
    length = monthrange(day.year, day.month)[1]
    last = day + timedelta(days=6 - day.weekday()) if week else day.replace(day=length)
    while not calendar.week[last.weekday()]:
        last -= timedelta(days=1)
    return last


def _first_of_next_month(day: date) -> date:
    return day.replace(day=1) + timedelta(days=monthrange(day.year, day.month)[1])


def _paused(calendar: WorkingCalendar, moved: Sequence[Interval]) -> list[Step]:
    said = ((instant_of(end), *(calendar.local(instant_of(at)) for at in (begin, end))) for begin, end in moved)
    return [
        Step(
            "paused",
            at,
            f"{begin:%m-%d %H:%M} 至 {end:%m-%d %H:%M} 暂停",
            f"paused from {begin:%m-%d %H:%M} to {end:%m-%d %H:%M}",
        )
        for at, begin, end in said
    ]
