"""Migrations on both databases: what they make is what the tables say; any number of processes may run them at once."""

from __future__ import annotations

import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

import psycopg2
import pytest
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from psycopg2.errors import UniqueViolation
from sqlalchemy import MetaData, inspect, make_url, text

from deploy.launcher import services
from shared.contracts.topology import SERVICES
from shared.kernel.errors import Misconfigured
from shared.ledger import migrate as migrations
from shared.ledger import tables as ledger_tables
from shared.ledger.engines import open_engine
from shared.ledger.errors import MigrationWaits, Transient
from shared.ledger.migrate import migrate, pending


@dataclass(frozen=True)
class Service:
    """A service of this test's own."""

    migrations: Path
    name: str = "sample"
    tables: MetaData = field(default_factory=MetaData)


REVISION = """
from __future__ import annotations
import sqlalchemy as sa
from alembic import op
from shared.ledger.revisions import create_index_live, create_ledger_0001, create_ledger_0002
revision = "{revision}"
down_revision = {down}
branch_labels = None
depends_on = None
def upgrade():
    {body}
"""


@pytest.fixture
def service(tmp_path):
    folder = tmp_path / "migrations"
    folder.mkdir()
    made = Service(migrations=folder)
    _add(made, "sample_0001", None, "create_ledger_0001(op)")
    return made


def _add(service, revision, down, body):
    text = REVISION.format(revision=revision, down=repr(down), body=body)
    (service.migrations / f"{revision}.py").write_text(text, encoding="utf-8")


@pytest.fixture(params=["sqlite", "postgresql"])
def url(request, tmp_path):
    return f"sqlite:///{tmp_path}/sample.db" if request.param == "sqlite" else request.getfixturevalue("database")


@pytest.fixture
def engine(url):
    engine = open_engine(url)
    yield engine
    engine.dispose()


def _differences(engine, metadata):
    with engine.connect() as db:
        context = MigrationContext.configure(db, opts={"compare_type": True})
        return compare_metadata(context, metadata)


def test_an_empty_database_is_brought_up_and_a_second_time_nothing_happens(engine, service):
    assert pending(engine, service) == ("sample_0001",)
    assert migrate(engine, service) == ("sample_0001",)
    assert pending(engine, service) == ()
    assert migrate(engine, service) == ()


def test_the_ledgers_frozen_ddl_is_what_its_tables_say(engine, service):
    _add(service, "sample_0002", "sample_0001", "create_ledger_0002(op)")
    migrate(engine, service)
    assert _differences(engine, ledger_tables.metadata) == []


def test_a_revision_that_fails_half_way_leaves_nothing(engine, service):
    migrate(engine, service)
    half = 'op.create_table("half", sa.Column("id", sa.Integer)); raise RuntimeError'
    _add(service, "sample_0002", "sample_0001", half)
    with pytest.raises(RuntimeError):
        migrate(engine, service)
    assert pending(engine, service) == ("sample_0002",)
    assert not inspect(engine).has_table("half")


def test_an_index_on_a_live_table_is_made_while_it_is_written_to(engine, service):
    migrate(engine, service)
    _add(service, "sample_0002", "sample_0001", 'create_index_live(op, "ix_live", "inbox", ["message_id"])')
    if engine.dialect.name == "postgresql":
        # A try that was broken off left its half-made index behind, and its revision was not noted.
        with _autocommit(engine) as cursor:
            cursor.execute("INSERT INTO inbox VALUES ('a', 'x', now()), ('b', 'x', now())")
        with _autocommit(engine) as cursor, pytest.raises(UniqueViolation):
            cursor.execute("CREATE UNIQUE INDEX CONCURRENTLY ix_live ON inbox (message_id)")
    assert migrate(engine, service) == ("sample_0002",)
    index = next(index for index in inspect(engine).get_indexes("inbox") if index["name"] == "ix_live")
    assert not index["unique"]
    if engine.dialect.name == "postgresql":
        with _autocommit(engine) as cursor:
            cursor.execute("SELECT indisvalid FROM pg_index WHERE indexrelid = 'ix_live'::regclass")
            assert cursor.fetchone() == (True,)


def test_a_writer_goes_on_while_an_index_is_made(database, service):
    engine = open_engine(database)
    migrate(engine, service)
    _add(service, "sample_0002", "sample_0001", 'create_index_live(op, "ix_live", "inbox", ["message_id"])')
    with ThreadPoolExecutor(1) as pool:
        with engine.connect() as earlier, engine.connect() as later:
            earlier.execute(text("INSERT INTO inbox VALUES ('a', 'x', now())"))
            migrating = pool.submit(migrate, engine, service)
            _until_waiting(engine, "CREATE INDEX%")
            # The migration waits for the earlier transaction; a plain CREATE INDEX would now hold this one up.
            later.execute(text("SET lock_timeout = '2s'"))
            later.execute(text("INSERT INTO inbox VALUES ('a', 'y', now())"))
            later.commit()
            assert not migrating.done()
            earlier.commit()
        assert migrating.result(30) == ("sample_0002",)
    engine.dispose()


@contextmanager
def backed_up(url, table):
    """Somebody reads a table in one long transaction, as pg_dump does, to the end of the block."""
    engine = open_engine(url, idle_ms=0)
    with engine.connect() as db:
        db.execute(text(f"LOCK TABLE {table} IN ACCESS SHARE MODE"))
        yield
    engine.dispose()


