"""Purging as a service does it: under a lease of its own, after the due work, a bounded piece at a time.

It must never hold business up: at most `BATCHES` short transactions a scan, and none at all for a while after there was
nothing left. What is kept for how long: shared.ledger.retention.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass, field

from shared.ledger import lease, retention
from shared.ledger.lease import Candidate
from shared.ledger.retention import PURGES, Retention
from shared.ledger.unit_of_work import Surroundings, unit_of_work
from shared.runtime.metrics import ServiceMetrics

#: Transactions per scan at most. At a scan every five seconds and retention.BATCH rows each: 2,000 rows/s, three times
#: what the busiest service writes.
BATCHES = 10
#: Seconds of rest when nothing is left.
REST_S = 60.0
#: The lease, named like those of due work.
LEASE = "due:purge"


@dataclass(kw_only=True)
class Purging:
    """How far one process has got."""

    retention: Retention = field(default_factory=Retention)
    monotonic: Callable[[], float] = time.monotonic
    _rest_until: float = float("-inf")
    #: What is still to be done in this round, and where in the first of it.
    _left: list[str] = field(default_factory=list)
    _after: int = 0

    def run(self, at_hand: Surroundings, candidate: Candidate, metrics: ServiceMetrics) -> None:
        """Purge a piece, if this process leads and there may be something. Raises LeaseLost, DBAPIError."""
        if self.monotonic() < self._rest_until:
            return
        self._left = self._left or list(PURGES)
        for _ in range(BATCHES):
            if not self._step(at_hand, candidate, metrics):
                self._left, self._after = [], 0
                self._rest_until = self.monotonic() + REST_S
                return
            if not self._left:
                metrics.purged_all(at_hand.clock.now())
                self._rest_until = self.monotonic() + REST_S
                return

    def _step(self, at_hand: Surroundings, candidate: Candidate, metrics: ServiceMetrics) -> bool:
        """One transaction; False when another process leads."""
        table = self._left[0]
        with unit_of_work(at_hand) as work:
            token = lease.take(work.db, LEASE, candidate, work.now)
            if token is None:
                return False
            before = retention.cutoffs(self.retention, work.now)[table]
            done = PURGES[table](work.db, before, self._after)
            lease.fence(work.db, LEASE, token)
            work.commit()
        metrics.purged(table, done.purged)
        self._after = done.next or 0
        if done.next is None:
            self._left.pop(0)
        return True
