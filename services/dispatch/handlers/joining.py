"""Joint handling: parts of a split matter, the whole that waits for them, and their results joined on it.

Intake splits; here the whole and its parts are kept together. A part is locked before its whole, never the other way
round: whoever holds the whole reads its parts without locking them.
"""

from __future__ import annotations

from services.dispatch import order_repository as repository
from services.dispatch.domain import joint as rules
from services.dispatch.domain.joint import PART, PARTS_DONE, SPLIT
from services.dispatch.domain.states import State
from services.dispatch.handlers.case import Case, find_case
from shared.contracts import claims, intake
from shared.ledger.unit_of_work import UnitOfWork


def on_matter_split(event: intake.MatterSplit, work: UnitOfWork) -> None:
    """The whole waits for its parts from now on, also for those whose opening is still on its way."""
    repository.add_parts(work.db, event.matter_id, event.parts)
    case = find_case(work, event.matter_id)
    if case is None:
        return
    case.flag(SPLIT)
    case.unflag(PARTS_DONE)
    case.note("split", parts=list(event.parts), reason=event.reason, by=event.split_by)
    case.save()


def opened_as_part(case: Case, whole_id: str | None) -> None:
    """A matter that opens as a part of another; that one waits for it, whichever event came first."""
    if whole_id is None:
        return
    case.flag(PART)
    repository.add_parts(case.work.db, whole_id, [case.matter.id])
    whole = find_case(case.work, whole_id)
    if whole is not None and SPLIT not in whole.matter.flags:
        repository.mark_split(case.work.db, whole_id, [*whole.matter.flags, SPLIT])


def check_parts(case: Case) -> None:
    """Before a whole is resolved or closed. Raises PartsOpen."""
    if SPLIT in case.matter.flags:
        rules.check_parts(repository.parts_of(case.work.db, case.matter.id))


def check_whole(case: Case) -> None:
    """Before a part is taken up again. Raises WholeClosed."""
    if PART not in case.matter.flags:
        return
    whole_id = repository.whole_of(case.work.db, case.matter.id)
    whole = None if whole_id is None else find_case(case.work, whole_id)
    if whole is not None:
        rules.check_whole(whole.matter.state, whole.matter.number)
        if PARTS_DONE in whole.matter.flags:
            whole.unflag(PARTS_DONE)
            whole.save()


def part_ended(case: Case) -> None:
    """A saved case that was closed or withdrawn: its result is noted on the whole; after the last one that is told."""
    if PART not in case.matter.flags:
        return
    whole_id = repository.whole_of(case.work.db, case.matter.id)
    whole = None if whole_id is None else find_case(case.work, whole_id)
    if whole is None:
        return
    part = case.matter
    whole.note("part-ended", part=part.id, number=part.number, state=part.state.value, outcome=part.outcome)
    parts = repository.parts_of(case.work.db, whole.matter.id)
    if rules.completed(parts) and whole.matter.state not in rules.ENDED:
        whole.flag(PARTS_DONE)
        case.work.emit(
            claims.PartsCompleted(
                matter_id=whole.matter.id, parts=tuple(one.matter_id for one in parts),
                closed=sum(one.state is State.CLOSED for one in parts),
            )
        )  # fmt: skip
    whole.save()
