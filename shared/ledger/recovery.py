"""Recovery: a service whose database was restored to an earlier moment does again what it had done since.

What the service told in the lost time is known: its events are in the trace, byte for byte, and others have acted on
them. So they are not told anew. Each lost transaction is done again by the very handler that did it, at the instant,
under the ids and by the actor that its events name; it counts only when the handler then tells exactly what was told
before. What cannot be done again is said, never guessed, and its versions are never given out a second time.

For a service that is stopped. Knows no service: how a command is told from its events is the service's own
(`services/<name>/recovery.py`).
"""

from __future__ import annotations

import json
import logging
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import Connection, select

from shared.contracts import envelope as envelopes
from shared.contracts import registry, shapes, topology
from shared.contracts.envelope import Envelope
from shared.kernel.actor import SYSTEM, Actor
from shared.kernel.clock import ManualClock
from shared.kernel.errors import Refusal
from shared.kernel.ids import Ids
from shared.kernel.sealing import Sealer
from shared.ledger import inbox, outbox, parking, quarantine
from shared.ledger.reception import Outcome, Reception
from shared.ledger.tables import stream_positions
from shared.ledger.unit_of_work import Surroundings, UnitOfWork, look_only, unit_of_work

log = logging.getLogger(__name__)

#: Why a message is quarantined whose lost effects could not be done again.
REASON = "recovery-differs"
#: Smallest difference between two instants that the suite keeps.
_INSTANT = timedelta(microseconds=1)
Recorded = tuple[Envelope, bytes]


class Differs(Exception):
    """Done again, the transaction would tell something else than it told. Nothing of it was stored."""


@dataclass(frozen=True, kw_only=True)
class Lost:
    """What one transaction told, in the order in which it told it."""

    events: tuple[Recorded, ...]

    @property
    def first(self) -> Envelope:
        """Its first event."""
        return self.events[0][0]

    @property
    def at(self) -> datetime:
        """When it happened."""
        return self.first.time

    def of(self, *names: str) -> list[Envelope]:
        """Its events of these names; none given: all."""
        return [envelope for envelope, _ in self.events if not names or envelope.name in names]


@dataclass(frozen=True, kw_only=True)
class Retold:
    """How a lost transaction is done again."""

    #: Ids that it made, in the order in which it made them; and tracking codes.
    ids: Sequence[str] = ()
    codes: Sequence[str] = ()
    #: Sealed texts that it made, in order.
    sealed: Sequence[str] = ()
    #: What did it, when that was no message: a command or due work. None: nobody can tell.
    run: Callable[[UnitOfWork], object] | None = None
    actor: Actor = SYSTEM


#: A service's own knowledge: its lost transaction -> how to do it again.
Retell = Callable[[Lost, Surroundings], Retold]


@dataclass(kw_only=True)
class Recovered:
    """What came of it."""

    #: Transactions done again, and how many events they had told.
    transactions: int = 0
    events: int = 0
    #: Messages of others handled now.
    received: Counter[Outcome] = field(default_factory=Counter)
    #: Transactions that could not be done again, with the reason.
    left: list[tuple[Lost, str]] = field(default_factory=list)


def lost_of(at_hand: Surroundings, recorded: Iterable[bytes]) -> list[Lost]:
    """The transactions whose events are recorded and not in the service's own books, oldest first.

    `recorded`: the trace since the moment restored to, or a little before; not as far back as the outbox was purged.
    """
    own = [(envelopes.from_bytes(raw), raw) for raw in recorded]
    own = [(envelope, raw) for envelope, raw in own if envelope.service == at_hand.service]
    with look_only(at_hand) as work:
        known = outbox.known(work.db, [envelope.id for envelope, _ in own])
    # Ids are uuid7, made in the order of telling: they bring back the order that the streams do not share.
    missing = sorted(
        (pair for pair in own if pair[0].id not in known),
        key=lambda pair: (pair[0].time, pair[0].id),
    )
    groups: dict[tuple[Any, ...], list[Recorded]] = {}
    for envelope, raw in missing:
        key = (envelope.causationid,) if envelope.causationid else (None, envelope.correlationid, envelope.time)
        groups.setdefault(key, []).append((envelope, raw))
    return [Lost(events=tuple(events)) for events in groups.values()]


def recover(
    reception: Reception,
    lost: Sequence[Lost],
    heard: Sequence[Recorded],
    retell: Retell,
    *,
    until: datetime | None = None,
    progress: Callable[[], None] = lambda: None,
) -> Recovered:
    """Do the lost transactions again, then hand over what the service heard in the lost time.

    `heard`: the others' events that the service listens to, in the trace's order; those it knows are duplicates.
    `until`: when the service stopped, as far as known; else, when it told its last event. Safe to repeat, and to kill
    at any instant. Raises Transient, HandlerFailed.
    """
    session = _Session(reception=reception, retell=retell, lost=lost, heard=heard, until=until)
    session.keep_versions(lost)
    for each in lost:
        session.redo(each)
        progress()
    for envelope, raw in heard:
        if envelope.id not in session.left_causes:
            session.hear(envelope, raw)
        progress()
    reception.sweep()
    return session.done