def test_a_revision_behind_a_backup_lets_the_services_pass(database, service):
    engine = open_engine(database)
    migrate(engine, service)
    _add(service, "sample_0002", "sample_0001", 'op.add_column("inbox", sa.Column("more", sa.Text()))')
    with ThreadPoolExecutor(1) as pool:
        with backed_up(database, "inbox"), engine.connect() as writer:
            migrating = pool.submit(migrate, engine, service)
            _until_waiting(engine, "ALTER TABLE%")
            # Whoever comes later waits behind the revision that waits for the backup, unless it steps back.
            writer.execute(text("SET lock_timeout = '5s'"))
            writer.execute(text("INSERT INTO inbox VALUES ('a', 'x', now())"))
            writer.commit()
            assert not migrating.done()
        assert migrating.result(30) == ("sample_0002",)
    assert "more" in {column["name"] for column in inspect(engine).get_columns("inbox")}
    engine.dispose()


def test_a_revision_that_never_gets_its_table_says_why_and_leaves_nothing(database, service, monkeypatch):
    monkeypatch.setattr(migrations, "_ASK_WITHIN_S", -1.0)
    engine = open_engine(database)
    migrate(engine, service)
    _add(service, "sample_0002", "sample_0001", 'op.add_column("inbox", sa.Column("more", sa.Text()))')
    refused = pytest.raises(MigrationWaits, match=r"database of sample .* long transaction .*pg_stat_activity")
    with backed_up(database, "inbox"), refused:
        migrate(engine, service)
    assert pending(engine, service) == ("sample_0002",)
    assert migrate(engine, service) == ("sample_0002",)
    engine.dispose()


def _until_waiting(engine, statement):
    query = text(
        "SELECT count(*) FROM pg_stat_activity"
        " WHERE application_name = 'gridwhistle-migrate' AND query LIKE :statement AND wait_event_type = 'Lock'"
    )
    deadline = time.monotonic() + 20
    with engine.connect() as db:
        while not db.execute(query, {"statement": statement}).scalar_one():
            db.rollback()
            assert time.monotonic() < deadline
            time.sleep(0.05)  # noqa: TID251 -- waiting for another session


@contextmanager
def _autocommit(engine):
    connection = psycopg2.connect(engine.url.set(drivername="postgresql").render_as_string(hide_password=False))
    connection.autocommit = True
    try:
        with connection.cursor() as cursor:
            yield cursor
    finally:
        connection.close()


def test_the_database_of_a_newer_release_is_left_alone_and_served(engine, service, tmp_path):
    migrate(engine, service)
    newer = Service(migrations=tmp_path / "newer")
    newer.migrations.mkdir()
    _add(newer, "sample_0001", None, "create_ledger_0001(op)")
    _add(newer, "sample_0002", "sample_0001", "create_ledger_0002(op)")
    assert migrate(engine, newer) == ("sample_0002",)
    assert pending(engine, service) == ()
    assert migrate(engine, service) == ()


def test_several_processes_at_once_migrate_once(url, service):
    program = (
        "import sys; from pathlib import Path; from types import SimpleNamespace as N\n"
        "from shared.ledger.engines import open_engine; from shared.ledger.migrate import migrate\n"
        "print(migrate(open_engine(sys.argv[1]), N(name='sample', migrations=Path(sys.argv[2]))))"
    )
    with ThreadPoolExecutor(4) as pool:
        done = list(
            pool.map(
                lambda _: subprocess.run(
                    [sys.executable, "-c", program, url, str(service.migrations)],
                    capture_output=True, text=True, check=True,
                ).stdout.strip(),
                range(4),
            )
        )  # fmt: skip
    assert sorted(done, key=len) == ["()", "()", "()", "('sample_0001',)"]


def test_a_postgresql_database_that_is_not_there_is_made(postgresql, database, service):
    engine = open_engine(make_url(database).set(database="made_by_migrate").render_as_string(hide_password=False))
    try:
        assert migrate(engine, service) == ("sample_0001",)
    finally:
        engine.dispose()
        postgresql.drop("made_by_migrate")


def test_a_user_who_may_not_make_it_is_told_what_to_do(postgresql, database, service):
    with psycopg2.connect(postgresql.dsn_for("postgres")) as connection, connection.cursor() as cursor:
        cursor.execute("CREATE ROLE small LOGIN PASSWORD 'small'")
    url = make_url(database).set(username="small", password="small", database="never_made")
    engine = open_engine(url.render_as_string(hide_password=False))
    with pytest.raises(Misconfigured, match="CREATE DATABASE never_made"):
        migrate(engine, service)
    engine.dispose()


def test_a_server_that_is_away_is_transient(service):
    engine = open_engine("postgresql+psycopg2://nobody:none@127.0.0.1:1/none")
    with pytest.raises(Transient):
        migrate(engine, service)
    with pytest.raises(Transient):
        pending(engine, service)


@pytest.mark.parametrize("name", SERVICES)
def test_no_service_has_drift_between_its_tables_and_its_migrations(name, engine):
    definition = services.definition(name)
    migrate(engine, definition)
    both = MetaData()
    for source in (ledger_tables.metadata, definition.tables):
        for table in source.tables.values():
            table.to_metadata(both)
    assert _differences(engine, both) == []
