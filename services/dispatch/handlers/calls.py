"""What all handlers of whistle calls share: a call in hand, written back, ended, and passed on when nobody came.

A call stands in the way of its matter's resolution until it is over. It must never decide a dispute.
"""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime

from services.dispatch import whistle_repository
from services.dispatch.domain import ladder
from services.dispatch.domain import whistle as rules
from services.dispatch.domain.deadlines import REPORT_IN, Counted, count
from services.dispatch.domain.refusals import InThePast, NotWhistled, UnknownWhistle, WhistleEnded, WhistleOpen
from services.dispatch.domain.whistle import Seat, Whistle
from services.dispatch.handlers.case import Case, find_case
from services.dispatch.handlers.climbing import BY_RULE, climb_by_itself, stay
from shared.contracts import dispatch
from shared.kernel.clock import rfc3339
from shared.kernel.provisional import notice
from shared.kernel.worktime import Target
from shared.ledger.unit_of_work import UnitOfWork
from shared.runtime.definition import Reply


def call_of(work: UnitOfWork, whistle_id: str) -> tuple[Case, Whistle]:
    """A call and its matter, locked. Raises UnknownWhistle."""
    matter_id = whistle_repository.matter_of_whistle(work.db, whistle_id)
    case = None if matter_id is None else find_case(work, matter_id)
    call = None if case is None else whistle_repository.whistle(work.db, whistle_id)
    if case is None or call is None:
        raise UnknownWhistle(f"There is no whistle {whistle_id!r}.", where="whistle", remedy="Check the id.")
    return case, call


def seat_of(call: Whistle, department: str | None) -> Seat:
    """A department's part. Raises NotWhistled."""
    seat = call.seat(department)
    if seat is None:
        raise NotWhistled(
            f"{department or 'The actor'} was not called.", where="whistle",
            remedy=f"Called were {', '.join(one.department for one in call.seats)}.",
        )  # fmt: skip
    return seat


def guessed(case: Case, call: Whistle) -> dict[str, object]:
    """What to say to whoever set a deadline that is not certain; nothing when all are."""
    calendar = case.working_time.own
    said = [
        {"department": seat.department, "deadline": one.stage, "by": rfc3339(one.at)}
        | notice(calendar, one.at, one.start)
        for seat in call.seats
        for one in seat.standing()
        if one.provisional
    ]
    return {"provisional": said} if said else {}


def check_open(call: Whistle) -> None:
    """Raise WhistleEnded when the call is over."""
    if call.ended_at is not None:
        raise WhistleEnded(f"The call has {call.outcome}.", where="whistle", remedy="Nothing more is needed.")


def check_ahead(case: Case, instant: datetime | None, where: str) -> None:
    """Raise InThePast unless the instant lies ahead."""
    if instant is not None and instant <= case.now:
        raise InThePast("The instant has passed already.", where=where, remedy="Give one that lies ahead.")


def next_report_in(case: Case, stage: str = REPORT_IN) -> Counted:
    """By when whoever is called, or has to decide, now has to report in, by the pack and the matter's class."""
    policy = case.jurisdiction.policy.whistle
    return counted(case, stage, policy.report_in_by_class.get(case.matter.response_class, policy.report_in))


def counted(case: Case, stage: str, target: Target) -> Counted:
    """A deadline that starts now, on the town's own calendar."""
    in_force = case.working_time
    return count(stage, in_force.own, in_force.revision, case.now, target)


def keep(case: Case, old: Whistle, new: Whistle) -> Whistle:
    """Write a call; it ends when nothing more is expected of any department, and nobody came: the matter climbs."""
    new = replace(new, seats=rules.led(new.seats))
    outcome = None if new.ended_at is not None else rules.ending(new.seats)
    if outcome is not None:
        return end(case, old, new, outcome)
    new = replace(new, version=old.version + 1)
    whistle_repository.save(case.work.db, old, new)
    return new


def end(case: Case, old: Whistle, new: Whistle, outcome: str, *, reason: str | None = None) -> Whistle:
    """The call is over; `reason`: why somebody above ended it."""
    by = None if reason is None else case.actor
    ended = replace(
        new, ended_at=case.now, outcome=outcome, ended_reason=reason, ended_by=by, next_step_at=None,
        calendar_revision=None, version=old.version + 1,
    )  # fmt: skip
    whistle_repository.save(case.work.db, old, ended)
    case.work.emit(
        dispatch.WhistleEnded(whistle_id=old.id, matter_id=old.matter_id, outcome=outcome, reason=reason, ended_by=by)
    )
    case.note("whistle-ended", whistle=old.id, outcome=outcome, reason=reason)
    if outcome == "declined":
        pass_on(case, old, "whistle-declined")
    return ended


def replied(case: Case, old: Whistle, new: Whistle, **more: object) -> Reply:
    """Write the matter and answer the command about its call."""
    case.save()
    body = {
        "whistle_id": old.id, "matter_id": old.matter_id, "state": case.matter.state.value, "version": new.version,
        "outcome": new.outcome,
    }  # fmt: skip
    return Reply(body=body | more, version=new.version)


def pass_on(case: Case, call: Whistle, reason: str) -> None:
    """Nobody came: the matter goes above the unit that whistled, as often as the pack's hop limit allows."""
    limit = case.jurisdiction.policy.whistle.hop_limit
    if case.matter.hops >= limit:
        stay(case, cause=BY_RULE, reason=reason, because="hop-limit")
        return
    case.change(hops=case.matter.hops + 1)
    climb_by_itself(case, cause=BY_RULE, reason=reason, fits=ladder.above_whistler(case.jurisdiction, call.whistler))


def check_calls(case: Case) -> None:
    """Before a matter is resolved: open calls stand in the way until the level above ends them. Raises WhistleOpen."""
    running = whistle_repository.of_matter(case.work.db, case.matter.id, running=True)
    if running:
        raise WhistleOpen(
            f"{len(running)} whistle call(s) are still open.", where="matter",
            remedy="Wait until the departments have completed, or have the level above the whistler end the call.",
        )  # fmt: skip


def withdraw_calls(case: Case) -> None:
    """End what is still open: nothing is left to handle."""
    for call in whistle_repository.of_matter(case.work.db, case.matter.id, running=True):
        end(case, call, call, "withdrawn")