def beyond(db: Connection, service: str) -> dict[str, int]:
    """Stream -> version: how far a consumer has got with each stream of `service`, from the consumer's database."""
    query = select(stream_positions.c.stream, stream_positions.c.version).where(
        stream_positions.c.stream.startswith(f"{service}.", autoescape=True)
    )
    return {row.stream: row.version for row in db.execute(query)}


def pass_over(at_hand: Surroundings, seen: Mapping[str, int]) -> dict[str, int]:
    """Never give out again what a consumer has seen; returns the versions of which nobody has the event any more.

    Stream -> how many. A service that hears itself (oversight) is not left waiting for them.
    """
    with unit_of_work(at_hand) as work:
        heads = outbox.heads(work.db, list(seen))
        gone = {stream: version - heads[stream] for stream, version in seen.items() if version > heads[stream]}
        outbox.raise_heads(work.db, {stream: seen[stream] for stream in gone})
        if any(subscription.source == at_hand.service for subscription in topology.subscriptions_of(at_hand.service)):
            inbox.lock(work.db, at_hand.service, gone)
            inbox.advance(work.db, at_hand.service, {stream: seen[stream] for stream in gone})
        work.commit()
    return gone


class _Session:
    """One recovery under way."""

    def __init__(
        self,
        *,
        reception: Reception,
        retell: Retell,
        lost: Sequence[Lost],
        heard: Sequence[Recorded],
        until: datetime | None,
    ) -> None:
        causes = {each.first.causationid for each in lost}
        self._reception = reception
        self._retell = retell
        self._heard = {envelope.id: (envelope, raw) for envelope, raw in heard}
        #: Heard and not the cause of anything told: may be needed for what came after them.
        self._silent: Iterator[Recorded] = iter([pair for pair in heard if pair[0].id not in causes])
        self._next_silent = next(self._silent, None)
        self._alive_until = until or max((each.at for each in lost), default=None)
        self.left_causes: set[str] = set()
        self.done = Recovered()

    def keep_versions(self, lost: Sequence[Lost]) -> None:
        """Before anything else: what others have seen is never given out again."""
        versions: dict[str, int] = {}
        for each in lost:
            for envelope, _ in each.events:
                versions[envelope.stream] = max(versions.get(envelope.stream, 0), envelope.streamversion)
        with unit_of_work(self._reception.at_hand) as work:
            outbox.raise_heads(work.db, versions)
            work.commit()

    def redo(self, lost: Lost) -> None:
        """Do one transaction again, after what was heard before it and caused nothing told."""
        self._hear_before(lost.at)
        why = self._attempt(lost)
        # Heard and told in the same instant: which came first, the attempt shows.
        if why is not None and self._hear_before(lost.at + _INSTANT):
            why = self._attempt(lost)
        if why is None:
            self.done.transactions += 1
            self.done.events += len(lost.events)
            return
        log.error("not done again", extra={"event": lost.first.type, "subject": lost.first.subject, "reason": why})
        self.done.left.append((lost, why))
        self._give_up(lost, why)

    def _attempt(self, lost: Lost) -> str | None:
        """None when it is done; else why not."""
        try:
            retold = self._retell(lost, self._reception.at_hand)
            if lost.first.causationid is not None:
                self._caused(lost, retold)
            elif retold.run is not None:
                self._commanded(lost, retold, retold.run)
            else:
                return "Its events do not say what was done; do it by hand."
        except Refusal as refusal:
            return f"{refusal.code}: {refusal.what}"
        except Differs as differs:
            return str(differs)
        except registry.UnknownType as unknown:
            return f"{unknown}; recover with the release that told it."
        return None

    def _commanded(self, lost: Lost, retold: Retold, run: Callable[[UnitOfWork], object]) -> None:
        first = lost.first
        with unit_of_work(
            self._as_then(lost, retold), actor=retold.actor, correlation_id=first.correlationid,
            traceparent=first.traceparent,
        ) as work:  # fmt: skip
            run(work)
            _store(work, lost)

    def _caused(self, lost: Lost, retold: Retold) -> None:
        cause, _ = self._cause_of(lost)
        handler = self._reception.handlers.get(cause.name)
        if handler is None:
            message = f"This release has no handler for {cause.name}."
            raise Differs(message)
        with unit_of_work(
            self._as_then(lost, retold), cause=cause, correlation_id=cause.correlationid,
            traceparent=cause.traceparent,
        ) as work:  # fmt: skip
            position = inbox.step(work.db, self._reception.name, cause.stream, cause.streamversion)
            if position.version != cause.streamversion:
                message = (
                    f"{cause.stream} stands at {position.version}, and its cause is version {cause.streamversion}."
                )
                raise Differs(message)
            inbox.record(work.db, self._reception.name, cause.id, work.now)
            handler(cause.payload(), work)
            if position.waiting:
                parking.unpark(work.db, self._reception.name, cause.stream, cause.streamversion)
            _store(work, lost)

    def _cause_of(self, lost: Lost) -> Recorded:
        try:
            return self._heard[lost.first.causationid or ""]
        except KeyError:
            message = f"Its cause {lost.first.causationid} is not in the trace."
            raise Differs(message) from None

    def _as_then(self, lost: Lost, retold: Retold) -> Surroundings:
        at_hand = self._reception.at_hand
        return replace(
            at_hand,
            clock=ManualClock(lost.at),
            ids=_RecordedIds(retold.ids, retold.codes, at_hand.ids),
            sealer=_RecordedSealer(at_hand.sealer, retold.sealed),
        )

    def hear(self, envelope: Envelope, raw: bytes) -> None:
        """Hand over a message that caused nothing told: as of its own instant while the service was alive, else now."""
        reception = self._reception
        if self._alive_until is not None and envelope.time <= self._alive_until:
            then = replace(reception.at_hand, clock=ManualClock(envelope.time))
            reception = replace(reception, at_hand=then)
        self.done.received[reception.receive(raw)] += 1

    def _hear_before(self, at: datetime) -> bool:
        any_ = False
        while self._next_silent is not None and self._next_silent[0].time < at:
            self.hear(*self._next_silent)
            self._next_silent = next(self._silent, None)
            any_ = True
        return any_

    def _give_up(self, lost: Lost, why: str) -> None:
        """Keep what was told, so that the books agree with the trace; hold its cause for a person to decide."""
        with unit_of_work(self._reception.at_hand) as work:
            outbox.append_published(work.db, lost.events, work.now)
            cause = self._heard.get(lost.first.causationid or "")
            if cause is not None:
                quarantine.hold(
                    work.db, entry_id=work.new_id(), handler=self._reception.name, message_id=cause[0].id,
                    reason=REASON, detail=why, body=cause[1], at=work.now,
                )  # fmt: skip
                self.left_causes.add(cause[0].id)
            work.commit()


