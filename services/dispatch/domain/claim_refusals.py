"""What dispatch refuses about claims, offers, rectification orders and parts; each with a stable code."""

from __future__ import annotations

from shared.kernel.errors import Conflict, Forbidden, NotFound, Refusal


class UnknownClaim(NotFound):
    """No such claim, or none within this actor's reach. Check the id."""

    code = "unknown-claim"


class ClaimOver(Conflict):
    """The claim was fulfilled, has lapsed or was withdrawn. Nothing more is needed; the desk can post a new one."""

    code = "claim-over"


class ClaimExpired(Conflict):
    """The time is over, whether or not a scan has come by. Take it again if nobody has, or have it posted again."""

    code = "claim-expired"


class NotForYou(Forbidden):
    """The posting is for other kinds of takers. Take another one, or ask the desk."""

    code = "claim-not-for-you"


class NotYourClaim(Forbidden):
    """Only who took it, their unit, or the desk may do this. Take it first if it is open."""

    code = "not-your-claim"


class ReasonMissing(Refusal):
    """What was done is not accepted, and nobody says why. Say what is missing."""

    code = "reason-missing"


class Unreachable(Refusal):
    """The unit or person named does not belong there. Name one of the claim's territory."""

    code = "not-in-territory"


class MatterEnded(Conflict):
    """The matter is closed or withdrawn. Nothing can be posted, matched or split for it any more."""

    code = "matter-not-open"


class UnknownOffer(NotFound):
    """No such resource on the list. Choose one of the suggestions."""

    code = "unknown-resource"


class NotOffered(Refusal):
    """The resource is not offered now, not for this kind of matter, or not here. Choose one of the suggestions."""

    code = "not-offered"


class CapacityExhausted(Conflict):
    """Less is left than is asked for. Ask for less, or choose another resource."""

    code = "capacity-exhausted"


class UnknownMatch(NotFound):
    """No such match, or none in this actor's territory. Check the id."""

    code = "unknown-match"


class MatchSettled(Conflict):
    """The match has landed or fallen through already. Nothing more is needed."""

    code = "match-settled"


class UnknownOrder(NotFound):
    """No such rectification order, or none in this actor's territory. Check the id."""

    code = "unknown-order"


class OrderOver(Conflict):
    """The order is closed or was withdrawn. Nothing more is needed."""

    code = "order-over"


class PartsOpen(Conflict):
    """Parts of the matter are still worked on. Close them first; their results are then listed on it."""

    code = "parts-open"


class WholeClosed(Conflict):
    """The matter this is a part of has ended. Reopen that one first."""

    code = "whole-closed"
