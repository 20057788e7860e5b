"""How a consumer holds on to messages that cannot be handled now: in place, unacknowledged, with growing pauses.

Requeueing is no retry (research/messaging_style.md, t7: it burns the limit of deliveries in milliseconds). Pure; knows
neither nameko nor the broker.
"""

from __future__ import annotations

import logging
import random
import time
from collections.abc import Callable, Sequence
from threading import Event
from typing import TypeVar

from shared.ledger.errors import Transient
from shared.ledger.reception import Received

log = logging.getLogger(__name__)

#: What is received: an event's bytes, or a letter.
Message = TypeVar("Message")

#: Seconds of the first pause while the database is away, and of the longest.
FIRST_PAUSE_S, LONGEST_PAUSE_S = 0.1, 30.0
#: Seconds after which a process that gets nowhere gives up (the broker's own limit is 30 minutes).
PATIENCE_S = 300.0
#: Seconds before a message whose handler has a bug is tried again; doubles; the ledger stops it at the fifth attempt.
BUG_PAUSE_S = 0.5


class Sick(Exception):
    """This process cannot do its work. Exit; the supervisor starts another, and the messages come back."""


class Abandoned(Exception):
    """The process was told to stop while messages were held. Nothing was committed; leave them unacknowledged."""


def hold(
    receive_many: Callable[[Sequence[Message]], Sequence[Received]],
    raws: Sequence[Message],
    settled: Callable[[int], None],
    *,
    stopping: Event,
    monotonic: Callable[[], float] = time.monotonic,
    jitter: Callable[[], float] = random.random,
) -> None:
    """Try messages again until all are dealt with; `settled` hears the place of each that is.

    Raises Sick or Abandoned: what is not settled then must not be acknowledged.
    """
    began = monotonic()
    waiting = dict(enumerate(raws))
    away_pause, bug_pause = FIRST_PAUSE_S, BUG_PAUSE_S
    away = True  # a first try was made before we were called
    while waiting:
        # Half to full: many workers that lost the same database must not come back in step.
        pause = away_pause * (0.5 + jitter() / 2) if away else bug_pause
        if stopping.wait(pause):
            message = f"told to stop; {len(waiting)} message(s) left to come back"
            raise Abandoned(message)
        places = list(waiting)
        kept = []
        for place, received in zip(places, receive_many([waiting[place] for place in places]), strict=True):
            if received.outcome is not None:
                del waiting[place]
                settled(place)
            elif received.kept is not None:
                kept.append(received.kept)
        if not waiting:
            return
        reason = next((error for error in kept if isinstance(error, Transient)), kept[0] if kept else None)
        away = isinstance(reason, Transient)
        if away and monotonic() - began > PATIENCE_S:
            message = f"the database did not come back within {PATIENCE_S:.0f} s: {reason}"
            raise Sick(message)
        away_pause = min(away_pause * 2, LONGEST_PAUSE_S) if away else FIRST_PAUSE_S
        bug_pause = bug_pause if away else bug_pause * 2
        log.warning(
            "messages held: the database is away" if away else "messages held: a handler failed",
            extra={"messages": len(waiting), "reason": str(reason)},
        )
