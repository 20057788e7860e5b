"""One service, wired and ready: execute commands, answer queries, receive events, do due work. No nameko, no broker.

Both modes and all tests go through this object, so that what is tested is what runs.
"""

from __future__ import annotations

import logging
import re
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, TypeVar

from sqlalchemy.exc import DBAPIError, IntegrityError

from shared.contracts import shapes
from shared.kernel.actor import ANONYMOUS, SYSTEM, Actor
from shared.kernel.errors import Forbidden, Invalid, NotFound, Refusal, Unauthenticated
from shared.ledger import lease
from shared.ledger.errors import HandlerFailed, LeaseLost, Transient, is_transient, what_passes
from shared.ledger.lease import Candidate
from shared.ledger.letters import Letter, LetterBox
from shared.ledger.reception import Outcome, Received, Reception
from shared.ledger.unit_of_work import Surroundings, UnitOfWork, WhetherStored, look_only, unit_of_work
from shared.runtime import repetition
from shared.runtime.definition import Command, DueWork, OutwardWork, Query, Reply, ServiceDefinition
from shared.runtime.metrics import ServiceMetrics
from shared.runtime.purging import Purging

log = logging.getLogger(__name__)

#: Tries at a command whose transaction met a lock or a lost connection, before the caller is told to come back.
_TRIES = 4
#: Seconds after which there is no other try: whoever asks waits.
_PATIENCE_S = 10.0
#: Seconds before the second try; doubles each time.
_FIRST_PAUSE_S = 0.05
#: Tries to find out whether a commit took place whose answer was lost: some six seconds, a restart's time.
_DOUBTS = 8
#: Seconds after which results of outward work are stored; what a killed process did and could not store is done again.
_RECORD_WITHIN_S = 0.2
#: A trace context's form (W3C). Another one begins a new trace, as the standard asks: it must not get into an envelope.
_TRACEPARENT = re.compile(r"[0-9a-f]{2}-[0-9a-f]{32}-[0-9a-f]{16}-[0-9a-f]{2}")

Seen = TypeVar("Seen")


class OutcomeUnknown(Refusal):
    """It may have been done or not; the database went away in between. Look before sending it again."""

    status = 504
    code = "outcome-unknown"

    def __init__(self, what: str) -> None:
        super().__init__(
            what,
            remedy="Look whether it was done before you send it again; under an Idempotency-Key, just send it again.",
        )


class _InDoubt(Exception):
    """A commit was asked for and not answered. Find out before trying again."""

    def __init__(self, whether_stored: WhetherStored, reply: Reply, events: Sequence[Any]) -> None:
        super().__init__()
        self.whether_stored, self.reply, self.events = whether_stored, reply, events


