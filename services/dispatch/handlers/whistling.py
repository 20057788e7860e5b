"""Whistle calls 吹哨报到: blown, answered, settled (A3, D5).

A department answers for itself and learns nothing of the asker.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from services.dispatch import commands, whistle_repository
from services.dispatch.domain import ladder, states
from services.dispatch.domain import whistle as rules
from services.dispatch.domain.clocks import BREACH_AFTER
from services.dispatch.domain.refusals import MayNotBlow, NotWhistled, UnknownWhistle, WhistleEnded, WhistleOpen
from services.dispatch.domain.states import Action
from services.dispatch.domain.whistle import Whistle
from services.dispatch.handlers.case import Case, find_case, open_case
from services.dispatch.handlers.handing import climb_by_itself
from shared.contracts import dispatch
from shared.ledger.unit_of_work import UnitOfWork
from shared.runtime.definition import Reply


def blow_whistle(command: commands.BlowWhistle, work: UnitOfWork) -> Reply:
    """Summon departments. Raises MayNotBlow, UnknownDepartment, LeadNotCalled, IllegalTransition."""
    case = open_case(work, command.matter)
    case.do(Action.BLOW_WHISTLE)
    policy = work.jurisdiction.policy.whistle
    whistler = work.actor.unit or case.matter.unit
    level = work.jurisdiction.unit(whistler).level
    if level not in policy.may_blow:
        raise MayNotBlow(
            f"{whistler} is a {level}; whistles are blown by {', '.join(policy.may_blow)}.", where="actor",
            remedy="Escalate, or ask a level that may.",
        )  # fmt: skip
    seats = rules.seats(work.jurisdiction, command.departments, command.lead)
    report_in_by = work.jurisdiction.calendar.due(case.now, policy.report_in).at
    call = Whistle(
        id=work.new_id(), matter_id=case.matter.id, whistler=whistler, request=command.request,
        legal_basis=command.legal_basis, blown_at=case.now, blown_by=case.actor, report_in_by=report_in_by,
        next_step_at=report_in_by + BREACH_AFTER, overdue_at=None, ended_at=None, outcome=None, version=1, seats=seats,
    )  # fmt: skip
    whistle_repository.add(work.db, call)
    departments = tuple(seat.department for seat in seats)
    work.emit(
        dispatch.WhistleBlown(
            whistle_id=call.id, matter_id=case.matter.id, whistler=whistler, departments=departments, lead=call.lead,
            request=command.request, legal_basis=command.legal_basis, report_in_by=report_in_by, blown_by=case.actor,
        )
    )  # fmt: skip
    case.note(
        Action.BLOW_WHISTLE, whistle=call.id, departments=list(departments), lead=call.lead, request=command.request
    )
    return case.saved(whistle_id=call.id, departments=list(departments), lead=call.lead)


def answer_whistle(command: commands.AnswerWhistle, work: UnitOfWork) -> Reply:
    """A department answers for itself; a late first answer is recorded as late. Raises NotWhistled, WhistleEnded."""
    matter_id = whistle_repository.matter_of_whistle(work.db, command.whistle)
    case = None if matter_id is None else find_case(work, matter_id)
    call = None if case is None else whistle_repository.whistle(work.db, command.whistle)
    if case is None or call is None:
        raise UnknownWhistle(f"There is no whistle {command.whistle!r}.", where="whistle", remedy="Check the id.")
    seat = next((one for one in call.seats if one.department == work.actor.unit), None)
    if seat is None:
        raise NotWhistled(
            f"{work.actor.unit or 'The actor'} was not called.",
            where="whistle",
            remedy="Only departments called may answer.",
        )
    work.check_version(call.version)
    if call.ended_at is not None:
        raise WhistleEnded(f"The call has {call.outcome}.", where="whistle", remedy="Nothing more is needed.")
    first = seat.reported_at is None
    late = case.now > call.report_in_by if first else seat.late
    taken = replace(
        seat, part=states.after_answer(seat.part, command.answer), reported_at=seat.reported_at or case.now, late=late
    )
    seats = tuple(taken if one is seat else one for one in call.seats)
    outcome = rules.ending(seats)
    new = replace(call, seats=seats, version=call.version + 1)
    if not new.absent:
        new = replace(new, next_step_at=None)
    whistle_repository.add_answer(
        work.db, whistle_id=call.id, department=seat.department, answer=command.answer, note=command.note, late=late,
        answered_by=case.actor, at=case.now,
    )  # fmt: skip
    work.emit(
        dispatch.WhistleAnswered(
            whistle_id=call.id, matter_id=case.matter.id, department=seat.department, answer=command.answer,
            note=command.note, late=late, answered_by=case.actor,
            # Another machine's clock may be behind the one that blew the whistle.
            report_in_seconds=max(0.0, (case.now - call.blown_at).total_seconds()) if first else None,
        )
    )  # fmt: skip
    case.note(
        "answer-whistle",
        whistle=call.id,
        department=seat.department,
        answer=command.answer,
        note=command.note,
        late=late,
    )
    if outcome is None:
        whistle_repository.save(work.db, call, new)
    else:
        _end(case, call, new, outcome)
        if outcome == "declined":
            pass_on(case, "whistle-declined")
    case.save()
    return Reply(
        body={
            "whistle_id": call.id, "matter_id": case.matter.id, "state": case.matter.state.value,
            "version": new.version,
            "department": seat.department, "part": taken.part.value, "late": late, "outcome": outcome,
        },
        version=new.version,
    )  # fmt: skip


def settle_calls(case: Case) -> None:
    """Before a matter is resolved: open calls stand in the way, unless street or above decides. Raises WhistleOpen."""
    running = whistle_repository.of_matter(case.work.db, case.matter.id, running=True)
    if running and not ladder.settles_calls(case.jurisdiction, case.work.actor.unit):
        raise WhistleOpen(
            f"{len(running)} whistle call(s) are still open.", where="matter",
            remedy="Wait until the departments have completed, or have the street or district resolve the matter.",
        )  # fmt: skip
    _withdraw(case, running)


def withdraw_calls(case: Case) -> None:
    """End what is still open: it was settled without the departments."""
    _withdraw(case, whistle_repository.of_matter(case.work.db, case.matter.id, running=True))


def _withdraw(case: Case, running: Sequence[Whistle]) -> None:
    for call in running:
        _end(case, call, replace(call, version=call.version + 1), "withdrawn")


def pass_on(case: Case, reason: str) -> None:
    """A call was missed or refused by all: the matter goes one level up, as often as the pack's hop limit allows."""
    limit = case.jurisdiction.policy.whistle.hop_limit
    if case.matter.hops >= limit:
        case.note("climb-skipped", cause="rule", reason=reason, because="hop-limit")
        return
    case.change(hops=case.matter.hops + 1)
    climb_by_itself(case, cause="rule", reason=reason)


def _end(case: Case, call: Whistle, new: Whistle, outcome: str) -> None:
    ended = replace(new, ended_at=case.now, outcome=outcome, next_step_at=None)
    whistle_repository.save(case.work.db, call, ended)
    case.work.emit(dispatch.WhistleEnded(whistle_id=call.id, matter_id=call.matter_id, outcome=outcome))
    case.note("whistle-ended", whistle=call.id, outcome=outcome)
