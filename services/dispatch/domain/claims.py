"""Claims 认领: a desk posts something, one takes it at a time, fulfils it with evidence, or loses it (D6, D12, N2).

What was fulfilled waits until the desk has looked at it: accepted, sent back to who did it, or open for others again.

Pure rules. What a deadline means never depends on when a scan ran: whoever acts after it finds the claim expired. It
must never let two hold one claim, and never let those who did the work say that it is well done.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Final

from services.dispatch.domain.claim_refusals import (
    ClaimExpired,
    ClaimOver,
    NotForYou,
    NotYourClaim,
    ReasonMissing,
    Unreachable,
)
from services.dispatch.domain.clocks import BREACH_AFTER
from services.dispatch.domain.refusals import VerifierIsHandler
from shared.jurisdiction import DEPARTMENT, Jurisdiction
from shared.kernel.errors import IllegalTransition

#: Role -> as whom its bearer takes a claim; desks, grids and departments are staff.
TAKING_AS: Final[Mapping[str, str]] = {
    "member-unit": "member-unit", "party-member": "party-member", "volunteer": "volunteer", "grid-worker": "staff",
    "grid-head": "staff", "branch-secretary": "staff", "community-clerk": "staff", "street-clerk": "staff",
    "district-clerk": "staff", "department-officer": "staff",
}  # fmt: skip


class ClaimState(StrEnum):
    """Where a claim stands."""

    #: On the list 待认领.
    OPEN = "open"
    #: Somebody has it 已认领.
    TAKEN = "taken"
    #: Said to be done, with evidence 已完成待评价.
    FULFILLED = "fulfilled"
    #: The desk has looked and it is 评价通过.
    APPROVED = "approved"
    #: Nobody took it in time 无人认领.
    LAPSED = "lapsed"
    #: Off the list 已撤单.
    OFF_LIST = "off-list"


class ClaimAction(StrEnum):
    """What moves a claim."""

    TAKE = "take"
    RELEASE = "release"
    FULFIL = "fulfil"
    APPROVE = "approve"
    SEND_BACK = "send-back"
    REOPEN = "reopen"
    EXPIRE = "expire"
    LAPSE = "lapse"
    WITHDRAW = "withdraw"


_S, _A = ClaimState, ClaimAction
#: (state, action) -> next state.
TRANSITIONS: Final[dict[tuple[ClaimState, ClaimAction], ClaimState]] = {
    (_S.OPEN, _A.TAKE): _S.TAKEN,
    (_S.OPEN, _A.LAPSE): _S.LAPSED,
    (_S.OPEN, _A.WITHDRAW): _S.OFF_LIST,
    (_S.TAKEN, _A.RELEASE): _S.OPEN,
    (_S.TAKEN, _A.FULFIL): _S.FULFILLED,
    (_S.TAKEN, _A.EXPIRE): _S.OPEN,
    (_S.TAKEN, _A.LAPSE): _S.LAPSED,
    (_S.TAKEN, _A.WITHDRAW): _S.OFF_LIST,
    (_S.FULFILLED, _A.APPROVE): _S.APPROVED,
    (_S.FULFILLED, _A.SEND_BACK): _S.TAKEN,
    (_S.FULFILLED, _A.REOPEN): _S.OPEN,
}
#: Still to be done by somebody.
UNDONE: Final = frozenset({_S.OPEN, _S.TAKEN})
#: Somebody may still do something about it.
LIVE: Final = UNDONE | {_S.FULFILLED}
#: How a review comes out: word -> step.
DECISIONS: Final[Mapping[str, ClaimAction]] = {
    "approved": _A.APPROVE, "sent-back": _A.SEND_BACK, "reopened": _A.REOPEN,
}  # fmt: skip
#: This part of the time to fulfil it is left when its holder and the desk are warned: 80 % has gone, as with clocks.
_LEFT_AT_WARNING: Final = 5


@dataclass(frozen=True, slots=True, kw_only=True)
class Claim:
    """One posting and who has it; the fields are the columns of `claim_tables.claims`."""

    id: str
    matter_id: str | None
    #: The matter is private: nobody but its handlers learns which one it is.
    private: bool
    #: Whose list it is on.
    unit: str
    kind: str
    title: str
    text: str
    #: Who may take it; empty: everybody.
    takers: tuple[str, ...]
    emergency: bool
    open_until: datetime | None
    hold_hours: int
    posted_by: str
    posted_at: datetime
    state: ClaimState
    #: A person, or a unit that was appointed as such.
    taker: str | None
    taker_unit: str | None
    taken_as: str | None
    taken_at: datetime | None
    expires_at: datetime | None
    appointed_by: str | None
    #: How often it was taken so far.
    takes: int
    ended_at: datetime | None
    outcome: str | None
    #: Who said that it is done, and when; None: nobody, or it was sent back.
    fulfilled_by: str | None
    fulfilled_at: datetime | None
    #: When its holder was warned of the end of the time it has; None: not yet.
    warned_at: datetime | None
    #: When the scan looks at it; None: it is over, waits for the desk, or is open without an end.
    next_step_at: datetime | None
    version: int


def step(claim: Claim, action: ClaimAction) -> ClaimState:
    """The next state. Raises ClaimOver when the claim has ended, else IllegalTransition."""
    try:
        return TRANSITIONS[claim.state, action]
    except KeyError:
        if claim.state not in LIVE:
            raise ClaimOver(
                f"The claim is {claim.state}.", where="claim", remedy="Nothing more is needed; post a new one."
            ) from None
        ways = ", ".join(known for state, known in TRANSITIONS if state is claim.state)
        raise IllegalTransition(
            f"A claim that is {claim.state} does not allow {action}.", where="state", remedy=f"Allowed now: {ways}."
        ) from None


def reaches(pack: Jurisdiction, unit: str, actor_unit: str | None) -> bool:
    """Whether somebody of `actor_unit` sees what `unit` has posted: their territory lies in its, or its in theirs."""
    if actor_unit is None or actor_unit not in pack.units or unit not in pack.units:
        return False
    return pack.is_within(actor_unit, unit) or pack.is_within(unit, actor_unit)


def taking_as(claim: Claim, roles: Collection[str]) -> str:
    """As whom an actor of these roles takes the claim. Raises NotForYou."""
    kinds = list(dict.fromkeys(kind for role, kind in TAKING_AS.items() if role in roles))
    fitting = [kind for kind in kinds if not claim.takers or kind in claim.takers]
    if not fitting:
        raise NotForYou(
            f"This is for {', '.join(claim.takers) or 'those who take claims'}.", where="claim",
            remedy="Take another one, or ask the desk that posted it.",
        )  # fmt: skip
    return fitting[0]


def over_at(claim: Claim) -> datetime | None:
    """The last instant of the present state, None when there is none."""
    return {ClaimState.OPEN: claim.open_until, ClaimState.TAKEN: claim.expires_at}.get(claim.state)


def run_out(claim: Claim, now: datetime) -> bool:
    """Whether the instant up to which the present state lasts has passed; that instant itself is still in time."""
    end = over_at(claim)
    return end is not None and now > end


def expired(claim: Claim, now: datetime) -> Claim:
    """What is left when the time has run out: open again, unless nobody may take it any more."""
    last = claim.state is ClaimState.OPEN or (claim.open_until is not None and now > claim.open_until)
    state = step(claim, ClaimAction.LAPSE if last else ClaimAction.EXPIRE)
    return _moved(_free(claim), state, now)


def taken(claim: Claim, now: datetime, *, taker: str, unit: str | None, kind: str, by: str | None = None) -> Claim:
    """The claim in the hands of `taker`. Raises ClaimExpired after its last instant, IllegalTransition, ClaimOver."""
    state = step(claim, ClaimAction.TAKE)
    if run_out(claim, now):
        raise ClaimExpired("It was open until before now.", where="claim", remedy="Ask the desk to post it again.")
    held = replace(
        claim, taker=taker, taker_unit=unit, taken_as=kind, taken_at=now, appointed_by=by, takes=claim.takes + 1,
        expires_at=now + timedelta(hours=claim.hold_hours), warned_at=None,
    )  # fmt: skip
    return _moved(held, state, now)


def released(claim: Claim, now: datetime) -> Claim:
    """Free for others. Raises IllegalTransition, ClaimOver."""
    return _moved(_free(claim), step(claim, ClaimAction.RELEASE), now)


def warn_at(claim: Claim) -> datetime | None:
    """When its holder is warned of the end of the time to fulfil it; None: nobody has it, or it was done."""
    if claim.state is not ClaimState.TAKEN or claim.warned_at is not None or claim.expires_at is None:
        return None
    return claim.expires_at - timedelta(hours=claim.hold_hours) / _LEFT_AT_WARNING


def warned(claim: Claim, now: datetime) -> Claim:
    """Its holder has been warned, once for this time."""
    return with_next_step(replace(claim, warned_at=now, version=claim.version + 1))


def fulfilled(claim: Claim, now: datetime, by: str, outcome: str) -> Claim:
    """Done. Raises ClaimExpired when the taker's time was over, IllegalTransition, ClaimOver."""
    state = step(claim, ClaimAction.FULFIL)
    if run_out(claim, now):
        raise ClaimExpired(
            "The time to fulfil it is over.", where="claim", remedy="Take it again, if nobody else has, and fulfil it."
        )
    return _moved(replace(claim, outcome=outcome, fulfilled_by=by, fulfilled_at=now), state, now)


