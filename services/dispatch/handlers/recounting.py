"""Deadlines of open whistle calls on another calendar: what moved is kept, and told as events and to departments."""

from __future__ import annotations

from dataclasses import replace

from services.dispatch import whistle_records, whistle_repository
from services.dispatch.domain.deadlines import DECIDE, STAGES, Counted, count
from services.dispatch.domain.whistle import Whistle
from services.dispatch.handlers.case import Case
from shared.contracts import dispatch


def recount(case: Case) -> tuple[str, ...]:
    """Count anew what is behind the calendar in force. Returns the calls with a deadline that came out otherwise."""
    in_force = case.working_time

    def anew(old: Counted) -> Counted:
        if old.revision >= in_force.revision:
            return old
        return count(old.stage, in_force.own, in_force.revision, old.start, old.target)

    moved = []
    for call in whistle_repository.of_matter(case.work.db, case.matter.id, running=True):
        new = call.recounted(anew, case.now)
        changes = _changes(call, new)
        if changes:
            moved.append(call.id)
            new = replace(new, version=call.version + 1)
        whistle_repository.save(case.work.db, call, new)
        for change, departments in changes.items():
            _tell(case, call, change, departments)
    return tuple(moved)


#: Stage, how the deadline was counted before, and how it is now.
_Change = tuple[str, Counted, Counted]


def _changes(old: Whistle, new: Whistle) -> dict[_Change, list[str]]:
    """What came out otherwise, with the departments it did for: the same for several is one change."""
    found: dict[_Change, list[str]] = {}
    for before, after in zip(old.seats, new.seats, strict=True):
        counted = {one.stage: one for one in after.standing()}
        for one in sorted(before.standing(), key=lambda each: STAGES.index(each.stage)):
            now = counted[one.stage]
            if (one.at, one.provisional) != (now.at, now.provisional):
                found.setdefault((one.stage, one, now), []).append(after.department)
    return found


def _tell(case: Case, call: Whistle, change: _Change, departments: list[str]) -> None:
    stage, before, after = change
    if stage == DECIDE:
        for department in departments:
            seat = call.seat(department)
            hop = 0 if seat is None else seat.hop
            whistle_records.move_contest(case.work.db, call.id, department, hop, after.at)
    case.work.emit(
        dispatch.WhistleRecounted(
            whistle_id=call.id, matter_id=call.matter_id, departments=tuple(departments), stage=stage,
            from_by=before.at, by=after.at, provisional=after.provisional,
            calendar=case.working_time.own.version,
        )
    )  # fmt: skip
