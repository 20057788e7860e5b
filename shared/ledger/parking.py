"""Parking: events that arrived before their predecessor wait here, in the database, until the hole is filled."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from sqlalchemy import Connection, bindparam, delete, func, select

from shared.contracts.envelope import Envelope
from shared.ledger import inbox
from shared.ledger.dialects import built, upsert
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


def unpark(db: Connection, handler: str, stream: str, version: int) -> None:
    """Remove an event that is being applied, or was, in this transaction."""
    done = db.execute(
        delete(parked).where(parked.c.handler == handler, parked.c.stream == stream, parked.c.stream_version == version)
    )
    if done.rowcount:
        inbox.count_waiting(db, handler, stream, -1)


def successor(db: Connection, handler: str, stream: str, version: int) -> bytes | None:
    """The parked event of exactly that version, if it has arrived."""
    query = select(parked.c.envelope).where(
        parked.c.handler == handler, parked.c.stream == stream, parked.c.stream_version == version
    )
    found = db.execute(query).scalar_one_or_none()
    return None if found is None else bytes(found)


def ready(db: Connection, handler: str, limit: int) -> list[bytes]:
    """Parked events whose predecessor has been applied since (left behind when a process died between the two)."""
    # Looked up for each that is parked: joined, PostgreSQL may come to read every position there is.
    applied = (
        select(stream_positions.c.version)
        .where(stream_positions.c.handler == parked.c.handler, stream_positions.c.stream == parked.c.stream)
        .scalar_subquery()
    )
    query = (
        select(parked.c.envelope)
        .where(parked.c.handler == handler, parked.c.stream_version <= applied + 1)
        .order_by(parked.c.parked_at)
        .limit(limit)
    )
    return [bytes(body) for body in db.execute(query).scalars()]


def backlog(db: Connection) -> tuple[int, datetime | None]:
    """How many events are parked, and since when the oldest."""
    row = db.execute(select(func.count(), func.min(parked.c.parked_at))).one()
    return row[0], row[1]