def reviewed(claim: Claim, now: datetime, by: str, decision: str, reason: str | None) -> Claim:
    """The desk has looked: accepted, back to who did it with as much time as at first, or open for others.

    Raises ReasonMissing unless it is accepted, VerifierIsHandler (who did it does not judge it), ClaimExpired (nobody
    could take it any more), IllegalTransition, ClaimOver.
    """
    action = DECISIONS[decision]
    state = step(claim, action)
    if by in (claim.fulfilled_by, claim.taker):
        raise VerifierIsHandler(
            f"{by} did it and cannot judge it.", where="actor", remedy="Ask a colleague or the desk above."
        )
    if action is ClaimAction.APPROVE:
        return _moved(claim, state, now)
    if not (reason or "").strip():
        raise ReasonMissing(
            f"It is {decision} without a reason.", where="reason", remedy="Say what is missing, so that it can be done."
        )
    if action is ClaimAction.REOPEN and claim.open_until is not None and now > claim.open_until:
        raise ClaimExpired(
            "It could be taken until before now.", where="decision", remedy="Send it back, or accept it and post anew."
        )
    undone = replace(claim, outcome=None, fulfilled_by=None, fulfilled_at=None, warned_at=None)
    if action is ClaimAction.REOPEN:
        return _moved(_free(undone), state, now)
    return _moved(replace(undone, expires_at=now + timedelta(hours=claim.hold_hours)), state, now)


