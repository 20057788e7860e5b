"""Statements that travel together: in order, all or nothing, and in as few round trips as possible."""

from __future__ import annotations

import psycopg2
import pytest
from sqlalchemy import Column, Integer, MetaData, String, Table, insert, select
from sqlalchemy.exc import DBAPIError, IntegrityError, OperationalError

from shared.ledger.engines import open_engine
from shared.ledger.fixed import Fixed
from shared.ledger.round_trips import ThriftyConnection

metadata = MetaData()
desks = Table("desks", metadata, Column("id", Integer, primary_key=True), Column("name", String(40)))
ADD = Fixed(insert(desks).inline(), columns=("id", "name"))


@pytest.fixture
def engine(database):
    made = open_engine(database, pool_size=1)
    metadata.create_all(made)
    yield made
    made.dispose()


@pytest.fixture
def sent(engine, monkeypatch):
    """What goes to the server, one entry a round trip."""
    trips = []
    with engine.connect():  # whatever SQLAlchemy asks of a new connection
        pass
    as_it_was = ThriftyConnection.sent_by

    def noted(self, plain, text):
        trips.append(text.decode())
        as_it_was(self, plain, text)

    monkeypatch.setattr(ThriftyConnection, "sent_by", noted)
    return trips


def names(engine):
    with engine.connect() as db:
        return list(db.execute(select(desks.c.name).order_by(desks.c.id)).scalars())


def later(db, number, name="桌"):
    ADD.later(db, {"id": number, "name": name})


def test_begin_travels_with_the_first_and_what_waits_with_commit(engine, sent):
    with engine.connect() as db:
        db.execute(select(desks)).all()
        later(db, 1, "一")
        later(db, 2, "二; 'quoted' \\ %s 100%")
        db.commit()
    first, second = sent
    assert first.startswith("BEGIN;SELECT")
    assert second.count("INSERT INTO") == 2
    assert second.endswith(";COMMIT")
    assert names(engine) == ["一", "二; 'quoted' \\ %s 100%"]


def test_who_reads_sees_what_waited(engine, sent):
    with engine.connect() as db:
        later(db, 1)
        assert db.execute(select(desks.c.id)).scalars().all() == [1]
        db.commit()
    assert [text.split(";")[-1].split()[0] for text in sent] == ["SELECT", "COMMIT"]


def test_a_transaction_without_statements_sends_nothing(engine, sent):
    with engine.connect() as db:
        db.begin()
        db.commit()
        db.begin()
        db.rollback()
    assert sent == []


def test_nothing_of_a_rollback_stays_and_what_waited_is_never_sent(engine, sent):
    with engine.connect() as db:
        later(db, 1)
        db.rollback()
        assert sent == []
        db.execute(insert(desks), {"id": 2, "name": "b"})
        later(db, 3)
        db.rollback()
    assert [text.split()[0] for text in sent] == ["BEGIN;INSERT", "ROLLBACK"]
    assert names(engine) == []


def test_what_fails_on_the_way_is_told_to_the_next_and_nothing_is_stored(engine):
    with engine.connect() as db:
        later(db, 1)
        later(db, 1)
        with pytest.raises(IntegrityError):
            db.execute(select(desks)).all()
        with pytest.raises(DBAPIError, match="aborted"):
            db.execute(select(desks)).all()
        db.rollback()
        later(db, 5, "nach")
        db.commit()
    assert names(engine) == ["nach"]


def test_what_fails_on_the_way_to_commit_fails_the_commit(engine):
    with engine.connect() as db:
        later(db, 1)
        later(db, 1)
        with pytest.raises(IntegrityError):
            db.commit()
    assert names(engine) == []
    with engine.connect() as db:  # the same connection, in order again
        later(db, 2, "zwei")
        db.commit()
    assert names(engine) == ["zwei"]


