"""Claims 认领: posted by a desk, taken by one at a time, fulfilled with evidence, or lost when the time runs out.

(D6, D12, N2.) The matter, if there is one, is locked before the claim: everybody else does it in that order too.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from services.dispatch import claim_commands as commands
from services.dispatch import claim_repository as repository
from services.dispatch.domain import claims as rules
from services.dispatch.domain.claim_refusals import MatterEnded, UnknownClaim
from services.dispatch.domain.claims import Claim, ClaimState
from services.dispatch.domain.refusals import EvidenceMissing, InThePast
from services.dispatch.domain.states import OPEN
from services.dispatch.handlers.case import Case, find_case, open_case
from shared.contracts import claims, shapes
from shared.kernel.actor import SYSTEM
from shared.kernel.clock import rfc3339
from shared.kernel.errors import Forbidden
from shared.ledger.unit_of_work import UnitOfWork
from shared.runtime.definition import Reply

#: Flag of a matter for which something was posted: all others cost no look at claims when they end.
CLAIMED = "claims"


@dataclass
class _Hand:
    """A claim being changed, with the matter it serves."""

    work: UnitOfWork
    stored: Claim
    case: Case | None

    def keep(self, new: Claim, action: str, **detail: Any) -> None:
        """Write the claim's new form, what was done to it, and a note on its matter."""
        told = {name: value for name, value in detail.items() if value not in (None, (), [])}
        repository.save(self.work.db, self.stored, new)
        repository.add_step(
            self.work.db, claim_id=new.id, at=self.work.now, action=action, actor=self.work.actor.id, detail=told
        )
        if self.case is not None:
            self.case.note(f"claim-{action}", claim=new.id, **told)
            self.case.save()
        self.stored = new

    def saved(self, **more: Any) -> Reply:
        """Answer the command."""
        one = self.stored
        body = {
            "claim_id": one.id, "state": one.state.value, "version": one.version, "taker": one.taker,
            "expires_at": None if one.expires_at is None else rfc3339(one.expires_at),
        }  # fmt: skip
        return Reply(body=body | more, version=one.version)


def post_claim(command: commands.PostClaim, work: UnitOfWork) -> Reply:
    """Put something on a unit's list. Raises Forbidden, UnknownMatter, MatterEnded, InThePast."""
    unit = work.jurisdiction.unit(command.unit or work.actor.unit or "")
    work.require_scope(unit.id)
    if command.open_until is not None and command.open_until <= work.now:
        raise InThePast("Nobody could take it any more.", where="open_until", remedy="Give an instant that lies ahead.")
    case = None if command.matter is None else open_case(work, command.matter)
    if case is not None:
        check_open(case)
    new = rules.with_next_step(
        Claim(
            id=work.new_id(), matter_id=command.matter, private=case is not None and case.matter.private, unit=unit.id,
            kind=command.kind, title=command.title, text=command.text, takers=tuple(dict.fromkeys(command.takers)),
            emergency=command.emergency, open_until=command.open_until, hold_hours=command.hold_hours,
            posted_by=work.actor.id, posted_at=work.now, state=ClaimState.OPEN, taker=None, taker_unit=None,
            taken_as=None, taken_at=None, expires_at=None, appointed_by=None, takes=0, ended_at=None, outcome=None,
            fulfilled_by=None, fulfilled_at=None, warned_at=None, next_step_at=None, version=1,
        )
    )  # fmt: skip
    repository.add(work.db, new, [one.id for one in work.jurisdiction.path(unit.id)])
    repository.add_step(work.db, claim_id=new.id, at=work.now, action="post", actor=work.actor.id, detail={})
    work.emit(
        claims.ClaimPosted(
            claim_id=new.id, matter_id=new.matter_id, unit=new.unit, kind=new.kind, title=new.title, text=new.text,
            takers=new.takers, emergency=new.emergency, open_until=new.open_until, hold_hours=new.hold_hours,
            posted_by=new.posted_by,
        )
    )  # fmt: skip
    if case is not None:
        case.flag(CLAIMED)
        case.note("claim-posted", claim=new.id, kind=new.kind, title=new.title)
        case.save()
    return _Hand(work, new, case).saved()


def take_claim(command: commands.TakeClaim, work: UnitOfWork) -> Reply:
    """Take it, unless somebody else has it. Raises NotForYou, IllegalTransition, ClaimOver, ClaimExpired."""
    hand = _in_hand(work, command.claim)
    kind = rules.taking_as(hand.stored, work.actor.roles)
    if hand.stored.state is ClaimState.TAKEN and rules.run_out(hand.stored, work.now):
        _run_out(hand)  # its holder's time is over, though no scan has come by
    _take(hand, taker=work.actor.id, unit=work.actor.unit, kind=kind)
    return hand.saved()


