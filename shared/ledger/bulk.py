"""Several rows in one statement whose text never changes: built once per table and dialect, run with plain values.

PostgreSQL gets one array per column (`unnest`), so that it parses the same short text for one row and for a hundred;
SQLite gets the rows written out. SQLAlchemy's compiler, which costs more than either, is not asked. Values go through
their columns' own types, so instants, documents and bytes are stored as everywhere else. Names come from our tables
alone, never from outside.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

from sqlalchemy import Column, Connection, Dialect, String, Table

from shared.ledger import fixed

Row = Sequence[Any]
Convert = Callable[[Any], Any]

#: Rows of one statement at most; SQLite takes 32,766 values.
_MOST = 500


@dataclass(frozen=True, kw_only=True)
class Inserting:
    """INSERT of several rows into some columns of a table.

    `conflict` is what follows (`ON CONFLICT …`), `returning` the columns that come back, in no order.
    """

    table: Table
    columns: tuple[str, ...]
    conflict: str = ""
    returning: tuple[str, ...] = ()

    def run(self, db: Connection, rows: Sequence[Row]) -> list[Any]:
        """Insert; returns the rows that RETURNING gives."""
        found: list[Any] = []
        for start in range(0, len(rows), _MOST):
            some = rows[start : start + _MOST]
            if db.dialect.name == "postgresql":
                text = _arrays(self, db.dialect)
                parameters: fixed.Parameters = _transposed(self.table, self.columns, some, db.dialect)
            else:
                text, parameters = _written_out(self, len(some)), _flat(self.table, self.columns, some, db.dialect)
            if self.returning:
                found += fixed.run(db, text, parameters, fixed.fetched)
            else:
                fixed.run_later(db, text, parameters)
        return found


@dataclass(frozen=True, kw_only=True)
class Changing:
    """UPDATE of several rows, each by its key, to values of its own.

    `also` are further changes, the same for each (SQL of our own); `where` narrows it; `returning` comes back.
    """

    table: Table
    key: str
    columns: tuple[str, ...]
    also: str = ""
    where: str = ""
    returning: tuple[str, ...] = ()

    def run(self, db: Connection, rows: Sequence[Row]) -> list[Any]:
        """Change rows given as (key, values …); a key that is not there changes nothing."""
        if not rows:
            return []
        columns = (self.key, *self.columns)
        if db.dialect.name == "postgresql":
            parameters = _transposed(self.table, columns, rows, db.dialect)
            text = _update_from_arrays(self, db.dialect)
            if self.returning:
                return fixed.run(db, text, parameters, fixed.fetched)
            fixed.run_later(db, text, parameters)
            return []
        converters = _converters(self.table, columns, db.dialect)
        found: list[Any] = []
        for row in rows:
            key, *values = [fixed.converted(convert, value) for convert, value in zip(converters, row, strict=True)]
            if self.returning:
                found += fixed.run(db, _update_one(self), (*values, key), fixed.fetched)
            else:
                fixed.run_later(db, _update_one(self), (*values, key))
        return found


def updating(columns: Iterable[str]) -> str:
    """What follows DO UPDATE SET: these columns become what was to be inserted."""
    return ", ".join(f'"{name}" = excluded."{name}"' for name in columns)


# -- texts ---------------------------------------------------------------------------------------------------------


@lru_cache(maxsize=1_000)
def _arrays(asked: Inserting, dialect: Dialect) -> str:
    arrays = ", ".join(_array(asked.table.c[name], dialect) for name in asked.columns)
    return f"{_head(asked)} SELECT * FROM unnest({arrays}){_tail(asked)}"  # noqa: S608 -- names of our own tables


@lru_cache(maxsize=1_000)
def _written_out(asked: Inserting, rows: int) -> str:
    places = f"({', '.join('?' * len(asked.columns))})"
    return f"{_head(asked)} VALUES {', '.join([places] * rows)}{_tail(asked)}"


def _head(asked: Inserting) -> str:
    return f'INSERT INTO "{asked.table.name}" ({", ".join(_quoted(asked.columns))})'


def _tail(asked: Inserting) -> str:
    return (f" {asked.conflict}" if asked.conflict else "") + _returning(asked)


def _returning(asked: Inserting | Changing) -> str:
    columns = ", ".join(f'"{asked.table.name}"."{name}"' for name in asked.returning)
    return f" RETURNING {columns}" if columns else ""


def _given(text: str) -> tuple[str, ...]:
    return (text,) if text else ()


@lru_cache(maxsize=1_000)
def _update_from_arrays(asked: Changing, dialect: Dialect) -> str:
    columns = (asked.key, *asked.columns)
    arrays = ", ".join(_array(asked.table.c[name], dialect) for name in columns)
    changed = ", ".join([*(f'"{name}" = given."{name}"' for name in asked.columns), *_given(asked.also)])
    more = f" AND {asked.where}" if asked.where else ""
    table = f'"{asked.table.name}"'
    return (
        f"UPDATE {table} SET {changed} FROM unnest({arrays}) AS given({', '.join(_quoted(columns))}) "  # noqa: S608
        f'WHERE {table}."{asked.key}" = given."{asked.key}"{more}{_returning(asked)}'
    )


@lru_cache(maxsize=1_000)
def _update_one(asked: Changing) -> str:
    changed = ", ".join([*(f'"{name}" = ?' for name in asked.columns), *_given(asked.also)])
    more = f" AND {asked.where}" if asked.where else ""
    table = f'"{asked.table.name}"'
    return f'UPDATE {table} SET {changed} WHERE {table}."{asked.key}" = ?{more}{_returning(asked)}'  # noqa: S608


def _quoted(names: Iterable[str]) -> list[str]:
    return [f'"{name}"' for name in names]


def _array(column: Column[Any], dialect: Dialect) -> str:
    # Text without a length: a cast to varchar(n) would cut silently, an assignment refuses.
    kind = "TEXT" if isinstance(column.type, String) else column.type.dialect_impl(dialect).compile(dialect)
    return f"%({column.name})s::{kind}[]"


# -- values --------------------------------------------------------------------------------------------------------


@lru_cache(maxsize=1_000)
def _converters(table: Table, columns: tuple[str, ...], dialect: Dialect) -> tuple[Convert | None, ...]:
    return tuple(_converter(table.c[name], dialect) for name in columns)


def _converter(column: Column[Any], dialect: Dialect) -> Convert | None:
    if isinstance(column.type, String):
        return None
    return fixed.converter(column.type, dialect)


def _transposed(table: Table, columns: tuple[str, ...], rows: Sequence[Row], dialect: Dialect) -> dict[str, list[Any]]:
    converters = _converters(table, columns, dialect)
    return {
        name: list(values) if convert is None else [convert(value) for value in values]
        for name, convert, values in zip(columns, converters, zip(*rows, strict=True), strict=True)
    }


def _flat(table: Table, columns: tuple[str, ...], rows: Sequence[Row], dialect: Dialect) -> tuple[Any, ...]:
    converters = _converters(table, columns, dialect)
    return tuple(
        fixed.converted(convert, value) for row in rows for convert, value in zip(converters, row, strict=True)
    )
