"""All SQL of offers and their matches."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, Row, bindparam, delete, insert, select, update

from services.dispatch.claim_tables import matches, offer_places, offers
from services.dispatch.domain.offers import ANY, Offer
from shared.kernel.errors import Stale
from shared.ledger.dialects import upsert

_FIELDS = tuple(field.name for field in dataclasses.fields(Offer))
#: Offers looked at for one matter: newest first, far more than anybody reads.
_CANDIDATES = 200
_ONE = select(*(offers.c[name] for name in _FIELDS)).where(offers.c.resource_id == bindparam("of_id"))
_ONE_LOCKED = _ONE.with_for_update()


def add(db: Connection, new: Offer) -> None:
    """Keep a resource that intake has listed; one known already stays."""
    values = {name: getattr(new, name) for name in _FIELDS}
    values |= {"serves": list(new.serves), "units": list(new.units)}
    stored = db.execute(upsert(db.dialect.name, offers).values(values).on_conflict_do_nothing())
    if stored.rowcount != 1:
        return
    rows = [
        {"unit": unit, "category": category, "resource_id": new.resource_id}
        for unit in dict.fromkeys(new.units)
        for category in dict.fromkeys(new.serves or (ANY,))
    ]
    db.execute(insert(offer_places), rows)


def withdraw(db: Connection, resource_id: str, at: datetime) -> None:
    """Offered no more; matches stand."""
    db.execute(update(offers).where(offers.c.resource_id == resource_id).values(withdrawn_at=at))
    db.execute(delete(offer_places).where(offer_places.c.resource_id == resource_id))


def offer(db: Connection, resource_id: str, *, lock: bool = False) -> Offer | None:
    """One offer, locked while its capacity is given out."""
    row = db.execute(_ONE_LOCKED if lock else _ONE, {"of_id": resource_id}).one_or_none()
    return None if row is None else _offer_of(row)


def _offer_of(row: Row[Any]) -> Offer:
    values = {name: getattr(row, name) for name in _FIELDS}
    return Offer(**values | {"serves": tuple(values["serves"]), "units": tuple(values["units"])})


def candidates(db: Connection, units: Sequence[str], categories: Sequence[str]) -> list[Offer]:
    """Offers for one of these units and one of these categories, or any."""
    wanted = (
        select(offer_places.c.resource_id)
        .where(offer_places.c.unit.in_(units), offer_places.c.category.in_([*categories, ANY]))
        .distinct()
        .order_by(offer_places.c.resource_id.desc())
        .limit(_CANDIDATES)
    )
    query = select(offers).where(offers.c.resource_id.in_(wanted.scalar_subquery()))
    return [_offer_of(row) for row in db.execute(query)]


def reserve(db: Connection, resource_id: str, amount: int) -> None:
    """Take up capacity, or give it back (less than 0); the offer is locked."""
    db.execute(update(offers).where(offers.c.resource_id == resource_id).values(reserved=offers.c.reserved + amount))


def add_match(db: Connection, **values: Any) -> None:
    """Store a match."""
    db.execute(insert(matches).values(**values, evidence=[], version=1))


def match(db: Connection, match_id: str, *, lock: bool = False) -> Row[Any] | None:
    """One match."""
    query = select(matches).where(matches.c.id == match_id)
    return db.execute(query.with_for_update() if lock else query).one_or_none()


def settle_match(db: Connection, found: Row[Any], **values: Any) -> None:
    """Write how it came out. Raises Stale when somebody was faster."""
    changed = db.execute(
        update(matches)
        .where(matches.c.id == found.id, matches.c.version == found.version)
        .values(version=found.version + 1, **values)
    )
    if changed.rowcount != 1:
        message = f"match {found.id} is no longer at version {found.version}"
        raise Stale(message, where="match", remedy="Read it again and decide anew.")


def of_matter(db: Connection, matter_id: str) -> Sequence[Row[Any]]:
    """A matter's matches with what was matched, in order."""
    query = (
        select(matches, offers.c.owner, offers.c.title, offers.c.measure)
        .join(offers, offers.c.resource_id == matches.c.resource_id)
        .where(matches.c.matter_id == matter_id)
        .order_by(matches.c.id)
    )
    return db.execute(query).all()
