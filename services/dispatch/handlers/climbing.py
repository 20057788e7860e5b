"""The climb up the ladder, by whatever causes it, and the record of it (C1, J5). Works when nobody is assigned.

A climb is never lost: what cannot climb by itself stays where it is, flagged, with the reason kept and told.
"""

from __future__ import annotations

from services.dispatch import climb_repository, repository
from services.dispatch.climb_repository import Climb
from services.dispatch.domain import ladder
from services.dispatch.domain.clocks import SlaClock
from services.dispatch.domain.ladder import Choice, Fits, Trigger
from services.dispatch.domain.refusals import NoLevelAbove
from services.dispatch.domain.states import Action, allows
from services.dispatch.handlers import clockwork
from services.dispatch.handlers.case import Case
from shared.contracts import dispatch
from shared.jurisdiction import Unit
from shared.kernel.errors import Refusal

#: Flag of a matter that should have climbed and could not.
STUCK = "cannot-climb"
#: Flag of a matter whose unit has nobody, nor any above it.
NOBODY = "nobody-responsible"
#: Causes.
BY_REASON, BY_BREACH, BY_RULE = "reason", "breach", "rule"


def hand_over(case: Case, unit: Unit) -> None:
    """The unit is responsible from now on, with an accept clock of its own; the old one's accept clock stops."""
    clockwork.stop(case, "accept")
    case.change(unit=unit.id, level=unit.level, person=None, stage=case.matter.stage + 1)
    case.unflag(STUCK, *((NOBODY,) if case.jurisdiction.responsible(unit.id) else ()))
    repository.open_to(case.work.db, case.matter.id, [one.id for one in case.jurisdiction.ladder(unit.id)])
    clockwork.start_accept(case, case.now)


def climb(
    case: Case, *, cause: str, reason: str, note: str | None = None, fits: Fits | None = None,
    step: tuple[SlaClock, str] | None = None,
) -> Choice:  # fmt: skip
    """Up to the next unit that fits and has anyone responsible; `step`: of a clock that caused it.

    Raises IllegalTransition, NoLevelAbove.
    """
    case.do(Action.ESCALATE)
    from_unit, from_level = case.matter.unit, case.matter.level
    choice = ladder.next_above(case.jurisdiction, from_unit, fits)
    if choice.unit is None:
        raise top_of(case)
    case.work.emit(
        dispatch.MatterEscalated(
            matter_id=case.matter.id, from_unit=from_unit, from_level=from_level, to_unit=choice.unit.id,
            to_level=choice.unit.level, cause=cause, reason=reason, note=note, skipped=choice.skipped,
            skipped_because=tuple(choice.because.values()), escalated_by=case.actor,
        )
    )  # fmt: skip
    case.note(
        Action.ESCALATE, to_unit=choice.unit.id, cause=cause, reason=reason, note=note, skipped=list(choice.skipped),
        skipped_because=", ".join(dict.fromkeys(choice.because.values())) or None,
    )  # fmt: skip
    _keep(case, cause, reason, step, result=climb_repository.CLIMBED, from_unit=from_unit, choice=choice)
    hand_over(case, choice.unit)
    return choice


def climb_by_itself(
    case: Case, *, cause: str, reason: str, fits: Fits | None = None, step: tuple[SlaClock, str] | None = None
) -> bool:
    """Climb without anybody's command (breach, rule). What cannot climb stays, flagged, with the reason kept."""
    if not allows(case.matter.state, Action.ESCALATE):
        stay(case, cause=cause, reason=reason, because=f"state-{case.matter.state}", step=step)
        return False
    try:
        with case.attempt():
            climb(case, cause=cause, reason=reason, fits=fits, step=step)
    except Refusal as refusal:
        case.flag(STUCK)
        stay(case, cause=cause, reason=reason, because=refusal.code, step=step)
        return False
    return True


def climb_for(case: Case, clock: SlaClock, steps: list[str]) -> None:
    """What the steps that a clock just did make the matter do by the pack; each is kept, whatever became of it."""
    pack = case.jurisdiction
    gone = False
    for trigger in ladder.triggers(pack, clock.kind, clock.response_class, steps):
        step = (clock, trigger.step)
        if gone or (trigger.to_level is not None and _high_enough(case, trigger)):
            _keep(
                case, trigger.cause, trigger.reason, step, result=climb_repository.NEEDLESS,
                from_unit=case.matter.unit, because="climbed-already" if gone else "high-enough",
            )  # fmt: skip
            continue
        fits = None if trigger.to_level is None else ladder.at_least(pack, trigger.to_level)
        gone = climb_by_itself(case, cause=trigger.cause, reason=trigger.reason, fits=fits, step=step)


def _high_enough(case: Case, trigger: Trigger) -> bool:
    height = ladder.height(case.jurisdiction, case.matter.level)
    return height >= ladder.height(case.jurisdiction, trigger.to_level or "")


def stay(
    case: Case, *, cause: str, reason: str, because: str, step: tuple[SlaClock, str] | None = None
) -> None:  # fmt: skip
    """Keep and tell that the matter should have climbed and did not."""
    matter = case.matter
    case.work.emit(
        dispatch.EscalationSkipped(
            matter_id=matter.id, unit=matter.unit, level=matter.level, cause=cause, reason=reason, because=because
        )
    )
    case.note("climb-skipped", cause=cause, reason=reason, because=because)
    _keep(case, cause, reason, step, result=climb_repository.STAYED, from_unit=matter.unit, because=because)


def _keep(
    case: Case, cause: str, reason: str, step: tuple[SlaClock, str] | None, *, result: str, from_unit: str,
    because: str | None = None, choice: Choice | None = None,
) -> None:  # fmt: skip
    clock, name = step or (None, None)
    climb_repository.add_climb(
        case.work.db,
        Climb(
            matter_id=case.matter.id, at=case.now, cause=cause, reason=reason, from_unit=from_unit, result=result,
            because=because, to_unit=None if choice is None or choice.unit is None else choice.unit.id,
            skipped={} if choice is None else choice.because, clock_id=None if clock is None else clock.id,
            promise=None if clock is None else clock.promise, step=name,
        ),
    )  # fmt: skip


def top_of(case: Case) -> NoLevelAbove:
    """The refusal of a climb from where nobody stands above."""
    return NoLevelAbove(
        f"Nobody above {case.matter.unit} is responsible.", where="matter",
        remedy="Handle it here, suspend it with approval, or blow a whistle.",
    )  # fmt: skip
