"""What may go wrong between a message and its effects, as verbs for the consumer (research/messaging_style.md B.6)."""

from __future__ import annotations

import sqlite3

from sqlalchemy.exc import DBAPIError, InterfaceError, OperationalError
from sqlalchemy.exc import TimeoutError as PoolExhausted


class Transient(Exception):
    """The database is away or busy; the message is fine. Keep it, wait, try again; never requeue in a loop.

    `state` continues "the database of intake ..." in words that may be shown to anybody.
    """

    def __init__(self, message: str, *, state: str = "does not answer") -> None:
        super().__init__(message)
        self.state = state


class MigrationWaits(Transient):
    """The database answers, and cannot be migrated now: somebody else migrates it, or keeps a table in use."""


class HandlerFailed(Exception):
    """A bug in a handler. Nothing was committed but the count of attempts; deliver the message again after a pause."""


class LeaseLost(Exception):
    """Another process leads now. Stop working; nothing of the present transaction may be committed."""


#: SQLSTATEs that pass by themselves, by their beginning: connection lost (08), serialization and deadlock (40),
#: insufficient resources (53: disk full, memory, connections), operator intervention (57: shutdown, recovery, timeout),
#: and of other classes: a standby not promoted yet, a session ended because its process had stopped, locks, I/O.
_PASSING = ("08", "40", "53", "57", "25006", "25P03", "55P03", "58030")
#: SQLite's primary result codes that pass: no memory, busy, locked, interrupted, I/O, full, cannot open, lock protocol.
#: Its driver calls a misspelt table "operational" just as it calls a full disk.
_PASSING_SQLITE = frozenset({5, 6, 7, 9, 10, 13, 14, 15})
_FULL, _MANY, _LOCKED = "has no space left", "has no connection left", "is locked by another process"
#: SQLite says this of a full disk too, when it is one of the files beside the database that does not fit.
_IO = "cannot use its disk (full, or failing)"
_WORDS = {"53100": _FULL, "53300": _MANY, "58030": _IO}
_WORDS_SQLITE = {5: _LOCKED, 6: _LOCKED, 10: _IO, 13: _FULL}


def is_transient(error: DBAPIError) -> bool:
    """Whether a database error says "not now" and not "never".

    Lost connections, locks, deadlocks, restarts, full disks, no connection left.
    """
    if error.connection_invalidated:
        return True
    if (result := _sqlite_result(error)) is not None:
        return result in _PASSING_SQLITE
    code = getattr(error.orig, "pgcode", None)
    if code is not None:
        return str(code).startswith(_PASSING)
    if isinstance(error, InterfaceError):
        return not isinstance(error.orig, sqlite3.Error)  # there: a value that it cannot store
    return isinstance(error, OperationalError)


def what_passes(error: DBAPIError) -> str:
    """What the matter is with the database while a transient error lasts; continues "the database of intake ..."."""
    if isinstance(error.orig, PoolExhausted):
        return _MANY
    result = _sqlite_result(error)
    words = _WORDS_SQLITE.get(result) if result is not None else _WORDS.get(getattr(error.orig, "pgcode", None) or "")
    return words or "does not answer"


def _sqlite_result(error: DBAPIError) -> int | None:
    """The primary result code, when SQLite itself gave one."""
    code = getattr(error.orig, "sqlite_errorcode", None)
    return None if code is None else code & 0xFF