def withdrawn(claim: Claim, now: datetime) -> Claim:
    """Off the list. Raises ClaimOver."""
    return _moved(claim, step(claim, ClaimAction.WITHDRAW), now)


def with_next_step(claim: Claim) -> Claim:
    """The claim with the instant at which the scan has to look at it."""
    end = over_at(claim)
    return replace(claim, next_step_at=warn_at(claim) or (None if end is None else end + BREACH_AFTER))


def holders(actor: str, actor_unit: str | None, roles: Collection[str]) -> tuple[str, ...]:
    """Under which names an actor may hold claims: its own, and its unit's when it is staff there."""
    staff = any(TAKING_AS.get(role) == "staff" for role in roles)
    return (actor, actor_unit) if staff and actor_unit is not None else (actor,)


def check_holder(claim: Claim, holding: Collection[str], *, desk: bool) -> None:
    """Raise NotYourClaim unless one of the actor's `holders` has the claim, or it is the desk above it."""
    if desk or claim.taker in holding:
        return
    raise NotYourClaim(
        "Somebody else has taken it." if claim.taker else "Nobody has taken it.", where="claim",
        remedy="Take it first, if it is open; else leave it to whoever has it.",
    )  # fmt: skip


def check_appointed(pack: Jurisdiction, claim: Claim, unit: str, person: str | None) -> None:
    """Raise Unreachable unless the unit (a department too) lies in the claim's territory, and the person in it."""
    found = pack.unit(unit)
    if found.level != DEPARTMENT and not reaches(pack, claim.unit, unit):
        raise Unreachable(f"{unit} lies outside {claim.unit}.", where="unit", remedy="Name a unit of the territory.")
    if person is not None and (person not in pack.staff or pack.person(person).unit != unit):
        raise Unreachable(f"{person} does not belong to {unit}.", where="person", remedy="Name one of its people.")


def _free(claim: Claim) -> Claim:
    return replace(
        claim, taker=None, taker_unit=None, taken_as=None, taken_at=None, expires_at=None, appointed_by=None,
        warned_at=None,
    )  # fmt: skip


def _moved(claim: Claim, state: ClaimState, now: datetime) -> Claim:
    ended = None if state in LIVE else now
    return with_next_step(replace(claim, state=state, ended_at=ended, version=claim.version + 1))
