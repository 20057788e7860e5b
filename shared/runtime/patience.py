"""How a consumer holds on to a message that cannot be handled now: in place, unacknowledged, with growing pauses.

Requeueing is no retry (research/messaging_style.md, t7: it burns the limit of deliveries in milliseconds). Pure; knows
neither nameko nor the broker.
"""

from __future__ import annotations

import logging
import random
import time
from collections.abc import Callable
from threading import Event

from shared.ledger.errors import HandlerFailed, Transient
from shared.ledger.reception import Outcome

log = logging.getLogger(__name__)

#: Seconds of the first pause while the database is away, and of the longest.
FIRST_PAUSE_S, LONGEST_PAUSE_S = 0.1, 30.0
#: Seconds after which a process that gets nowhere gives up (the broker's own limit is 30 minutes).
PATIENCE_S = 300.0
#: Seconds before a message whose handler has a bug is tried again; doubles; the ledger stops it at the fifth attempt.
BUG_PAUSE_S = 0.5


class Sick(Exception):
    """This process cannot do its work. Exit; the supervisor starts another, and the message comes back by itself."""


class Abandoned(Exception):
    """The process was told to stop while a message was held. Nothing was committed; leave it unacknowledged."""


def persistently(
    receive: Callable[[bytes], Outcome],
    raw: bytes,
    *,
    stopping: Event,
    monotonic: Callable[[], float] = time.monotonic,
    jitter: Callable[[], float] = random.random,
) -> Outcome:
    """Have `receive` handle the message, however often it takes. Raises Sick or Abandoned: then do not acknowledge."""
    began = monotonic()
    pause, bug_pause = FIRST_PAUSE_S, BUG_PAUSE_S
    while True:
        try:
            return receive(raw)
        except Transient as error:
            if monotonic() - began > PATIENCE_S:
                message = f"the database did not come back within {PATIENCE_S:.0f} s: {error}"
                raise Sick(message) from error
            log.warning("message held: the database is away", extra={"reason": str(error)})
            # Full jitter: many workers that lost the same database must not come back in step.
            wait = pause * (0.5 + jitter() / 2)
            pause = min(pause * 2, LONGEST_PAUSE_S)
        except HandlerFailed as error:
            log.warning("message held: its handler failed", extra={"reason": str(error)})
            wait = bug_pause
            bug_pause *= 2
        if stopping.wait(wait):
            message = "told to stop"
            raise Abandoned(message)
