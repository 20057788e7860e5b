"""Rules of intake.

What a demand must hold, when two are the same, what the asker is shown. Pure; no database, no clock.

One matter groups the demands about the same thing; merging never loses an asker (design section 7, J2).
"""

from __future__ import annotations

import enum
import re
from dataclasses import dataclass
from datetime import datetime, timedelta
from zoneinfo import ZoneInfo

from shared.jurisdiction import DEPARTMENT, Unit
from shared.kernel.actor import Actor
from shared.kernel.errors import Conflict, Invalid
from shared.kernel.text import fingerprint, squeeze

#: A resident's clock may be a little ahead of ours.
CLOCK_TOLERANCE = timedelta(minutes=5)
#: How long an open matter takes in exact duplicates.
DUPLICATE_WINDOW = timedelta(days=90)
#: Loose on purpose: whether an address exists only its server knows.
_MAIL = re.compile(r"[^@\s]+@[^@\s]+")
#: Longest name of a source, characters.
_SOURCE_LIMIT = 200


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


def sameness(
    text: str, unit: str | None, address: str | None, spot: tuple[float, float] | None, *, private: bool
) -> Sameness | None:
    """The key under which exact duplicates meet; None when the demand may not be joined with others.

    A grid has hundreds of households: the same words about another building, or another spot on the map, are about
    another thing. Who gives no place at all is met by words alone; a text without any words is like no other.
    `spot`: degrees east and north.
    """
    if private or not squeeze(text):
        return None
    parts = [f"unit:{unit}"] if unit else []
    if address:
        parts.append(f"address:{fingerprint(address)}")
    if spot is not None:
        parts.append(f"at:{spot[0]:.4f},{spot[1]:.4f}")  # some ten metres
    return Sameness(text_fingerprint=fingerprint(text), place_key="|".join(parts) or "nowhere")


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
    """Raise Invalid for contact data that no letter could be addressed with.

    Someone who wants to stay unknown gives no name; a way to be told is welcome all the same.
    """
    faults: dict[str, list[str]] = {}
    if anonymous and name:
        faults["asker.name"] = ["An anonymous asker gives no name."]
    for field, value in (("asker.name", name), ("asker.phone", phone), ("asker.mail", mail)):
        if value and not value.isprintable():
            faults[field] = ["Contains a line break or another sign that cannot be printed."]
    if mail and mail.isprintable() and not _MAIL.fullmatch(mail.strip()):
        faults["asker.mail"] = ["Not a mail address such as name@example.org."]
    if faults:
        raise Invalid(
            "The asker's contact data cannot be used.", fields=faults,
            remedy="Correct it, or leave it out; give no name to stay anonymous.",
        )  # fmt: skip


def check_standing(withdrawn_at: datetime | None) -> None:
    """Raise Conflict when the demand was taken back."""
    if withdrawn_at is not None:
        message = "The demand was withdrawn before."
        raise Conflict(
            message, code="already-withdrawn", where="tracking_code",
            remedy="Nothing more is needed; register a new demand if it is needed after all.",
        )  # fmt: skip


def check_territory(unit: Unit, field: str) -> None:
    """Raise Invalid when a unit is no piece of territory."""
    if unit.level == DEPARTMENT:
        fault = f"{unit.id} is a department; nothing lies in it."
        raise Invalid(fault, fields={field: [fault]}, remedy="Give a grid, community or street.")


def own_source(source: str, actor: Actor) -> str:
    """The outside system that an actor speaks for: those who may import by its name, all others for a source of theirs.

    So nobody can take an outside system's id before that system's own import does, or find out what it has sent.
    """
    if actor.may("import-demands"):
        return source
    own = f"{actor.id}:{source}"
    if len(own) > _SOURCE_LIMIT:
        fault = "Too long together with your own id."
        raise Invalid(fault, fields={"source": [fault]})
    return own


def check_open(standing: str, doing: str) -> None:
    """Raise Conflict when the matter is closed or withdrawn."""
    if standing not in OPEN:
        message = f"The matter is {standing}; {doing} is no longer possible."
        raise Conflict(message, code="matter-not-open", remedy="Register a new demand; it may refer to the old number.")


def check_splitting(standing: str, parent: str | None) -> None:
    """Raise Conflict when a matter cannot be split: it has ended, is said to be done, or is itself a part."""
    check_open(standing, "splitting it")
    if standing == Standing.RESOLVED:
        message = "The matter is said to be done; splitting is no longer possible."
        raise Conflict(message, code="matter-not-open", where="matter", remedy="Send it back to work first.")
    if parent is not None:
        message = "The matter is itself a part of another one."
        raise Conflict(message, code="already-a-part", where="matter", remedy="Split the whole once more instead.")


def check_availability(since: datetime | None, until: datetime | None, now: datetime) -> None:
    """Raise Invalid for a time in which nobody could have the resource."""
    if until is not None and until <= now:
        fault = "Has passed already."
    elif until is not None and since is not None and until <= since:
        fault = "Not after available_from."
    else:
        return
    raise Invalid(
        "Nobody could have it.", fields={"available_until": [fault]}, remedy="Give an instant that lies ahead."
    )
