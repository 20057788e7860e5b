"""The inbox: which messages have had their effect, and how far each stream has been applied."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, bindparam, case, literal_column, select, update

from shared.ledger.bulk import Inserting
from shared.ledger.dialects import upsert
from shared.ledger.fixed import Fixed
from shared.ledger.tables import inbox, stream_positions


@dataclass(frozen=True, kw_only=True)
class Position:
    """How far a stream has been applied by a handler, including the message at hand if its turn has come."""

    version: int
    #: Events of the stream that are parked.
    waiting: int
    #: Whether `step` moved it just now. When it did not and stands where it was asked to go, the message is a repeat,
    #: also when its row in the inbox was purged long ago.
    moved: bool = False


def _step(dialect: str) -> Any:
    version = bindparam("version", type_=stream_positions.c.version.type)
    statement = upsert(dialect, stream_positions).values(
        handler=bindparam("handler"),
        stream=bindparam("stream"),
        version=case((version == 1, version), else_=literal_column("0")),
        waiting=literal_column("0"),
    )
    mine = stream_positions.c.version
    return statement.on_conflict_do_update(
        index_elements=[stream_positions.c.handler, stream_positions.c.stream],
        set_={"version": version},
        where=mine == version - 1,
    ).returning(mine, stream_positions.c.waiting)


_STEP = Fixed(_step)
_STAND = Fixed(
    select(stream_positions.c.version, stream_positions.c.waiting).where(
        stream_positions.c.handler == bindparam("handler"), stream_positions.c.stream == bindparam("stream")
    )
)


def step(db: Connection, handler: str, stream: str, version: int) -> Position:
    """Move the stream's position to `version` if it stands right before it, and lock it until the transaction ends.

    One statement, so that two workers holding neighbouring versions cannot both decide on what they saw before the
    other committed. A returned version below the one asked for means: too early; above, or equal and not moved: applied
    before; moved: its turn.
    """
    where = {"handler": handler, "stream": stream}
    row = _STEP.first(db, {**where, "version": version})
    if row is not None:
        return Position(version=row.version, waiting=row.waiting, moved=row.version == version)
    # The row was locked although it was not changed; what it says now stands until the transaction ends.
    row = _STAND.first(db, where)
    return Position(version=row.version, waiting=row.waiting)


_RECORD = Fixed(
    lambda dialect: upsert(dialect, inbox).on_conflict_do_nothing(), columns=("handler", "message_id", "handled_at")
)


def record(db: Connection, handler: str, message_id: str, at: datetime) -> bool:
    """Enter the message; False when it is there already. Commits together with its effects, never apart from them."""
    return bool(_RECORD.count(db, {"handler": handler, "message_id": message_id, "handled_at": at}))


_POSITION = ("handler", "stream", "version", "waiting")
_TAKEN = "ON CONFLICT (handler, stream) DO UPDATE SET version = "
_LOCK = Inserting(
    table=stream_positions, columns=_POSITION, conflict=f"{_TAKEN}stream_positions.version",
    returning=("stream", "version", "waiting"),
)  # fmt: skip
_ADVANCE = Inserting(table=stream_positions, columns=_POSITION, conflict=f"{_TAKEN}excluded.version")
_RECORD_MANY = Inserting(
    table=inbox, columns=("handler", "message_id", "handled_at"), conflict="ON CONFLICT DO NOTHING",
    returning=("message_id",),
)  # fmt: skip


def lock(db: Connection, handler: str, streams: Iterable[str]) -> dict[str, Position]:
    """Lock the positions of several streams until the transaction ends, always in the same order."""
    rows = [(handler, stream, 0, 0) for stream in sorted(set(streams))]
    return {row.stream: Position(version=row.version, waiting=row.waiting) for row in _LOCK.run(db, rows)}


def advance(db: Connection, handler: str, versions: Mapping[str, int]) -> None:
    """Note how far several locked streams have been applied."""
    _ADVANCE.run(db, [(handler, stream, versions[stream], 0) for stream in sorted(versions)])


def record_many(db: Connection, handler: str, message_ids: Iterable[str], at: datetime) -> set[str]:
    """Enter several messages; returns those that were not there before."""
    rows = [(handler, message_id, at) for message_id in sorted(set(message_ids))]
    return {row.message_id for row in _RECORD_MANY.run(db, rows)}


_COUNT_WAITING = (
    update(stream_positions)
    .where(
        stream_positions.c.handler == bindparam("of_handler"),
        stream_positions.c.stream == bindparam("of_stream"),
    )
    .values(waiting=stream_positions.c.waiting + bindparam("by"))
)


def count_waiting(db: Connection, handler: str, stream: str, by: int) -> None:
    """Note that one more (1) or one fewer (-1) event of the stream is parked."""
    db.execute(_COUNT_WAITING, {"of_handler": handler, "of_stream": stream, "by": by})


def positions(db: Connection, handler: str, streams: Iterable[str]) -> dict[str, int]:
    """How far these streams have been applied, without locking them; those never heard of are left out."""
    query = select(stream_positions.c.stream, stream_positions.c.version).where(
        stream_positions.c.handler == handler, stream_positions.c.stream.in_(sorted(set(streams)))
    )
    return {row.stream: row.version for row in db.execute(query)}
