"""Whom news about claims 认领 and rectification orders 整改 concerns: desks, takers, ordered units, those who ordered.

Pure. Only people at work and those who took a claim; askers are told by `telling`. What is merely posted is nobody's
news: it stands on the list, and nobody gets a letter for it.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Any

from shared.contracts import claims, oversight


class Audience(StrEnum):
    """As what somebody is told; a pack's templates name it."""

    #: The desk in whose name a claim was posted, and who posted it.
    POSTER = "poster"
    #: Who holds the claim, did it, or has lost it.
    TAKER = "taker"
    #: The unit that has the order in hand.
    UNIT = "unit"
    #: The unit that an overdue order rose to.
    UNIT_ABOVE = "unit-above"
    #: Who gave the order.
    ISSUER = "issuer"


@dataclass(frozen=True, kw_only=True)
class Recipient:
    """A unit's desk, a person, or a desk and the one of its people that it is about."""

    audience: Audience
    unit: str | None = None
    person: str | None = None


@dataclass(frozen=True, kw_only=True)
class Matter:
    """What the news is about, in the few words that may stand in a letter: never a note, a reason or an outcome."""

    #: Id of the claim or order.
    subject: str
    matter_id: str | None
    #: A claim's title, as everybody in the territory reads it on the list.
    title: str | None = None
    unit: str | None = None
    taker: str | None = None
    decision: str | None = None
    due_at: datetime | None = None


def recipients(event: Any) -> tuple[Recipient, ...]:
    """Who is told of an event about a claim or an order; nobody of what they did themselves."""
    told = _WHO.get(type(event))
    return () if told is None else tuple(told(event))


def about(event: Any) -> Matter:
    """What a letter about it may say."""
    claim = getattr(event, "claim_id", None)
    return Matter(
        subject=claim or event.order_id, matter_id=event.matter_id, title=getattr(event, "title", None),
        unit=getattr(event, "to_unit", None) or getattr(event, "unit", None), taker=getattr(event, "taker", None),
        decision=getattr(event, "decision", None), due_at=_due(event),
    )  # fmt: skip


def _due(event: Any) -> datetime | None:
    for name in ("next_due_at", "expires_at", "deadline", "due_at"):
        found: datetime | None = getattr(event, name, None)
        if found is not None:
            return found
    return None


def _poster(event: Any, did: str | None = None) -> Iterator[Recipient]:
    # An event from before these fields were told says nothing of the desk.
    if event.unit is not None and did != event.posted_by:
        yield Recipient(audience=Audience.POSTER, unit=event.unit, person=event.posted_by)


def _taker(event: Any, did: str | None = None) -> Iterator[Recipient]:
    if event.taker is None or event.taker == did:
        return
    if event.taker == event.taker_unit:  # a unit that leads an emergency
        yield Recipient(audience=Audience.TAKER, unit=event.taker)
    else:
        yield Recipient(audience=Audience.TAKER, person=event.taker)


def _issuer(event: Any) -> Iterator[Recipient]:
    if event.ordered_by is not None:
        yield Recipient(audience=Audience.ISSUER, person=event.ordered_by)


def _unit(event: Any) -> Iterator[Recipient]:
    if event.unit is not None:
        yield Recipient(audience=Audience.UNIT, unit=event.unit)


def _taken(event: claims.ClaimTaken) -> Iterator[Recipient]:
    yield from _poster(event, event.taken_by)
    if event.appointed_by is not None:
        yield from _taker(event)


def _released(event: claims.ClaimReleased) -> Iterator[Recipient]:
    yield from _poster(event, event.released_by)
    yield from _taker(event, event.released_by)


def _both(event: Any) -> Iterator[Recipient]:
    yield from _taker(event)
    yield from _poster(event)


def _overdue(event: claims.RectificationOverdue) -> Iterator[Recipient]:
    yield Recipient(audience=Audience.UNIT, unit=event.from_unit)
    if event.to_unit != event.from_unit:
        yield Recipient(audience=Audience.UNIT_ABOVE, unit=event.to_unit)
    yield from _issuer(event)


def _warned(event: claims.RectificationWarned) -> Iterator[Recipient]:
    yield from _unit(event)
    yield from _issuer(event)


_WHO: Mapping[type[Any], Callable[[Any], Iterator[Recipient]]] = {
    claims.ClaimTaken: _taken,
    claims.ClaimReleased: _released,
    claims.ClaimWarned: _both,
    claims.ClaimExpired: _both,
    claims.ClaimFulfilled: lambda event: _poster(event, event.fulfilled_by),
    claims.ClaimReviewed: _taker,
    claims.ClaimWithdrawn: lambda event: _taker(event, event.withdrawn_by),
    claims.RectificationAssigned: _unit,
    claims.RectificationWarned: _warned,
    claims.RectificationOverdue: _overdue,
    claims.RectificationReported: _issuer,
    claims.RectificationReworked: _unit,
    oversight.RectificationWithdrawn: _unit,
    claims.RectificationClosed: _issuer,
}
