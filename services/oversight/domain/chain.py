"""The rules of the chain: what makes a stored row of the trace believable (docs/trace.md).

It must never read a database: rows are handed in, in the order of their positions.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from datetime import datetime

from shared.kernel.clock import parse_instant, rfc3339
from shared.kernel.hashing import GENESIS, chain_link


@dataclass(frozen=True, kw_only=True, slots=True)
class Link:
    """The end of a chain: a position and the hash of the row there."""

    position: int
    hash: str


#: The end of an empty chain.
START = Link(position=0, hash=GENESIS)


@dataclass(frozen=True, kw_only=True, slots=True)
class TraceRow:
    """One stored row."""

    position: int
    message_id: str
    type: str
    stream: str
    stream_version: int
    subject: str
    #: None when what is stored is no instant, or not written as this database writes one.
    time: datetime | None
    #: When this installation stored the row; None as with `time`.
    recorded_at: datetime | None
    envelope: bytes
    previous_hash: str
    hash: str
    #: Whether every column holds a value of its own kind; SQLite would keep bytes in a text column.
    well_typed: bool = True


@dataclass(frozen=True, kw_only=True)
class VerifyResult:
    """What a verification found."""

    #: Rows that were checked and found good.
    rows: int
    ok: bool
    #: Position of the first row that is not what it was; None when all are good.
    first_bad: int | None = None
    #: What is wrong there, one sentence.
    why: str | None = None
    #: The end of the chain as far as it was good.
    head: Link = START


def check(rows: Iterable[TraceRow], after: Link = START) -> VerifyResult:
    """Check rows against the link before them; stops at the first fault and names it."""
    head = after
    count = 0
    for row in rows:
        fault = _fault(row, head)
        if fault is not None:
            first_bad = min(row.position, head.position + 1)  # after a gap, the first row that is missing
            return VerifyResult(rows=count, ok=False, first_bad=first_bad, why=fault, head=head)
        head = Link(position=row.position, hash=row.hash)
        count += 1
    return VerifyResult(rows=count, ok=True, head=head)


def check_end(result: VerifyResult, kept: Link | None) -> VerifyResult:
    """Compare the end of the checked rows with the head row kept beside them; None: there is no head row."""
    if not result.ok:
        return result
    head = kept or START
    if result.head.position < head.position:
        why = f"The row is missing: the head says that the chain ends at {head.position}."
        return replace(result, ok=False, first_bad=result.head.position + 1, why=why)
    if result.head.position > head.position:
        why = f"The row lies beyond the head, which says that the chain ends at {head.position}."
        return replace(result, ok=False, first_bad=head.position + 1, why=why)
    if result.head.hash != head.hash:
        why = f"The head's hash {head.hash} is not the row's {result.head.hash}: the head was changed."
        return replace(result, ok=False, first_bad=head.position, why=why)
    return result


def _fault(row: TraceRow, before: Link) -> str | None:
    if row.position != before.position + 1:
        if row.position > before.position:
            return f"The row is missing: after {before.position} comes {row.position}."
        return f"The position does not follow {before.position}."
    if row.previous_hash != before.hash:
        return f"previous_hash {row.previous_hash!r} is not the hash of the row before, {before.hash}."
    recorded_at = "no-instant" if row.recorded_at is None else rfc3339(row.recorded_at)
    expected = chain_link(row.previous_hash, row.position, recorded_at, row.envelope)
    if row.hash != expected:
        return f"The hash is {row.hash!r}, but recorded_at and the stored bytes give {expected}: one was changed."
    return _copy_fault(row)


def _copy_fault(row: TraceRow) -> str | None:
    """The columns repeat the envelope for searching; a changed copy would mislead without breaking the chain."""
    if not row.well_typed:
        return "A column holds a value of another kind than was stored there."
    content = _content(row.envelope)
    if content is None:
        return "The stored bytes are no event."
    copies = {
        "message_id": (row.message_id, content.get("id")),
        "type": (row.type, content.get("type")),
        "stream": (row.stream, content.get("stream")),
        "stream_version": (row.stream_version, content.get("streamversion")),
        "subject": (row.subject, content.get("subject")),
    }
    for column, (copy, original) in copies.items():
        if copy != original:
            return f"Column {column} says {copy!r}, the stored envelope {original!r}."
    said = str(content.get("time"))
    if row.time is None or not _same_instant(said, row.time):
        column = "no instant" if row.time is None else rfc3339(row.time)
        return f"Column time says {column}, the stored envelope {said}."
    return None


def _content(envelope: bytes) -> Mapping[str, object] | None:
    try:
        content = json.loads(envelope)
    except (ValueError, RecursionError):
        return None
    return content if isinstance(content, Mapping) else None


def _same_instant(said: str, instant: datetime) -> bool:
    try:
        return parse_instant(said) == instant
    except ValueError:
        return False
