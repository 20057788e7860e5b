"""Replay: events that a service hears are handed to it again; what it handled is a duplicate, what it lost is handled.

Works on a live system: everything new goes through the service's own reception, with its inbox, stream positions and
locks. What a position says was handled is not even read: it is counted. In batches, oldest first; killed at any instant
and run again it does no harm, and goes on where it stopped when resumed. It must never publish anything: only the one
service named hears the events.
"""

from __future__ import annotations

import heapq
import json
import time
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Protocol

from sqlalchemy import ColumnElement, Connection, Engine, LargeBinary, func, literal, or_, select

from shared.contracts.topology import Subscription
from shared.ledger import inbox
from shared.ledger.engines import reading
from shared.ledger.errors import HandlerFailed, Transient
from shared.ledger.interventions import DONE, Job
from shared.ledger.reception import Received
from shared.ledger.tables import outbox
from shared.ledger.unit_of_work import Surroundings

#: Rows of a source that one query looks at, whether they are asked for or not, so that none runs long.
_WINDOW = 20_000
#: Events read at once, and handed over in one transaction.
_PAGE, _BATCH = 2_000, 100
#: Tries at a batch that met a lock or a lost connection, and seconds before the second; doubles each time.
_TRIES, _FIRST_PAUSE_S = 7, 0.1

Receive = Callable[[Sequence[bytes]], Sequence[Received]]


@dataclass(frozen=True, kw_only=True)
class Kept:
    """An event as a source keeps it; its bytes are fetched when they are needed."""

    source: str
    #: Where it stands in the source; grows.
    position: int
    message_id: str
    stream: str
    stream_version: int
    at: datetime


class Source(Protocol):
    """Where events are kept: an outbox, or the trace."""

    @property
    def name(self) -> str:
        """Names it among the sources of one replay."""
        ...

    def bounds(self) -> tuple[int, int]:
        """The positions before the first event and of the last one there is now."""
        ...

    def page(self, after: int, until: int) -> tuple[Sequence[Kept], int]:
        """Some events behind a position that are asked for, in order, and the position looked at last."""
        ...

    def bytes_of(self, events: Sequence[Kept]) -> Mapping[int, bytes]:
        """Position -> the exact bytes."""
        ...


def of_kinds(column: Any, service: str, kinds: Sequence[str]) -> ColumnElement[bool]:
    """SQL: the stream is one of these kinds of the service; "*" is every kind."""
    if "*" in kinds:
        everything: ColumnElement[bool] = column.startswith(f"{service}.", autoescape=True)
        return everything
    return or_(*[column.startswith(f"{service}.{kind}:", autoescape=True) for kind in sorted(kinds)])


def about(db: Connection, column: Any, matter: str) -> ColumnElement[bool]:
    """SQL: the envelope's bytes name the matter as their subject (`Envelope.to_bytes` writes it just so)."""
    wanted = literal(f'"subject":{json.dumps(matter, ensure_ascii=False)},'.encode(), LargeBinary)
    if db.dialect.name == "postgresql":
        return func.position(wanted.op("IN")(column)) > 0
    return func.instr(column, wanted) > 0


@dataclass(frozen=True, kw_only=True)
class Outbox:
    """The published events of one source's outbox that a subscription hears, from an instant on."""

    engine: Engine
    subscription: Subscription
    since: datetime
    matter: str | None = None

    @property
    def name(self) -> str:
        """The source."""
        return self.subscription.source

    def bounds(self) -> tuple[int, int]:
        """The positions before the first row and of the last one."""
        with reading(self.engine) as db:
            first, last = db.execute(select(func.min(outbox.c.position), func.max(outbox.c.position))).one()
        return (first or 1) - 1, last or 0

    def begins(self) -> datetime | None:
        """When the oldest row was written, if older ones were purged; None: it goes back to the beginning."""
        with reading(self.engine) as db:
            row = db.execute(
                select(outbox.c.position, outbox.c.created_at).order_by(outbox.c.position).limit(1)
            ).one_or_none()
        return row.created_at if row is not None and row.position > 1 else None

    def page(self, after: int, until: int) -> tuple[Sequence[Kept], int]:
        """Published rows; what is not published yet comes by the broker anyway."""
        until = min(until, after + _WINDOW)
        with reading(self.engine) as db:
            query = (
                select(
                    outbox.c.position, outbox.c.message_id, outbox.c.stream, outbox.c.stream_version,
                    outbox.c.created_at,
                )
                .where(
                    outbox.c.position > after, outbox.c.position <= until, outbox.c.published_at >= self.since,
                    of_kinds(outbox.c.stream, self.name, self.subscription.streams),
                )
                .order_by(outbox.c.position)
                .limit(_PAGE)
            )  # fmt: skip
            if self.matter is not None:
                query = query.where(about(db, outbox.c.envelope, self.matter))
            rows = db.execute(query).all()
        found = [
            Kept(
                source=self.name, position=row.position, message_id=row.message_id, stream=row.stream,
                stream_version=row.stream_version, at=row.created_at,
            )
            for row in rows
        ]  # fmt: skip
        return found, found[-1].position if len(found) == _PAGE else until

    def bytes_of(self, events: Sequence[Kept]) -> Mapping[int, bytes]:
        """Position -> the exact bytes."""
        query = select(outbox.c.position, outbox.c.envelope).where(
            outbox.c.position.in_([event.position for event in events])
        )
        with reading(self.engine) as db:
            return {row.position: bytes(row.envelope) for row in db.execute(query)}


