"""Engines for SQLite and PostgreSQL, set up so that a commit is a promise.

SQLite: WAL, synchronous=FULL, BEGIN IMMEDIATE for writers, and one process-wide lock around write transactions, so that
green threads queue in Python instead of freezing the process in C (research A.7). PostgreSQL: psycopg2, which
eventlet's patcher makes yield; every wait for it ends (shared.ledger.deadline). A database error's text names no
parameters on either: they are residents' words and sealed contact data, and errors end in logs and in the quarantine.
"""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from sqlalchemy import Connection, Engine, create_engine, event, make_url
from sqlalchemy.exc import OperationalError
from sqlalchemy.exc import TimeoutError as PoolExhausted
from sqlalchemy.pool import QueuePool, StaticPool

from shared.ledger import deadline, prepared

#: Seconds SQLite waits for another process's write lock.
_BUSY_TIMEOUT_S = 10
#: Connections to a SQLite file that stay open between two uses; more are opened when they are needed at once.
_KEPT_OPEN = 5
#: Seconds after which PostgreSQL gives a statement up; somewhat later we hang up (shared.ledger.deadline).
ANSWER_WITHIN_S = 30.0
#: Milliseconds that what we sent may stay unacknowledged by the other machine, before the link counts as broken.
_UNACKNOWLEDGED_MS = 20_000
#: Milliseconds after which PostgreSQL ends the session of a process that stopped in the middle of a transaction
#: (SIGSTOP, a machine that froze): its locks would keep its successors waiting for as long as it is stopped.
IDLE_MS = 5_000
_WRITING = "gridwhistle_writing"

_locks: dict[str, threading.RLock] = {}


def open_engine(
    url: str, *, pool_size: int = 10, answer_within_s: float = ANSWER_WITHIN_S, idle_ms: int = IDLE_MS
) -> Engine:
    """An engine for one service's database; creates the folder of a SQLite file. Connects lazily.

    `idle_ms`: how long a transaction may stand still on PostgreSQL; 0: for ever, for who only looks on.
    """
    parsed = make_url(url)
    if parsed.get_backend_name() == "sqlite":
        return _sqlite(url, parsed.database)
    return create_engine(
        url,
        hide_parameters=True,
        poolclass=QueuePool,
        pool_size=pool_size,
        max_overflow=5,
        pool_pre_ping=False,
        pool_use_lifo=True,
        connect_args={
            "connect_timeout": int(deadline.CONNECT_S),
            "application_name": "gridwhistle",
            "connection_factory": deadline.connection_class(answer_within_s + deadline.GRACE_S),
            "cursor_factory": prepared.PreparingCursor,
            "options": (
                f"-c statement_timeout={int(answer_within_s * 1000)} -c timezone=UTC"
                f" -c idle_in_transaction_session_timeout={idle_ms}"
            ),
            "keepalives_idle": 10,
            "keepalives_interval": 5,
            "keepalives_count": 3,
            "tcp_user_timeout": _UNACKNOWLEDGED_MS,
        },
    )


def _sqlite(url: str, database: str | None) -> Engine:
    in_memory = database in (None, "", ":memory:")
    if not in_memory and database is not None:
        Path(database).parent.mkdir(parents=True, exist_ok=True)
    # Connections are kept: closing the last one to a WAL file writes it all back, and the next one reads the schema
    # again: a quarter of embedded mode's time.
    pool: dict[str, Any] = (
        {"poolclass": StaticPool}
        if in_memory
        else {"poolclass": QueuePool, "pool_size": _KEPT_OPEN, "max_overflow": -1, "pool_use_lifo": True}
    )
    engine = create_engine(
        url,
        hide_parameters=True,
        connect_args={"timeout": _BUSY_TIMEOUT_S, "check_same_thread": False},
        **pool,
    )

    @event.listens_for(engine, "connect")
    def _prepare(connection: Any, _record: Any) -> None:
        connection.isolation_level = None  # we say BEGIN ourselves, see below
        cursor = connection.cursor()
        cursor.execute("PRAGMA journal_mode=WAL")
        cursor.execute("PRAGMA synchronous=FULL")
        cursor.execute("PRAGMA foreign_keys=ON")
        cursor.close()

    @event.listens_for(engine, "begin")
    def _begin(connection: Connection) -> None:
        writing = connection.get_execution_options().get(_WRITING, False)
        connection.exec_driver_sql("BEGIN IMMEDIATE" if writing else "BEGIN")

    return engine


@contextmanager
def writing(engine: Engine) -> Iterator[Connection]:
    """A connection for one write transaction, begun by its first statement; leaving without a commit rolls back."""
    if engine.dialect.name == "sqlite":
        lock = _locks.setdefault(str(engine.url) if engine.url.database else str(id(engine)), threading.RLock())
        with lock, _connected(engine) as plain:
            yield plain.execution_options(**{_WRITING: True})
        return
    with _connected(engine) as connection:
        yield connection


@contextmanager
def reading(engine: Engine) -> Iterator[Connection]:
    """A connection for queries only."""
    with _connected(engine) as connection:
        yield connection


def _connected(engine: Engine) -> Connection:
    try:
        return engine.connect()
    except PoolExhausted as error:
        # All connections wait for a database that does not answer: as if it had refused, and no bug of who asked.
        raise OperationalError(None, None, error) from error
