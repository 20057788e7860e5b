"""What may go wrong between a message and its effects, as verbs for the consumer (research/messaging_style.md B.6)."""

from __future__ import annotations

from sqlalchemy.exc import DBAPIError, InterfaceError, OperationalError


class Transient(Exception):
    """The database is away or busy; the message is fine. Keep it, wait, try again; never requeue in a loop."""


class HandlerFailed(Exception):
    """A bug in a handler. Nothing was committed but the count of attempts; deliver the message again after a pause."""


class LeaseLost(Exception):
    """Another process leads now. Stop working; nothing of the present transaction may be committed."""


#: SQLSTATE classes that pass by themselves: serialization and deadlock (40), insufficient resources (53), operator
#: intervention (57).
_PASSING = ("40", "53", "57", "08")


def is_transient(error: DBAPIError) -> bool:
    """Whether a database error says "not now" and not "never".

    Lost connections, locks, deadlocks, restarts, full disks.
    """
    if error.connection_invalidated or isinstance(error, InterfaceError):
        return True
    code = getattr(error.orig, "pgcode", None)
    if code is not None:
        return code[:2] in _PASSING
    return isinstance(error, OperationalError)
