"""What the projections share: which message it was, and writes that may run twice."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, Table
from sqlalchemy.dialects import postgresql, sqlite

from services.oversight.tables import milestones


@dataclass(frozen=True, kw_only=True, slots=True)
class Mark:
    """Which message it was and when it happened, as its envelope says."""

    message_id: str
    at: datetime


def upsert(
    db: Connection,
    table: Table,
    keys: Mapping[str, Any],
    values: Mapping[str, Any],
    *,
    blank: Mapping[str, Any] | None = None,
    instead: Mapping[str, Any] | None = None,
) -> None:
    """Set `values` in the row with `keys`; a row born of this gets `blank` too.

    `instead` replaces values where the row exists already.
    """
    dialect = postgresql if db.dialect.name == "postgresql" else sqlite
    statement = dialect.insert(table).values({**(blank or {}), **keys, **values})
    there = {**values, **(instead or {})}
    db.execute(statement.on_conflict_do_update(index_elements=[table.c[name] for name in keys], set_=there))


def insert_once(db: Connection, table: Table, **values: Any) -> None:
    """Insert unless a row with the same key is there."""
    dialect = postgresql if db.dialect.name == "postgresql" else sqlite
    db.execute(dialect.insert(table).values(values).on_conflict_do_nothing())


def milestone(db: Connection, mark: Mark, matter_id: str, kind: str, **values: Any) -> None:
    """Note something that figures count."""
    insert_once(db, milestones, message_id=mark.message_id, matter_id=matter_id, kind=kind, at=mark.at, **values)
