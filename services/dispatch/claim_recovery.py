"""How lost transactions about claims, matches, orders and many matters at once are told from their events.

Part of `recovery`. Who acted is in the event, with which rights no longer matters: it was allowed.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from services.dispatch import claim_commands as commands
from services.dispatch import handlers
from services.dispatch.domain.claims import TAKING_AS
from shared.contracts import claims, dispatch
from shared.contracts.envelope import Envelope
from shared.jurisdiction import Jurisdiction
from shared.kernel.actor import Actor
from shared.ledger.recovery import Lost, Retold
from shared.ledger.unit_of_work import UnitOfWork

#: Event -> the field that holds an id which its command made.
IDS = {"dispatch.claim-posted": "claim_id", "dispatch.resource-matched": "match_id"}
#: Items that one scan does at once (DueWork.batch).
_SCAN = 100
_DESK = frozenset({"district-clerk"})


def _done(handler: Callable[[Any, UnitOfWork], object], command: Any, ids: Sequence[str], actor: Actor) -> Retold:
    return Retold(ids=ids, actor=actor, run=lambda work: handler(command, work))


def _desk(person: str, pack: Jurisdiction) -> Actor:
    """Somebody who may do everything everywhere."""
    top = next(each.id for each in pack.units.values() if each.level == pack.levels[-1])
    return Actor(id=person, roles=_DESK, unit=top)


def _posted(envelope: Envelope, _lost: Lost, ids: list[str], pack: Jurisdiction) -> Retold:
    event: claims.ClaimPosted = envelope.payload()
    command = commands.PostClaim(
        kind=event.kind, title=event.title, text=event.text, matter=event.matter_id, unit=event.unit,
        takers=event.takers, emergency=event.emergency, open_until=event.open_until, hold_hours=event.hold_hours,
    )  # fmt: skip
    return _done(handlers.post_claim, command, ids, _desk(event.posted_by, pack))


def _taken(envelope: Envelope, _lost: Lost, ids: list[str], pack: Jurisdiction) -> Retold:
    event: claims.ClaimTaken = envelope.payload()
    if event.appointed_by is not None:
        lead = commands.AppointLead(
            claim=event.claim_id, unit=event.taker_unit or "",
            person=None if event.taker == event.taker_unit else event.taker, reason=event.reason or "",
        )  # fmt: skip
        return _done(handlers.appoint_lead, lead, ids, _desk(event.appointed_by, pack))
    role = next(role for role, kind in TAKING_AS.items() if kind == event.taken_as)
    actor = Actor(id=event.taken_by, roles=frozenset({role}), unit=event.taker_unit)
    return _done(handlers.take_claim, commands.TakeClaim(claim=event.claim_id), ids, actor)


def _released(envelope: Envelope, lost: Lost, ids: list[str], pack: Jurisdiction) -> Retold:
    """Given back; or its holder was relieved by the appointment that follows."""
    taken = lost.of("dispatch.claim-taken")
    if taken:
        return _taken(taken[0], lost, ids, pack)
    event: claims.ClaimReleased = envelope.payload()
    command = commands.ReleaseClaim(claim=event.claim_id, reason=event.reason)
    return _done(handlers.release_claim, command, ids, _desk(event.released_by, pack))


def _fulfilled(envelope: Envelope, _lost: Lost, ids: list[str], pack: Jurisdiction) -> Retold:
    event: claims.ClaimFulfilled = envelope.payload()
    command = commands.FulfilClaim(claim=event.claim_id, outcome=event.outcome, evidence=event.evidence)
    return _done(handlers.fulfil_claim, command, ids, _desk(event.fulfilled_by, pack))


def _reviewed(envelope: Envelope, _lost: Lost, ids: list[str], pack: Jurisdiction) -> Retold:
    event: claims.ClaimReviewed = envelope.payload()
    command = commands.ReviewClaim(claim=event.claim_id, decision=event.decision, reason=event.reason)
    return _done(handlers.review_claim, command, ids, _desk(event.reviewed_by, pack))


def _withdrawn(envelope: Envelope, _lost: Lost, ids: list[str], pack: Jurisdiction) -> Retold:
    event: claims.ClaimWithdrawn = envelope.payload()
    command = commands.WithdrawClaim(claim=event.claim_id, reason=event.reason)
    return _done(handlers.withdraw_claim, command, ids, _desk(event.withdrawn_by, pack))


def _scanned(_envelope: Envelope, _lost: Lost, ids: list[str], _pack: Jurisdiction) -> Retold:
    return Retold(ids=ids, run=lambda work: handlers.run_claims(work, _SCAN))


def _expired(envelope: Envelope, lost: Lost, ids: list[str], pack: Jurisdiction) -> Retold:
    """A scan did it; or somebody took it before the scan came by."""
    taken = lost.of("dispatch.claim-taken")
    if taken:
        return _taken(taken[0], lost, ids, pack)
    return _scanned(envelope, lost, ids, pack)


def _matched(envelope: Envelope, _lost: Lost, ids: list[str], pack: Jurisdiction) -> Retold:
    event: claims.ResourceMatched = envelope.payload()
    command = commands.MatchResource(
        matter=event.matter_id, resource=event.resource_id, amount=event.amount, note=event.note
    )
    return _done(handlers.match_resource, command, ids, _desk(event.matched_by, pack))


def _settled(envelope: Envelope, _lost: Lost, ids: list[str], pack: Jurisdiction) -> Retold:
    event: claims.MatchSettled = envelope.payload()
    command = commands.SettleMatch(
        match=event.match_id, landed=event.landed, outcome=event.outcome, evidence=event.evidence
    )
    return _done(handlers.settle_match, command, ids, _desk(event.settled_by, pack))


def _reported(envelope: Envelope, _lost: Lost, ids: list[str], pack: Jurisdiction) -> Retold:
    event: claims.RectificationReported = envelope.payload()
    command = commands.ReportRectification(order=event.order_id, outcome=event.outcome, evidence=event.evidence)
    return _done(handlers.report_rectification, command, ids, _desk(event.reported_by, pack))


def _reworked(envelope: Envelope, _lost: Lost, ids: list[str], pack: Jurisdiction) -> Retold:
    event: claims.RectificationReworked = envelope.payload()
    command = commands.VerifyRectification(order=event.order_id, passed=False, note=event.reason)
    return _done(handlers.verify_rectification, command, ids, _desk(event.sent_back_by, pack))


def _closed(envelope: Envelope, _lost: Lost, ids: list[str], pack: Jurisdiction) -> Retold:
    """The remark at closing is in no event; the step stands without it."""
    event: claims.RectificationClosed = envelope.payload()
    command = commands.VerifyRectification(order=event.order_id, passed=True)
    return _done(handlers.verify_rectification, command, ids, _desk(event.closed_by, pack))


def _overdue(_envelope: Envelope, _lost: Lost, ids: list[str], _pack: Jurisdiction) -> Retold:
    return Retold(ids=ids, run=lambda work: handlers.run_orders(work, _SCAN))


TELLINGS: dict[str, Callable[[Envelope, Lost, list[str], Jurisdiction], Retold]] = {
    "dispatch.claim-posted": _posted,
    "dispatch.claim-taken": _taken,
    "dispatch.claim-released": _released,
    "dispatch.claim-fulfilled": _fulfilled,
    "dispatch.claim-reviewed": _reviewed,
    "dispatch.claim-warned": _scanned,
    "dispatch.claim-withdrawn": _withdrawn,
    "dispatch.claim-expired": _expired,
    "dispatch.resource-matched": _matched,
    "dispatch.match-settled": _settled,
    "dispatch.rectification-reported": _reported,
    "dispatch.rectification-reworked": _reworked,
    "dispatch.rectification-closed": _closed,
    "dispatch.rectification-overdue": _overdue,
    "dispatch.rectification-warned": _overdue,
}


def many(lost: Lost, ids: list[str], pack: Jurisdiction) -> Retold | None:
    """Several matters taken on, or assigned, in one transaction; None when it was only one."""
    if lost.first.causationid is not None:
        return None
    taken: list[dispatch.MatterAccepted] = [each.payload() for each in lost.of("dispatch.matter-accepted")]
    if len(taken) > 1:
        command = commands.AcceptMany(matters=tuple(each.matter_id for each in taken))
        return _done(handlers.accept_many, command, ids, _desk(taken[0].accepted_by, pack))
    given: list[dispatch.MatterAssigned] = [each.payload() for each in lost.of("dispatch.matter-assigned")]
    if len(given) > 1:
        bulk = commands.AssignMany(
            matters=tuple(each.matter_id for each in given), unit=given[0].unit, person=given[0].person
        )
        return _done(handlers.assign_many, bulk, ids, _desk(given[0].assigned_by, pack))
    return None