@dataclass(kw_only=True)
class Account:
    """What came of a replay so far."""

    #: Outcome (or `lost`, in a dry run: what would be handed over) -> how many events.
    counts: Counter[str] = field(default_factory=Counter)
    #: Source -> position up to which it is done.
    done: dict[str, int] = field(default_factory=dict)

    def as_detail(self) -> dict[str, Any]:
        """As an intervention keeps it."""
        return {"counts": dict(self.counts), "done": dict(self.done)}


class Replay:
    """One replay, from its sources into one service."""

    def __init__(
        self,
        at_hand: Surroundings,
        sources: Sequence[Source],
        receive: Receive,
        *,
        job: Job | None,
        pause: Callable[[float], None] = time.sleep,  # noqa: TID251 -- a plain process waits for its database
    ) -> None:
        """`job`: the intervention it is done for; None: a dry run, which hands nothing over."""
        self._at_hand = at_hand
        self._sources = {source.name: source for source in sources}
        self._receive = receive
        self._job = job
        self._pause = pause
        before = job.before if job is not None else {}
        bounds = {source.name: source.bounds() for source in sources}
        self.account = Account(counts=Counter(before.get("counts", {})))
        self._ends = {name: last for name, (_, last) in bounds.items()}
        for name, (first, _) in bounds.items():
            self.account.done[name] = max(first, int(before.get("done", {}).get(name, first)))
        self._firsts = dict(self.account.done)

    @property
    def total(self) -> int:
        """Positions to look at."""
        return sum(max(0, self._ends[name] - first) for name, first in self._firsts.items())

    @property
    def completed(self) -> int:
        """Positions looked at."""
        return sum(self.account.done[name] - first for name, first in self._firsts.items())

    def run(self, progress: Callable[[], None] = lambda: None) -> Account:
        """Hand everything over. Raises Transient when a database stays away: resume later."""
        streams = [self._events(source) for source in self._sources.values()]
        batch: list[Kept] = []
        for event in heapq.merge(*streams, key=lambda event: event.at):
            batch.append(event)
            if len(batch) >= _PAGE:
                self._hand_over(batch)
                progress()
                batch = []
        self._hand_over(batch)
        self.account.done |= {name: max(end, self.account.done[name]) for name, end in self._ends.items()}
        if self._job is not None:
            self._job.save_now(self.account.as_detail(), state=DONE)
        progress()
        return self.account

    def _events(self, source: Source) -> Iterator[Kept]:
        after, until = self.account.done[source.name], self._ends[source.name]
        while after < until:
            events, after = source.page(after, until)
            yield from events

    def _hand_over(self, events: Sequence[Kept]) -> None:
        """Hand over those that are not known; duplicates cost no more than a look at the positions."""
        with reading(self._at_hand.engine) as db:
            positions = inbox.positions(db, self._at_hand.service, {event.stream for event in events})
        fresh = [
            event
            for event in events
            if event.stream_version == 0 or event.stream_version > positions.get(event.stream, 0)
        ]
        self.account.counts["duplicate"] += len(events) - len(fresh)
        if self._job is None:
            self.account.counts["lost"] += len(fresh)
        else:
            for start in range(0, len(fresh), _BATCH):
                self._deliver(fresh[start : start + _BATCH])
        for event in events:
            self.account.done[event.source] = event.position
        if self._job is not None and events:
            self._job.save_now(self.account.as_detail())

    def _deliver(self, events: Sequence[Kept]) -> None:
        found: dict[tuple[str, int], bytes] = {}
        for name, source in self._sources.items():
            mine = [event for event in events if event.source == name]
            if mine:
                found |= {(name, position): raw for position, raw in source.bytes_of(mine).items()}
        # A row may have been purged since it was listed.
        waiting = [found[event.source, event.position] for event in events if (event.source, event.position) in found]
        self.account.counts["purged"] += len(events) - len(waiting)
        pause = _FIRST_PAUSE_S
        for attempt in range(_TRIES):
            kept, last = self._receive_once(waiting)
            if not kept:
                return
            waiting = kept
            if isinstance(last, Transient):
                if attempt == _TRIES - 1:
                    raise last
                self._pause(pause)
                pause *= 2
        message = f"{len(waiting)} event(s) are neither handled nor quarantined after {_TRIES} tries"
        raise Transient(message)

    def _receive_once(self, raws: Sequence[bytes]) -> tuple[list[bytes], Transient | HandlerFailed | None]:
        """Those to try again (a bug is quarantined at the fifth try), and why."""
        kept, last = [], None
        for raw, received in zip(raws, self._receive(raws), strict=True):
            if received.outcome is not None:
                self.account.counts[received.outcome.value] += 1
            else:
                kept.append(raw)
                last = received.kept if not isinstance(last, Transient) else last
        return kept, last
