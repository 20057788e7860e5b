"""A new year of the national calendar is taken in; clocks and whistle calls still open are counted anew on it.

Stopped clocks keep their outcome; of open ones the start, the pauses and what was promised first stay. Of calls that
are over, and of deadlines that a person named, nothing moves.
"""

from __future__ import annotations

from collections.abc import Iterable
from datetime import date

from services.dispatch import calendars, commands, time_repository, whistle_repository
from services.dispatch.domain.time_refusals import BadCalendar
from services.dispatch.handlers import clockwork, recounting
from services.dispatch.handlers.case import Case, find_case
from shared.contracts import timing
from shared.kernel.errors import Invalid
from shared.kernel.worktime import InvalidCalendar, check_year, national_days, national_names
from shared.ledger.unit_of_work import UnitOfWork
from shared.runtime.definition import Reply


def import_calendar(command: commands.ImportCalendar, work: UnitOfWork) -> Reply:
    """Take a year in; the same once more changes nothing. Raises Invalid for what is no date, BadCalendar."""
    if command.calendar not in national_names():
        fault = f"Must be one of: {', '.join(national_names())}."
        raise Invalid(f"There is no calendar {command.calendar!r}.", fields={"calendar": [fault]})
    off, makeup = _dates("days_off", command.days_off), _dates("makeup_days", command.makeup_days)
    time_repository.lock_calendars(work.db)
    rows = time_repository.years(work.db)
    known = national_days(command.calendar).with_years(time_repository.published(rows, command.calendar))
    try:
        check_year(known, command.year, off, makeup)
    except InvalidCalendar as error:
        raise BadCalendar(
            f"{error.what[:1].upper()}{error.what[1:]}.", where=error.where, remedy=f"{error.remedy.capitalize()}."
        ) from error
    days_off, makeup_days = (sorted(map(date.isoformat, days)) for days in (off, makeup))
    last = next((row for row in reversed(rows) if (row.calendar, row.year) == (command.calendar, command.year)), None)
    if last is not None and (last.days_off, last.makeup_days) == (days_off, makeup_days):
        return Reply(body=_taken_in(last.revision, command), created=False)
    revision = 1 + (rows[-1].revision if rows else 0)
    time_repository.add_year(
        work.db, revision=revision, calendar=command.calendar, year=command.year, days_off=days_off,
        makeup_days=makeup_days, source=command.source, imported_by=work.actor.id, imported_at=work.now,
    )  # fmt: skip
    work.emit(
        timing.CalendarImported(
            calendar=command.calendar, revision=revision, year=command.year, source=command.source,
            days_off=tuple(days_off), makeup_days=tuple(makeup_days), imported_by=work.actor.id,
        )
    )  # fmt: skip
    calendars.forget(work)
    return Reply(body=_taken_in(revision, command))


def _taken_in(revision: int, command: commands.ImportCalendar) -> dict[str, object]:
    return {"calendar": command.calendar, "year": command.year, "revision": revision}


def _dates(field: str, written: Iterable[str]) -> frozenset[date]:
    found, faults = [], {}
    for index, text in enumerate(written):
        try:
            found.append(date.fromisoformat(text))
        except ValueError:
            faults[f"{field}[{index}]"] = [f"{text!r} is no date; write it like 2027-01-01."]
    if faults:
        raise Invalid(f"{len(faults)} of {field} cannot be read as dates.", fields=faults)
    return frozenset(found)


def run_calendars(work: UnitOfWork, limit: int) -> int:
    """Count anew what is open and was counted before the newest year; returns how many were looked at."""
    revision = calendars.newest(work).revision
    found = time_repository.stale_clocks(work.db, revision, limit)
    if len(found) < limit:
        found = [*found, *whistle_repository.behind(work.db, revision, limit - len(found))]
    for matter_id in dict.fromkeys(matter_id for _, matter_id in found):
        recount(work, matter_id)
    return len(found)


def recount(work: UnitOfWork, matter_id: str) -> None:
    """Count a matter's open clocks, and the deadlines of its open calls, anew on the newest calendars."""
    calendars.newest(work)
    case = find_case(work, matter_id)
    if case is not None:
        _recount(case)
        case.save()


def _recount(case: Case) -> None:
    moved = clockwork.recount(case)
    called = recounting.recount(case)
    if moved or called:
        case.note("recounted", clocks=list(moved), whistles=list(called), revision=case.working_time.revision)
