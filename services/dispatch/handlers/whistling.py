"""Whistle calls 吹哨报到: blown, answered, scored, ended (A3, D5). Disputes and more time: `contesting`.

A department answers for itself and learns nothing of the asker.
"""

from __future__ import annotations

from services.dispatch import commands, whistle_records, whistle_repository
from services.dispatch.domain import ladder
from services.dispatch.domain import whistle as rules
from services.dispatch.domain.deadlines import COMPLETE
from services.dispatch.domain.refusals import AlreadyScored, LevelAboveDecides, MayNotBlow, NotTheWhistler, PartNotOver
from services.dispatch.domain.states import Action, Part
from services.dispatch.domain.whistle import Whistle
from services.dispatch.handlers import calls, contesting
from services.dispatch.handlers.case import open_case
from shared.contracts import dispatch
from shared.ledger.unit_of_work import UnitOfWork
from shared.runtime.definition import Reply


def blow_whistle(command: commands.BlowWhistle, work: UnitOfWork) -> Reply:
    """Summon departments.

    Raises MayNotBlow, UnknownDepartment, ForeignDepartment, LeadNotCalled, InThePast, IllegalTransition.
    """
    case = open_case(work, command.matter)
    case.do(Action.BLOW_WHISTLE)
    pack = work.jurisdiction
    policy = pack.policy.whistle
    whistler = work.actor.unit or case.matter.unit
    level = pack.unit(whistler).level
    if level not in policy.may_blow:
        raise MayNotBlow(
            f"{whistler} is a {level}; whistles are blown by {', '.join(policy.may_blow)}.", where="actor",
            remedy="Escalate, or ask a level that may.",
        )  # fmt: skip
    complete_by, complete = command.complete_by, None
    if complete_by is None and policy.complete is not None:
        complete = calls.counted(case, COMPLETE, policy.complete)
        complete_by = complete.at
    calls.check_ahead(case, complete_by, "complete_by")
    report_in = calls.next_report_in(case)
    report_in_by = report_in.at
    concerned = (whistler, case.matter.unit, case.matter.located_unit or whistler)
    near = [unit for unit in concerned if unit in pack.units]
    seats = rules.seats(
        pack, command.departments, command.lead, near=near, report_in=report_in, complete=complete,
        complete_by=complete_by,
    )  # fmt: skip
    call = Whistle(
        id=work.new_id(), matter_id=case.matter.id, whistler=whistler, request=command.request,
        legal_basis=command.legal_basis, blown_at=case.now, blown_by=case.actor, report_in_by=report_in_by,
        complete_by=complete_by, next_step_at=rules.next_step(seats), overdue_at=None, ended_at=None, outcome=None,
        ended_reason=None, ended_by=None, version=1, seats=seats, calendar_revision=rules.counted_on(seats),
    )  # fmt: skip
    whistle_repository.add(work.db, call)
    departments = tuple(seat.department for seat in seats)
    work.emit(
        dispatch.WhistleBlown(
            whistle_id=call.id, matter_id=case.matter.id, whistler=whistler, departments=departments, lead=call.lead,
            request=command.request, legal_basis=command.legal_basis, report_in_by=report_in_by,
            complete_by=complete_by, complete_counted=complete is not None, blown_by=case.actor,
        )
    )  # fmt: skip
    case.note(
        Action.BLOW_WHISTLE, whistle=call.id, departments=list(departments), lead=call.lead, request=command.request
    )
    return case.saved(
        whistle_id=call.id, departments=list(departments), lead=call.lead, **calls.guessed(case, call)
    )  # fmt: skip


def answer_whistle(command: commands.AnswerWhistle, work: UnitOfWork) -> Reply:
    """A department answers for itself; a late first answer is recorded as late. Raises as `take_answer`."""
    return take_answer(command, work, None)


