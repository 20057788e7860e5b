"""The trace's rows exactly as they are stored, for whoever has to judge them.

A tampered value need not fit its column's type, nor be anything the driver can read: SQLite keeps bytes in a text
column and text that is no UTF-8, PostgreSQL an instant called `infinity`. None of that may stop a verification.
It must never read the trace for anything but verifying and exporting: others want the columns' own types.
"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime
from functools import cache, reduce
from typing import Any

from sqlalchemy import (
    Column,
    ColumnElement,
    Connection,
    Dialect,
    LargeBinary,
    Row,
    Select,
    String,
    Table,
    cast,
    func,
    literal,
    select,
    type_coerce,
)
from sqlalchemy.dialects import sqlite
from sqlalchemy.types import NullType

from services.oversight.domain.chain import Link, TraceRow
from services.oversight.tables import trace
from shared.ledger.types import Instant

#: Rows read at once; an envelope has at most 1 MiB, usually 1 KiB.
BATCH = 500

#: A column's type on SQLite -> what SQLite calls the kind of value that belongs there; text when not named.
_KINDS = {"INTEGER": "integer", "BLOB": "blob"}


def _kind(column: Column[Any]) -> str:
    return _KINDS.get(column.type.compile(sqlite.dialect()), "text")


#: What the kinds of a row's values are as long as nobody touches them.
_OWN_KINDS = " ".join(_kind(column) for column in trace.c)


def rows(db: Connection, after: int, until: int | None = None) -> Iterator[TraceRow]:
    """Rows in order, a batch at a time by key, so that neither driver holds the whole table."""
    while True:
        query = _stored(db.dialect.name).where(trace.c.position > after).order_by(trace.c.position).limit(BATCH)
        if until is not None:
            query = query.where(trace.c.position <= until)
        batch = db.execute(query).all()
        for row in batch:
            yield _row(row, db.dialect)
        if len(batch) < BATCH:
            return
        after = batch[-1].position


def link(db: Connection, table: Table, where: ColumnElement[bool]) -> Link | None:
    """Position and hash of one row of the trace, or of its head; None when there is no such row."""
    digest = type_coerce(_readable(table.c.hash, db.dialect.name), NullType()).label("hash")
    row = db.execute(select(table.c.position, digest).where(where)).one_or_none()
    return None if row is None else Link(position=row.position, hash=_text(row.hash))


@cache
def _stored(dialect: str) -> Select[Any]:
    columns = [type_coerce(_readable(column, dialect), NullType()).label(column.name) for column in trace.c]
    asked: list[ColumnElement[Any]] = [*columns, _kinds(dialect).label("kinds")]
    return select(*asked)


def _readable(column: Column[Any], dialect: str) -> ColumnElement[Any]:
    if dialect == "postgresql":
        # As text: psycopg2 cannot read an instant before Christ, and reads `infinity` as another one.
        return cast(func.timezone("UTC", column), String) if isinstance(column.type, Instant) else column
    # As bytes: sqlite3 cannot read text that is no UTF-8.
    return column if _kind(column) == "integer" else cast(column, LargeBinary)


def _kinds(dialect: str) -> ColumnElement[Any]:
    if dialect == "postgresql":
        return literal(_OWN_KINDS)  # it keeps no value of another kind
    first, *others = (func.typeof(column) for column in trace.c)
    return reduce(lambda kinds, kind: kinds.concat(" ").concat(kind), others, first)


def _row(row: Row[*tuple[Any, ...]], dialect: Dialect) -> TraceRow:
    return TraceRow(
        position=row.position, message_id=_text(row.message_id), type=_text(row.type), stream=_text(row.stream),
        stream_version=row.stream_version, subject=_text(row.subject), time=_instant(row.time, dialect),
        recorded_at=_instant(row.recorded_at, dialect), envelope=bytes(row.envelope or b""),
        previous_hash=_text(row.previous_hash), hash=_text(row.hash), well_typed=row.kinds == _OWN_KINDS,
    )  # fmt: skip


def _text(stored: Any) -> str:
    return stored.decode("utf-8", "surrogateescape") if isinstance(stored, bytes) else str(stored)


def _instant(stored: Any, dialect: Dialect) -> datetime | None:
    """The instant; None unless it is written exactly as this database writes it, so that every byte counts."""
    text = _text(stored)
    try:
        instant = datetime.fromisoformat(text)
    except ValueError:
        return None
    if dialect.name == "postgresql":
        return instant.replace(tzinfo=UTC)
    if instant.tzinfo is None or Instant().process_bind_param(instant, dialect) != text:
        return None
    return instant.astimezone(UTC)
