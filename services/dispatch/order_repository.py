"""All SQL of rectification orders, and of the parts of split matters."""

from __future__ import annotations

import dataclasses
from collections.abc import Collection, Mapping, Sequence
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, Row, and_, bindparam, func, insert, or_, select, update

from services.dispatch.claim_tables import order_scopes, order_steps, orders, parts
from services.dispatch.domain.joint import Part
from services.dispatch.domain.orders import Order, OrderState
from services.dispatch.domain.states import State
from services.dispatch.tables import matters
from shared.kernel.errors import Stale
from shared.ledger.dialects import upsert
from shared.ledger.fixed import Fixed

_FIELDS = tuple(field.name for field in dataclasses.fields(Order))
_QUERY = select(*(orders.c[name] for name in _FIELDS)).where(orders.c.id == bindparam("of_id"))
_ONE, _ONE_LOCKED = Fixed(_QUERY), Fixed(_QUERY.with_for_update())


# -- rectification orders ------------------------------------------------------------------------------------------


def order(db: Connection, order_id: str, *, lock: bool = False) -> Order | None:
    """One order, locked when it is going to be changed."""
    row = (_ONE_LOCKED if lock else _ONE).first(db, {"of_id": order_id})
    return None if row is None else order_of(row)


def order_of(row: Any) -> Order:
    """A row as an order."""
    values = {name: getattr(row, name) for name in _FIELDS}
    return Order(**values | {"state": OrderState(values["state"])})


def add(db: Connection, new: Order, scopes: Collection[str]) -> None:
    """Store a new order, for the lists of these units."""
    db.execute(insert(orders).values(_columns(new)))
    show_to(db, new, scopes)


def save(db: Connection, old: Order, new: Order) -> None:
    """Write an order's new form. Raises Stale when somebody was faster."""
    changed = db.execute(
        update(orders).where(orders.c.id == old.id, orders.c.version == old.version).values(_columns(new))
    )
    if changed.rowcount != 1:
        message = f"order {old.id} is no longer at version {old.version}"
        raise Stale(message, where="order", remedy="Read it again and decide anew.")
    if (old.state, old.due_at) != (new.state, new.due_at):
        listed = {"state": new.state.value, "due_at": new.due_at}
        db.execute(update(order_scopes).where(order_scopes.c.order_id == old.id).values(listed))


def show_to(db: Connection, one: Order, scopes: Collection[str]) -> None:
    """Let these units see the order."""
    rows = [
        {"unit": unit, "order_id": one.id, "state": one.state.value, "due_at": one.due_at}
        for unit in dict.fromkeys(scopes)
    ]
    if rows:
        db.execute(upsert(db.dialect.name, order_scopes).on_conflict_do_nothing(), rows)


def sees(db: Connection, order_id: str, unit: str) -> bool:
    """Whether a unit may see the order."""
    query = select(order_scopes.c.unit).where(order_scopes.c.order_id == order_id, order_scopes.c.unit == unit)
    return db.execute(query).one_or_none() is not None


def _columns(one: Order) -> dict[str, Any]:
    return {name: getattr(one, name) for name in _FIELDS} | {"state": one.state.value}


def add_step(
    db: Connection, *, order_id: str, at: datetime, action: str, actor: str, detail: Mapping[str, Any]
) -> None:
    """Keep what was done."""
    db.execute(insert(order_steps).values(order_id=order_id, at=at, action=action, actor=actor, detail=detail))


def steps_of(db: Connection, order_id: str) -> Sequence[Row[Any]]:
    """What was done to an order, in order."""
    return db.execute(
        select(order_steps).where(order_steps.c.order_id == order_id).order_by(order_steps.c.position)
    ).all()


_DUE = (
    select(orders.c.id, orders.c.matter_id)
    .where(orders.c.next_step_at <= bindparam("now"))
    .order_by(orders.c.next_step_at, orders.c.id)
    .limit(bindparam("most"))
)


def due(db: Connection, now: datetime, limit: int) -> Sequence[tuple[str, str | None]]:
    """(order, matter) that are overdue, the oldest first."""
    return [(row.id, row.matter_id) for row in db.execute(_DUE, {"now": now, "most": limit})]


def next_due(db: Connection) -> datetime | None:
    """When an order is next overdue."""
    found: datetime | None = db.execute(
        select(func.min(orders.c.next_step_at)).where(orders.c.next_step_at.is_not(None))
    ).scalar_one()
    return found


def listed(
    db: Connection,
    unit: str,
    state: str,
    after: tuple[datetime, str] | None,
    limit: int,
    *,
    overdue_at: datetime | None,
) -> list[Order]:
    """Orders of a unit and all below it in one state, the next due first; `overdue_at`: those due before it only."""
    scopes = order_scopes.c
    query = (
        select(orders)
        .join(order_scopes, scopes.order_id == orders.c.id)
        .where(scopes.unit == unit, scopes.state == state)
        .order_by(scopes.due_at, scopes.order_id)
        .limit(limit)
    )
    if overdue_at is not None:
        query = query.where(scopes.due_at < overdue_at)
    if after is not None:
        due_at, order_id = after
        query = query.where(or_(scopes.due_at > due_at, and_(scopes.due_at == due_at, scopes.order_id > order_id)))
    return [order_of(row) for row in db.execute(query)]


_OF_MATTER = Fixed(
    select(orders).where(orders.c.matter_id == bindparam("of_matter")).order_by(orders.c.ordered_at, orders.c.id)
)


def of_matter(db: Connection, matter_id: str) -> list[Order]:
    """Orders about a matter, in order."""
    return [order_of(row) for row in _OF_MATTER.all(db, {"of_matter": matter_id})]


# -- parts of split matters ----------------------------------------------------------------------------------------


def add_parts(db: Connection, whole_id: str, part_ids: Sequence[str]) -> None:
    """Note what a matter was split into; twice is once."""
    rows = [{"part_id": part_id, "whole_id": whole_id} for part_id in part_ids]
    db.execute(upsert(db.dialect.name, parts).on_conflict_do_nothing(), rows)


def mark_split(db: Connection, whole_id: str, flags: Sequence[str]) -> None:
    """Have a matter wait for its parts though the event that says so is still to come: no step, no new version."""
    db.execute(update(matters).where(matters.c.id == whole_id).values(flags=list(flags)))


def parts_of(db: Connection, whole_id: str) -> list[Part]:
    """A matter's parts in the order in which they were made, with what came of them."""
    query = (
        select(parts.c.part_id, matters.c.state, matters.c.number, matters.c.outcome)
        .outerjoin(matters, matters.c.id == parts.c.part_id)
        .where(parts.c.whole_id == whole_id)
        .order_by(parts.c.part_id)
    )
    return [
        Part(
            matter_id=row.part_id, state=None if row.state is None else State(row.state), number=row.number,
            outcome=row.outcome,
        )
        for row in db.execute(query)
    ]  # fmt: skip


def whole_of(db: Connection, part_id: str) -> str | None:
    """The matter that another one is a part of."""
    found: str | None = db.execute(select(parts.c.whole_id).where(parts.c.part_id == part_id)).scalar_one_or_none()
    return found
