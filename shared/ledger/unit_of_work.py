"""The unit of work.

One transaction in which a handler reads, decides, writes and emits. It rolls back unless committed.

Handlers see this and nothing else of the outside: the connection, the clock, ids, the actor, the pack. Events given to
`emit` get their stream version when the work commits, under the stream's row lock, so order in the outbox is
order of commits.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

from sqlalchemy import Connection, Engine

from shared.contracts import registry, shapes, whistles
from shared.contracts.envelope import SOURCE_PREFIX, Envelope
from shared.kernel.actor import SYSTEM, Actor
from shared.kernel.clock import Clock
from shared.kernel.errors import Forbidden, Invalid, Stale
from shared.kernel.ids import Ids
from shared.ledger import engines, outbox
from shared.plugins import Plugins

if TYPE_CHECKING:
    from datetime import datetime

    from shared.jurisdiction import Jurisdiction
    from shared.kernel.sealing import Sealer


@dataclass(frozen=True, kw_only=True)
class Surroundings:
    """What every unit of work of one service has at hand; made once at start."""

    service: str
    engine: Engine
    clock: Clock
    ids: Ids
    jurisdiction: Jurisdiction
    sealer: Sealer
    #: Secret that link tokens are made with.
    link_secret: str
    #: Where people reach the suite, for links in messages.
    public_url: str
    #: Folder for files that outlive a process (the file notifier's letters).
    data_dir: Path = Path("var")
    #: `smtp://user:password@host:port`, or empty.
    smtp_url: str = ""
    #: The plugins this service works with.
    plugins: Plugins = field(default_factory=Plugins)
    #: When there will be due work, told by the service's definition; for the operations endpoint.
    next_due: Callable[[Connection], datetime | None] | None = None
    #: What outsiders are told because of an event: called for each one when the work commits (ServiceDefinition.tell).
    tell: Callable[[Any, UnitOfWork], None] | None = None
    #: Told of every message to departments, when the work commits (ServiceDefinition.deliver).
    deliver: Callable[[Sequence[Envelope], UnitOfWork], None] | None = None


#: Whether some transaction has committed; waits while it may still come to that.
WhetherStored = Callable[[Connection], bool]


@dataclass(frozen=True, kw_only=True)
class _Emitted:
    """An event that will leave, with what was known when it was emitted."""

    row: registry.EventType
    stream: str
    subject: str
    data: dict[str, Any]
    cause: Envelope | None
    correlation_id: str
    traceparent: str | None


class PutOff(Protocol):
    """Work that handlers of a batch have put off."""

    def flush(self, work: UnitOfWork) -> None:
        """Do it; there is nothing left afterwards. May emit."""
        ...


@dataclass(kw_only=True)
class UnitOfWork:
    """One transaction's worth of work."""

    db: Connection
    at_hand: Surroundings
    actor: Actor = SYSTEM
    #: The event being handled, if this work was caused by one.
    cause: Envelope | None = None
    correlation_id: str = ""
    traceparent: str | None = None
    #: The version the caller read (If-Match); None when the caller does not care.
    if_match: int | None = None
    #: The typed events given to `emit` so far; the application counts them once they are committed.
    events: list[Any] = field(default_factory=list)
    #: For work that emits nothing: says whether it was stored when nobody answered for its commit. Runs in a
    #: transaction of its own, which is rolled back (as `outbox.was_stored`).
    whether_stored: WhetherStored | None = None
    #: What to find the answer by while the commit is asked for and not answered.
    in_doubt: WhetherStored | None = None
    #: While several events are handled in one transaction: what their handlers put off until all have run, by name.
    #: It is done in the order of the names' first use, before anything is emitted. None: nothing may be put off.
    put_off: dict[str, PutOff] | None = None
    _emitted: list[_Emitted] = field(default_factory=list)
    #: Messages to departments that leave when this work commits.
    _letters: list[Any] = field(default_factory=list)
    _version_checked: bool = False
    _now: datetime | None = None

    @property
    def now(self) -> datetime:
        """The instant of this work, read once: all that one transaction stores and tells bears the same time.

        Inside an event handler still the present, not the event's time. That a transaction has one instant is also
        what lets a lost one be done again exactly (shared.ledger.recovery).
        """
        if self._now is None:
            self._now = self.at_hand.clock.now()
        return self._now

    @property
    def jurisdiction(self) -> Jurisdiction:
        """The pack."""
        return self.at_hand.jurisdiction

    def new_id(self) -> str:
        """A fresh uuid7."""
        return self.at_hand.ids.new()

    def emit(self, event: Any, *, subject: str | None = None) -> None:
        """Have an event leave when this work commits.

        `subject` defaults to the event's matter id, else its stream's id.
        """
        row = registry.by_shape(type(event))
        if row.owner != self.at_hand.service:
            message = f"{self.at_hand.service} may not emit {row.name}"
            raise ValueError(message)
        stream_id = str(getattr(event, row.key))
        about = subject or str(getattr(event, "matter_id", None) or stream_id)
        self.events.append(event)
        self._emitted.append(
            _Emitted(
                row=row,
                stream=f"{row.owner}.{row.stream}:{stream_id}",
                subject=about,
                data=shapes.dump(event),
                cause=self.cause,
                correlation_id=self.correlation_id,
                traceparent=self.traceparent,
            )
        )

    def tell_department(self, message: Any) -> None:
        """Have a message of the whistle contract (shared.contracts.whistles) leave to its department when this commits.

        It is no event: no service hears it, no trace has it, and a recovery tells it again under the same id.
        """
        if message not in self._letters:
            self._letters.append(message)

    @contextmanager
    def caused_by(self, envelope: Envelope) -> Iterator[None]:
        """Events emitted inside the block are the effects of this one (several may be handled in one transaction)."""
        before = (self.cause, self.correlation_id, self.traceparent)
        self.cause, self.correlation_id, self.traceparent = envelope, envelope.correlationid, envelope.traceparent
        try:
            yield
        finally:
            self.cause, self.correlation_id, self.traceparent = before

    @contextmanager
    def attempt(self) -> Iterator[None]:
        """A savepoint.

        When the block raises, its writes and its emitted events are undone and the rest of the work stands.
        """
        before, letters = len(self._emitted), len(self._letters)
        try:
            with self.db.begin_nested():
                yield
        except BaseException:
            del self._emitted[before:]
            del self.events[before:]
            del self._letters[letters:]
            raise

    def check_version(self, version: int) -> None:
        """Raise Stale when the caller's If-Match names another version than the one stored."""
        self._version_checked = True
        if self.if_match is not None and self.if_match != version:
            message = f"version {self.if_match} was read, version {version} is stored"
            raise Stale(message, where="If-Match", remedy="Read it again, decide anew, and send the new ETag.")

    @property
    def version_heeded(self) -> bool:
        """Whether the caller's If-Match was compared with something; also when there was none."""
        return self.if_match is None or self._version_checked

    def check_emitted(self) -> None:
        """Raise ValueError for an event that its consumers would refuse: the bug stays here and nothing is stored.

        Once published such an event could never be mended; its stream would wait behind it in every service.
        """
        for each in self._emitted:
            try:
                shapes.load(each.row.shape, each.data, tolerant=True)
            except Invalid as error:
                message = f"{each.row.name} may not leave like this: {', '.join(sorted(error.fields))}"
                raise ValueError(message) from error

    def require_scope(self, unit: str | None) -> None:
        """Raise Forbidden unless `unit` lies in the actor's unit or below.

        Unlocated things belong to the street and above; so does what lies in a unit that the pack has dropped. A unit
        of another town gives no scope here.
        """
        if self.actor is SYSTEM:
            return
        if not self._in_scope(unit):
            message = f"{self.actor.id} may not act in {unit or 'the unlocated list'}"
            raise Forbidden(
                message, code="out-of-scope", where="unit", remedy="Ask a desk whose territory includes it."
            )

    def _in_scope(self, unit: str | None) -> bool:
        pack = self.jurisdiction
        scope = pack.units.get(self.actor.unit or "")
        if scope is None:
            return False
        if unit is not None and unit in pack.units:
            return pack.is_within(unit, scope.id)
        return scope.level in pack.levels and pack.level_index(scope.level) >= self._street_index()

    def _street_index(self) -> int:
        return (
            self.jurisdiction.level_index("street")
            if "street" in self.jurisdiction.levels
            else len(self.jurisdiction.levels) - 1
        )

    def flush(self) -> None:
        """Do what handlers put off."""
        for each in (self.put_off or {}).values():
            each.flush(self)

    def commit(self) -> None:
        """Write the emitted events into the outbox and commit everything at once."""
        self.flush()
        drafts = self._drafts()
        if drafts:
            outbox.append_next(self.db, drafts, self.now)
        outbox.append(self.db, self.letters(), self.now)
        stored = partial(outbox.was_stored, message_id=drafts[0].id, at=self.now) if drafts else None
        self.in_doubt = stored or self.whether_stored
        self.db.commit()
        self.in_doubt = None
        self._emitted.clear()
        self._letters.clear()

    def letters(self) -> list[Envelope]:
        """What departments are told of this work, ready to be stored; empty of it afterwards."""
        if self.at_hand.tell is not None:
            for event in self.events:
                self.at_hand.tell(event, self)
        telling = [(whistles.stream_of(one.department, getattr(one, "whistle", None)), one) for one in self._letters]
        counts: dict[str, int] = {}
        for stream, _ in telling:
            counts[stream] = counts.get(stream, 0) + 1
        heads = outbox.take_versions(self.db, counts)
        made = []
        for stream, message in telling:
            made.append(
                whistles.envelope(
                    message, version=heads[stream], at=self.now, correlation_id=self.correlation_id or self.new_id(),
                    causation_id=self.cause.id if self.cause else None, traceparent=self.traceparent,
                )
            )  # fmt: skip
            heads[stream] += 1
        self._letters.clear()
        if made and self.at_hand.deliver is not None:
            self.at_hand.deliver(made, self)
        return made

    def told(self) -> list[tuple[str, str, dict[str, Any]]]:
        """(type, stream, data) of each event emitted so far, in order."""
        return [(each.row.type, each.stream, each.data) for each in self._emitted]

    def _drafts(self) -> list[Envelope]:
        """What was emitted, as it will leave but for its stream versions."""
        now = self.now
        return [
            Envelope(
                id=self.new_id(),
                source=SOURCE_PREFIX + each.row.owner,
                type=each.row.type,
                subject=each.subject,
                time=now,
                stream=each.stream,
                streamversion=0,
                correlationid=each.correlation_id or self.new_id(),
                causationid=each.cause.id if each.cause else None,
                traceparent=each.traceparent,
                classification=each.row.classification,
                data=each.data,
            )
            for each in self._emitted
        ]


@contextmanager
def unit_of_work(at_hand: Surroundings, **about: Any) -> Iterator[UnitOfWork]:
    """Open a unit of work; leaving without `commit` rolls back."""
    with engines.writing(at_hand.engine) as db:
        yield UnitOfWork(db=db, at_hand=at_hand, **about)


@contextmanager
def look_only(at_hand: Surroundings, **about: Any) -> Iterator[UnitOfWork]:
    """A unit of work for queries: nothing can be committed through it."""
    with engines.reading(at_hand.engine) as db:
        yield UnitOfWork(db=db, at_hand=at_hand, **about)
