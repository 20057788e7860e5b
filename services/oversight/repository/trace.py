"""The trace's SQL: append under the head's lock, verify and export as a stream.

It must never update or delete a row of the trace.
"""

from __future__ import annotations

import base64
import json
from collections.abc import Iterator, Sequence
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, Row, bindparam, func, select, update

from services.oversight.domain.chain import START, Link, VerifyResult, check, check_end
from services.oversight.repository import stored
from services.oversight.tables import trace, trace_head
from shared.contracts.envelope import Envelope
from shared.kernel.clock import rfc3339
from shared.kernel.hashing import chain_link
from shared.ledger.bulk import Inserting
from shared.ledger.fixed import Fixed

#: The only row of trace_head.
_HEAD = 1


def append(db: Connection, events: Sequence[tuple[Envelope, bytes]], at: datetime) -> Link:
    """Store events' bytes as the next links; three statements, however many events.

    The head stays locked until the transaction ends. Returns the new head.
    """
    end = _lock_head(db)
    recorded_at = rfc3339(at)
    rows = []
    for envelope, raw in events:
        position = end.position + 1
        link = Link(position=position, hash=chain_link(end.hash, position, recorded_at, raw))
        rows.append(
            (
                position, envelope.id, envelope.type, envelope.stream, envelope.streamversion, envelope.subject,
                envelope.time, at, raw, end.hash, link.hash,
            )
        )  # fmt: skip
        end = link
    if rows:
        _APPEND.run(db, rows)
        _MOVE_HEAD.later(db, {"to_position": end.position, "to_hash": end.hash})
    return end


_APPEND = Inserting(
    table=trace,
    columns=(
        "position", "message_id", "type", "stream", "stream_version", "subject", "time", "recorded_at", "envelope",
        "previous_hash", "hash",
    ),
)  # fmt: skip
_MOVE_HEAD = Fixed(
    update(trace_head)
    .where(trace_head.c.id == _HEAD)
    .values(position=bindparam("to_position"), hash=bindparam("to_hash"))
)
# One statement that makes or touches the row: whoever comes second waits and then reads what the first committed.
_LOCK_HEAD = Inserting(
    table=trace_head, columns=("id", "position", "hash"),
    conflict="ON CONFLICT (id) DO UPDATE SET position = trace_head.position", returning=("position", "hash"),
)  # fmt: skip


def _lock_head(db: Connection) -> Link:
    (row,) = _LOCK_HEAD.run(db, [(_HEAD, START.position, START.hash)])
    return Link(position=row.position, hash=row.hash)


def head(db: Connection) -> Link:
    """The end of the chain; START while nothing is stored."""
    return _kept_head(db) or START


def _kept_head(db: Connection) -> Link | None:
    return stored.link(db, trace_head, trace_head.c.id == _HEAD)


def verify(db: Connection, from_position: int = 0) -> VerifyResult:
    """Check every row after `from_position` and the head, reading in batches; safe while events are being stored.

    From a position above 0 the row there is taken as given (an anchor checked earlier).
    """
    # The head first: rows stored while we read lie beyond it and are left to the next verification.
    kept = _kept_head(db)
    after = START
    if from_position > 0:
        anchor = stored.link(db, trace, trace.c.position == from_position)
        if anchor is None:
            return VerifyResult(rows=0, ok=False, first_bad=from_position, why="The row to start from is missing.")
        after = anchor
    else:
        stray = db.execute(select(func.min(trace.c.position)).where(trace.c.position < 1)).scalar_one()
        if stray is not None:
            return VerifyResult(rows=0, ok=False, first_bad=stray, why="Positions start at 1.")
    end = kept.position if kept is not None else 0
    result = check_end(check(stored.rows(db, from_position, end), after), kept)
    return _check_beyond(db, result) if result.ok else result


def _check_beyond(db: Connection, result: VerifyResult) -> VerifyResult:
    """Rows beyond the head as it is now: one statement, so that rows just being stored are no false alarm."""
    current = select(trace_head.c.position).where(trace_head.c.id == _HEAD).scalar_subquery()
    beyond = select(func.min(trace.c.position)).where(trace.c.position > func.coalesce(current, 0))
    found = db.execute(beyond).scalar_one()
    if found is None:
        return result
    why = "The row lies beyond the head: it was put there, or the head was changed."
    return VerifyResult(rows=result.rows, ok=False, first_bad=found, why=why, head=result.head)


def envelopes(db: Connection, after: int = 0) -> Iterator[bytes]:
    """Every stored event's bytes in order, streamed."""
    for row in stored.rows(db, after):
        yield row.envelope


def export(db: Connection, from_position: int = 0) -> Iterator[bytes]:
    """The trace as JSON lines, streamed: position, recorded_at, previous_hash, hash, the envelope as text.

    docs/trace.md says how a stranger checks them.

    What is no UTF-8 goes out as `envelope_base64`. Holds residents' words and sealed contact data: not for publication.
    """
    for row in stored.rows(db, from_position):
        line: dict[str, object] = {
            "position": row.position,
            "recorded_at": rfc3339(row.recorded_at) if row.recorded_at is not None else None,
            "previous_hash": row.previous_hash,
            "hash": row.hash,
        }
        try:
            line["envelope"] = row.envelope.decode("utf-8")
        except UnicodeDecodeError:
            line["envelope_base64"] = base64.b64encode(row.envelope).decode("ascii")
        # A tampered hash may be no text at all; its line still is JSON.
        yield json.dumps(line, ensure_ascii=False, separators=(",", ":")).encode(errors="backslashreplace") + b"\n"


def of_subject(db: Connection, subject: str, *, after: int, limit: int) -> Sequence[Row[*tuple[Any, ...]]]:
    """The stored events about one matter, oldest first, at most `limit` after a position."""
    query = (
        select(trace.c.position, trace.c.envelope, trace.c.hash, trace.c.recorded_at)
        .where(trace.c.subject == subject, trace.c.position > after)
        .order_by(trace.c.position)
        .limit(limit)
    )
    return db.execute(query).all()
