"""Where SQLite and PostgreSQL write the same thing through different SQLAlchemy constructs: INSERT … ON CONFLICT.

Statements of the hot path are built once per dialect (`built`), not per message: building them costs more than
running them.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import lru_cache
from typing import Any, TypeVar

from sqlalchemy import Connection, Table
from sqlalchemy.dialects import postgresql, sqlite

Statement = TypeVar("Statement")


def upsert(dialect: str, table: Table) -> Any:
    """An INSERT of the dialect, with `on_conflict_do_nothing` and `on_conflict_do_update`."""
    return (postgresql if dialect == "postgresql" else sqlite).insert(table)


def built(build: Callable[[str], Statement]) -> Callable[[Connection], Statement]:
    """Decorator: make `build(dialect name)` a function of a connection that builds once per dialect."""
    kept = lru_cache(maxsize=None)(build)

    def of(db: Connection) -> Statement:
        return kept(db.dialect.name)

    return of
