"""Disputes about a whistle call and wishes for more time: taken up, decided, gone on to the next level (A3).

Declining ends nothing by itself: the level above decides (首接负责). More time is the whistler's to grant.
"""

from __future__ import annotations

from dataclasses import replace

from services.dispatch import commands, repository, whistle_records
from services.dispatch.domain import ladder
from services.dispatch.domain import whistle as rules
from services.dispatch.domain.deadlines import DECIDE
from services.dispatch.domain.refusals import NoContest, NoExtensionAsked, UntilMissing, WhistleExtensionLimit
from services.dispatch.domain.whistle import Seat, Whistle
from services.dispatch.handlers import calls
from services.dispatch.handlers.case import Case
from services.dispatch.handlers.climbing import BY_RULE, stay
from shared.contracts import dispatch
from shared.ledger.unit_of_work import UnitOfWork
from shared.runtime.definition import Reply

#: Flag of a matter with a dispute that its last level has not decided in time.
UNDECIDED = "contest-undecided"
#: How a dispute came out at a level, beside what was decided.
_WENT_ON, _GIVEN_UP = "undecided", "given-up"


def take_up(case: Case, call: Whistle, seat: Seat, ground: str) -> Seat:
    """A department declined, or its dispute was not decided in time: the next level has it now."""
    pack, db = case.jurisdiction, case.work.db
    before = whistle_records.contest_unit(db, call.id, seat.department, seat.hop) or call.whistler
    choice = ladder.next_above(pack, before)
    unit = choice.unit or pack.unit(before)
    hop = seat.hop + 1
    final = hop >= pack.policy.whistle.hop_limit or ladder.next_above(pack, unit.id).unit is None
    decide = calls.next_report_in(case, DECIDE)
    decide_by = decide.at
    whistle_records.add_contest(
        db, whistle_id=call.id, department=seat.department, hop=hop, ground=ground, unit=unit.id,
        contested_at=case.now, decide_by=decide_by, final=final,
    )  # fmt: skip
    repository.open_to(db, case.matter.id, [one.id for one in pack.ladder(unit.id)])
    case.work.emit(
        dispatch.WhistleContested(
            whistle_id=call.id, matter_id=call.matter_id, department=seat.department, ground=ground, hop=hop,
            to_unit=unit.id, to_level=unit.level, decide_by=decide_by, final=final, skipped=choice.skipped,
        )
    )  # fmt: skip
    case.note("whistle-contested", whistle=call.id, department=seat.department, to_unit=unit.id, hop=hop, ground=ground)
    return rules.contested(seat, unit=unit.id, decide=decide, final=final)


def give_up(case: Case, call: Whistle, seat: Seat) -> None:
    """The department came after all."""
    whistle_records.end_contest(
        case.work.db, call.id, seat.department, seat.hop, decision=_GIVEN_UP, decided_by=case.actor,
        decided_at=case.now,
    )  # fmt: skip


def go_on(case: Case, call: Whistle, seat: Seat) -> Seat:
    """Nobody decided by the deadline: the dispute goes to the next level; at the last it stays, flagged."""
    if seat.final:
        case.flag(UNDECIDED)
        stay(case, cause=BY_RULE, reason="whistle-contested", because="no-level-above")
        return replace(seat, contest_by=None)
    ground = whistle_records.ground_of(case.work.db, call.id, seat.department, seat.hop)
    whistle_records.end_contest(
        case.work.db, call.id, seat.department, seat.hop, decision=_WENT_ON, decided_by=case.actor,
        decided_at=case.now,
    )  # fmt: skip
    return take_up(case, call, seat, ground)


