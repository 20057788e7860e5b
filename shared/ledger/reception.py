"""Reception: from the raw bytes of a message to its effects, exactly once and in order. The one consumer boundary.

    decode -> lock the stream's position -> duplicate? early? -> handler in a savepoint -> inbox, state, outbox
    -> COMMIT

Used by the nameko entrypoint in full mode and by the loopback relay in embedded mode; knows neither. After it
returns the caller may acknowledge; when it raises, nothing was committed and the message must be kept.
"""

from __future__ import annotations

import enum
import logging
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy.exc import DBAPIError

from shared.contracts import envelope as envelopes
from shared.contracts import registry
from shared.contracts.envelope import Envelope
from shared.kernel.errors import Refusal
from shared.kernel.hashing import sha256_hex
from shared.ledger import attempts, inbox, parking, quarantine, together
from shared.ledger.errors import HandlerFailed, Transient
from shared.ledger.unit_of_work import Surroundings, UnitOfWork, unit_of_work

log = logging.getLogger(__name__)

#: Events that one sweep of the parking place releases at most.
_SWEEP = 200

EventHandler = Callable[[Any, UnitOfWork], None]
#: Told of the messages of one transaction, in order, with their exact bytes.
Observer = Callable[[Sequence[tuple[Envelope, bytes]], UnitOfWork], None]


class Outcome(enum.Enum):
    """What became of a message; all of these mean: acknowledge it."""

    HANDLED = "handled"
    #: This service has no handler for the type; the stream's position advanced.
    IGNORED = "ignored"
    #: The domain refused it; a normal, final outcome.
    REFUSED = "refused"
    DUPLICATE = "duplicate"
    PARKED = "parked"
    QUARANTINED = "quarantined"


@dataclass(frozen=True, kw_only=True)
class Received:
    """What became of one of several messages: an outcome, or the reason to keep it."""

    envelope: Envelope | None
    outcome: Outcome | None
    kept: Transient | HandlerFailed | None = None


