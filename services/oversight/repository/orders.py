"""SQL of the rectification orders."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from sqlalchemy import Connection, Row, insert, select, update

from services.oversight.tables import orders


def add(db: Connection, **values: Any) -> None:
    """Store an order."""
    db.execute(insert(orders).values(**values))


def find(db: Connection, order_id: str) -> Row[Any] | None:
    """One order, locked."""
    return db.execute(select(orders).where(orders.c.order_id == order_id).with_for_update()).one_or_none()


def withdraw(db: Connection, order_id: str, at: datetime) -> None:
    """Needed no more."""
    db.execute(update(orders).where(orders.c.order_id == order_id).values(withdrawn_at=at))