def decide_contest(command: commands.DecideContest, work: UnitOfWork) -> Reply:
    """The level that a dispute was taken to, or one above it, decides it.

    Raises UnknownWhistle, NotWhistled, NoContest, Forbidden.
    """
    case, call = calls.call_of(work, command.whistle)
    work.require_scope(call.whistler)
    seat = calls.seat_of(call, command.department)
    if call.ended_at is not None or seat.contest_unit is None:
        raise NoContest(
            f"No dispute of {seat.department} is open in this call.", where="department", remedy="Look at it again."
        )
    work.require_scope(seat.contest_unit)
    work.check_version(call.version)
    after = rules.decided(seat, command.decision, report_in=calls.next_report_in(case))
    changed = call.with_seat(after)
    whistle_records.end_contest(
        work.db, call.id, seat.department, seat.hop, decision=command.decision, reason=command.reason,
        decided_by=case.actor, decided_at=case.now,
    )  # fmt: skip
    case.unflag(UNDECIDED)
    work.emit(
        dispatch.WhistleContestDecided(
            whistle_id=call.id, matter_id=call.matter_id, department=seat.department, decision=command.decision,
            reason=command.reason, hop=seat.hop, unit=seat.contest_unit, final=seat.final,
            lead=next(one.department for one in rules.led(changed.seats) if one.lead),
            report_in_by=after.report_in_by if command.decision == rules.UPHELD else None, decided_by=case.actor,
        )
    )  # fmt: skip
    case.note(
        "decide-contest", whistle=call.id, department=seat.department, decision=command.decision,
        reason=command.reason, hop=seat.hop,
    )  # fmt: skip
    new = calls.keep(case, call, changed)
    said = calls.guessed(case, new)
    return calls.replied(case, call, new, department=seat.department, part=after.part.value, final=seat.final, **said)


# -- more time ---------------------------------------------------------------------------------------------------------


def ask_for_time(case: Case, call: Whistle, seat: Seat, command: commands.AnswerWhistle) -> None:
    """A department wants more time to finish. Raises WhistleExtensionLimit, InThePast."""
    limit = case.jurisdiction.policy.whistle.extensions
    if whistle_records.granted_extensions(case.work.db, call.id, seat.department) >= limit:
        raise WhistleExtensionLimit(
            f"{seat.department} was granted more time {limit} times, as often as the pack allows.", where="answer",
            remedy="Finish, or answer progressed and say what stands in the way.",
        )  # fmt: skip
    calls.check_ahead(case, command.until, "until")
    whistle_records.ask_extension(
        case.work.db, whistle_id=call.id, department=seat.department, asked_at=case.now, until=command.until,
        note=command.note,
    )  # fmt: skip


def decide_whistle_extension(command: commands.DecideWhistleExtension, work: UnitOfWork) -> Reply:
    """The unit that whistled, or one above it, grants more time or refuses it.

    Raises UnknownWhistle, NotWhistled, NoExtensionAsked, UntilMissing, InThePast, Forbidden.
    """
    case, call = calls.call_of(work, command.whistle)
    work.require_scope(call.whistler)
    seat = calls.seat_of(call, command.department)
    work.check_version(call.version)
    wish = whistle_records.asked_extension(work.db, call.id, seat.department)
    if call.ended_at is not None or seat.over or wish is None or wish.decided_at is not None:
        raise NoExtensionAsked(
            f"{seat.department} waits for no decision on more time.", where="department", remedy="Look at it again."
        )
    until = (command.until or wish.until) if command.granted else None
    if command.granted and until is None:
        raise UntilMissing(
            f"{seat.department} did not say until when, and nor did you.", where="until", remedy="Give an instant."
        )
    calls.check_ahead(case, until, "until")
    whistle_records.decide_extension(
        work.db, wish, granted=command.granted, granted_until=until, reason=command.reason, decided_by=case.actor,
        decided_at=case.now,
    )  # fmt: skip
    work.emit(
        dispatch.WhistleExtensionDecided(
            whistle_id=call.id,
            matter_id=call.matter_id,
            department=seat.department,
            granted=command.granted,
            until=until,
            reason=command.reason,
            decided_by=case.actor,
        )
    )
    case.note(
        "decide-whistle-extension", whistle=call.id, department=seat.department, granted=str(command.granted).lower(),
        until=None if until is None else until.isoformat(), reason=command.reason,
    )  # fmt: skip
    after = seat if until is None else rules.more_time(seat, until)
    new = calls.keep(case, call, call.with_seat(after))
    return calls.replied(case, call, new, department=seat.department, granted=command.granted)
