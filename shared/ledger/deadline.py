"""A limit to how long PostgreSQL may keep us waiting, kept on our side of the connection.

`statement_timeout` is the server's and helps nobody whose link swallows the answer; TCP notices a dead peer, but not
one behind a proxy that lives, or a server that stands still. Here every wait for the socket ends: the connection is
closed, SQLAlchemy sees it as lost, and the error passes (shared.ledger.errors). libpq's own `connect_timeout` does not
count once a wait callback is set, so that is kept here too. Never decides what was done meanwhile: a commit that is
given up like this may have taken place.
"""

from __future__ import annotations

import math
import select
import time
from collections.abc import Callable

import psycopg2
from psycopg2 import extensions

from shared.ledger.round_trips import ThriftyConnection

#: Seconds to reach the server and be let in.
CONNECT_S = 5.0
#: Seconds that the server is given to give a statement up by itself before we hang up.
GRACE_S = 5.0
_OPEN = (extensions.STATUS_READY, extensions.STATUS_BEGIN, extensions.STATUS_PREPARED)

#: (file descriptor, whether to wait for writing, seconds) -> whether it became ready in that time.
Waits = Callable[[int, bool, float], bool]


def connection_class(seconds: float) -> type[extensions.connection]:
    """The class of connections that wait at most that long for the answer to one statement."""
    return type("ImpatientConnection", (ThriftyConnection,), {"answer_within_s": seconds})


def keep(waits: Waits | None = None) -> None:
    """Keep the limits in this process from now on. Connections of another class wait for ever, once they are open."""
    extensions.set_wait_callback(_callback(waits or _poll))


def _callback(waits: Waits) -> Callable[[extensions.connection], None]:
    def wait(connection: extensions.connection) -> None:
        limit = getattr(connection, "answer_within_s", math.inf) if connection.status in _OPEN else CONNECT_S
        until = time.monotonic() + limit
        while (state := connection.poll()) != extensions.POLL_OK:
            left = until - time.monotonic()
            if left <= 0 or not waits(connection.fileno(), state == extensions.POLL_WRITE, left):
                message = f"no answer from the database within {limit:.0f} s"
                raise psycopg2.OperationalError(message)

    return wait


def _poll(descriptor: int, writing: bool, seconds: float) -> bool:  # noqa: FBT001 -- as Waits
    waiting = select.poll()
    waiting.register(descriptor, select.POLLOUT if writing else select.POLLIN)
    return bool(waiting.poll(None if seconds == math.inf else seconds * 1000))
