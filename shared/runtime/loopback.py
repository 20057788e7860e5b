"""The loopback relay of embedded mode: outbox rows go straight to every bound subscription, by the same topology table.

A row is marked published only when every hearer has committed. Killed at any instant and run again, it delivers
the same rows again and the inboxes drop what was done: nothing is lost, nothing done twice. No broker is
involved.
"""

from __future__ import annotations

import logging
from collections.abc import Collection, Mapping

from shared.contracts import topology
from shared.ledger import outbox
from shared.ledger.engines import reading, writing
from shared.ledger.errors import HandlerFailed, Transient
from shared.runtime.application import Application

log = logging.getLogger(__name__)

#: Rows taken per round.
_BATCH = 200


class LoopbackRelay:
    """Moves the events of several applications that live in one process."""

    def __init__(self, applications: Mapping[str, Application]) -> None:
        self._applications = applications

    def settle(self, sources: Collection[str] | None = None, *, rounds: int = 1_000) -> set[str]:
        """Deliver until every outbox is empty, and return the names of those who heard something.

        With `sources` only those outboxes are looked at first: for a caller who knows that the others are empty.
        Raises HandlerFailed when events go round for ever.
        """
        heard: set[str] = set()
        waiting = set(self._applications if sources is None else sources)
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
        delivered: list[str] = []
        hearers: set[str] = set()
        stuck: set[str] = set()
        for row in rows:
            # A stream whose head could not be delivered waits; the others go on.
            if row.stream not in stuck and self._deliver(row, hearers):
                delivered.append(row.message_id)
            else:
                stuck.add(row.stream)
        if delivered:
            with writing(engine) as db:
                outbox.mark_published(db, delivered, source.at_hand.clock.now())
                db.commit()
        return len(delivered), hearers

    def _deliver(self, row: outbox.Pending, hearers: set[str]) -> bool:
        for subscription in topology.hearers(row.type):
            hearer = self._applications.get(subscription.consumer)
            if hearer is None:
                continue
            if not self._persistently(hearer, row):
                return False
            hearers.add(hearer.name)
        return True

    def _persistently(self, hearer: Application, row: outbox.Pending) -> bool:
        while True:
            try:
                hearer.receive(row.envelope)
            except HandlerFailed:
                continue  # counted in the ledger; at the fifth the message is quarantined and received
            except Transient as error:
                log.warning(
                    "delivery has to wait",
                    extra={"consumer": hearer.name, "message_id": row.message_id, "error": str(error)},
                )
                return False
            else:
                return True