@dataclass(frozen=True, kw_only=True)
class Application:
    """A running service without its transport."""

    definition: ServiceDefinition
    at_hand: Surroundings
    metrics: ServiceMetrics
    #: This process as a holder of leases.
    candidate: Candidate
    purging: Purging = field(default_factory=Purging)

    @property
    def name(self) -> str:
        """The service's name."""
        return self.definition.name

    @property
    def reception(self) -> Reception:
        """The consumer side."""
        return Reception(
            at_hand=self.at_hand,
            handlers=self.definition.subscriptions,
            observer=self.definition.observer,
            emitted=self._observe,
        )

    @property
    def letters(self) -> LetterBox | None:
        """The door for messages from outside; None where nobody outside writes to the service."""
        correspondence = self.definition.letters
        if correspondence is None:
            return None
        return LetterBox(at_hand=self.at_hand, correspondence=correspondence, emitted=self._observe)

    # -- commands ------------------------------------------------------------------------------------------------

    def execute(
        self,
        name: str,
        content: Any,
        actor: Actor,
        *,
        idempotency_key: str | None = None,
        if_match: int | None = None,
        correlation_id: str = "",
        traceparent: str | None = None,
    ) -> Reply:
        """Check, authorise and carry out a command. Raises Refusal, or Transient when the database stays away."""
        started = time.perf_counter()
        result = "error"
        try:
            asked = self._command(name)
            self._authorise(asked.needs, actor, name)
            if idempotency_key is not None:
                repetition.check_key(idempotency_key)
            loaded = shapes.load(asked.shape, content)
            reply = self._persistently(
                asked, loaded, content, actor,
                key=idempotency_key if asked.keeps_reply else None, if_match=if_match, correlation_id=correlation_id,
                traceparent=traceparent if _TRACEPARENT.fullmatch(traceparent or "") else None,
            )  # fmt: skip
            result = "ok"
        except Refusal:
            result = "rejected"
            raise
        else:
            return reply
        finally:
            self.metrics.request(name, result, time.perf_counter() - started)

    def _command(self, name: str) -> Command:
        try:
            return self.definition.commands[name]
        except KeyError as error:
            message = f"{self.name} has no command {name!r}"
            raise NotFound(message, code="unknown-command", remedy="See docs/commands.md.") from error

    def _authorise(self, needs: str | None, actor: Actor, what: str) -> None:
        if needs is None or actor.may(needs):
            return
        if actor is ANONYMOUS:
            message = f"{what} needs a token"
            raise Unauthenticated(
                message, remedy="Send `Authorization: Bearer <token>`; `gridwhistle token` makes one."
            )
        message = f"{actor.id} may not {needs}"
        raise Forbidden(message, code="not-permitted", remedy="Ask someone whose role allows it.")

    def _persistently(self, asked: Command, loaded: Any, content: Any, actor: Actor, **how: Any) -> Reply:
        pause, began = _FIRST_PAUSE_S, time.monotonic()
        for attempt in range(1, _TRIES + 1):
            try:
                return self._once(asked, loaded, content, actor, **how)
            except _InDoubt as doubt:
                if self._was_done(doubt):
                    self._observe(doubt.events)
                    return doubt.reply
            except DBAPIError as error:
                # A unique key that a concurrent twin took first looks like an IntegrityError once; the second try
                # finds it.
                passing = is_transient(error) or isinstance(error, IntegrityError)
                last = attempt == _TRIES or time.monotonic() - began > _PATIENCE_S
                if not passing or (last and not is_transient(error)):
                    raise
                if last:
                    raise self._away(error) from error
            # A request waits here for a lock or a reconnection; under eventlet this yields.
            time.sleep(pause)  # noqa: TID251
            pause *= 2
        raise AssertionError

    def _once(
        self, asked: Command, loaded: Any, content: Any, actor: Actor, *,
        key: str | None, if_match: int | None, correlation_id: str, traceparent: str | None,
    ) -> Reply:  # fmt: skip
        with unit_of_work(
            self.at_hand, actor=actor, if_match=if_match, traceparent=traceparent,
            correlation_id=correlation_id or self.at_hand.ids.new(),
        ) as work:  # fmt: skip
            if key is not None:
                earlier = repetition.earlier(work, asked, key, content)
                if earlier is not None:
                    return earlier
            reply = asked.handler(loaded, work)
            if not work.version_heeded:
                message = f"{asked.name} changes nothing that has an ETag."
                raise Invalid(message, fields={"If-Match": [message]}, remedy="Leave If-Match out.")
            if key is not None:
                repetition.keep(work, asked, key, content, reply)
            work.check_emitted()
            try:
                work.commit()
            except DBAPIError as error:
                # Lost between the question and the answer. Under a key, trying again finds the reply if it was done.
                if key is not None or work.in_doubt is None or not error.connection_invalidated:
                    raise
                raise _InDoubt(work.in_doubt, reply, work.events) from error
        self._observe(work.events)
        return reply

    def _was_done(self, doubt: _InDoubt) -> bool:
        """Whether the commit that nobody answered for took place. Raises OutcomeUnknown while nobody can tell."""
        pause = _FIRST_PAUSE_S
        for attempt in range(1, _DOUBTS + 1):
            try:
                with unit_of_work(self.at_hand) as work:
                    return doubt.whether_stored(work.db)
            except DBAPIError as error:
                if not is_transient(error):
                    raise
                if attempt == _DOUBTS:
                    raise OutcomeUnknown(f"The database of {self.name} was lost while this was stored.") from error
            time.sleep(pause)  # noqa: TID251 -- as above
            pause *= 2
        raise AssertionError

    def _away(self, error: DBAPIError) -> Transient:
        state = what_passes(error)
        return Transient(f"the database of {self.name} {state}: {error.orig}", state=state)

    def _observe(self, committed: Sequence[Any]) -> None:
        for event in committed:
            self.metrics.emitted(event)
            if self.definition.observe is not None:
                self.definition.observe(event, self.metrics)

    # -- queries -------------------------------------------------------------------------------------------------

    def ask(self, query: Query, parameters: Mapping[str, str], actor: Actor) -> Mapping[str, Any]:
        """Answer a query. Raises Refusal, or Transient."""
        return self.look(query.name, query.run, parameters, actor, needs=query.needs)

    def look(
        self,
        what: str,
        run: Callable[[UnitOfWork, Mapping[str, str]], Seen],
        parameters: Mapping[str, str],
        actor: Actor,
        *,
        needs: str | None,
    ) -> Seen:
        """Run something that only reads. Raises Refusal, or Transient."""
        self._authorise(needs, actor, what)
        with self._answering(), look_only(self.at_hand, actor=actor) as work:
            return run(work, parameters)

    @contextmanager
    def _answering(self) -> Iterator[None]:
        """Turns a database that does not answer into Transient."""
        try:
            yield
        except DBAPIError as error:
            if is_transient(error):
                raise self._away(error) from error
            raise

    # -- events --------------------------------------------------------------------------------------------------

    def receive(self, raw: bytes) -> Outcome:
        """Handle one event. Raises Transient or HandlerFailed: keep the message and come back."""
        (received,) = self.receive_many([raw])
        if received.outcome is None:
            raise received.kept or HandlerFailed("neither handled nor kept")
        return received.outcome

    def receive_many(self, raws: Sequence[bytes]) -> list[Received]:
        """Handle several events, in one transaction if all goes well. Those without an outcome must be kept."""
        answers = self.reception.receive_many(raws)
        now = self.at_hand.clock.now()
        for received in answers:
            if received.outcome is not None:
                self.metrics.event(received.envelope, received.outcome, now)
        return answers

    def receive_letters(self, letters: Sequence[Letter]) -> list[Received]:
        """Take letters from outside. Those without an outcome must be kept."""
        box = self.letters
        if box is None:
            message = f"{self.name} takes no letters"
            raise ValueError(message)
        answers = box.receive_many(letters)
        for received in answers:
            if received.outcome is not None:
                self.metrics.letter(received.outcome)
        return answers

    # -- due work ------------------------------------------------------------------------------------------------

    def run_due(self, *, most: int = 10_000) -> int:
        """Do what is due, oldest first, if this process leads; then purge a little. Returns how many items it did."""
        done = self.reception.sweep()
        for work in self.definition.due_work:
            done += self._run(work, most)
        for outward in self.definition.outward_work:
            done += self._reach_out(outward, most)
        self._purge()
        return done

    def _purge(self) -> None:
        try:
            with self._answering():
                self.purging.run(self.at_hand, self.candidate, self.metrics)
        except LeaseLost:
            log.warning("lease lost", extra={"lease": "due:purge", "holder": self.candidate.holder})

    def _run(self, due: DueWork, most: int) -> int:
        name = f"due:{due.name}"
        done = 0
        try:
            with self._answering():
                while done < most:
                    with unit_of_work(self.at_hand, actor=SYSTEM, correlation_id=self.at_hand.ids.new()) as work:
                        token = lease.take(work.db, name, self.candidate, work.now)
                        if token is None:
                            return done
                        count = due.run(work, due.batch)
                        lease.fence(work.db, name, token)
                        work.commit()
                    self._observe(work.events)
                    done += count
                    if count < due.batch:
                        break
        except LeaseLost:
            log.warning("lease lost", extra={"lease": name, "holder": self.candidate.holder})
            return done
        self.metrics.scan(due.name, self.at_hand.clock.now())
        return done

    def _reach_out(self, outward: OutwardWork, most: int) -> int:
        done = 0
        with self._answering():
            while done < most:
                with self._outward_unit() as work:
                    taken = outward.claim(work, outward.batch)
                    work.commit()
                self._observe(work.events)
                self._carry_out(outward, taken.items)
                done += taken.due
                if taken.due < outward.batch:
                    break
        self.metrics.scan(outward.name, self.at_hand.clock.now())
        return done

    def _carry_out(self, outward: OutwardWork, items: Sequence[Any]) -> None:
        """Results are stored several at a time, but none later than a moment after it came about."""
        unrecorded: list[tuple[Any, Any]] = []
        since = time.monotonic()
        for place, item in enumerate(items):
            unrecorded.append((item, outward.carry_out(self.at_hand, item)))
            if time.monotonic() - since < _RECORD_WITHIN_S and place < len(items) - 1:
                continue
            done = unrecorded if outward.settle is None else outward.settle(self.at_hand, unrecorded)
            with self._outward_unit() as work:
                outward.record(work, done)
                work.commit()
            self._observe(work.events)
            unrecorded, since = [], time.monotonic()

    def _outward_unit(self) -> AbstractContextManager[UnitOfWork]:
        return unit_of_work(self.at_hand, actor=SYSTEM)

    def next_due(self) -> datetime | None:
        """The earliest instant at which `run_due` will find something."""
        with look_only(self.at_hand) as work:
            return self.definition.next_due(work.db)
