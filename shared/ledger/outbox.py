"""The outbox: events that commit with the state they tell of, and wait for the relay."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, Integer, bindparam, func, select, update

from shared.contracts.envelope import Envelope
from shared.ledger import fixed
from shared.ledger.bulk import Inserting
from shared.ledger.dialects import upsert
from shared.ledger.fixed import Fixed
from shared.ledger.tables import outbox, stream_heads

#: Events stored by one statement.
_STORED = 500
#: Ids in one look-up.
_LOOKED_UP = 500


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


_TAKE = Inserting(
    table=stream_heads, columns=("stream", "version"),
    conflict="ON CONFLICT (stream) DO UPDATE SET version = stream_heads.version + excluded.version",
    returning=("stream", "version"),
)  # fmt: skip


def take_versions(db: Connection, counts: Mapping[str, int]) -> dict[str, int]:
    """Reserve `counts[stream]` versions of each stream; returns the first of each. Locks the streams until the end.

    Streams are taken in one order, so that two transactions touching the same ones cannot wait for each other.
    """
    if not counts:
        return {}
    wanted = [(stream, counts[stream]) for stream in sorted(counts)]
    return {row.stream: row.version - counts[row.stream] + 1 for row in _TAKE.run(db, wanted)}


_NEW = ("message_id", "stream", "stream_version", "type", "envelope", "created_at")
_APPEND = Inserting(table=outbox, columns=_NEW)
_APPEND_PUBLISHED = Inserting(table=outbox, columns=(*_NEW, "published_at"))


def append(db: Connection, envelopes: Sequence[Envelope], created_at: datetime) -> None:
    """Store envelopes in order; they leave when the transaction has committed."""
    rows = [(each.id, each.stream, each.streamversion, each.type, each.to_bytes(), created_at) for each in envelopes]
    _APPEND.run(db, rows)


_APPEND_NEXT = """
    WITH heads AS (
        INSERT INTO stream_heads (stream, version) SELECT * FROM unnest(%(streams)s::TEXT[], %(counts)s::INTEGER[])
        ON CONFLICT (stream) DO UPDATE SET version = stream_heads.version + excluded.version
        RETURNING stream, version
    )
    INSERT INTO outbox (message_id, stream, stream_version, type, envelope, created_at)
    SELECT given.message_id, given.stream, heads.version - given.back, given.type,
        convert_to(given.before || (heads.version - given.back)::TEXT || given.after, 'UTF8'), %(at)s
    FROM unnest(
        %(ids)s::TEXT[], %(of)s::TEXT[], %(back)s::INTEGER[], %(types)s::TEXT[], %(before)s::TEXT[], %(after)s::TEXT[]
    ) WITH ORDINALITY AS given(message_id, stream, back, type, before, after, place)
    JOIN heads USING (stream) ORDER BY given.place