def appoint_lead(command: commands.AppointLead, work: UnitOfWork) -> Reply:
    """Name who leads an emergency at once. Raises Forbidden, Unreachable, ClaimOver, ClaimExpired."""
    hand = _in_hand(work, command.claim)
    work.require_scope(hand.stored.unit)
    if not hand.stored.emergency:
        raise Forbidden(
            "Only the lead of an emergency is appointed; this one is for whoever takes it.", code="not-an-emergency",
            where="claim", remedy="Wait until somebody takes it, or post it as an emergency.",
        )  # fmt: skip
    rules.check_appointed(work.jurisdiction, hand.stored, command.unit, command.person)
    if hand.stored.state is ClaimState.TAKEN:
        _release(hand, command.reason)
    _take(
        hand, taker=command.person or command.unit, unit=command.unit, kind="staff", by=work.actor.id,
        reason=command.reason,
    )  # fmt: skip
    return hand.saved()


def release_claim(command: commands.ReleaseClaim, work: UnitOfWork) -> Reply:
    """Give it back; the desk may take it from its holder. Raises NotYourClaim, IllegalTransition, ClaimOver."""
    hand = _in_hand(work, command.claim)
    rules.step(hand.stored, rules.ClaimAction.RELEASE)
    _check_holder(hand)
    _release(hand, command.reason)
    return hand.saved()


def fulfil_claim(command: commands.FulfilClaim, work: UnitOfWork) -> Reply:
    """Done. Raises NotYourClaim, EvidenceMissing, ClaimExpired, IllegalTransition, ClaimOver."""
    hand = _in_hand(work, command.claim)
    claim = hand.stored
    new = rules.fulfilled(claim, work.now, work.actor.id, command.outcome)
    _check_holder(hand)
    if not command.evidence:
        raise EvidenceMissing(
            "There is no evidence of what was done.", where="evidence",
            remedy="Attach a photo, note, document or signature.",
        )  # fmt: skip
    work.emit(
        claims.ClaimFulfilled(
            claim_id=claim.id, matter_id=claim.matter_id, taker=claim.taker or "", taker_unit=claim.taker_unit,
            outcome=command.outcome, evidence=command.evidence, fulfilled_by=work.actor.id, **_posting(claim),
        )
    )  # fmt: skip
    evidence = [shapes.dump(piece) for piece in command.evidence]
    hand.keep(new, "fulfilled", taker=claim.taker, outcome=command.outcome, evidence=evidence)
    return hand.saved()


def review_claim(command: commands.ReviewClaim, work: UnitOfWork) -> Reply:
    """Say whether what was done will do: accepted, sent back to who did it, or open for others.

    Raises Forbidden, ReasonMissing, VerifierIsHandler, ClaimExpired, MatterEnded, IllegalTransition, ClaimOver.
    """
    hand = _in_hand(work, command.claim)
    claim = hand.stored
    work.require_scope(claim.unit)
    new = rules.reviewed(claim, work.now, work.actor.id, command.decision, command.reason)
    if new.state in rules.UNDONE and hand.case is not None:
        check_open(hand.case)  # for an ended matter nobody does anything any more
    work.emit(
        claims.ClaimReviewed(
            claim_id=claim.id, matter_id=claim.matter_id, taker=claim.taker or "", taker_unit=claim.taker_unit,
            decision=command.decision, reason=command.reason,
            expires_at=new.expires_at if new.state is ClaimState.TAKEN else None, reviewed_by=work.actor.id,
            unit=claim.unit, title=claim.title, posted_by=claim.posted_by,
        )
    )  # fmt: skip
    hand.keep(new, "reviewed", taker=claim.taker, decision=command.decision, reason=command.reason)
    return hand.saved(decision=command.decision)


def withdraw_claim(command: commands.WithdrawClaim, work: UnitOfWork) -> Reply:
    """Take it off the list. Raises Forbidden, ClaimOver."""
    hand = _in_hand(work, command.claim)
    work.require_scope(hand.stored.unit)
    _withdraw(hand, command.reason)
    return hand.saved()


def withdraw_claims(case: Case, reason: str) -> None:
    """The matter has ended: what was posted for it and not fulfilled goes off the list. The case is not saved."""
    if CLAIMED not in case.matter.flags:
        return
    for claim in repository.of_matter(case.work.db, case.matter.id, undone=True, lock=True):
        hand = _Hand(case.work, claim, None)
        _withdraw(hand, reason)
        case.note("claim-withdrawn", claim=claim.id, reason=reason)


def run_claims(work: UnitOfWork, limit: int) -> int:
    """Claims whose time has run out: free again, or off the list; nearly run out: their holders are warned. Once."""
    found = repository.due(work.db, work.now, limit)
    for claim_id, matter_id in found:
        case = None if matter_id is None else find_case(work, matter_id)
        claim = repository.claim(work.db, claim_id, lock=True)
        if claim is not None and rules.run_out(claim, work.now):
            _run_out(_Hand(work, claim, case))
        elif claim is not None:
            _warn(_Hand(work, claim, None))  # the matter's own steps say nothing of it
    return len(found)


