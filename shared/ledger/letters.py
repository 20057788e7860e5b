"""Letters: messages from outside, such as departments' answers, from raw bytes to effects, exactly once.

    whose exchange? -> read -> inbox (per sender) -> handler in a savepoint -> receipt or refusal -> COMMIT

A letter belongs to no stream and is no event: nothing in it is believed but what its handler checks, and who sent it is
known from the exchange alone. What cannot be read is quarantined with its bytes *and* told to the sender, as is every
refusal. The second consumer boundary, beside `reception`: when it raises nothing, the caller may acknowledge.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy.exc import DBAPIError

from shared.kernel.actor import Actor
from shared.kernel.errors import Refusal
from shared.kernel.hashing import sha256_hex
from shared.ledger import attempts, inbox, quarantine
from shared.ledger.errors import HandlerFailed, Transient, is_transient
from shared.ledger.reception import Outcome, Received
from shared.ledger.unit_of_work import Surroundings, UnitOfWork, unit_of_work

log = logging.getLogger(__name__)


@dataclass(frozen=True, kw_only=True)
class Letter:
    """One message from outside."""

    body: bytes
    #: Where the broker took it; what it says about itself is never asked.
    exchange: str


@dataclass(frozen=True, kw_only=True)
class Correspondence:
    """What a service knows of those who write to it."""

    #: Exchange -> who writes there; None: nobody that this pack knows.
    sender: Callable[[Surroundings, str], Actor | None]
    #: Bytes -> (the sender's id for the message, its content). Raises Refusal.
    read: Callable[[bytes], tuple[str, Any]]
    #: Does what the content asks, as `work.actor`, and tells the sender that it counts. Raises Refusal.
    handle: Callable[[Any, UnitOfWork], None]
    #: Tells the sender that it does not count: (letter, its content or None, why, work).
    refuse: Callable[[Letter, Any, Refusal, UnitOfWork], None]


@dataclass(frozen=True, kw_only=True)
class LetterBox:
    """How one service takes letters."""

    at_hand: Surroundings
    correspondence: Correspondence
    #: Told of the events a letter caused, once they are committed.
    emitted: Callable[[Sequence[Any]], None] | None = None

    def receive_many(self, letters: Sequence[Letter]) -> list[Received]:
        """One after the other, each in a transaction of its own; never raises for a single letter."""
        return [self._guarded(letter) for letter in letters]

    def receive(self, letter: Letter) -> Outcome:
        """Take one letter. Raises Transient or HandlerFailed: keep it."""
        received = self._guarded(letter)
        if received.outcome is None:
            raise received.kept or HandlerFailed("neither handled nor kept")
        return received.outcome

    def _guarded(self, letter: Letter) -> Received:
        try:
            return Received(envelope=None, outcome=self._take(letter))
        except (Transient, HandlerFailed) as kept:
            return Received(envelope=None, outcome=None, kept=kept)

    def _take(self, letter: Letter) -> Outcome:
        sender = self.correspondence.sender(self.at_hand, letter.exchange)
        if sender is None:
            reason = f"{letter.exchange!r} is nobody's exchange in this pack"
            return self._set_aside(letter, None, "unknown-sender", reason)
        try:
            message_id, content = self.correspondence.read(letter.body)
        except Refusal as refusal:
            return self._set_aside(letter, sender, refusal.code, refusal.what, refusal)
        try:
            return self._apply(letter, sender, message_id, content)
        except DBAPIError as error:
            if is_transient(error):
                raise Transient(str(error)) from error
            return self._failed(letter, message_id, error)
        except Exception as error:  # noqa: BLE001 -- the consumer boundary of letters: a bug must keep the message
            return self._failed(letter, message_id, error)

    def _apply(self, letter: Letter, sender: Actor, message_id: str, content: Any) -> Outcome:
        with self._work(sender) as work:
            # The sender's ids are its own: another's, or an event's, may be the same.
            if not inbox.record(work.db, letter.exchange, message_id, work.now):
                return Outcome.DUPLICATE
            outcome = Outcome.HANDLED
            try:
                with work.attempt():
                    self.correspondence.handle(content, work)
            except Refusal as refusal:
                log.info("letter refused", extra={"sender": sender.id, "message_id": message_id, "code": refusal.code})
                outcome = Outcome.REFUSED
                self.correspondence.refuse(letter, content, refusal, work)
            work.commit()
        if self.emitted is not None:
            self.emitted(work.events)
        return outcome

    def _set_aside(
        self, letter: Letter, sender: Actor | None, reason: str, detail: str, refusal: Refusal | None = None
    ) -> Outcome:
        log.warning("letter quarantined", extra={"exchange": letter.exchange, "reason": reason})
        try:
            with self._work(sender) as work:
                held = quarantine.hold(
                    work.db, entry_id=work.new_id(), handler=letter.exchange, message_id=_body_id(letter),
                    reason=reason, detail=detail, body=letter.body, at=work.now,
                )  # fmt: skip
                if held and refusal is not None:
                    self.correspondence.refuse(letter, None, refusal, work)
                work.commit()
        except DBAPIError as error:
            raise attempts.sorted_out(error) from error
        return Outcome.QUARANTINED

    def _failed(self, letter: Letter, message_id: str, error: Exception) -> Outcome:
        log.error("letter's handler failed", exc_info=error, extra={"exchange": letter.exchange, "id": message_id})
        attempts.count(self.at_hand, letter.exchange, _body_id(letter), error)
        return self._set_aside(letter, None, "handler-failed", f"{type(error).__name__}: {error}")

    def _work(self, sender: Actor | None) -> Any:
        about = {} if sender is None else {"actor": sender}
        return unit_of_work(self.at_hand, correlation_id=self.at_hand.ids.new(), **about)


def _body_id(letter: Letter) -> str:
    """An id that no event has: the sender chooses its own ids, and may choose one of ours."""
    return f"sha256:{sha256_hex(letter.exchange.encode() + b' ' + letter.body)}"
