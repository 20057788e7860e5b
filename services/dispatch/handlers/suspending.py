"""Rest 挂账: asked for by the unit responsible, or ordered by the level above, which alone decides; and going on."""

from __future__ import annotations

from datetime import datetime

from services.dispatch import commands, repository
from services.dispatch.domain import time_requests as rules
from services.dispatch.domain.states import Action
from services.dispatch.domain.time_requests import Kind
from services.dispatch.handlers import asking, clockwork
from services.dispatch.handlers.case import Case, open_case
from shared.contracts import dispatch, timing
from shared.ledger.unit_of_work import UnitOfWork
from shared.runtime.definition import Reply


def request_suspension(command: commands.RequestSuspension, work: UnitOfWork) -> Reply:
    """Ask that a matter may rest. Raises NotPausable, SuspensionLimit, InThePast, BeyondLimit, RequestPending."""
    case = open_case(work, command.matter)
    case.do(Action.REQUEST_SUSPENSION)
    _resting_until(case, command.until)
    new = asking.ask(case, Kind.SUSPENSION, reason=command.reason, until=command.until)
    work.emit(
        timing.SuspensionRequested(
            request_id=new.id, matter_id=case.matter.id, unit=case.matter.unit, reason=command.reason,
            until=command.until, requested_by=case.actor,
        )
    )  # fmt: skip
    case.note(Action.REQUEST_SUSPENSION, request=new.id, reason=command.reason, until=_said(command.until))
    return case.saved(request_id=new.id)


def decide_suspension(command: commands.DecideSuspension, work: UnitOfWork) -> Reply:
    """Let a matter rest as was asked, or refuse. Raises NoRequest, OwnRequest, Forbidden, and as asking does."""
    case = open_case(work, command.matter)
    case.do(Action.DECIDE_SUSPENSION)
    request = asking.pending(case, Kind.SUSPENSION)
    until = _resting_until(case, command.until or request.until) if command.granted else None
    done = asking.decided(case, request, granted=command.granted, note=command.note, granted_until=until)
    work.emit(
        timing.SuspensionDecided(
            request_id=done.id, matter_id=case.matter.id, unit=case.matter.unit, granted=command.granted,
            note=command.note, decided_by=case.actor,
        )
    )  # fmt: skip
    case.note(Action.DECIDE_SUSPENSION, request=done.id, granted=command.granted, note=command.note)
    if command.granted:
        _rest(case, request.reason, until)
    return case.saved(request_id=done.id, granted=command.granted)


def suspend(command: commands.Suspend, work: UnitOfWork) -> Reply:
    """The level above lets a matter rest of its own accord. Raises Forbidden, and as asking does."""
    case = open_case(work, command.matter)
    asking.approved_above(case)
    _rest(case, command.reason, _resting_until(case, command.until))
    return case.saved()


def _resting_until(case: Case, until: datetime | None) -> datetime | None:
    limits = case.jurisdiction.policy.suspension
    return rules.resting_until(case.rule, limits, case.matter.pauses, until, case.now)


def _rest(case: Case, reason: str, until: datetime | None) -> None:
    case.do(Action.SUSPEND)
    repository.begin_pause(
        case.work.db, matter_id=case.matter.id, begun_at=case.now, until=until, reason=reason, approved_by=case.actor
    )
    case.change(pauses=case.matter.pauses + 1)
    clockwork.pause(case)
    case.work.emit(
        dispatch.MatterSuspended(matter_id=case.matter.id, reason=reason, approved_by=case.actor, until=until)
    )
    case.note(Action.SUSPEND, reason=reason, until=_said(until))


def resume(command: commands.Resume, work: UnitOfWork) -> Reply:
    """Go on with a suspended matter. Raises Forbidden, IllegalTransition."""
    case = open_case(work, command.matter)
    go_on(case, command.reason.strip() or "恢复办理 resumed")
    return case.saved()


def go_on(case: Case, reason: str) -> None:
    """End the suspension. Raises Forbidden, IllegalTransition."""
    case.do(Action.RESUME)
    asking.approved_above(case)
    _go_on(case, reason)


def end_rest(case: Case, reason: str) -> None:
    """The suspension cannot go on, whoever approved it: the matter turned out to be one that never rests."""
    case.do(Action.RESUME)
    _go_on(case, reason)


def _go_on(case: Case, reason: str) -> None:
    repository.end_pause(case.work.db, case.matter.id, case.now)
    clockwork.resume(case)
    case.work.emit(dispatch.MatterResumed(matter_id=case.matter.id, reason=reason, resumed_by=case.actor))
    case.note(Action.RESUME, reason=reason)


def _said(until: datetime | None) -> str | None:
    return None if until is None else until.isoformat()
