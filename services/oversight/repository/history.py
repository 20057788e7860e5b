"""The trace as the source that events are taken from: for replays (`Trace`) and rebuilds (`TraceHistory`).

It must never hand out bytes that are not those it stored: each row's link is checked.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import ColumnElement, Connection, Engine, Row, func, or_, select

from services.oversight.repository import trace as kept
from services.oversight.tables import trace
from shared.contracts.topology import subscriptions_of
from shared.kernel.clock import rfc3339
from shared.kernel.errors import Conflict
from shared.kernel.hashing import chain_link
from shared.ledger.engines import reading
from shared.ledger.read_model import Past
from shared.ledger.replay import Kept, of_kinds

#: Rows of the trace that one query looks at, and that it returns at most.
_WINDOW, _PAGE = 20_000, 2_000
_LINKED = (trace.c.position, trace.c.recorded_at, trace.c.envelope, trace.c.previous_hash, trace.c.hash)


class TraceDamaged(Conflict):
    """A row of the trace is not what was stored. Verify the trace and restore it before anything is taken from it."""

    code = "trace-damaged"


def checked_bytes(row: Row[*tuple[Any, ...]]) -> bytes:
    """A row's envelope. Raises TraceDamaged when the row's hash is not that of its bytes."""
    raw = bytes(row.envelope)
    if chain_link(row.previous_hash, row.position, rfc3339(row.recorded_at), raw) != row.hash:
        raise TraceDamaged(
            f"Row {row.position} of the trace is not what was stored.", where=f"position {row.position}",
            remedy="Run gridwhistle verify-trace, and restore oversight's database.",
        )  # fmt: skip
    return raw


def heard_by(service: str) -> ColumnElement[bool]:
    """SQL: the events that a service hears."""
    return or_(*[of_kinds(trace.c.stream, each.source, each.streams) for each in subscriptions_of(service)])


@dataclass(frozen=True, kw_only=True)
class Trace:
    """The events in the trace that a service hears."""

    engine: Engine
    consumer: str
    matter: str | None = None
    name: str = "trace"

    def bounds(self) -> tuple[int, int]:
        """From the beginning to the head as it is now."""
        with reading(self.engine) as db:
            return 0, kept.head(db).position

    def page(self, after: int, until: int) -> tuple[Sequence[Kept], int]:
        """Rows in the order of the chain."""
        if self.matter is None:
            until = min(until, after + _WINDOW)
        query = (
            select(trace.c.position, trace.c.message_id, trace.c.stream, trace.c.stream_version, trace.c.recorded_at)
            .where(trace.c.position > after, trace.c.position <= until, heard_by(self.consumer))
            .order_by(trace.c.position)
            .limit(_PAGE)
        )
        if self.matter is not None:
            query = query.where(trace.c.subject == self.matter)
        with reading(self.engine) as db:
            rows = db.execute(query).all()
        found = [
            Kept(
                source=self.name, position=row.position, message_id=row.message_id, stream=row.stream,
                stream_version=row.stream_version, at=row.recorded_at,
            )
            for row in rows
        ]  # fmt: skip
        return found, found[-1].position if len(found) == _PAGE else until

    def bytes_of(self, events: Sequence[Kept]) -> Mapping[int, bytes]:
        """Position -> the exact bytes. Raises TraceDamaged."""
        query = select(*_LINKED).where(trace.c.position.in_([event.position for event in events]))
        with reading(self.engine) as db:
            return {row.position: checked_bytes(row) for row in db.execute(query)}


class TraceHistory:
    """The events in the trace, by matter; its functions take a connection to oversight's database."""

    owner = "oversight"

    def subjects(self, db: Connection, after: str, until: str, limit: int) -> Sequence[str]:
        """What events are about, in the database's order."""
        query = select(trace.c.subject).where(trace.c.subject > after, trace.c.subject <= until).distinct()
        return db.execute(query.order_by(trace.c.subject).limit(limit)).scalars().all()

    def last_subject(self, db: Connection) -> str:
        """The last of them; empty when there is none."""
        return db.execute(select(func.max(trace.c.subject))).scalar_one() or ""

    def unknown(self, db: Connection, subjects: Sequence[str]) -> list[str]:
        """Those of these that no event is about."""
        query = select(trace.c.subject).where(trace.c.subject.in_(subjects)).distinct()
        known = set(db.execute(query).scalars())
        return [subject for subject in subjects if subject not in known]

    def of(self, db: Connection, subjects: Sequence[str], types: set[str], after: int) -> Sequence[Past]:
        """The events about these matters stored behind a position, in order. Raises TraceDamaged."""
        query = (
            select(trace.c.message_id, trace.c.stream, trace.c.stream_version, trace.c.subject, *_LINKED)
            .where(trace.c.subject.in_(subjects), trace.c.position > after, trace.c.type.in_(sorted(types)))
            .order_by(trace.c.position)
        )
        return [
            Past(
                message_id=row.message_id, stream=row.stream, stream_version=row.stream_version, subject=row.subject,
                raw=checked_bytes(row),
            )
            for row in db.execute(query)
        ]  # fmt: skip

    def head(self, db: Connection) -> int:
        """The position of the last event."""
        return kept.head(db).position

    def holds(self, db: Connection, message_ids: Sequence[str]) -> set[str]:
        """Which of these messages are in it."""
        return set(db.execute(select(trace.c.message_id).where(trace.c.message_id.in_(message_ids))).scalars())
