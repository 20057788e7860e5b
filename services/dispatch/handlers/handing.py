"""Who is responsible: assignment, return and the climb up the ladder (C1, J5). Works when nobody is assigned.

A climb is never lost: what cannot climb by itself stays where it is, flagged, with the reason kept.
"""

from __future__ import annotations

from services.dispatch import commands, repository
from services.dispatch.domain import ladder
from services.dispatch.domain.refusals import NoLevelAbove, NotInUnit, NotTerritory, UnknownReason
from services.dispatch.domain.states import Action, State, allows
from services.dispatch.handlers import clockwork
from services.dispatch.handlers.case import Case, open_case
from shared.contracts import dispatch
from shared.jurisdiction import DEPARTMENT, Unit
from shared.kernel.errors import Refusal
from shared.ledger.unit_of_work import UnitOfWork
from shared.runtime.definition import Reply

#: Flag of a matter that should have climbed and could not.
STUCK = "cannot-climb"
#: Flag of a matter whose unit has nobody, nor any above it.
NOBODY = "nobody-responsible"


def escalate(command: commands.Escalate, work: UnitOfWork) -> Reply:
    """Send a matter up for a listed reason. Raises UnknownReason, NoLevelAbove, IllegalTransition."""
    case = open_case(work, command.matter)
    reasons = work.jurisdiction.policy.escalation.reasons
    if command.reason not in reasons:
        raise UnknownReason(
            f"{command.reason!r} is not a reason to escalate here.",
            where="reason",
            remedy=f"Use one of: {', '.join(reasons)}.",
        )
    skipped = climb(case, cause="reason", reason=command.reason, note=command.note)
    return case.saved(skipped=list(skipped))


def return_matter(command: commands.ReturnMatter, work: UnitOfWork) -> Reply:
    """Hand a matter back to the unit above; after the pack's number of returns it climbs. Raises NoLevelAbove."""
    case = open_case(work, command.matter)
    case.do(Action.RETURN)
    choice = ladder.next_above(work.jurisdiction, case.matter.unit)
    if choice.unit is None:
        raise _top(case)
    from_unit = case.matter.unit
    returns = case.matter.returns + 1
    case.change(returns=returns)
    work.emit(
        dispatch.MatterReturned(
            matter_id=case.matter.id, from_unit=from_unit, to_unit=choice.unit.id, reason=command.reason,
            returned_by=case.actor, returns=returns,
        )
    )  # fmt: skip
    case.note(Action.RETURN, to_unit=choice.unit.id, reason=command.reason, returns=returns, skipped=choice.skipped)
    hand_over(case, choice.unit)
    if returns >= work.jurisdiction.policy.escalation.after_returns:
        climb_by_itself(case, cause="rule", reason="after-returns")
    return case.saved()


def assign(command: commands.Assign, work: UnitOfWork) -> Reply:
    """Make a unit in the actor's territory responsible. Raises UnknownUnit, NotTerritory, NotInUnit, Forbidden."""
    case = open_case(work, command.matter)
    unit = work.jurisdiction.unit(command.unit)
    if unit.level == DEPARTMENT:
        raise NotTerritory(
            f"{unit.id} is a department.",
            where="unit",
            remedy="Assign a grid, community or street; blow a whistle for departments.",
        )
    work.require_scope(unit.id)
    if command.person is not None and command.person not in {one.id for one in work.jurisdiction.responsible(unit.id)}:
        raise NotInUnit(
            f"{command.person} does not handle matters of {unit.id}.",
            where="person",
            remedy="Name one of its staff, or nobody.",
        )
    case.do(Action.ASSIGN)
    assigned(case, unit, person=command.person, reason="指派 assigned by a desk")
    return case.saved()


def assigned(case: Case, unit: Unit, *, reason: str, person: str | None = None) -> None:
    """Make a unit responsible and say so. The same unit keeps its accept clock."""
    if unit.id != case.matter.unit or not case.live("accept"):
        hand_over(case, unit)
    case.change(person=person)
    case.work.emit(
        dispatch.MatterAssigned(
            matter_id=case.matter.id,
            unit=unit.id,
            level=unit.level,
            person=person,
            reason=reason,
            assigned_by=case.actor,
        )
    )
    case.note(Action.ASSIGN, person=person, reason=reason)


def hand_over(case: Case, unit: Unit) -> None:
    """The unit is responsible from now on, with an accept clock of its own; the old one's accept clock stops."""
    clockwork.stop(case, "accept")
    case.change(unit=unit.id, level=unit.level, person=None, stage=case.matter.stage + 1)
    case.unflag(STUCK, *((NOBODY,) if case.jurisdiction.responsible(unit.id) else ()))
    repository.open_to(case.work.db, case.matter.id, [one.id for one in case.jurisdiction.ladder(unit.id)])
    clockwork.start_accept(case, case.now)


def climb(case: Case, *, cause: str, reason: str, note: str | None = None) -> tuple[str, ...]:
    """Up to the next level with anyone responsible; returns those skipped. Raises IllegalTransition, NoLevelAbove."""
    case.do(Action.ESCALATE)
    from_unit, from_level = case.matter.unit, case.matter.level
    choice = ladder.next_above(case.jurisdiction, from_unit)
    if choice.unit is None:
        raise _top(case)
    case.work.emit(
        dispatch.MatterEscalated(
            matter_id=case.matter.id, from_unit=from_unit, from_level=from_level, to_unit=choice.unit.id,
            to_level=choice.unit.level, cause=cause, reason=reason, note=note, skipped=choice.skipped,
            escalated_by=case.actor,
        )
    )  # fmt: skip
    case.note(
        Action.ESCALATE, to_unit=choice.unit.id, cause=cause, reason=reason, note=note, skipped=list(choice.skipped),
        skipped_because="nobody-responsible" if choice.skipped else None,
    )  # fmt: skip
    hand_over(case, choice.unit)
    return choice.skipped


def climb_by_itself(case: Case, *, cause: str, reason: str) -> None:
    """Climb without anybody's command (breach, rule). What cannot climb stays, flagged, with the reason kept."""
    before = case.matter
    if not allows(before.state, Action.ESCALATE):
        case.note("climb-skipped", cause=cause, reason=reason, because=f"state-{before.state}")
        return
    try:
        climb(case, cause=cause, reason=reason)
    except Refusal as refusal:
        case.change(state=State(before.state))
        case.flag(STUCK)
        case.note("climb-skipped", cause=cause, reason=reason, because=refusal.code)


def _top(case: Case) -> NoLevelAbove:
    return NoLevelAbove(
        f"Nobody above {case.matter.unit} is responsible.", where="matter",
        remedy="Handle it here, suspend it with approval, or blow a whistle.",
    )  # fmt: skip
