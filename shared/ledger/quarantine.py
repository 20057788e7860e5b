"""Quarantine.

What could not be handled, with its exact bytes and the reason, until a person decides. Nothing is ever dropped.

A quarantined event of a stream leaves a hole on purpose: its successors park, so nothing is applied out of order.
Releasing handles it now; discarding it lets the stream go on without it.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, Row, func, select, update

from shared.contracts import envelope as envelopes
from shared.kernel.errors import NotFound
from shared.ledger.dialects import upsert
from shared.ledger.tables import failures, parked, quarantine

#: Attempts at a message that a bug makes fail, before it is set aside.
MAX_ATTEMPTS = 5


def hold(
    db: Connection,
    *,
    entry_id: str,
    handler: str,
    message_id: str | None,
    reason: str,
    detail: str,
    body: bytes,
    at: datetime,
) -> bool:
    """Set a message aside; False when the same message of the same handler was held before, which changes nothing."""
    statement = upsert(db.dialect.name, quarantine).values(
        id=entry_id,
        handler=handler,
        message_id=message_id,
        reason=reason,
        detail=detail[:4_000].replace("\x00", "\\0"),
        body=body,
        held_at=at,
        state="held",
    )
    return bool(db.execute(statement.on_conflict_do_nothing()).rowcount)


def count_failure(db: Connection, handler: str, message_id: str, error: str, at: datetime) -> int:
    """Count one more failed attempt; returns how many there have been."""
    statement = upsert(db.dialect.name, failures).values(
        handler=handler, message_id=message_id, attempts=1, last_error=error[:4_000].replace("\x00", "\\0"), last_at=at
    )
    statement = statement.on_conflict_do_update(
        index_elements=[failures.c.handler, failures.c.message_id],
        set_={"attempts": failures.c.attempts + 1, "last_error": statement.excluded.last_error, "last_at": at},
    ).returning(failures.c.attempts)
    attempts: int = db.execute(statement).scalar_one()
    return attempts


def listed(db: Connection, *, state: str = "held", limit: int = 100) -> Sequence[Row[Any]]:
    """Entries, oldest first."""
    return db.execute(
        select(quarantine)
        .where(quarantine.c.state == state)
        .order_by(quarantine.c.held_at, quarantine.c.id)
        .limit(limit)
    ).all()


def entry(db: Connection, entry_id: str) -> Row[Any]:
    """One entry; raises NotFound."""
    row = db.execute(select(quarantine).where(quarantine.c.id == entry_id)).one_or_none()
    if row is None:
        message = f"no quarantine entry {entry_id}"
        raise NotFound(
            message, code="unknown-quarantine-entry", where="id", remedy="List them: gridwhistle quarantine list."
        )
    return row


def decide(db: Connection, entry_id: str, *, state: str, by: str, why: str, at: datetime) -> bool:
    """Note what an operator decided (released or discarded) and why; False when somebody had decided before."""
    done = db.execute(
        update(quarantine)
        .where(quarantine.c.id == entry_id, quarantine.c.state == "held")
        .values(state=state, decided_by=by, decided_why=why, decided_at=at)
    )
    return bool(done.rowcount)


def discarded(db: Connection, handler: str) -> set[str]:
    """Ids of the messages that were set aside for good: they never had an effect."""
    query = select(quarantine.c.message_id).where(
        quarantine.c.handler == handler, quarantine.c.state == "discarded", quarantine.c.message_id.is_not(None)
    )
    return {message_id for message_id in db.execute(query).scalars() if message_id is not None}


@dataclass(frozen=True, kw_only=True)
class Waiting:
    """What is parked behind a quarantined event."""

    stream: str
    events: int
    #: Since when the oldest of them waits; None when none does.
    since: datetime | None


def waiting_behind(db: Connection, entries: Sequence[Row[Any]]) -> dict[str, Waiting]:
    """Entry id -> what waits for its decision, for entries that belong to a stream."""
    streams: dict[str, str] = {}
    for row in entries:
        try:
            envelope = envelopes.from_bytes(bytes(row.body))
        except (envelopes.Undecodable, envelopes.SchemaViolation):
            continue
        if envelope.streamversion > 0:
            streams[row.id] = envelope.stream
    if not streams:
        return {}
    query = (
        select(parked.c.stream, func.count().label("events"), func.min(parked.c.parked_at).label("since"))
        .where(parked.c.stream.in_(set(streams.values())))
        .group_by(parked.c.stream)
    )
    found = {row.stream: row for row in db.execute(query)}
    return {
        entry_id: Waiting(stream=stream, events=found[stream].events, since=found[stream].since)
        if stream in found
        else Waiting(stream=stream, events=0, since=None)
        for entry_id, stream in streams.items()
    }


def held_count(db: Connection) -> int:
    """How many entries wait for a decision."""
    count: int = db.execute(
        select(func.count()).select_from(quarantine).where(quarantine.c.state == "held")
    ).scalar_one()
    return count
