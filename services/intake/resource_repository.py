"""All SQL of the resource list."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, Row, insert, select, update

from services.intake.tables import resource_scopes, resources
from shared.kernel.errors import NotFound


def add(db: Connection, scopes: Collection[str], **values: Any) -> None:
    """Store a resource, for the lists of these units."""
    db.execute(insert(resources).values(**values, version=1))
    rows = [{"unit": unit, "resource_id": values["resource_id"]} for unit in dict.fromkeys(scopes)]
    db.execute(insert(resource_scopes), rows)


def resource(db: Connection, resource_id: str, *, lock: bool = False) -> Row[Any]:
    """One resource. Raises NotFound."""
    query = select(resources).where(resources.c.resource_id == resource_id)
    row = db.execute(query.with_for_update() if lock else query).one_or_none()
    if row is None:
        raise unknown(resource_id)
    return row


def unknown(resource_id: str) -> NotFound:
    """The refusal for a resource that does not exist or may not be seen."""
    message = f"There is no resource {resource_id!r}."
    return NotFound(message, code="unknown-resource", where="resource", remedy="Check the id.")


def withdraw(db: Connection, resource_id: str, at: datetime) -> None:
    """No longer offered; lists say so."""
    db.execute(
        update(resources)
        .where(resources.c.resource_id == resource_id)
        .values(withdrawn_at=at, version=resources.c.version + 1)
    )


def listed(db: Connection, unit: str, after: str, limit: int, kind: str | None) -> Sequence[Row[Any]]:
    """What is offered in a unit or below it, in the order of listing; withdrawn ones are told as such."""
    query = (
        select(resources)
        .join(resource_scopes, resource_scopes.c.resource_id == resources.c.resource_id)
        .where(resource_scopes.c.unit == unit, resource_scopes.c.resource_id > after)
        .order_by(resource_scopes.c.resource_id)
        .limit(limit)
    )
    if kind is not None:
        query = query.where(resources.c.kind == kind)
    return db.execute(query).all()
