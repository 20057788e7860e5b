"""Parking: events that arrived before their predecessor wait here, in the database, until the hole is filled."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from sqlalchemy import Connection, Integer, bindparam, delete, func, select

from shared.contracts.envelope import Envelope
from shared.ledger import inbox
from shared.ledger.dialects import built, upsert
from shared.ledger.fixed import Fixed
from shared.ledger.tables import parked, stream_positions


@built
def _park(dialect: str) -> Any:
    names = ("handler", "stream", "stream_version", "message_id", "envelope", "parked_at")
    return upsert(dialect, parked).values(**{name: bindparam(name) for name in names}).on_conflict_do_nothing()


def park(db: Connection, handler: str, envelope: Envelope, raw: bytes, at: datetime) -> None:
    """Keep an early event.

    Parking the same one twice is harmless. The stream's position must be locked (inbox.step).
    """
    done = db.execute(
        _park(db),
        {
            "handler": handler,
            "stream": envelope.stream,
            "stream_version": envelope.streamversion,
            "message_id": envelope.id,
            "envelope": raw,
            "parked_at": at,
        },
    )
    if done.rowcount:
        inbox.count_waiting(db, handler, envelope.stream, 1)


_THIS = (
    parked.c.handler == bindparam("handler"), parked.c.stream == bindparam("stream"),
    parked.c.stream_version == bindparam("version"),
)  # fmt: skip
_UNPARK = Fixed(delete(parked).where(*_THIS))
_SUCCESSOR = Fixed(select(parked.c.envelope).where(*_THIS))


def unpark(db: Connection, handler: str, stream: str, version: int) -> None:
    """Remove an event that is being applied, or was, in this transaction."""
    if _UNPARK.count(db, {"handler": handler, "stream": stream, "version": version}):
        inbox.count_waiting(db, handler, stream, -1)


def successor(db: Connection, handler: str, stream: str, version: int) -> bytes | None:
    """The parked event of exactly that version, if it has arrived."""
    found = _SUCCESSOR.first(db, {"handler": handler, "stream": stream, "version": version})
    return None if found is None else bytes(found.envelope)


# Looked up for each that is parked: joined, PostgreSQL may come to read every position there is.
_APPLIED = (
    select(stream_positions.c.version)
    .where(stream_positions.c.handler == parked.c.handler, stream_positions.c.stream == parked.c.stream)
    .scalar_subquery()
)
_READY = Fixed(
    select(parked.c.envelope)
    .where(parked.c.handler == bindparam("handler"), parked.c.stream_version <= _APPLIED + 1)
    .order_by(parked.c.parked_at)
    .limit(bindparam("most", type_=Integer()))
)


def ready(db: Connection, handler: str, limit: int) -> list[bytes]:
    """Parked events whose predecessor has been applied since (left behind when a process died between the two)."""
    return [bytes(row.envelope) for row in _READY.all(db, {"handler": handler, "most": limit})]


def backlog(db: Connection) -> tuple[int, datetime | None]:
    """How many events are parked, and since when the oldest."""
    row = db.execute(select(func.count(), func.min(parked.c.parked_at))).one()
    return row[0], row[1]
