"""Bringing a service's database to the release's state.

Any number of processes may do it at once: one works, the others wait. SQLite: the whole upgrade is one transaction.
PostgreSQL: each revision is one, but for the indexes it makes on live tables (revisions.create_index_live), which may
be made again; so a process that dies half-way leaves nothing that the next one cannot finish. Never goes back: a
mistake is mended by a further revision.

Services work meanwhile. A revision that waits for a table (behind a backup, say) makes everybody else who comes wait
behind it: so it asks for two seconds, lets the others pass, and asks again.
"""

from __future__ import annotations

import logging
import time
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Protocol

import psycopg2.errors
from alembic import command
from alembic.config import Config
from alembic.runtime.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import Connection, Engine, MetaData, create_engine, text
from sqlalchemy.exc import DBAPIError
from sqlalchemy.pool import NullPool

from shared.kernel.errors import Misconfigured
from shared.ledger.engines import reading, writing
from shared.ledger.errors import MigrationWaits, Transient, is_transient
from shared.ledger.revisions import ASKS_FOR_MS

log = logging.getLogger(__name__)

_SCRIPTS = Path(__file__).with_name("scripts")
#: First half of the advisory lock's key: "GRWH".
_LOCK_SPACE = 0x47525748
#: Seconds to wait for another process that migrates, and between two looks.
_WAIT_S, _LOOK_EVERY_S = 60.0, 0.1
#: Seconds for which one revision asks for a table again and again.
_ASK_WITHIN_S = 120.0
#: Seconds for which the others may go on between two times: doubles up to the second figure.
_FIRST_PAUSE_S, _LONGEST_PAUSE_S = 1.0, 16.0
#: PostgreSQL: there is no such database / somebody else made it in this moment.
_NO_DATABASE, _DUPLICATE = "3D000", ("42P04", "23505")


class Migratable(Protocol):
    """What of a service definition is needed here."""

    @property
    def name(self) -> str: ...  # noqa: D102 -- the service's name
    @property
    def tables(self) -> MetaData: ...  # noqa: D102 -- its own tables
    @property
    def migrations(self) -> Path: ...  # noqa: D102 -- the folder of its revisions


def migrate(engine: Engine, definition: Migratable) -> tuple[str, ...]:
    """Apply what is missing; returns the revisions applied, oldest first.

    Makes a PostgreSQL database that is not there.
    Raises Transient while the database is away, MigrationWaits while somebody else migrates it or keeps a table,
    Misconfigured when it may not be made.
    """
    try:
        _make_database(engine)
        with _alone(engine, definition.name) as db:
            before = _missing(db, definition)
            if db.dialect.name == "postgresql":
                db.rollback()  # each revision begins its own transaction
            if before:
                _upgrade(definition, db)
            db.commit()
    except DBAPIError as error:
        if is_transient(error):
            message = f"the database of {definition.name} does not answer: {error.orig}"
            raise Transient(message) from error
        raise
    return before


def _upgrade(definition: Migratable, db: Connection) -> None:
    """Every revision that is missing. Raises MigrationWaits when somebody keeps a table for too long."""
    refused_at, pause, stuck_at = None, _FIRST_PAUSE_S, None
    while True:
        try:
            command.upgrade(_config(definition, db), "heads")
        except DBAPIError as error:
            if not isinstance(error.orig, (psycopg2.errors.LockNotAvailable, psycopg2.errors.DeadlockDetected)):
                raise
            db.rollback()
            applied = MigrationContext.configure(db).get_current_heads()
            db.rollback()
            if refused_at is None or applied != stuck_at:
                refused_at, pause, stuck_at = time.monotonic(), _FIRST_PAUSE_S, applied
            if time.monotonic() - refused_at > _ASK_WITHIN_S:
                message = (
                    f"the database of {definition.name} cannot be migrated: for {_ASK_WITHIN_S:.0f} s somebody has been"
                    " using a table in one long transaction (a backup? pg_stat_activity shows it)"
                )
                raise MigrationWaits(message) from error
            log.info("a table is in use; asked for again", extra={"service": definition.name, "error": str(error.orig)})
            time.sleep(pause)  # noqa: TID251 -- the others pass
            pause = min(2 * pause, _LONGEST_PAUSE_S)
        else:
            return


