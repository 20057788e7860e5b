"""Broken: the relay goes on after the highest position published. A lower one that commits later never leaves."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any
from unittest.mock import patch

from sqlalchemy import Connection, func, select

from shared.ledger import outbox, tables


@contextmanager
def planted() -> Iterator[None]:
    """Look only at rows after the last one published."""
    proper = outbox.pending

    def after_the_last(db: Connection, limit: int, **how: Any) -> list[outbox.Pending]:
        published = select(func.max(tables.outbox.c.position)).where(tables.outbox.c.published_at.is_not(None))
        last = db.execute(published).scalar_one() or 0
        return [row for row in proper(db, limit, **how) if row.position > last]

    with patch.object(outbox, "pending", after_the_last):
        yield