def check_open(case: Case) -> None:
    """Raise MatterEnded when nothing can be done for the matter any more."""
    if case.matter.state not in OPEN:
        raise MatterEnded(
            f"The matter is {case.matter.state}.", where="matter",
            remedy="Reopen it, or post, match or split without it.",
        )  # fmt: skip


def _in_hand(work: UnitOfWork, claim_id: str) -> _Hand:
    """A claim within the actor's reach, locked after its matter. Raises UnknownClaim, Stale."""
    seen = repository.claim(work.db, claim_id)
    if seen is None or not within_reach(work, seen):
        raise unknown_claim(claim_id)
    case = None if seen.matter_id is None else find_case(work, seen.matter_id)
    claim = repository.claim(work.db, claim_id, lock=True)
    if claim is None:
        raise unknown_claim(claim_id)
    work.check_version(claim.version)
    return _Hand(work, claim, case)


def within_reach(work: UnitOfWork, claim: Claim) -> bool:
    """Whether the actor sees the claim: posted for their territory or in it, or in their own hands."""
    own = rules.holders(work.actor.id, work.actor.unit, work.actor.roles)
    return claim.taker in own or rules.reaches(work.jurisdiction, claim.unit, work.actor.unit)


def unknown_claim(claim_id: str) -> UnknownClaim:
    """The refusal for a claim that does not exist or is out of reach."""
    return UnknownClaim(f"There is no claim {claim_id!r} for you.", where="claim", remedy="Check the id.")


def _check_holder(hand: _Hand) -> None:
    work = hand.work
    desk = work.actor is SYSTEM or (
        work.actor.may("post-claim")
        and work.actor.unit is not None
        and work.actor.unit in work.jurisdiction.units
        and hand.stored.unit in work.jurisdiction.units
        and work.jurisdiction.is_within(hand.stored.unit, work.actor.unit)
    )
    own = rules.holders(work.actor.id, work.actor.unit, work.actor.roles)
    rules.check_holder(hand.stored, own, desk=desk)


def _take(
    hand: _Hand, *, taker: str, unit: str | None, kind: str, by: str | None = None, reason: str | None = None
) -> None:
    new = rules.taken(hand.stored, hand.work.now, taker=taker, unit=unit, kind=kind, by=by)
    hand.work.emit(
        claims.ClaimTaken(
            claim_id=new.id, matter_id=new.matter_id, taker=taker, taker_unit=unit, taken_as=kind,
            expires_at=new.expires_at or hand.work.now, taken_by=hand.work.actor.id, appointed_by=by, reason=reason,
            **_posting(new),
        )
    )  # fmt: skip
    hand.keep(new, "taken", taker=taker, taken_as=kind, appointed_by=by, reason=reason)


def _release(hand: _Hand, reason: str) -> None:
    claim = hand.stored
    new = rules.released(claim, hand.work.now)
    hand.work.emit(
        claims.ClaimReleased(
            claim_id=claim.id, matter_id=claim.matter_id, taker=claim.taker or "", taker_unit=claim.taker_unit,
            reason=reason, released_by=hand.work.actor.id, **_posting(claim),
        )
    )  # fmt: skip
    hand.keep(new, "released", taker=claim.taker, reason=reason)


def _run_out(hand: _Hand) -> None:
    claim = hand.stored
    new = rules.expired(claim, hand.work.now)
    hand.work.emit(
        claims.ClaimExpired(
            claim_id=claim.id, matter_id=claim.matter_id, taker=claim.taker, taker_unit=claim.taker_unit,
            due_at=rules.over_at(claim) or hand.work.now, open_again=new.state is ClaimState.OPEN, **_posting(claim),
        )
    )  # fmt: skip
    hand.keep(new, "expired", taker=claim.taker)


def _warn(hand: _Hand) -> None:
    claim, now = hand.stored, hand.work.now
    at = rules.warn_at(claim)
    if at is None or at > now:
        return
    hand.work.emit(
        claims.ClaimWarned(
            claim_id=claim.id, matter_id=claim.matter_id, taker=claim.taker or "", taker_unit=claim.taker_unit,
            expires_at=claim.expires_at or now, unit=claim.unit, title=claim.title, posted_by=claim.posted_by,
        )
    )  # fmt: skip
    hand.keep(rules.warned(claim, now), "warned", taker=claim.taker)


def _posting(claim: Claim) -> dict[str, str]:
    """What events say of the posting, so that whoever hears one knows whom it concerns."""
    return {"unit": claim.unit, "title": claim.title, "posted_by": claim.posted_by}


def _withdraw(hand: _Hand, reason: str) -> None:
    claim = hand.stored
    new = rules.withdrawn(claim, hand.work.now)
    hand.work.emit(
        claims.ClaimWithdrawn(
            claim_id=claim.id, matter_id=claim.matter_id, reason=reason, withdrawn_by=hand.work.actor.id,
            taker=claim.taker, taker_unit=claim.taker_unit, **_posting(claim),
        )
    )  # fmt: skip
    hand.keep(new, "withdrawn", reason=reason)
