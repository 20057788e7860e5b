"""Offers: what intake's resource list holds, and which of it would help a matter, with the reason (J8, D7, D8).

Pure rules. A suggestion never reserves anything, and nothing is suggested without saying why.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Final

from services.dispatch.domain.claim_refusals import CapacityExhausted, NotOffered

#: Stands in `offer_places` for offers that help with any category.
ANY: Final = "*"


@dataclass(frozen=True, slots=True, kw_only=True)
class Offer:
    """One resource of the list; the fields are the columns of `claim_tables.offers`."""

    resource_id: str
    owner: str
    kind: str
    title: str
    text: str
    #: Categories it helps with; empty: any.
    serves: tuple[str, ...]
    #: Territory it is for.
    units: tuple[str, ...]
    capacity: int
    #: What the capacity counts.
    measure: str
    #: Taken up by matches that stand.
    reserved: int
    available_from: datetime | None
    available_until: datetime | None
    listed_at: datetime
    withdrawn_at: datetime | None

    @property
    def left(self) -> int:
        """Capacity nobody has."""
        return max(0, self.capacity - self.reserved)


@dataclass(frozen=True, slots=True, kw_only=True)
class Reason:
    """Why an offer fits."""

    #: category-exact, category-above, category-any; place-exact, place-above; capacity.
    code: str
    zh: str
    en: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Suggestion:
    """An offer that fits, and why."""

    offer: Offer
    reasons: tuple[Reason, ...]
    #: Steps up the categories, and up the territory: the nearer the better.
    distance: tuple[int, int]


def suggest(
    offers: Iterable[Offer], *, categories: Sequence[str], units: Sequence[str], now: datetime, amount: int = 1
) -> list[Suggestion]:
    """What fits, the nearest first: kind of help, then place, then what has most left.

    `categories` and `units`: the matter's own first, then those above it.
    """
    found = [one for offer in offers if (one := _fit(offer, categories, units, now, amount)) is not None]
    return sorted(found, key=lambda one: (one.distance, -one.offer.left, one.offer.resource_id))


def _fit(
    offer: Offer, categories: Sequence[str], units: Sequence[str], now: datetime, amount: int
) -> Suggestion | None:
    if unavailable(offer, now) is not None or offer.left < amount:
        return None
    place = next((steps for steps, unit in enumerate(units) if unit in offer.units), None)
    kind = next((steps for steps, category in enumerate(categories) if category in offer.serves), None)
    if place is None or (kind is None and offer.serves):
        return None
    reasons = (_kind_reason(kind, categories), _place_reason(place, units), _capacity_reason(offer))
    # An offer for anything is less to the point than any that names the category.
    distance = (len(categories) if kind is None else kind, place)
    return Suggestion(offer=offer, reasons=reasons, distance=distance)


def _kind_reason(steps: int | None, categories: Sequence[str]) -> Reason:
    if steps is None:
        return Reason(code="category-any", zh="不限类别", en="helps with any category")
    name = categories[steps]
    if steps == 0:
        return Reason(code="category-exact", zh=f"类别相符: {name}", en=f"for the matter's category {name}")
    return Reason(code="category-above", zh=f"上级类别相符: {name}", en=f"for the category above, {name}")


def _place_reason(steps: int, units: Sequence[str]) -> Reason:
    if steps == 0:
        return Reason(code="place-exact", zh=f"就在本单元: {units[0]}", en=f"offered in {units[0]} itself")
    return Reason(code="place-above", zh=f"覆盖本地: {units[steps]}", en=f"offered in {units[steps]}, above it")


def _capacity_reason(offer: Offer) -> Reason:
    words = f"{offer.left}/{offer.capacity} {offer.measure}"
    return Reason(code="capacity", zh=f"尚余 {words}", en=f"{words} left")


def unavailable(offer: Offer, now: datetime) -> str | None:
    """Why an offer cannot be had now, in words; None when it can. Its last instant is still in time."""
    if offer.withdrawn_at is not None:
        return "It is no longer offered."
    if offer.available_from is not None and now < offer.available_from:
        return f"It is offered from {offer.available_from:%Y-%m-%d %H:%M} UTC on."
    if offer.available_until is not None and now > offer.available_until:
        return f"It was offered until {offer.available_until:%Y-%m-%d %H:%M} UTC."
    return None


def check_match(
    offer: Offer, *, categories: Sequence[str], units: Sequence[str], now: datetime, amount: int
) -> tuple[str, ...]:
    """Codes of why the offer fits. Raises NotOffered, CapacityExhausted."""
    why = unavailable(offer, now)
    if why is not None:
        raise NotOffered(why, where="resource", remedy="Choose another of the suggestions.")
    if offer.left < amount:
        raise CapacityExhausted(
            f"{offer.left} of {offer.capacity} {offer.measure} are left; {amount} are asked for.", where="amount",
            remedy="Ask for less, or choose another of the suggestions.",
        )  # fmt: skip
    fitting = _fit(offer, categories, units, now, amount)
    if fitting is None:
        raise NotOffered(
            "It is for other categories or another territory.", where="resource",
            remedy="Choose one of the suggestions, or have its owner list it for more.",
        )  # fmt: skip
    return tuple(reason.code for reason in fitting.reasons)
