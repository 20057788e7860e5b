"""What all of dispatch's views share: who reads as what, and how units, instants and filters are written."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from shared.kernel.actor import ANONYMOUS
from shared.kernel.clock import rfc3339
from shared.kernel.errors import Forbidden, Invalid, Unauthenticated
from shared.ledger.unit_of_work import UnitOfWork


def reads_for_department(work: UnitOfWork) -> bool:
    """Whether the actor reads as a department; raises when it may not read at all."""
    if work.actor.may("read-matters"):
        return False
    if work.actor.may("answer-whistle"):
        return True
    if work.actor is ANONYMOUS:
        raise Unauthenticated("Reading matters needs a token.", remedy="Send `Authorization: Bearer <token>`.")
    raise Forbidden(
        f"{work.actor.id} may not read matters.", code="not-permitted", remedy="Ask someone whose role allows it."
    )


def handles(work: UnitOfWork) -> bool:
    """Whether the actor takes part in handling and may therefore see private matters (A2)."""
    return work.actor.may("handle-matter") or work.actor.may("verify-matter")


def unit_of(work: UnitOfWork, unit_id: str | None) -> dict[str, str] | None:
    """A unit with its name; one that the pack has dropped by its id."""
    if unit_id is None:
        return None
    unit = work.jurisdiction.units.get(unit_id)
    return {"id": unit_id, "name": unit.name.zh if unit is not None else unit_id}


def instant_of(value: Any) -> str | None:
    """An instant in RFC 3339, if there is one."""
    return None if value is None else rfc3339(value)


def one_of(parameters: Mapping[str, str], name: str, known: Sequence[str]) -> str | None:
    """A filter that takes one of the words known; None when it is left out. Raises Invalid."""
    value = parameters.get(name) or None
    if value is not None and value not in known:
        raise Invalid(f"{name} is {value!r}.", fields={name: [f"Must be one of: {', '.join(known)}."]})
    return value