def take_answer(command: commands.AnswerWhistle, work: UnitOfWork, answer_id: str | None) -> Reply:
    """An answer by whichever way it came; `answer_id`: of the department's message, when it came by the bus.

    Raises UnknownWhistle, NotWhistled, WhistleEnded, DecisionFinal, WhistleExtensionLimit, InThePast,
    IllegalTransition.
    """
    case, call = calls.call_of(work, command.whistle)
    seat = calls.seat_of(call, work.actor.unit)
    work.check_version(call.version)
    calls.check_open(call)
    wants_time = command.answer == "extension-requested"
    first = seat.reported_at is None
    taken = rules.answered(seat, command.answer, case.now)
    if wants_time:
        contesting.ask_for_time(case, call, taken, command)
    whistle_repository.add_answer(
        work.db, whistle_id=call.id, department=seat.department, answer=command.answer, note=command.note,
        ground=command.ground, until=command.until if wants_time else None, late=taken.late, answered_by=case.actor,
        at=case.now,
    )  # fmt: skip
    work.emit(
        dispatch.WhistleAnswered(
            whistle_id=call.id, matter_id=case.matter.id, department=seat.department, answer=command.answer,
            note=command.note, ground=command.ground, until=command.until if wants_time else None, late=taken.late,
            answered_by=case.actor,
            # Another machine's clock may be behind the one that blew the whistle.
            report_in_seconds=max(0.0, (case.now - call.blown_at).total_seconds()) if first else None,
            answer_id=answer_id,
        )
    )  # fmt: skip
    case.note(
        "answer-whistle", whistle=call.id, department=seat.department, answer=command.answer, note=command.note,
        ground=command.ground, until=None if command.until is None else command.until.isoformat(), late=taken.late,
    )  # fmt: skip
    if taken.part is Part.DECLINED:
        taken = contesting.take_up(case, call, taken, command.ground or command.note)
    elif seat.contest_unit is not None:
        contesting.give_up(case, call, seat)
    new = calls.keep(case, call, call.with_seat(taken))
    case.save()
    return Reply(
        body={
            "whistle_id": call.id, "matter_id": case.matter.id, "state": case.matter.state.value,
            "version": new.version,
            "department": seat.department, "part": taken.part.value, "late": taken.late, "outcome": new.outcome,
            "contest_unit": taken.contest_unit,
        },
        version=new.version,
    )  # fmt: skip


def score_whistle(command: commands.ScoreWhistle, work: UnitOfWork) -> Reply:
    """The unit that whistled scores a department whose part is over, once.

    Raises UnknownWhistle, NotTheWhistler, NotWhistled, PartNotOver, AlreadyScored.
    """
    case, call = calls.call_of(work, command.whistle)
    work.require_scope(call.whistler)
    if work.actor.unit != call.whistler:
        raise NotTheWhistler(
            f"{call.whistler} whistled and scores, not {work.actor.unit}.", where="actor", remedy="Ask its desk."
        )
    seat = calls.seat_of(call, command.department)
    work.check_version(call.version)
    if not seat.over and call.ended_at is None:
        raise PartNotOver(
            f"{seat.department} is {seat.part} and the call is open.", where="department",
            remedy="Score it when its part, or the call, is over.",
        )  # fmt: skip
    if whistle_records.is_scored(work.db, call.id, seat.department):
        raise AlreadyScored(
            f"{seat.department} was scored for this call.", where="department", remedy="A score is given once."
        )
    given = {"arrival": command.arrival, "quality": command.quality, "result": command.result}
    whistle_records.add_score(
        work.db, whistle_id=call.id, department=seat.department, **given, note=command.note, scored_by=case.actor,
        at=case.now,
    )  # fmt: skip
    work.emit(
        dispatch.WhistleScored(
            whistle_id=call.id, matter_id=call.matter_id, whistler=call.whistler, department=seat.department, **given,
            note=command.note, scored_by=case.actor,
        )
    )  # fmt: skip
    case.note("score-whistle", whistle=call.id, department=seat.department, **given, note=command.note)
    return calls.replied(case, call, calls.keep(case, call, call), department=seat.department)


def end_whistle(command: commands.EndWhistle, work: UnitOfWork) -> Reply:
    """The level above the one that whistled ends an open call. Raises UnknownWhistle, LevelAboveDecides, WhistleEnded.

    The reason is kept and told; only then can the matter be resolved without the departments.
    """
    case, call = calls.call_of(work, command.whistle)
    work.require_scope(call.whistler)
    if not ladder.stands_above(work.jurisdiction, work.actor.unit, call.whistler):
        raise LevelAboveDecides(
            f"{call.whistler} whistled; {work.actor.unit} does not stand above it.", where="actor",
            remedy="Ask the desk of the level above, or wait for the departments.",
        )  # fmt: skip
    work.check_version(call.version)
    calls.check_open(call)
    new = calls.end(case, call, call, "withdrawn", reason=command.reason)
    return calls.replied(case, call, new, outcome="withdrawn")
