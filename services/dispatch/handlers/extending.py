"""More time 延期: asked for before the matter is due, granted by the level above within the pack's limits."""

from __future__ import annotations

from services.dispatch import commands
from services.dispatch.domain import time_requests as rules
from services.dispatch.domain.states import Action
from services.dispatch.domain.time_requests import Kind
from services.dispatch.handlers import asking, clockwork
from services.dispatch.handlers.case import Case, open_case
from shared.contracts import timing
from shared.ledger.unit_of_work import UnitOfWork
from shared.runtime.definition import Reply

_RESOLVE = "resolve"


def request_extension(command: commands.RequestExtension, work: UnitOfWork) -> Reply:
    """Ask for more time. Raises NotExtendable, ExtensionTooLate, ExtensionLimit, BeyondLimit, RequestPending."""
    case = open_case(work, command.matter)
    case.do(Action.REQUEST_EXTENSION)
    _check(case, command.days)
    due_at = next((clock.due_at for clock in case.live(_RESOLVE)), None)
    rules.check_in_time(due_at, case.now)
    new = asking.ask(case, Kind.EXTENSION, reason=command.reason, days=command.days)
    work.emit(
        timing.ExtensionRequested(
            request_id=new.id, matter_id=case.matter.id, unit=case.matter.unit, days=command.days,
            reason=command.reason, due_at=due_at or case.now, requested_by=case.actor,
        )
    )  # fmt: skip
    case.note(Action.REQUEST_EXTENSION, request=new.id, days=command.days, reason=command.reason)
    return case.saved(request_id=new.id)


def decide_extension(command: commands.DecideExtension, work: UnitOfWork) -> Reply:
    """Grant more time or refuse it. Raises NoRequest, OwnRequest, Forbidden, ExtensionLimit, BeyondLimit."""
    case = open_case(work, command.matter)
    case.do(Action.DECIDE_EXTENSION)
    request = asking.pending(case, Kind.EXTENSION)
    days = (command.days or request.days or 0) if command.granted else 0
    if command.granted:
        _check(case, days)
    done = asking.decided(case, request, granted=command.granted, note=command.note, granted_days=days)
    work.emit(
        timing.ExtensionDecided(
            request_id=done.id, matter_id=case.matter.id, unit=case.matter.unit, granted=command.granted, days=days,
            note=command.note, decided_by=case.actor,
        )
    )  # fmt: skip
    case.note(Action.DECIDE_EXTENSION, request=done.id, granted=command.granted, days=days, note=command.note)
    if command.granted:
        clockwork.extend(case, days)
    return case.saved(request_id=done.id, granted=command.granted, days=days)


def _check(case: Case, days: int) -> None:
    rules.check_extension(case.rule, days, asking.granted_so_far(case, Kind.EXTENSION))
