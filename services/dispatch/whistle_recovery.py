"""How lost transactions about whistle calls, hand-backs and costs are told from their events.

Part of `recovery`. Who acted is in the event, with which rights no longer matters: it was allowed.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from services.dispatch import commands, departments, handlers
from shared.contracts import dispatch
from shared.contracts.envelope import Envelope
from shared.jurisdiction import Jurisdiction
from shared.kernel.actor import Actor
from shared.ledger.recovery import Lost, Retold
from shared.ledger.unit_of_work import UnitOfWork

#: Items that one scan does at once (DueWork.batch).
_SCAN = 100


def _done(handler: Callable[[Any, UnitOfWork], object], command: Any, ids: list[str], actor: Actor) -> Retold:
    return Retold(ids=ids, actor=actor, run=lambda work: handler(command, work))


def _above(person: str, pack: Jurisdiction) -> Actor:
    """Somebody at the top, whose scope is everything and who stands above every whistler."""
    top = next(each.id for each in pack.units.values() if each.level == pack.levels[-1])
    return Actor(id=person, roles=frozenset(), unit=top)


def _blown(envelope: Envelope, _lost: Lost, ids: list[str], _pack: Jurisdiction) -> Retold:
    event: dispatch.WhistleBlown = envelope.payload()
    command = commands.BlowWhistle(
        matter=event.matter_id, departments=event.departments, lead=event.lead, request=event.request,
        legal_basis=event.legal_basis,
        complete_by=None if event.complete_counted else event.complete_by,
    )  # fmt: skip
    actor = Actor(id=event.blown_by, roles=frozenset(), unit=event.whistler)
    return _done(handlers.blow_whistle, command, ids, actor)


def _answered(envelope: Envelope, _lost: Lost, ids: list[str], _pack: Jurisdiction) -> Retold:
    event: dispatch.WhistleAnswered = envelope.payload()
    command = commands.AnswerWhistle(
        whistle=event.whistle_id, answer=event.answer, note=event.note, ground=event.ground, until=event.until
    )
    actor = Actor(id=event.answered_by, roles=frozenset(), unit=event.department)
    answer_id = event.answer_id
    if answer_id is not None:  # by the bus: the receipt is told again too
        return Retold(ids=ids, actor=actor, run=lambda work: departments.take_again(command, answer_id, work))
    return _done(handlers.answer_whistle, command, ids, actor)


def _scanned(_envelope: Envelope, _lost: Lost, ids: list[str], _pack: Jurisdiction) -> Retold:
    """A deadline passed: nobody came, was done, or decided; an answer that began a dispute is told before it."""
    return Retold(ids=ids, run=lambda work: handlers.run_whistles(work, _SCAN))


def _stayed(envelope: Envelope, _lost: Lost, ids: list[str], _pack: Jurisdiction) -> Retold:
    """No command begins with it: a scan of calls, or of clocks, found that nobody stands above."""
    event: dispatch.EscalationSkipped = envelope.payload()
    scan = handlers.run_whistles if event.reason.startswith("whistle-") else handlers.run_clocks
    return Retold(ids=ids, run=lambda work: scan(work, _SCAN))


def _contest_decided(envelope: Envelope, _lost: Lost, ids: list[str], pack: Jurisdiction) -> Retold:
    event: dispatch.WhistleContestDecided = envelope.payload()
    command = commands.DecideContest(
        whistle=event.whistle_id, department=event.department, decision=event.decision, reason=event.reason
    )
    return _done(handlers.decide_contest, command, ids, _above(event.decided_by, pack))


def _extension_decided(envelope: Envelope, _lost: Lost, ids: list[str], pack: Jurisdiction) -> Retold:
    event: dispatch.WhistleExtensionDecided = envelope.payload()
    command = commands.DecideWhistleExtension(
        whistle=event.whistle_id, department=event.department, granted=event.granted, until=event.until,
        reason=event.reason,
    )  # fmt: skip
    return _done(handlers.decide_whistle_extension, command, ids, _above(event.decided_by, pack))


def _ended(envelope: Envelope, _lost: Lost, ids: list[str], pack: Jurisdiction) -> Retold:
    """By the level above; what ends for another cause is told after that cause."""
    event: dispatch.WhistleEnded = envelope.payload()
    if event.ended_by is None:
        return Retold(ids=ids)
    command = commands.EndWhistle(whistle=event.whistle_id, reason=event.reason or "")
    return _done(handlers.end_whistle, command, ids, _above(event.ended_by, pack))


def _scored(envelope: Envelope, _lost: Lost, ids: list[str], _pack: Jurisdiction) -> Retold:
    event: dispatch.WhistleScored = envelope.payload()
    command = commands.ScoreWhistle(
        whistle=event.whistle_id, department=event.department, arrival=event.arrival, quality=event.quality,
        result=event.result, note=event.note,
    )  # fmt: skip
    actor = Actor(id=event.scored_by, roles=frozenset(), unit=event.whistler)
    return _done(handlers.score_whistle, command, ids, actor)


def _handed_back(envelope: Envelope, _lost: Lost, ids: list[str], pack: Jurisdiction) -> Retold:
    event: dispatch.MatterHandedBack = envelope.payload()
    command = commands.HandBack(matter=event.matter_id, answer=event.answer, unit=event.to_unit)
    return _done(handlers.hand_back, command, ids, _above(event.handed_back_by, pack))


def _estimated(envelope: Envelope, _lost: Lost, ids: list[str], pack: Jurisdiction) -> Retold:
    event: dispatch.CostEstimated = envelope.payload()
    command = commands.EstimateCost(matter=event.matter_id, amount=event.amount_yuan, note=event.note)
    return _done(handlers.estimate_cost, command, ids, _above(event.estimated_by, pack))


#: Event -> how what told it first is done again.
COMMANDS: dict[str, Callable[[Envelope, Lost, list[str], Jurisdiction], Retold]] = {
    "dispatch.whistle-blown": _blown,
    "dispatch.whistle-answered": _answered,
    "dispatch.whistle-overdue": _scanned,
    "dispatch.whistle-contested": _scanned,
    "dispatch.escalation-skipped": _stayed,
    "dispatch.whistle-contest-decided": _contest_decided,
    "dispatch.whistle-extension-decided": _extension_decided,
    "dispatch.whistle-ended": _ended,
    "dispatch.whistle-scored": _scored,
    "dispatch.matter-handed-back": _handed_back,
    "dispatch.cost-estimated": _estimated,
}