@dataclass(frozen=True, kw_only=True)
class Reception:
    """How one service receives."""

    at_hand: Surroundings
    #: Event name (`intake.matter-opened`) -> handler(event, work).
    handlers: Mapping[str, EventHandler]
    #: Sees every envelope with its exact bytes, before the handler (oversight's trace).
    observer: Observer | None = None
    #: Told of the events a message caused, once they are committed.
    emitted: Callable[[Sequence[Any]], None] | None = None

    @property
    def name(self) -> str:
        """The handler name in inbox, parking and quarantine."""
        return self.at_hand.service

    def receive(self, raw: bytes) -> Outcome:
        """Handle one message and every parked successor that it frees.

        Raises Transient or HandlerFailed: keep the message.
        """
        received = self._alone(raw)
        if received.outcome is None:
            raise received.kept or HandlerFailed("neither handled nor kept")
        return received.outcome

    def receive_many(self, raws: Sequence[bytes]) -> list[Received]:
        """Handle several messages, in one transaction if all goes well; never raises for a single message.

        When anything goes wrong the transaction is rolled back and the messages are handled one by one, so that a bad
        one troubles only itself. The answers stand in the order of the messages.
        """
        if len(raws) > 1:
            done = self._together(raws)
            if done is not None:
                return done
        return [self._alone(raw) for raw in raws]

    def _alone(self, raw: bytes) -> Received:
        try:
            envelope = envelopes.from_bytes(raw)
        except (envelopes.Undecodable, envelopes.SchemaViolation) as error:
            reason = "undecodable" if isinstance(error, envelopes.Undecodable) else "schema-violation"
            try:
                return Received(envelope=None, outcome=self._set_aside(raw, _body_id(raw), reason, error))
            except (Transient, HandlerFailed) as kept:
                return Received(envelope=None, outcome=None, kept=kept)
        try:
            outcome, followed = self._guarded(envelope, raw)
        except (Transient, HandlerFailed) as kept:
            return Received(envelope=envelope, outcome=None, kept=kept)
        if followed:
            self._follow(envelope)
        return Received(envelope=envelope, outcome=outcome)

    def _together(self, raws: Sequence[bytes]) -> list[Received] | None:
        try:
            messages = [
                together.Message(index=index, envelope=envelopes.from_bytes(raw), raw=raw)
                for index, raw in enumerate(raws)
            ]
            outcomes, to_follow = self._apply_together(messages)
        except (envelopes.Undecodable, envelopes.SchemaViolation):
            return None
        except Exception as error:  # noqa: BLE001 -- the consumer boundary: whose fault it was shows one by one
            log.info("handling one by one", extra={"messages": len(raws), "error": repr(error)})
            return None
        for envelope in to_follow:
            self._follow(envelope)
        return [Received(envelope=message.envelope, outcome=outcomes[message.index]) for message in messages]

    def _apply_together(self, messages: Sequence[together.Message]) -> tuple[dict[int, Outcome], list[Envelope]]:
        outcomes: dict[int, Outcome] = {}
        with unit_of_work(self.at_hand, put_off={}) as work:
            positions = inbox.lock(
                work.db, self.name, (each.envelope.stream for each in messages if each.envelope.streamversion > 0)
            )
            plan = together.plan(messages, {stream: found.version for stream, found in positions.items()})
            fresh = inbox.record_many(work.db, self.name, (each.envelope.id for each in plan.turn), work.now)
            turn = []
            for message in plan.turn:
                if message.envelope.id in fresh:
                    fresh.discard(message.envelope.id)
                    turn.append(message)
                else:
                    plan.repeated.append(message)
            if self.observer is not None and turn:
                self.observer([(message.envelope, message.raw) for message in turn], work)
            for message in turn:
                with work.caused_by(message.envelope):
                    outcomes[message.index] = self._dispatch(message.envelope, work)
            for message in plan.early:
                parking.park(work.db, self.name, message.envelope, message.raw, work.now)
                outcomes[message.index] = Outcome.PARKED
            outcomes |= dict.fromkeys((message.index for message in plan.repeated), Outcome.DUPLICATE)
            waiting = {stream for stream, found in positions.items() if found.waiting}
            for message in (*turn, *plan.repeated):
                if message.envelope.stream in waiting:
                    parking.unpark(work.db, self.name, message.envelope.stream, message.envelope.streamversion)
            inbox.advance(work.db, self.name, plan.versions)
            work.commit()
        if self.emitted is not None:
            self.emitted(work.events)
        # A stream whose hole was filled may have successors waiting, parked before or in this very transaction.
        waiting |= {message.envelope.stream for message in plan.early}
        last = {message.envelope.stream: message.envelope for message in turn if message.envelope.stream in waiting}
        return outcomes, list(last.values())

    def sweep(self) -> int:
        """Apply parked events whose turn has come without anybody noticing.

        Returns how many. Safe to run at any time.
        """
        try:
            with unit_of_work(self.at_hand) as work:
                waiting = parking.ready(work.db, self.name, _SWEEP)
        except DBAPIError as error:
            raise attempts.sorted_out(error) from error
        for raw in waiting:
            self.receive(raw)
        return len(waiting)

    def _follow(self, envelope: Envelope) -> None:
        version = envelope.streamversion
        while version:
            version += 1
            try:
                with unit_of_work(self.at_hand) as work:
                    raw = parking.successor(work.db, self.name, envelope.stream, version)
            except DBAPIError as error:
                # The message itself is done; the sweep finds what stays parked.
                log.warning(
                    "parked successors left for the sweep", extra={"stream": envelope.stream, "error": str(error)}
                )
                return
            if raw is None:
                return
            try:
                _, followed = self._guarded(envelopes.from_bytes(raw), raw)
            except (Transient, HandlerFailed) as error:
                log.warning("a parked successor has to wait", extra={"stream": envelope.stream, "error": str(error)})
                return
            if not followed:
                return

    def _guarded(self, envelope: Envelope, raw: bytes) -> tuple[Outcome, bool]:
        try:
            return self._apply(envelope, raw)
        except DBAPIError as error:
            sorted_out = attempts.sorted_out(error)
            if isinstance(sorted_out, Transient):
                raise sorted_out from error
            return self._failed(envelope, raw, error), False
        except envelopes.SchemaViolation as error:
            return self._set_aside(raw, envelope.id, "schema-violation", error), False
        except (Transient, HandlerFailed):
            raise
        except Exception as error:  # noqa: BLE001 -- the one consumer boundary: any bug in a handler must keep the message
            return self._failed(envelope, raw, error), False

    def _apply(self, envelope: Envelope, raw: bytes) -> tuple[Outcome, bool]:
        """What became of it, and whether a parked successor may be waiting."""
        with unit_of_work(
            self.at_hand, cause=envelope, correlation_id=envelope.correlationid, traceparent=envelope.traceparent
        ) as work:
            version, waiting = envelope.streamversion, 0
            if version > 0:
                position = inbox.step(work.db, self.name, envelope.stream, version)
                waiting = position.waiting
                if position.version < version:
                    parking.park(work.db, self.name, envelope, raw, work.now)
                    work.commit()
                    return Outcome.PARKED, False
                if not position.moved:
                    return self._seen_before(envelope, work), False
            if not inbox.record(work.db, self.name, envelope.id, work.now):
                return self._seen_before(envelope, work), False
            outcome = self._handle(envelope, raw, work)
            if waiting:
                parking.unpark(work.db, self.name, envelope.stream, version)
            work.commit()
        if self.emitted is not None:
            self.emitted(work.events)
        return outcome, waiting > 0

    def _seen_before(self, envelope: Envelope, work: UnitOfWork) -> Outcome:
        parking.unpark(work.db, self.name, envelope.stream, envelope.streamversion)
        work.commit()
        return Outcome.DUPLICATE

    def _handle(self, envelope: Envelope, raw: bytes, work: UnitOfWork) -> Outcome:
        if self.observer is not None:
            self.observer([(envelope, raw)], work)
        try:
            with work.attempt():
                return self._dispatch(envelope, work)
        except Refusal as refusal:
            log.info("event refused", extra={"event": envelope.type, "message_id": envelope.id, "code": refusal.code})
            return Outcome.REFUSED

    def _dispatch(self, envelope: Envelope, work: UnitOfWork) -> Outcome:
        try:
            handler = self.handlers.get(envelope.name)
        except registry.UnknownType:
            handler = None  # a newer release's event: not ours to handle, and no reason to stop its stream
        if handler is None:
            return Outcome.HANDLED if self.observer is not None else Outcome.IGNORED
        handler(envelope.payload(), work)
        return Outcome.HANDLED

    def _failed(self, envelope: Envelope, raw: bytes, error: Exception) -> Outcome:
        log.error(
            "handler failed",
            exc_info=error,
            extra={"event": envelope.type, "message_id": envelope.id, "subject": envelope.subject},
        )
        attempts.count(self.at_hand, self.name, envelope.id, error)
        return self._set_aside(raw, envelope.id, "handler-failed", error)

    def _set_aside(self, raw: bytes, message_id: str, reason: str, error: Exception) -> Outcome:
        log.warning("message quarantined", extra={"message_id": message_id, "reason": reason, "error": str(error)})
        try:
            with unit_of_work(self.at_hand) as work:
                quarantine.hold(
                    work.db, entry_id=work.new_id(), handler=self.name, message_id=message_id, reason=reason,
                    detail=f"{type(error).__name__}: {error}", body=raw, at=work.now,
                )  # fmt: skip
                work.commit()
        except DBAPIError as second:
            raise attempts.sorted_out(second) from second
        return Outcome.QUARANTINED


def _body_id(raw: bytes) -> str:
    """An id for bytes that carry none, so that the same rubbish delivered twice is held once."""
    return f"sha256:{sha256_hex(raw)}"
