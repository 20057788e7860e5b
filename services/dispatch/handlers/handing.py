"""Who is responsible, by somebody's word: assignment, return, escalation, hand-back, cost (C1, J5)."""

from __future__ import annotations

from services.dispatch import climb_repository, commands
from services.dispatch.domain import ladder
from services.dispatch.domain.refusals import NotBelow, NotInUnit, NotTerritory, UnknownReason
from services.dispatch.domain.states import Action
from services.dispatch.handlers.case import Case, open_case
from services.dispatch.handlers.climbing import BY_REASON, BY_RULE, climb, climb_by_itself, hand_over, top_of
from shared.contracts import dispatch
from shared.jurisdiction import DEPARTMENT, Unit
from shared.ledger.unit_of_work import UnitOfWork
from shared.runtime.definition import Reply


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
    choice = climb(case, cause=BY_REASON, reason=command.reason, note=command.note)
    return case.saved(skipped=list(choice.skipped))


def return_matter(command: commands.ReturnMatter, work: UnitOfWork) -> Reply:
    """Hand a matter back to the unit above; after the pack's number of returns it climbs. Raises NoLevelAbove."""
    case = open_case(work, command.matter)
    case.do(Action.RETURN)
    choice = ladder.next_above(work.jurisdiction, case.matter.unit)
    if choice.unit is None:
        raise top_of(case)
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
        climb_by_itself(case, cause=BY_RULE, reason="after-returns")
    return case.saved()


def hand_back(command: commands.HandBack, work: UnitOfWork) -> Reply:
    """A level above answers and gives the matter back down. Raises NotBelow, NotTerritory, IllegalTransition."""
    case = open_case(work, command.matter)
    case.do(Action.HAND_BACK)
    matter = case.matter
    target = command.unit or climb_repository.came_from(work.db, matter.id, matter.unit) or matter.located_unit
    unit = None if target is None else _below(case, target)
    if unit is None:
        raise NotBelow(
            f"{target or 'No unit'} is no unit below {matter.unit} where somebody is responsible.", where="unit",
            remedy="Name a unit below the one responsible now, or handle it here.",
        )  # fmt: skip
    work.emit(
        dispatch.MatterHandedBack(
            matter_id=matter.id,
            from_unit=matter.unit,
            from_level=matter.level,
            to_unit=unit.id,
            to_level=unit.level,
            answer=command.answer,
            handed_back_by=case.actor,
        )
    )
    case.note(Action.HAND_BACK, to_unit=unit.id, answer=command.answer)
    assigned(case, unit, reason="上级答复,转回办理 handed back with an answer")
    return case.saved()


def _below(case: Case, target: str) -> Unit | None:
    """The unit named, or the next one above it with anyone, as long as that is below the unit responsible now."""
    pack = case.jurisdiction
    if pack.unit(target).level == DEPARTMENT:
        raise not_territory(target)
    choice = ladder.first_responsible(pack, target)
    if choice.unit is None or choice.unit.id == case.matter.unit:
        return None
    return choice.unit if pack.is_within(choice.unit.id, case.matter.unit) else None


def estimate_cost(command: commands.EstimateCost, work: UnitOfWork) -> Reply:
    """Say what it will cost; above the level's authority the matter climbs to one that may spend it, by rule."""
    case = open_case(work, command.matter)
    case.do(Action.ESTIMATE_COST)
    matter = case.matter
    limit = work.jurisdiction.policy.escalation.authority_limits.get(matter.level)
    case.change(cost_yuan=command.amount)
    work.emit(
        dispatch.CostEstimated(
            matter_id=matter.id,
            unit=matter.unit,
            level=matter.level,
            amount_yuan=command.amount,
            limit_yuan=limit,
            note=command.note,
            estimated_by=case.actor,
        )
    )
    case.note(Action.ESTIMATE_COST, amount_yuan=command.amount, limit_yuan=limit, note=command.note)
    if limit is not None and command.amount > limit:
        fits = ladder.may_spend(work.jurisdiction, command.amount)
        climb_by_itself(case, cause=BY_RULE, reason=ladder.ABOVE_AUTHORITY, fits=fits)
    return case.saved(limit_yuan=limit)


def assign(command: commands.Assign, work: UnitOfWork) -> Reply:
    """Make a unit in the actor's territory responsible. Raises UnknownUnit, NotTerritory, NotInUnit, Forbidden."""
    case = open_case(work, command.matter)
    unit = work.jurisdiction.unit(command.unit)
    if unit.level == DEPARTMENT:
        raise not_territory(unit.id)
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


def not_territory(unit: str) -> NotTerritory:
    """The refusal to make a department responsible."""
    return NotTerritory(
        f"{unit} is a department.",
        where="unit",
        remedy="Assign a grid, community or street; blow a whistle for departments.",
    )


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
