"""Rules of intake.

What a demand must hold, when two are the same, what the asker is shown. Pure; no database, no clock.

One matter groups the demands about the same thing; merging never loses an asker (design section 7, J2).
"""

from __future__ import annotations

import enum
from dataclasses import dataclass
from datetime import datetime, timedelta
from zoneinfo import ZoneInfo

from shared.kernel.errors import Conflict, Invalid
from shared.kernel.text import fingerprint

#: A resident's clock may be a little ahead of ours.
CLOCK_TOLERANCE = timedelta(minutes=5)
#: How long an open matter takes in exact duplicates.
DUPLICATE_WINDOW = timedelta(days=90)


class Standing(enum.StrEnum):
    """Where a matter stands, as far as its askers are told."""

    REGISTERED = "registered"
    ASSIGNED = "assigned"
    IN_HAND = "in-hand"
    SUSPENDED = "suspended"
    RESOLVED = "resolved"
    CLOSED = "closed"
    WITHDRAWN = "withdrawn"


#: Standings in which a matter still takes in duplicates.
OPEN = frozenset(Standing) - {Standing.CLOSED, Standing.WITHDRAWN}

#: dispatch's event -> what the asker is told.
STANDING_AFTER: dict[str, Standing] = {
    "dispatch.matter-assigned": Standing.ASSIGNED,
    "dispatch.matter-escalated": Standing.ASSIGNED,
    "dispatch.matter-returned": Standing.ASSIGNED,
    "dispatch.matter-accepted": Standing.IN_HAND,
    "dispatch.matter-reworked": Standing.IN_HAND,
    "dispatch.matter-reopened": Standing.IN_HAND,
    "dispatch.matter-resumed": Standing.IN_HAND,
    "dispatch.matter-suspended": Standing.SUSPENDED,
    "dispatch.matter-resolved": Standing.RESOLVED,
    "dispatch.matter-closed": Standing.CLOSED,
    "dispatch.matter-withdrawn": Standing.WITHDRAWN,
}


@dataclass(frozen=True, kw_only=True)
class Sameness:
    """What makes two demands exact duplicates: the same words about the same place.

    Words are compared without spaces, punctuation, case, and the difference of traditional and simplified characters.
    A private demand is the same as nothing (A2: what people will not say in public stays apart).
    """

    text_fingerprint: str
    place_key: str


def sameness(text: str, unit: str | None, address: str | None, *, private: bool) -> Sameness | None:
    """The key under which exact duplicates meet; None when the demand may not be joined with others."""
    if private:
        return None
    place = f"unit:{unit}" if unit else f"address:{fingerprint(address)}" if address else "nowhere"
    return Sameness(text_fingerprint=fingerprint(text), place_key=place)


def number_of(prefix: str, registered_at: datetime, serial: int, timezone: str) -> str:
    """The number told to people, such as `D20261122000123`: kind, local date, serial."""
    day = registered_at.astimezone(ZoneInfo(timezone)).strftime("%Y%m%d")
    return f"{prefix}{day}{serial:06d}"


def check_occurred_at(occurred_at: datetime | None, now: datetime) -> None:
    """Raise Invalid for a time in the future."""
    if occurred_at is not None and occurred_at > now + CLOCK_TOLERANCE:
        fault = "Lies in the future."
        message = "What is reported cannot have happened yet."
        raise Invalid(
            message, fields={"occurred_at": [fault]}, remedy="Give the time at which it happened, or leave it out."
        )


def check_asker(*, anonymous: bool, name: str | None, phone: str | None, mail: str | None) -> None:
    """Raise Invalid when someone who wants to stay unknown gives a name; a way to be told is welcome all the same."""
    del phone, mail
    if anonymous and name:
        fault = "An anonymous asker gives no name."
        raise Invalid(fault, fields={"asker.name": [fault]}, remedy="Leave the name out, or set anonymous to false.")


def check_open(standing: str, doing: str) -> None:
    """Raise Conflict when the matter is closed or withdrawn."""
    if standing not in OPEN:
        message = f"The matter is {standing}; {doing} is no longer possible."
        raise Conflict(message, code="matter-not-open", remedy="Register a new demand; it may refer to the old number.")
