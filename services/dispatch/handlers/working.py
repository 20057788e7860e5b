"""Work on a matter: accept, progress, another class, suspension (J5). Comments restart no clock."""

from __future__ import annotations

from services.dispatch import commands, repository
from services.dispatch.domain.refusals import InThePast, NotPausable, SameClass
from services.dispatch.domain.states import Action
from services.dispatch.handlers import clockwork
from services.dispatch.handlers.case import Case, open_case
from shared.contracts import dispatch
from shared.kernel.actor import SYSTEM
from shared.ledger.unit_of_work import UnitOfWork
from shared.runtime.definition import Reply


def accept(command: commands.Accept, work: UnitOfWork) -> Reply:
    """The responsible unit, or one above it, takes the matter on. Raises IllegalTransition."""
    case = open_case(work, command.matter)
    case.do(Action.ACCEPT)
    case.change(person=case.actor)
    clockwork.stop(case, "accept")
    work.emit(dispatch.MatterAccepted(matter_id=case.matter.id, unit=case.matter.unit, accepted_by=case.actor))
    case.note(Action.ACCEPT)
    return case.saved()


def progress(command: commands.Progress, work: UnitOfWork) -> Reply:
    """Note how the work goes; a milestone stops the clock of its kind. Raises IllegalTransition."""
    case = open_case(work, command.matter)
    case.do(Action.PROGRESS)
    if command.milestone is not None:
        clockwork.stop(case, command.milestone)
    work.emit(
        dispatch.MatterProgressed(
            matter_id=case.matter.id, unit=case.matter.unit, note=command.note, noted_by=case.actor
        )
    )
    case.note(Action.PROGRESS, note=command.note, milestone=command.milestone)
    return case.saved()


def reclassify(command: commands.Reclassify, work: UnitOfWork) -> Reply:
    """Another response class; clocks keep start and pauses. Raises UnknownClass, SameClass, IllegalTransition."""
    case = open_case(work, command.matter)
    case.do(Action.RECLASSIFY)
    before = case.matter.response_class
    rule = work.jurisdiction.policy.response_class(command.response_class)
    if rule.id == before:
        raise SameClass(
            f"The matter is {before} already.", where="response_class", remedy="Name another class, or leave it."
        )
    case.change(
        response_class=rule.id, rule="reclassified", inputs={"from": before, "reason": command.reason},
        policy_version=work.jurisdiction.digest, decided_by=case.actor,
    )  # fmt: skip
    tell_class(case)
    case.note(Action.RECLASSIFY, from_class=before, to_class=rule.id, reason=command.reason)
    clockwork.reclassify(case)
    return case.saved()


def tell_class(case: Case) -> None:
    """Say which class the matter has and why."""
    matter = case.matter
    case.work.emit(
        dispatch.MatterClassified(
            matter_id=matter.id, response_class=matter.response_class, category=matter.category, rule=matter.rule,
            inputs=dict(matter.inputs), policy_version=matter.policy_version, decided_by=matter.decided_by,
        )
    )  # fmt: skip


def suspend(command: commands.Suspend, work: UnitOfWork) -> Reply:
    """Let a matter rest, approved by the level above. Raises NotPausable, InThePast, Forbidden, IllegalTransition."""
    case = open_case(work, command.matter)
    case.do(Action.SUSPEND)
    _approved_above(case)
    if case.rule is None or not case.rule.pausable:
        raise NotPausable(
            f"Clocks of {case.matter.response_class} never pause.", where="matter",
            remedy="Escalate or blow a whistle; a desk may reclassify a mistaken class.",
        )  # fmt: skip
    if command.until is not None and command.until <= case.now:
        raise InThePast(
            "The suspension would be over already.", where="until", remedy="Give an instant that lies ahead."
        )
    repository.begin_pause(
        work.db, matter_id=case.matter.id, begun_at=case.now, until=command.until, reason=command.reason,
        approved_by=case.actor,
    )  # fmt: skip
    case.change(pauses=case.matter.pauses + 1)
    clockwork.pause(case)
    work.emit(
        dispatch.MatterSuspended(
            matter_id=case.matter.id, reason=command.reason, approved_by=case.actor, until=command.until
        )
    )
    case.note(Action.SUSPEND, reason=command.reason, until=None if command.until is None else command.until.isoformat())
    return case.saved()


def resume(command: commands.Resume, work: UnitOfWork) -> Reply:
    """Go on with a suspended matter. Raises Forbidden, IllegalTransition."""
    case = open_case(work, command.matter)
    go_on(case, command.reason.strip() or "恢复办理 resumed")
    return case.saved()


def go_on(case: Case, reason: str) -> None:
    """End the suspension. Raises Forbidden, IllegalTransition."""
    case.do(Action.RESUME)
    _approved_above(case)
    repository.end_pause(case.work.db, case.matter.id, case.now)
    clockwork.resume(case)
    case.work.emit(dispatch.MatterResumed(matter_id=case.matter.id, reason=reason, resumed_by=case.actor))
    case.note(Action.RESUME, reason=reason)


def _approved_above(case: Case) -> None:
    """Raise Forbidden unless the actor stands above the unit responsible; at the top, the top itself decides."""
    if case.work.actor is SYSTEM:
        return
    above = case.jurisdiction.parent_of(case.matter.unit)
    case.work.require_scope(case.matter.unit if above is None else above.id)