def pending(engine: Engine, definition: Migratable) -> tuple[str, ...]:
    """Revisions not yet applied, oldest first; empty when the database is ready. Raises Transient."""
    try:
        with reading(engine) as db:
            return _missing(db, definition)
    except DBAPIError as error:
        if is_transient(error):
            message = f"the database of {definition.name} does not answer: {error.orig}"
            raise Transient(message) from error
        raise


def _config(definition: Migratable, db: Connection | None = None) -> Config:
    config = Config()
    config.set_main_option("script_location", str(_SCRIPTS))
    config.set_main_option("version_locations", str(definition.migrations))
    config.set_main_option("path_separator", "newline")
    config.attributes["connection"] = db
    return config


def _missing(db: Connection, definition: Migratable) -> tuple[str, ...]:
    scripts = ScriptDirectory.from_config(_config(definition))
    applied = MigrationContext.configure(db).get_current_heads()
    known = {script.revision for script in scripts.walk_revisions()}
    if not known.issuperset(applied):
        # A newer release has been here. Its revisions only add (expand): this one runs on them as it is.
        log.info("the database is newer than this release", extra={"service": definition.name, "revisions": applied})
        return ()
    done = {script.revision for head in applied for script in scripts.iterate_revisions(head, "base")}
    return tuple(script.revision for script in reversed(list(scripts.walk_revisions())) if script.revision not in done)


@contextmanager
def _alone(engine: Engine, service: str) -> Iterator[Connection]:
    """A connection, and the right to migrate; on SQLite a transaction (BEGIN IMMEDIATE) is such a right already.

    PostgreSQL: the right is an advisory lock held by a second connection that is in no transaction, and it is tried
    for, never waited for: an index made concurrently waits for all transactions, also for one that would wait for us.
    """
    if engine.dialect.name != "postgresql":
        with writing(engine) as db:
            db.execute(text("SELECT 1"))
            yield db
        return
    # Connections of their own: making an index may take longer than the services' statement_timeout.
    patient = create_engine(
        engine.url,
        poolclass=NullPool,
        hide_parameters=True,
        connect_args={
            "connect_timeout": 5,
            "application_name": "gridwhistle-migrate",
            "options": f"-c timezone=UTC -c lock_timeout={ASKS_FOR_MS}",
        },
    )
    with patient.connect() as guard, patient.connect() as db:
        _wait_for_turn(guard.execution_options(isolation_level="AUTOCOMMIT"), service)
        yield db


def _wait_for_turn(guard: Connection, service: str) -> None:
    key = {"space": _LOCK_SPACE, "service": zlib.crc32(service.encode()) & 0x7FFFFFFF}
    deadline = time.monotonic() + _WAIT_S
    while not guard.execute(text("SELECT pg_try_advisory_lock(:space, :service)"), key).scalar_one():
        if time.monotonic() > deadline:
            message = f"another process has been migrating the database of {service} for {_WAIT_S:.0f} s"
            raise MigrationWaits(message)
        time.sleep(_LOOK_EVERY_S)  # noqa: TID251 -- waiting for another process


def _make_database(engine: Engine) -> None:
    if engine.dialect.name != "postgresql":
        return
    try:
        engine.connect().close()
    except DBAPIError as error:
        # libpq gives no SQLSTATE for a refused start of a session; the text is all there is.
        if getattr(error.orig, "pgcode", None) != _NO_DATABASE and "does not exist" not in str(error.orig):
            raise
        _create_database(engine)


def _create_database(engine: Engine) -> None:
    name = engine.url.database or ""
    server = create_engine(engine.url.set(database="postgres"), poolclass=NullPool, isolation_level="AUTOCOMMIT")
    try:
        with server.connect() as db:
            db.execute(text(f"CREATE DATABASE \"{name}\" ENCODING 'UTF8' TEMPLATE template0"))
    except DBAPIError as error:
        if getattr(error.orig, "pgcode", None) in _DUPLICATE:
            return
        if isinstance(error.orig, psycopg2.errors.InsufficientPrivilege):
            message = f"no database {name!r}, and this user may not make it; as administrator: CREATE DATABASE {name}"
            raise Misconfigured(message) from error
        raise
    finally:
        server.dispose()
