"""Where SQLite and PostgreSQL write the same thing through different SQLAlchemy constructs: INSERT … ON CONFLICT.

Statements of the hot path are built once per dialect (`built`), not per message: building them costs more than
running them.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import lru_cache
from typing import Any, TypeVar

from sqlalchemy import JSON, Column, ColumnElement, Connection, Table, Text, any_, bindparam, func, select
from sqlalchemy.dialects import postgresql, sqlite

Statement = TypeVar("Statement")


def upsert(dialect: str, table: Table) -> Any:
    """An INSERT of the dialect, with `on_conflict_do_nothing` and `on_conflict_do_update`."""
    return (postgresql if dialect == "postgresql" else sqlite).insert(table)


def among(dialect: str, column: Column[str], name: str) -> ColumnElement[bool]:
    """Whether a column is one of the texts given as a list under `name`: one statement, however many there are."""
    if dialect == "postgresql":
        return column == any_(bindparam(name, type_=postgresql.ARRAY(Text())))
    given = func.json_each(bindparam(name, type_=JSON())).table_valued("value")
    return column.in_(select(given.c.value))


def built(build: Callable[[str], Statement]) -> Callable[[Connection], Statement]:
    """Decorator: make `build(dialect name)` a function of a connection that builds once per dialect."""
    kept = lru_cache(maxsize=None)(build)

    def of(db: Connection) -> Statement:
        return kept(db.dialect.name)

    return of