"""


def append_next(db: Connection, drafts: Sequence[Envelope], at: datetime) -> None:
    """Store new events in order, each under the next version of its stream, whatever version the draft bears.

    Locks the streams until the end. On PostgreSQL one statement that nobody waits for: the version is put into the
    envelope there.
    """
    if db.dialect.name == "postgresql":
        for start in range(0, len(drafts), _STORED):
            values = _next_values(drafts[start : start + _STORED]) | {"at": at}
            fixed.run_later(db, _APPEND_NEXT, values)
        return
    counts = Counter(draft.stream for draft in drafts)
    following = take_versions(db, counts)
    envelopes = []
    for draft in drafts:
        envelopes.append(replace(draft, streamversion=following[draft.stream]))
        following[draft.stream] += 1
    append(db, envelopes, at)


def _next_values(drafts: Sequence[Envelope]) -> dict[str, Any]:
    counts = Counter(draft.stream for draft in drafts)
    left = dict(counts)
    back = []
    for draft in drafts:
        left[draft.stream] -= 1
        back.append(left[draft.stream])
    streams = sorted(counts)
    before, after = zip(*(draft.around_version() for draft in drafts), strict=True)
    return {
        "streams": streams, "counts": [counts[stream] for stream in streams], "ids": [draft.id for draft in drafts],
        "of": [draft.stream for draft in drafts], "back": back, "types": [draft.type for draft in drafts],
        "before": list(before), "after": list(after),
    }  # fmt: skip


def append_published(db: Connection, recorded: Sequence[tuple[Envelope, bytes]], at: datetime) -> None:
    """Store events that left earlier and are lost here, with their exact bytes, as published."""
    rows = [(each.id, each.stream, each.streamversion, each.type, raw, each.time, at) for each, raw in recorded]
    _APPEND_PUBLISHED.run(db, rows)


def known(db: Connection, message_ids: Sequence[str]) -> set[str]:
    """Which of these events are stored."""
    found: set[str] = set()
    for start in range(0, len(message_ids), _LOOKED_UP):
        some = message_ids[start : start + _LOOKED_UP]
        found |= set(db.execute(select(outbox.c.message_id).where(outbox.c.message_id.in_(some))).scalars())
    return found


def heads(db: Connection, streams: Sequence[str]) -> dict[str, int]:
    """The last version given out of each of these streams; 0 of one that is unknown."""
    found = dict.fromkeys(streams, 0)
    for start in range(0, len(streams), _LOOKED_UP):
        some = streams[start : start + _LOOKED_UP]
        query = select(stream_heads.c.stream, stream_heads.c.version).where(stream_heads.c.stream.in_(some))
        found |= {row.stream: row.version for row in db.execute(query)}
    return found


def was_stored(db: Connection, message_id: str, at: datetime) -> bool:
    """Whether the transaction that wrote this event has committed; waits until it has ended. The caller rolls back.

    Writes the event's id itself: a transaction still under way holds us up, one that committed is in our way, and of
    one that was rolled back nothing is there. A look at the table could not tell the first from the last.
    """
    trial = {
        "message_id": message_id, "stream": message_id, "stream_version": 0, "type": "", "envelope": b"",
        "created_at": at,
    }  # fmt: skip
    statement = upsert(db.dialect.name, outbox).values(trial).on_conflict_do_nothing()
    return db.execute(statement).rowcount == 0


def raise_heads(db: Connection, versions: Mapping[str, int]) -> None:
    """Give out no version up to these any more: somebody has seen them."""
    for stream, version in sorted(versions.items()):
        statement = upsert(db.dialect.name, stream_heads).values(stream=stream, version=version)
        newer = statement.excluded.version > stream_heads.c.version
        db.execute(
            statement.on_conflict_do_update(
                index_elements=[stream_heads.c.stream], set_={"version": statement.excluded.version}, where=newer
            )
        )


_PENDING = (
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
    .limit(bindparam("most", type_=Integer()))
)
_PENDING_OF_ALL = Fixed(_PENDING)


def pending(db: Connection, limit: int, *, without: Collection[str] = ()) -> list[Pending]:
    """The oldest unpublished rows, but for some streams.

    Selected by `published_at IS NULL`, never by position after the last one.
    """
    most = {"most": limit}
    if without:
        rows: Sequence[Any] = db.execute(_PENDING.where(outbox.c.stream.not_in(without)), most).all()
    else:
        rows = _PENDING_OF_ALL.all(db, most)
    return [
        Pending(
            position=row.position, message_id=row.message_id, stream=row.stream, type=row.type,
            envelope=bytes(row.envelope), created_at=row.created_at,
        )
        for row in rows
    ]  # fmt: skip


_MARK = {
    # One array instead of as many values as there are rows: a text that does not change is not compiled again.
    "postgresql": "UPDATE outbox SET published_at = %(at)s WHERE published_at IS NULL AND message_id = ANY(%(ids)s)",
}


def mark_published(db: Connection, message_ids: Iterable[str], at: datetime) -> int:
    """Mark exactly these rows; returns how many were still unmarked."""
    ids = list(message_ids)
    if not ids:
        return 0
    if db.dialect.name in _MARK:
        return fixed.run(db, _MARK[db.dialect.name], {"at": at, "ids": ids}, fixed.rows_written)
    statement = (
        update(outbox).where(outbox.c.message_id.in_(ids), outbox.c.published_at.is_(None)).values(published_at=at)
    )
    return db.execute(statement).rowcount


_BACKLOG = select(func.count(), func.min(outbox.c.created_at)).where(outbox.c.published_at.is_(None))


def backlog(db: Connection) -> tuple[int, datetime | None]:
    """How many rows wait, and when the oldest was written."""
    row = db.execute(_BACKLOG).one()
    return row[0], row[1]
