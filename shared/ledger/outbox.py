"""The outbox: events that commit with the state they tell of, and wait for the relay."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import Connection, func, insert, select, update
from sqlalchemy.dialects import postgresql, sqlite

from shared.contracts.envelope import Envelope
from shared.ledger.tables import outbox, stream_heads


@dataclass(frozen=True, kw_only=True)
class Pending:
    """An unpublished row."""

    position: int
    message_id: str
    stream: str
    type: str
    #: The exact bytes to publish.
    envelope: bytes
    created_at: datetime


def take_versions(db: Connection, stream: str, count: int) -> int:
    """Reserve `count` versions of a stream and return the first; locks the stream until the transaction ends."""
    dialect = postgresql if db.dialect.name == "postgresql" else sqlite
    statement = dialect.insert(stream_heads).values(stream=stream, version=count)
    statement = statement.on_conflict_do_update(
        index_elements=[stream_heads.c.stream], set_={"version": stream_heads.c.version + count}
    ).returning(stream_heads.c.version)
    last: int = db.execute(statement).scalar_one()
    return last - count + 1


def append(db: Connection, envelopes: Sequence[Envelope], created_at: datetime) -> None:
    """Store envelopes in order; they leave when the transaction has committed."""
    if envelopes:
        rows = [
            {
                "message_id": envelope.id,
                "stream": envelope.stream,
                "stream_version": envelope.streamversion,
                "type": envelope.type,
                "envelope": envelope.to_bytes(),
                "created_at": created_at,
            }
            for envelope in envelopes
        ]
        db.execute(insert(outbox), rows)


def pending(db: Connection, limit: int, *, without: Collection[str] = ()) -> list[Pending]:
    """The oldest unpublished rows, but for some streams.

    Selected by `published_at IS NULL`, never by position after the last one.
    """
    query = (
        select(
            outbox.c.position,
            outbox.c.message_id,
            outbox.c.stream,
            outbox.c.type,
            outbox.c.envelope,
            outbox.c.created_at,
        )
        .where(outbox.c.published_at.is_(None))
        .order_by(outbox.c.position)
        .limit(limit)
    )
    if without:
        query = query.where(outbox.c.stream.not_in(without))
    return [
        Pending(
            position=row.position, message_id=row.message_id, stream=row.stream, type=row.type,
            envelope=bytes(row.envelope), created_at=row.created_at,
        )
        for row in db.execute(query)
    ]  # fmt: skip


def mark_published(db: Connection, message_ids: Iterable[str], at: datetime) -> int:
    """Mark exactly these rows; returns how many were still unmarked."""
    ids = list(message_ids)
    if not ids:
        return 0
    statement = (
        update(outbox).where(outbox.c.message_id.in_(ids), outbox.c.published_at.is_(None)).values(published_at=at)
    )
    return db.execute(statement).rowcount


def backlog(db: Connection) -> tuple[int, datetime | None]:
    """How many rows wait, and when the oldest was written."""
    row = db.execute(select(func.count(), func.min(outbox.c.created_at)).where(outbox.c.published_at.is_(None))).one()
    return row[0], row[1]
