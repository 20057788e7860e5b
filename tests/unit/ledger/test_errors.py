"""Which database errors pass by themselves. SQLite's are real; PostgreSQL's by their codes (tests/chaos: real ones)."""

from __future__ import annotations

import psycopg2
import psycopg2.errors
import pytest
from sqlalchemy import Column, Integer, MetaData, String, Table, create_engine, insert, select, text
from sqlalchemy.exc import DBAPIError, OperationalError
from sqlalchemy.pool import QueuePool

from shared.ledger.engines import open_engine, reading, writing
from shared.ledger.errors import is_transient, what_passes

numbers = Table("numbers", MetaData(), Column("number", Integer, primary_key=True), Column("word", String(10)))


def _postgresql(code):
    """An error as psycopg2 would raise it: the code is filled in by libpq and can be set by unpickling alone."""
    error = psycopg2.errors.lookup(code)()
    error.__setstate__({"pgcode": code})
    assert error.pgcode == code
    return DBAPIError.instance("SELECT 1", {}, error, psycopg2.Error)


@pytest.mark.parametrize(
    "code",
    [
        "53100",  # disk full
        "53200",  # out of memory
        "53300",  # too many connections
        "57P01",  # admin shutdown
        "57P02",  # crash shutdown
        "57P03",  # cannot connect now: starting up, recovering
        "57014",  # statement timeout
        "40001",  # serialization
        "40P01",  # deadlock
        "08006",  # connection failure
        "25P03",  # idle in transaction too long: we were stopped
        "25006",  # read-only: a standby that will be promoted
        "55P03",  # lock not available
        "58030",  # I/O error
    ],
)
def test_what_postgresql_says_for_now_passes(code):
    assert is_transient(_postgresql(code))


@pytest.mark.parametrize(
    "code",
    ["23505", "42P01", "42601", "22001", "0A000", "XX000", "28P01", "3D000"],
)
def test_what_postgresql_says_for_good_does_not(code):
    assert not is_transient(_postgresql(code))


def test_a_connection_that_cannot_be_had_or_broke_passes():
    assert is_transient(OperationalError("SELECT 1", {}, psycopg2.OperationalError("could not connect to server")))
    gone = DBAPIError("COMMIT", {}, psycopg2.DatabaseError("lost synchronization"), connection_invalidated=True)
    assert is_transient(gone)
    assert is_transient(
        DBAPIError.instance("SELECT 1", {}, psycopg2.InterfaceError("connection already closed"), psycopg2.Error)
    )


@pytest.fixture
def engine(tmp_path):
    engine = open_engine(f"sqlite:///{tmp_path}/ledger.sqlite")
    with writing(engine) as db:
        numbers.create(db)
        db.commit()
    yield engine
    engine.dispose()


def _raised(db, statement):
    with pytest.raises(DBAPIError) as caught:
        db.execute(statement)
    return caught.value


def test_sqlite_locked_by_another_process_passes(engine, tmp_path):
    other = create_engine(f"sqlite:///{tmp_path}/ledger.sqlite", connect_args={"timeout": 0})
    with writing(engine) as db, other.connect() as second:
        db.execute(insert(numbers).values(number=1))
        error = _raised(second, insert(numbers).values(number=2))
        assert is_transient(error)
        assert what_passes(error) == "is locked by another process"


def test_a_full_disk_under_sqlite_passes_and_is_named(engine):
    with writing(engine) as db:
        db.exec_driver_sql("PRAGMA max_page_count = 3")
        rows = [{"number": number, "word": "x" * 1_000} for number in range(20)]
        with pytest.raises(DBAPIError) as caught:
            db.execute(insert(numbers), rows)
    assert caught.value.orig.sqlite_errorname == "SQLITE_FULL"
    assert is_transient(caught.value)
    assert what_passes(caught.value) == "has no space left"
    with reading(engine) as db:
        assert db.execute(select(numbers)).all() == []


def test_a_bug_under_sqlite_is_no_passing_trouble(engine):
    """SQLite calls these "operational", as it calls a full disk."""
    with writing(engine) as db:
        assert not is_transient(_raised(db, text("SELECT * FROM nowhere")))
        assert not is_transient(_raised(db, text("SELEKT 1")))
        assert not is_transient(_raised(db, insert(numbers).values(number=object())))


def test_what_passes_is_said_in_words():
    assert what_passes(_postgresql("53100")) == "has no space left"
    assert what_passes(_postgresql("53300")) == "has no connection left"
    assert what_passes(_postgresql("57P01")) == "does not answer"


def test_a_pool_without_a_free_connection_is_a_database_that_does_not_answer(tmp_path):
    engine = create_engine(
        f"sqlite:///{tmp_path}/x.sqlite", poolclass=QueuePool, pool_size=1, max_overflow=0, pool_timeout=0
    )
    with engine.connect():
        for way in (reading, writing):
            with pytest.raises(OperationalError) as caught, way(engine):
                pass
            assert is_transient(caught.value)
            assert what_passes(caught.value) == "has no connection left"
