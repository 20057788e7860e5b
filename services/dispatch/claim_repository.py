"""All SQL of claims."""

from __future__ import annotations

import dataclasses
from collections.abc import Collection, Mapping, Sequence
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, Integer, Row, bindparam, func, insert, or_, select, update

from services.dispatch.claim_tables import claim_scopes, claim_steps, claims
from services.dispatch.domain.claims import UNDONE, Claim, ClaimState
from shared.kernel.errors import Stale
from shared.ledger.fixed import Fixed

_FIELDS = tuple(field.name for field in dataclasses.fields(Claim))
_QUERY = select(*(claims.c[name] for name in _FIELDS)).where(claims.c.id == bindparam("of_id"))
_ONE, _ONE_LOCKED = Fixed(_QUERY), Fixed(_QUERY.with_for_update())


def claim(db: Connection, claim_id: str, *, lock: bool = False) -> Claim | None:
    """One claim, locked when it is going to be changed."""
    row = (_ONE_LOCKED if lock else _ONE).first(db, {"of_id": claim_id})
    return None if row is None else claim_of(row)


def claim_of(row: Any) -> Claim:
    """A row as a claim."""
    values = {name: getattr(row, name) for name in _FIELDS}
    values["state"], values["takers"] = ClaimState(values["state"]), tuple(values["takers"])
    return Claim(**values)


def add(db: Connection, new: Claim, scopes: Collection[str]) -> None:
    """Store a new claim, for the lists of these units."""
    db.execute(insert(claims).values(_columns(new)))
    rows = [{"unit": unit, "state": new.state.value, "claim_id": new.id} for unit in dict.fromkeys(scopes)]
    db.execute(insert(claim_scopes), rows)


def save(db: Connection, old: Claim, new: Claim) -> None:
    """Write a claim's new form. Raises Stale when somebody was faster."""
    changed = db.execute(
        update(claims).where(claims.c.id == old.id, claims.c.version == old.version).values(_columns(new))
    )
    if changed.rowcount != 1:
        message = f"claim {old.id} is no longer at version {old.version}"
        raise Stale(message, where="claim", remedy="Read it again and decide anew.")
    if old.state is not new.state:
        db.execute(update(claim_scopes).where(claim_scopes.c.claim_id == old.id).values(state=new.state.value))


def _columns(one: Claim) -> dict[str, Any]:
    values = {name: getattr(one, name) for name in _FIELDS}
    return values | {"state": one.state.value, "takers": list(one.takers)}


def add_step(
    db: Connection, *, claim_id: str, at: datetime, action: str, actor: str, detail: Mapping[str, Any]
) -> None:
    """Keep what was done."""
    db.execute(insert(claim_steps).values(claim_id=claim_id, at=at, action=action, actor=actor, detail=detail))


def steps_of(db: Connection, claim_id: str) -> Sequence[Row[Any]]:
    """What was done to a claim, in order."""
    return db.execute(
        select(claim_steps).where(claim_steps.c.claim_id == claim_id).order_by(claim_steps.c.position)
    ).all()


_ALL = select(claims).where(claims.c.matter_id == bindparam("of_matter")).order_by(claims.c.id)
_UNDONE = _ALL.where(or_(*(claims.c.state == state.value for state in UNDONE)))
#: By (undone, locked).
_OF_MATTER = {
    (False, False): Fixed(_ALL), (False, True): Fixed(_ALL.with_for_update()),
    (True, False): Fixed(_UNDONE), (True, True): Fixed(_UNDONE.with_for_update()),
}  # fmt: skip


def of_matter(db: Connection, matter_id: str, *, undone: bool = False, lock: bool = False) -> list[Claim]:
    """A matter's claims in the order of posting; `undone`: those that nobody has fulfilled yet."""
    return [claim_of(row) for row in _OF_MATTER[undone, lock].all(db, {"of_matter": matter_id})]


_DUE = Fixed(
    select(claims.c.id, claims.c.matter_id)
    .where(claims.c.next_step_at <= bindparam("now"))
    .order_by(claims.c.next_step_at, claims.c.id)
    .limit(bindparam("most", type_=Integer()))
)


def due(db: Connection, now: datetime, limit: int) -> Sequence[tuple[str, str | None]]:
    """(claim, matter) whose time has run out, the oldest first."""
    return [(row.id, row.matter_id) for row in _DUE.all(db, {"now": now, "most": limit})]


def next_due(db: Connection) -> datetime | None:
    """When a claim next runs out."""
    found: datetime | None = db.execute(
        select(func.min(claims.c.next_step_at)).where(claims.c.next_step_at.is_not(None))
    ).scalar_one()
    return found


def posted_below(
    db: Connection, unit: str, states: Sequence[str], after: str, limit: int, kind: str | None
) -> list[Claim]:
    """Claims posted in a unit or below it, in the order of posting; the page after an id."""
    query = (
        select(claims)
        .join(claim_scopes, claim_scopes.c.claim_id == claims.c.id)
        .where(claim_scopes.c.unit == unit, claim_scopes.c.claim_id > after)
        .order_by(claim_scopes.c.claim_id)
        .limit(limit)
    )
    return _page(db, query, claim_scopes.c.state, states, kind)


def posted_by_any(
    db: Connection, units: Sequence[str], states: Sequence[str], after: str, limit: int, kind: str | None
) -> list[Claim]:
    """Claims that these units themselves posted, unit by unit, each in the order of posting."""
    found = []
    for unit in units:
        query = select(claims).where(claims.c.unit == unit, claims.c.id > after).order_by(claims.c.id).limit(limit)
        found += _page(db, query, claims.c.state, states, kind)
    return found


def _page(db: Connection, query: Any, state: Any, states: Sequence[str], kind: str | None) -> list[Claim]:
    # One state is an equality that an index walks in order; several are few states of many rows.
    query = query.where(state == states[0] if len(states) == 1 else state.in_(states))
    if kind is not None:
        query = query.where(claims.c.kind == kind)
    return [claim_of(row) for row in db.execute(query)]


def taken_by(db: Connection, taker: str, after: str, limit: int) -> list[Claim]:
    """What somebody holds or has fulfilled, in the order of posting."""
    query = select(claims).where(claims.c.taker == taker, claims.c.id > after).order_by(claims.c.id).limit(limit)
    return [claim_of(row) for row in db.execute(query)]