def test_text_that_breaks_the_whole_message_stores_nothing(engine):
    with engine.connect() as db:
        later(db, 1)
        with pytest.raises(DBAPIError, match="syntax"):
            db.exec_driver_sql("SELEKT 1")
    assert names(engine) == []


def test_savepoints_undo_what_waited_inside_them(engine, sent):
    with engine.connect() as db:
        later(db, 1, "before")
        undone = db.begin_nested()
        later(db, 2, "inside")
        undone.rollback()
        with db.begin_nested():
            later(db, 3, "inside, kept")
        later(db, 4, "after")
        db.commit()
    assert names(engine) == ["before", "inside, kept", "after"]
    assert len(sent) == 2 + 2  # to the ROLLBACK TO, the rest; and this look, with its end


def test_a_waiting_statement_that_fails_inside_a_savepoint_does_not_pass_for_the_savepoint_s_end(engine):
    with engine.connect() as db:
        later(db, 1)
        with db.begin_nested():
            later(db, 1)
        with pytest.raises(IntegrityError):
            db.commit()
    assert names(engine) == []


def test_rows_read_bit_by_bit_belong_to_the_transaction(engine):
    with engine.connect() as db:
        for number in range(5):
            later(db, number, f"n{number}")
        found = db.execute(select(desks.c.id), execution_options={"yield_per": 2}).scalars()
        assert [number for part in found.partitions() for number in part] == [0, 1, 2, 3, 4]
        later(db, 9, "n9")
        db.rollback()
        db.execute(select(desks.c.id), execution_options={"yield_per": 2}).all()
        later(db, 10, "n10")
        db.commit()
        later(db, 11, "n11")
        db.rollback()
    assert names(engine) == ["n10"]


def test_many_at_once_belong_to_the_transaction(engine):
    raw = engine.raw_connection()
    cursor = raw.cursor()
    cursor.executemany("INSERT INTO desks VALUES (%s, %s)", [(1, "a"), (2, "b")])
    raw.rollback()
    cursor.executemany("INSERT INTO desks VALUES (%s, %s)", [(3, "c"), (4, "d")])
    raw.commit()
    raw.close()
    assert names(engine) == ["c", "d"]


def test_every_statement_for_itself_where_that_is_asked(engine):
    with engine.connect().execution_options(isolation_level="AUTOCOMMIT") as db:
        later(db, 1, "stays")
        db.rollback()
    assert names(engine) == ["stays"]
    with engine.connect() as db:  # the pool gives it back as it was
        later(db, 2, "goes")
        db.rollback()
    assert names(engine) == ["stays"]


def test_a_connection_lost_under_what_waits_is_known_as_lost(engine):
    with engine.connect() as db:
        pid = db.exec_driver_sql("SELECT pg_backend_pid()").scalar_one()
        later(db, 1)
        with open_engine(str(engine.url.render_as_string(hide_password=False))).connect() as other:
            other.exec_driver_sql(f"SELECT pg_terminate_backend({pid}, 5000)")
        with pytest.raises(OperationalError) as caught:
            db.commit()
        assert caught.value.connection_invalidated
    assert names(engine) == []


def test_a_prepared_statement_gone_while_its_run_waited_costs_one_transaction(engine):
    with engine.connect() as db:
        for number in range(8):
            later(db, number)
        db.commit()
        db.exec_driver_sql("DEALLOCATE ALL")
        later(db, 20)
        with pytest.raises(OperationalError, match="not valid any more"):
            db.commit()
    with engine.connect() as db:
        later(db, 21)
        db.commit()
        assert db.execute(select(desks.c.id).where(desks.c.id > 10)).scalars().all() == [21]


def test_closed_is_closed(engine):
    raw = engine.raw_connection()
    raw.driver_connection.close()
    with pytest.raises(psycopg2.InterfaceError):
        raw.driver_connection.commit()
    with pytest.raises(psycopg2.InterfaceError):
        raw.driver_connection.rollback()
    raw.invalidate()
