"""Makes the process green: import this before anything else, and only in a process that serves with nameko.

    import shared.runtime.green  # noqa: F401, I001 -- first: everything imported later must see the patched modules

Patches sockets, threads, time and psycopg2, so that a handler waiting for PostgreSQL lets heartbeats and others go on.
The relay, the supervisor and the CLI never import it.
"""

from __future__ import annotations

import math
import os
import sys
import warnings

# The warning is for those who start something new; docs/adr/0001 says why we are here and how we get out.
warnings.filterwarnings("ignore", message=r"\s*Eventlet is deprecated")
# eventlet's own resolver adds a dependency and surprises with /etc/hosts; libc's is right, and names are few here.
os.environ.setdefault("EVENTLET_NO_GREENDNS", "yes")

import eventlet  # noqa: E402 -- after its warning is silenced

_TOO_EARLY = ("sqlalchemy", "psycopg2", "amqp", "kombu", "nameko", "requests")
if loaded := [name for name in _TOO_EARLY if name in sys.modules]:
    message = f"shared.runtime.green must be the first import; {', '.join(loaded)} came before it"
    raise ImportError(message)

eventlet.monkey_patch()

from eventlet import hubs  # noqa: E402 -- after the patch, as everything

from shared.ledger import deadline  # noqa: E402


class _Late(Exception):
    """Raised in a green thread whose wait is over; never leaves this module."""


def _waits(descriptor: int, writing: bool, seconds: float) -> bool:  # noqa: FBT001 -- as deadline.Waits
    try:
        hubs.trampoline(
            descriptor, read=not writing, write=writing, timeout=None if seconds == math.inf else seconds,
            timeout_exc=_Late,
        )  # fmt: skip
    except _Late:
        return False
    return True


# In place of eventlet's own callback, which waits for ever.
deadline.keep(_waits)
