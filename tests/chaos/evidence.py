"""What the judge looks at: the trace, and each service's books, read once at rest.

Bytes are kept as digests, so that a run of ten thousand matters fits into memory.
"""

from __future__ import annotations

import json
from collections import Counter, defaultdict
from dataclasses import dataclass, field
from functools import cache
from typing import Any

from sqlalchemy import select

from services.oversight.tables import trace as trace_table
from shared.contracts import registry, topology
from shared.contracts.topology import SERVICES
from shared.kernel.hashing import sha256_hex
from shared.ledger import tables
from shared.ledger.engines import reading
from tests.chaos.builds import next_release

#: Rows fetched at once.
_BATCH = 2_000
#: Fields of events that are kept beside the envelope's own.
_IDS = (
    "matter_id", "demand_id", "topic_id", "ballot_id", "whistle_id", "opinion_id", "evaluation_id", "message_id",
    "attempt", "yes", "no", "abstain", "clock_id", "due_at", "percent", next_release.FIELD,
)  # fmt: skip


@dataclass(frozen=True, kw_only=True)
class Seen:
    """One event of the trace."""

    position: int
    id: str
    #: `intake.matter-opened`.
    name: str
    stream: str
    version: int
    correlation: str
    cause: str | None
    ids: dict[str, Any]
    digest: str


@dataclass(kw_only=True)
class Books:
    """One service's ledger."""

    #: Outbox: message id -> digest of its bytes; in order of position: (stream, version) too.
    outbox: dict[str, str] = field(default_factory=dict)
    unpublished: list[str] = field(default_factory=list)
    heads: dict[str, int] = field(default_factory=dict)
    inbox: set[str] = field(default_factory=set)
    positions: dict[str, int] = field(default_factory=dict)
    parked: list[str] = field(default_factory=list)
    #: (message id, reason, state) of everything that was ever set aside.
    quarantine: list[tuple[str, str, str]] = field(default_factory=list)
    #: Message id -> last error.
    failures: dict[str, str] = field(default_factory=dict)


@dataclass(kw_only=True)
class Evidence:
    """Everything, read once."""

    trace: list[Seen]
    books: dict[str, Books]
    #: Correlation id -> events of it that nothing caused: what its command did itself.
    firsthand: dict[str, list[Seen]] = field(default_factory=dict)

    def named(self, name):
        """Events of one name, in the trace's order."""
        return [seen for seen in self.trace if seen.name == name]

    @property
    def of_the_next_release(self):
        """How many events its processes told, and how many of types that this release does not know."""
        told = [seen for seen in self.trace if next_release.FIELD in seen.ids]
        return len(told), sum(seen.name.startswith("gridwhistle.") for seen in told)


def gather(world):
    """Read it all. The suite must be at rest."""
    seen = _trace(world)
    firsthand = defaultdict(list)
    for each in seen:
        if each.cause is None:
            firsthand[each.correlation].append(each)
    books = {name: _books(engine) for name, engine in world.engines.items()}
    return Evidence(trace=seen, books=books, firsthand=dict(firsthand))


def _trace(world):
    found = []
    with reading(world.engines["oversight"]) as db:
        query = select(trace_table.c.position, trace_table.c.envelope).order_by(trace_table.c.position)
        for row in db.execute(query, execution_options={"yield_per": _BATCH}):
            raw = bytes(row.envelope)
            content = json.loads(raw)
            data = content["data"]
            found.append(
                Seen(
                    position=row.position, id=content["id"], name=registry.label_of(content["type"]),
                    stream=content["stream"], version=content["streamversion"], correlation=content["correlationid"],
                    cause=content.get("causationid"), ids={key: data[key] for key in _IDS if key in data},
                    digest=sha256_hex(raw),
                )
            )  # fmt: skip
    return found


def _books(engine):
    books = Books()
    with reading(engine) as db:
        outbox = tables.outbox.c
        query = select(outbox.message_id, outbox.stream, outbox.envelope, outbox.published_at).order_by(outbox.position)
        for row in db.execute(query, execution_options={"yield_per": _BATCH}):
            # What departments are told is in no trace; whether it left counts all the same.
            if not row.stream.startswith("whistle."):
                books.outbox[row.message_id] = sha256_hex(bytes(row.envelope))
            if row.published_at is None:
                books.unpublished.append(row.message_id)
        heads, positions = tables.stream_heads.c, tables.stream_positions.c
        rows = db.execute(select(heads.stream, heads.version).where(~heads.stream.startswith("whistle.")))
        books.heads = {row.stream: row.version for row in rows}
        books.positions = {row.stream: row.version for row in db.execute(select(positions.stream, positions.version))}
        books.inbox = set(db.execute(select(tables.inbox.c.message_id)).scalars())
        books.parked = list(db.execute(select(tables.parked.c.message_id)).scalars())
        held = tables.quarantine.c
        books.quarantine = [tuple(row) for row in db.execute(select(held.message_id, held.reason, held.state))]
        failed = tables.failures.c
        failures = db.execute(select(failed.message_id, failed.last_error))
        books.failures = {row.message_id: row.last_error for row in failures}
    return books


def heard_by(consumer):
    """Whether a consumer hears an event, by its stream: `(stream) -> bool`."""
    queues = topology.subscriptions_of(consumer)

    @cache
    def hears(kind):
        return any(sub in queues for sub in topology.hearers(kind))

    return lambda stream: hears(stream.partition(":")[0])


def owner_of(stream):
    """The service that emits a stream."""
    return stream.split(".", 1)[0]


def counted(rows):
    """How often each occurs, those that occur once left out."""
    return {row: number for row, number in Counter(rows).items() if number > 1}


__all__ = ["SERVICES", "Books", "Evidence", "Seen", "counted", "gather", "heard_by", "owner_of"]
