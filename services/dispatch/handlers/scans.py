"""Time-driven work: steps of clocks, report-in deadlines, suspensions that are over. Oldest first, safe to run twice.

The exactly-once of a breach: the matter's row is locked, the clock is read again under that lock, and the step's key
(clock, promise, step) is written in the same transaction as the climb it causes.
"""

from __future__ import annotations

from dataclasses import replace

from services.dispatch import repository, whistle_repository
from services.dispatch.domain import clocks as rules
from services.dispatch.domain import deadlines
from services.dispatch.domain.clocks import SlaClock, Step
from services.dispatch.domain.states import Action, allows
from services.dispatch.domain.whistle import Seat, Whistle
from services.dispatch.handlers import calls, clockwork, contesting
from services.dispatch.handlers.case import Case, find_case
from services.dispatch.handlers.climbing import climb_for
from services.dispatch.handlers.suspending import go_on
from shared.contracts import dispatch
from shared.ledger.unit_of_work import UnitOfWork


def run_clocks(work: UnitOfWork, limit: int) -> int:
    """Do the due steps of at most `limit` clocks; returns how many clocks were looked at."""
    found = repository.due_clocks(work.db, work.now, limit)
    for clock_id, matter_id in found:
        case = find_case(work, matter_id)
        clock = None if case is None else case.clocks.get(clock_id)
        if case is not None and clock is not None and rules.passed(clock, case.now):
            _do_steps(case, clock)
            case.save()
    return len(found)


def _do_steps(case: Case, clock: SlaClock) -> None:
    steps = rules.passed(clock, case.now)
    news = [step for step in steps if repository.mark_step(case.work.db, clock, step, case.now)]
    breached = any(step.name == "due" for step in news)
    done = replace(clock, fired=clock.fired + len(steps), breached_at=clock.due_at if breached else clock.breached_at)
    case.put(done)
    for step in rules.worth_telling(news):
        _tell(case, done, step)
    if breached:
        case.note("breached", clock=done.kind, due_at=done.due_at.isoformat())
    climb_for(case, done, [step.name for step in news])


def _tell(case: Case, clock: SlaClock, step: Step) -> None:
    if step.name == "due":
        clockwork.tell_breach(case, clock)
    elif step.name == "gross":
        case.work.emit(
            dispatch.ClockGrosslyOverdue(
                clock_id=clock.id,
                matter_id=clock.matter_id,
                kind=clock.kind,
                unit=case.matter.unit,
                due_at=clock.due_at,
            )
        )
    else:
        case.work.emit(
            dispatch.ClockWarned(
                clock_id=clock.id, matter_id=clock.matter_id, kind=clock.kind, unit=case.matter.unit,
                percent=step.percent, due_at=clock.due_at,
            )
        )  # fmt: skip


def run_whistles(work: UnitOfWork, limit: int) -> int:
    """Calls with a deadline that has passed: who is absent, not done, or undecided is told once, and it goes up."""
    found = whistle_repository.due(work.db, work.now, limit)
    for whistle_id, matter_id in found:
        case = find_case(work, matter_id)
        call = whistle_repository.whistle(work.db, whistle_id)
        if case is None or call is None or call.next_step_at is None or call.next_step_at > case.now:
            continue
        _tell_missed(case, call)
        case.save()
    return len(found)


def _tell_missed(case: Case, call: Whistle) -> None:
    absent = call.passed(deadlines.REPORT_IN, case.now)
    unfinished = call.passed(deadlines.COMPLETE, case.now)
    new = call
    for seat in absent:
        new = new.with_seat(replace(seat, absent_at=case.now))
    for seat in unfinished:
        new = new.with_seat(replace(new.seat(seat.department) or seat, unfinished_at=case.now))
    for seat in call.passed(deadlines.DECIDE, case.now):
        new = new.with_seat(contesting.go_on(case, call, seat))
    overdue_at = call.overdue_at or (case.now if absent else None)
    whistle_repository.save(
        case.work.db, call, replace(new, overdue_at=overdue_at, version=call.version + 1)
    )  # fmt: skip
    for missed, stage, reason in (
        (absent, deadlines.REPORT_IN, "whistle-overdue"), (unfinished, deadlines.COMPLETE, "whistle-unfinished"),
    ):  # fmt: skip
        if missed:
            _tell_deadline(case, call, missed, stage, reason)


def _tell_deadline(case: Case, call: Whistle, missed: tuple[Seat, ...], stage: str, reason: str) -> None:
    departments = tuple(seat.department for seat in missed)
    passed = [seat.report_in_by if stage == deadlines.REPORT_IN else seat.complete_by for seat in missed]
    case.work.emit(
        dispatch.WhistleOverdue(
            whistle_id=call.id, matter_id=call.matter_id, departments=departments,
            report_in_by=min(at for at in passed if at is not None), stage=stage,
        )
    )  # fmt: skip
    case.note(reason, whistle=call.id, departments=list(departments))
    calls.pass_on(case, call, reason)


def run_suspensions(work: UnitOfWork, limit: int) -> int:
    """Suspensions approved up to an instant that has come: the matter goes on by itself."""
    found = repository.pauses_over(work.db, work.now, limit)
    for matter_id in found:
        case = find_case(work, matter_id)
        if case is None or not allows(case.matter.state, Action.RESUME):
            repository.end_pause(work.db, matter_id, work.now)  # nothing rests any more; the row must not stay due
            continue
        go_on(case, "挂账期满 the suspension is over")
        case.save()
    return len(found)