def _store(work: UnitOfWork, lost: Lost) -> None:
    """Commit under the envelopes that left then. Raises Differs unless exactly these were told now.

    Fields that a type has got since are left out of account: the release that told it then did not know them.
    """
    known: dict[str, set[str]] = {}
    for envelope, _ in lost.events:
        known.setdefault(envelope.type, set()).update(envelope.data)
    now = Counter(
        _telling((type_, stream, {name: data[name] for name in data if name in known.get(type_, data)}))
        for type_, stream, data in work.told()
    )
    then = Counter(_telling((envelope.type, envelope.stream, envelope.data)) for envelope, _ in lost.events)
    if now != then:
        message = f"Told then and not now: {_names(then - now)}; now and not then: {_names(now - then)}."
        if any(_is_newer(envelope) for envelope, _ in lost.events):
            message += " A newer release told it: recover with that one."
        raise Differs(message)
    outbox.append_published(work.db, lost.events, work.now)
    # Told again: whether it left then nobody knows, and departments drop what they have by its id.
    outbox.append(work.db, work.letters(), work.now)
    work.db.commit()


def _is_newer(envelope: Envelope) -> bool:
    """Whether it has something that this release's events do not have."""
    if not registry.is_known(envelope.type):
        return True
    return not set(envelope.data) <= set(shapes.schema_of(registry.by_type(envelope.type).shape).fields)


def _telling(told: tuple[str, str, Mapping[str, Any]]) -> tuple[str, str, str]:
    type_, stream, data = told
    return type_, stream, json.dumps(data, ensure_ascii=False, sort_keys=True)


def _names(tellings: Counter[tuple[str, str, str]]) -> str:
    return ", ".join(sorted({registry.label_of(type_) for type_, _, _ in tellings})) or "nothing"


class _RecordedIds:
    """Gives out the ids of then, and fresh ones for what no event tells of."""

    def __init__(self, ids: Sequence[str], codes: Sequence[str], fresh: Ids) -> None:
        self._ids, self._codes, self._fresh = iter(ids), iter(codes), fresh

    def new(self) -> str:
        """The next id of then."""
        return next(self._ids, None) or self._fresh.new()

    def code(self) -> str:
        """The next tracking code of then."""
        return next(self._codes, None) or self._fresh.code()


class _RecordedSealer(Sealer):
    """Seals to the texts of then: sealing the same content twice gives two texts."""

    def __init__(self, sealer: Sealer, texts: Sequence[str]) -> None:
        self.__dict__.update(vars(sealer))
        self._texts = iter(texts)

    def seal(self, content: Mapping[str, Any]) -> str:
        """The text of then, if it opens to just this content."""
        text = next(self._texts, None)
        if text is None:
            return super().seal(content)
        if self.open(text) != dict(content):
            message = "What was sealed then was something else."
            raise Differs(message)
        return text
