"""The loopback relay of embedded mode: outbox rows go straight to every bound subscription, by the same topology table.

What departments are told goes to those of their programs that are attached, and their answers come in at `answered`,
as by the broker. A row is marked published only when every hearer has committed. Killed at any instant and run again,
it delivers the same rows again and the inboxes drop what was done: nothing is lost, nothing done twice. No broker is
involved.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Collection, Mapping, Sequence
from functools import cache

from sqlalchemy.exc import DBAPIError

from shared.contracts import topology, whistles
from shared.ledger import outbox
from shared.ledger.engines import reading, writing
from shared.ledger.errors import HandlerFailed, Transient, is_transient, what_passes
from shared.ledger.letters import Letter
from shared.ledger.reception import Outcome
from shared.runtime.application import Application

log = logging.getLogger(__name__)

#: Rows taken per round.
_BATCH = 200


class LoopbackRelay:
    """Moves the events of several applications that live in one process."""

    def __init__(self, applications: Mapping[str, Application]) -> None:
        self._applications = applications
        #: Department -> what takes the bytes of its messages, and keeps them when it returns.
        self._departments: dict[str, Callable[[bytes], None]] = {}

    def attach(self, department: str, receive: Callable[[bytes], None]) -> None:
        """Have a department's program told what the department is told. Without one, calls wait in the web desk."""
        self._departments[department] = receive

    def answered(self, department: str, raw: bytes) -> Outcome:
        """A department's program publishes an answer on its exchange. Raises Transient, HandlerFailed: send again."""
        letters = self._applications[topology.WHISTLER].letters
        if letters is None:
            message = f"{topology.WHISTLER} takes no letters"
            raise HandlerFailed(message)
        return letters.receive(Letter(body=raw, exchange=whistles.exchange_of(department)))

    def settle(self, sources: Collection[str] | None = None, *, rounds: int = 1_000) -> set[str]:
        """Deliver until every outbox is empty, and return the names of those who heard something.

        With `sources` only those outboxes are looked at first: for a caller who knows that the others are empty.
        Raises HandlerFailed when events go round for ever, Transient when an outbox cannot be read or marked now (a
        full disk, another process's lock).
        """
        try:
            return self._settle(set(self._applications if sources is None else sources), rounds)
        except DBAPIError as error:
            if is_transient(error):
                message = f"an outbox {what_passes(error)}: {error.orig}"
                raise Transient(message) from error
            raise

    def _settle(self, waiting: set[str], rounds: int) -> set[str]:
        heard: set[str] = set()
        for _ in range(rounds):
            # Only who delivered or heard something can have more to deliver.
            moved: set[str] = set()
            for name in [name for name in self._applications if name in waiting]:
                delivered, hearers = self._deliver_from(self._applications[name])
                heard |= hearers
                moved |= hearers | ({name} if delivered else set())
            if not moved:
                return heard
            waiting = moved
        message = f"events still circulate after {rounds} rounds"
        raise HandlerFailed(message)

    def _deliver_from(self, source: Application) -> tuple[int, set[str]]:
        engine = source.at_hand.engine
        with reading(engine) as db:
            rows = outbox.pending(db, _BATCH)
        hearers: set[str] = set()
        kept: set[str] = set()
        for hearer in self._applications.values():
            mine = [row for row in rows if hearer.name in _hearers(row.stream.partition(":")[0])]
            if mine:
                left = self._deliver(hearer, mine)
                kept |= left
                if len(left) < len(mine):
                    hearers.add(hearer.name)
        for row in rows:
            receive = self._departments.get(whistles.addressee(row.stream) or "")
            if receive is not None:
                receive(row.envelope)
        delivered = [row.message_id for row in rows if row.message_id not in kept]
        if delivered:
            with writing(engine) as db:
                outbox.mark_published(db, delivered, source.at_hand.clock.now())
                db.commit()
        return len(delivered), hearers

    def _deliver(self, hearer: Application, rows: Sequence[outbox.Pending]) -> set[str]:
        """Returns the ids of those that could not be handled now."""
        kept: set[str] = set()
        waiting = list(rows)
        while waiting:
            answers = hearer.receive_many([row.envelope for row in waiting])
            again = []
            for row, received in zip(waiting, answers, strict=True):
                if isinstance(received.kept, HandlerFailed):
                    again.append(row)  # counted in the ledger; at the fifth attempt it is quarantined
                elif received.outcome is None:
                    kept.add(row.message_id)
            waiting = again
        if kept:
            log.warning("delivery has to wait", extra={"consumer": hearer.name, "messages": len(kept)})
        return kept


@cache
def _hearers(kind: str) -> frozenset[str]:
    return frozenset(subscription.consumer for subscription in topology.hearers(kind))
