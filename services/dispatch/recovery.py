"""How dispatch's lost transactions are told from their events, so that its own handlers can do them again.

Every command tells an event of its own; beside it stand the clocks and calls that it moved. Due work is done again by
the scan that did it. Who acted is in the event; with which rights no longer matters, it was allowed.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from services.dispatch import claim_recovery, commands, handlers, time_recovery, whistle_recovery
from services.dispatch.domain.clocks import MILESTONES
from shared.contracts import dispatch
from shared.contracts.envelope import Envelope
from shared.jurisdiction import Jurisdiction
from shared.kernel.actor import SYSTEM, Actor
from shared.ledger.recovery import Lost, Retold
from shared.ledger.unit_of_work import Surroundings, UnitOfWork

#: Items that one scan does at once (DueWork.batch).
_SCAN = 100
#: Event -> the field that holds an id which its handler made.
_IDS = {
    "dispatch.clock-started": "clock_id", "dispatch.whistle-blown": "whistle_id", **claim_recovery.IDS,
    **time_recovery.IDS,
}  # fmt: skip
#: How a milestone's clock ended tells which milestone a note reported.
_STOPPED = "dispatch.clock-stopped"


def retell(lost: Lost, at_hand: Surroundings) -> Retold:
    """How a lost transaction of dispatch is done again."""
    ids = [each.data[_IDS[each.name]] for each in lost.of(*_IDS)]
    several = claim_recovery.many(lost, ids, at_hand.jurisdiction)
    if several is not None:
        return several
    for envelope in lost.of():
        command = _COMMANDS.get(envelope.name)
        if command is not None:
            return command(envelope, lost, ids, at_hand.jurisdiction)
    return Retold(ids=ids)


def _by(person: str, unit: str) -> Actor:
    return SYSTEM if person == SYSTEM.id else Actor(id=person, roles=frozenset(), unit=unit)


def _top(pack: Jurisdiction) -> str:
    """The unit whose scope is everything."""
    return next(each.id for each in pack.units.values() if each.level == pack.levels[-1])


def _done(handler: Callable[[Any, UnitOfWork], object], command: Any, ids: list[str], actor: Actor) -> Retold:
    return Retold(ids=ids, actor=actor, run=lambda work: handler(command, work))


_Telling = Callable[[Envelope, Lost, list[str], Jurisdiction], Retold]
_COMMANDS: dict[str, _Telling] = {**claim_recovery.TELLINGS, **time_recovery.COMMANDS, **whistle_recovery.COMMANDS}


def _told_by(*names: str) -> Callable[[_Telling], _Telling]:
    def enter(telling: _Telling) -> _Telling:
        _COMMANDS.update(dict.fromkeys(names, telling))
        return telling

    return enter


@_told_by("dispatch.matter-accepted")
def _accepted(envelope: Envelope, _lost: Lost, ids: list[str], pack: Jurisdiction) -> Retold:
    event: dispatch.MatterAccepted = envelope.payload()
    return _done(handlers.accept, commands.Accept(matter=event.matter_id), ids, _by(event.accepted_by, _top(pack)))


@_told_by("dispatch.matter-progressed")
def _progressed(envelope: Envelope, lost: Lost, ids: list[str], pack: Jurisdiction) -> Retold:
    event: dispatch.MatterProgressed = envelope.payload()
    reached = [each.data["kind"] for each in lost.of(_STOPPED) if each.data["kind"] in MILESTONES]
    command = commands.Progress(
        matter=event.matter_id, note=event.note, milestone=reached[0] if reached else None, evidence=event.evidence
    )
    return _done(handlers.progress, command, ids, _by(event.noted_by, event.noted_from or _top(pack)))


@_told_by("dispatch.matter-returned")
def _returned(envelope: Envelope, _lost: Lost, ids: list[str], pack: Jurisdiction) -> Retold:
    event: dispatch.MatterReturned = envelope.payload()
    command = commands.ReturnMatter(matter=event.matter_id, reason=event.reason)
    return _done(handlers.return_matter, command, ids, _by(event.returned_by, _top(pack)))


@_told_by("dispatch.matter-escalated")
def _escalated(envelope: Envelope, _lost: Lost, ids: list[str], pack: Jurisdiction) -> Retold:
    event: dispatch.MatterEscalated = envelope.payload()
    command = commands.Escalate(matter=event.matter_id, reason=event.reason, note=event.note)
    return _done(handlers.escalate, command, ids, _by(event.escalated_by, _top(pack)))


@_told_by("dispatch.matter-assigned")
def _assigned(envelope: Envelope, _lost: Lost, ids: list[str], pack: Jurisdiction) -> Retold:
    event: dispatch.MatterAssigned = envelope.payload()
    command = commands.Assign(matter=event.matter_id, unit=event.unit, person=event.person)
    return _done(handlers.assign, command, ids, _by(event.assigned_by, _top(pack)))


@_told_by("dispatch.matter-classified")
def _classified(envelope: Envelope, _lost: Lost, ids: list[str], pack: Jurisdiction) -> Retold:
    event: dispatch.MatterClassified = envelope.payload()
    command = commands.Reclassify(
        matter=event.matter_id, response_class=event.response_class, reason=str(event.inputs.get("reason", ""))
    )
    return _done(handlers.reclassify, command, ids, _by(event.decided_by, _top(pack)))


@_told_by("dispatch.matter-suspended")
def _suspended(envelope: Envelope, _lost: Lost, ids: list[str], pack: Jurisdiction) -> Retold:
    event: dispatch.MatterSuspended = envelope.payload()
    command = commands.Suspend(matter=event.matter_id, reason=event.reason, until=event.until)
    return _done(handlers.suspend, command, ids, _by(event.approved_by, _top(pack)))


@_told_by("dispatch.matter-resumed")
def _resumed(envelope: Envelope, lost: Lost, ids: list[str], pack: Jurisdiction) -> Retold:
    event: dispatch.MatterResumed = envelope.payload()
    for other in lost.of("dispatch.matter-classified"):  # it may not rest under its new class
        return _classified(other, lost, ids, pack)
    if event.resumed_by == SYSTEM.id:
        return Retold(ids=ids, run=lambda work: handlers.run_suspensions(work, _SCAN))
    command = commands.Resume(matter=event.matter_id, reason=event.reason)
    return _done(handlers.resume, command, ids, _by(event.resumed_by, _top(pack)))


@_told_by("dispatch.matter-resolved")
def _resolved(envelope: Envelope, _lost: Lost, ids: list[str], pack: Jurisdiction) -> Retold:
    event: dispatch.MatterResolved = envelope.payload()
    command = commands.Resolve(matter=event.matter_id, outcome=event.outcome, evidence=event.evidence)
    return _done(handlers.resolve, command, ids, _by(event.resolved_by, _top(pack)))


@_told_by("dispatch.matter-verified")
def _verified(envelope: Envelope, _lost: Lost, ids: list[str], pack: Jurisdiction) -> Retold:
    event: dispatch.MatterVerified = envelope.payload()
    command = commands.Verify(matter=event.matter_id, passed=True, note=event.note)
    return _done(handlers.verify, command, ids, _by(event.verified_by, _top(pack)))


@_told_by("dispatch.matter-reworked")
def _reworked(envelope: Envelope, _lost: Lost, ids: list[str], pack: Jurisdiction) -> Retold:
    event: dispatch.MatterReworked = envelope.payload()
    command = commands.Verify(matter=event.matter_id, passed=False, note=event.reason)
    return _done(handlers.verify, command, ids, _by(event.sent_back_by, _top(pack)))


@_told_by("dispatch.matter-closed")
def _closed(envelope: Envelope, _lost: Lost, ids: list[str], pack: Jurisdiction) -> Retold:
    """The desk's remark at closing is in no event; the step stands without it."""
    event: dispatch.MatterClosed = envelope.payload()
    return _done(handlers.close, commands.Close(matter=event.matter_id), ids, _by(event.closed_by, _top(pack)))


@_told_by("dispatch.matter-reopened")
def _reopened(envelope: Envelope, _lost: Lost, ids: list[str], pack: Jurisdiction) -> Retold:
    event: dispatch.MatterReopened = envelope.payload()
    command = commands.Reopen(matter=event.matter_id, reason=event.reason)
    return _done(handlers.reopen, command, ids, _by(event.reopened_by, _top(pack)))


@_told_by("dispatch.clock-warned", "dispatch.clock-breached", "dispatch.clock-grossly-overdue")
def _clock_step(_envelope: Envelope, lost: Lost, ids: list[str], pack: Jurisdiction) -> Retold:
    """A scan did it; or a late stop told the breach, and then a command's own event follows."""
    for envelope in lost.of():
        command = _COMMANDS.get(envelope.name)
        if command not in (None, _clock_step, _escalated):
            return command(envelope, lost, ids, pack)
    return Retold(ids=ids, run=lambda work: handlers.run_clocks(work, _SCAN))
