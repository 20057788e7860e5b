"""Work on a matter: accept, progress, another class (J5). Comments restart no clock."""

from __future__ import annotations

from functools import partial

from services.dispatch import commands
from services.dispatch.climb_repository import climbed_from
from services.dispatch.domain.refusals import SameClass, UnknownMatter
from services.dispatch.domain.states import SEEN_FROM_BELOW, Action, State, after
from services.dispatch.handlers import clockwork, suspending
from services.dispatch.handlers.case import Case, find_case, open_case
from shared.contracts import dispatch, shapes
from shared.kernel.errors import Forbidden
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
    """Note how the work goes; a milestone stops the clock of its kind. Raises IllegalTransition, Forbidden.

    Units that the matter climbed from keep a voice, not a say: their people often still stand on the spot (N6).
    """
    case, below = _heard(work, command)
    if below is None:
        case.do(Action.PROGRESS)
    elif case.matter.state not in SEEN_FROM_BELOW:
        after(case.matter.state, Action.PROGRESS)
    if command.milestone is not None:
        clockwork.stop(case, command.milestone)
    work.emit(
        dispatch.MatterProgressed(
            matter_id=case.matter.id, unit=case.matter.unit, note=command.note, noted_by=case.actor,
            evidence=command.evidence, noted_from=below,
        )
    )  # fmt: skip
    case.note(
        Action.PROGRESS, note=command.note, milestone=command.milestone, noted_from=below,
        evidence=[shapes.dump(piece) for piece in command.evidence],
    )  # fmt: skip
    return case.saved()


def _heard(work: UnitOfWork, command: commands.Progress) -> tuple[Case, str | None]:
    """The case, and the unit that it climbed from where the actor has no say any more; None: he has."""
    try:
        return open_case(work, command.matter), None
    except (Forbidden, UnknownMatter):
        case = find_case(work, command.matter)
        below = (
            None if case is None else next(filter(partial(_within, work), climbed_from(work.db, case.matter.id)), None)
        )
        if case is None or below is None:
            raise
    work.check_version(case.matter.version)
    if command.milestone is not None:
        raise Forbidden(
            f"{case.matter.unit} is responsible and says what was reached.", code="out-of-scope", where="milestone",
            remedy="Send the note without it; that unit reads it and may report the milestone.",
        )  # fmt: skip
    return case, below


def _within(work: UnitOfWork, unit: str) -> bool:
    try:
        work.require_scope(unit)
    except Forbidden:
        return False
    return True


def reclassify(command: commands.Reclassify, work: UnitOfWork) -> Reply:
    """Another response class; clocks keep start and pauses, and a suspension ends where the class never pauses.

    Raises UnknownClass, SameClass, IllegalTransition.
    """
    case = open_case(work, command.matter)
    case.do(Action.RECLASSIFY)
    before = case.matter.response_class
    rule = work.jurisdiction.policy.response_class(command.response_class)
    if rule.id == before:
        raise SameClass(
            f"The matter is {before} already.", where="response_class", remedy="Name another class, or leave it."
        )
    if case.matter.state is State.SUSPENDED and not rule.pausable:
        # Still under the old class: what it paused goes on, moved by the rest up to this instant, and is counted anew.
        suspending.end_rest(case, f"改为{rule.id},不得挂账 now {rule.id}, which never rests")
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
