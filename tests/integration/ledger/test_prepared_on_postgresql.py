"""Statements that a connection runs often are prepared; nothing else changes, whatever happens to the connection."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest
from sqlalchemy import JSON, Column, Integer, MetaData, Table, Text, insert, select
from sqlalchemy.exc import IntegrityError, OperationalError

from shared.ledger import prepared
from shared.ledger.engines import open_engine
from shared.ledger.errors import is_transient
from shared.ledger.types import Instant

THINGS = Table(
    "prepared_things",
    MetaData(),
    Column("id", Integer, primary_key=True),
    Column("text", Text),
    Column("at", Instant),
    Column("about", JSON),
)
AT = datetime(2025, 8, 22, 1, tzinfo=UTC)
OFTEN = prepared.WORTH_IT + 3


@pytest.fixture
def engine(database):
    made = open_engine(database, pool_size=1)
    THINGS.metadata.create_all(made)
    yield made
    THINGS.metadata.drop_all(made)
    made.dispose()


def kept_by(db):
    """What the server has prepared for this session."""
    query = "SELECT statement FROM pg_prepared_statements"
    return sorted(db.exec_driver_sql(query).scalars())


def put(db, number, text="甲"):
    return db.execute(insert(THINGS), {"id": number, "text": text, "at": AT, "about": {"甲": [number, None, "%"]}})


def test_what_runs_often_is_prepared_and_means_the_same(engine):
    with engine.connect() as db:
        for number in range(OFTEN):
            assert put(db, number).rowcount == 1
        for number in range(OFTEN):
            (row,) = db.execute(select(THINGS).where(THINGS.c.id == number, THINGS.c.at == AT))
            assert (row.text, row.at, row.about) == ("甲", AT, {"甲": [number, None, "%"]})
        kept = kept_by(db)
    assert len(kept) == 2
    assert all("$1" in text for text in kept)


def test_null_where_there_was_a_value(engine):
    with engine.connect() as db:
        for number in range(OFTEN):
            put(db, number, text=None if number % 2 else "乙")
        assert list(db.execute(select(THINGS.c.text).order_by(THINGS.c.id)).scalars())[:3] == ["乙", None, "乙"]


def test_what_was_prepared_outlives_a_rollback_and_a_failed_statement(engine):
    with engine.connect() as db:
        for number in range(OFTEN):
            put(db, number)
        db.rollback()
        assert len(kept_by(db)) == 1
        put(db, 1)
        with pytest.raises(IntegrityError):
            put(db, 1)
        db.rollback()
        put(db, 1)
        assert db.execute(select(THINGS.c.id)).scalars().all() == [1]


def test_what_cannot_be_prepared_goes_on_as_before(engine):
    text = "SELECT %(a)s"  # of what type?
    nested = "SELECT jsonb_build_object(%(key)s, %(value)s)::text"
    with engine.connect() as db:
        for _ in range(OFTEN):
            assert db.exec_driver_sql(text, {"a": "甲"}).scalar() == "甲"
            assert db.exec_driver_sql(nested, {"key": "k", "value": "v"}).scalar() == '{"k": "v"}'


def test_a_plan_is_made_anew_when_it_has_run_for_a_while_and_each_time_later(engine, monkeypatch):
    monkeypatch.setattr(prepared, "GOOD_FOR", 4)
    monkeypatch.setattr(prepared, "GOOD_FOR_MOST", 8)
    made = []
    prepare = prepared.PreparingCursor._prepare
    monkeypatch.setattr(
        prepared.PreparingCursor, "_prepare", lambda self, *about: made.append(number) or prepare(self, *about)
    )
    with engine.connect() as db:
        for number in range(1, 26):
            put(db, number)
        assert made == [prepared.WORTH_IT, 9, 17, 25]
        assert len(kept_by(db)) == 1


def test_no_more_are_kept_than_there_is_room_for(engine, monkeypatch):
    monkeypatch.setattr(prepared, "MOST_KEPT", 3)
    with engine.connect() as db:
        for width in range(1, 7):
            query = select(THINGS.c.id).where(THINGS.c.id.in_(range(width)))
            for _ in range(OFTEN):
                db.execute(query).all()
        assert len(kept_by(db)) == 3


def test_a_change_of_types_costs_one_transaction(engine):
    query = "SELECT * FROM prepared_things WHERE id = %(id)s"
    with engine.connect() as db:
        for _ in range(OFTEN):
            db.exec_driver_sql(query, {"id": 1}).all()
        db.commit()
        db.exec_driver_sql("ALTER TABLE prepared_things ADD COLUMN more TEXT")
        db.commit()
        with pytest.raises(OperationalError) as caught:
            db.exec_driver_sql(query, {"id": 1})
        assert is_transient(caught.value)
        db.rollback()
        for _ in range(OFTEN):
            assert db.exec_driver_sql(query, {"id": 1}).all() == []


def test_a_pooler_that_hands_out_another_session_costs_one_transaction(engine):
    query = "SELECT id FROM prepared_things WHERE id = %(id)s"
    with engine.connect() as db:
        for _ in range(OFTEN):
            db.exec_driver_sql(query, {"id": 1}).all()
        db.exec_driver_sql("DEALLOCATE ALL")
        db.commit()
        with pytest.raises(OperationalError):
            db.exec_driver_sql(query, {"id": 1})
        db.rollback()
        for _ in range(OFTEN):
            assert db.exec_driver_sql(query, {"id": 1}).all() == []
        # Prepared there already, by somebody else with the same text.
        db.connection.driver_connection.kept.statements.clear()
        for _ in range(OFTEN):
            assert db.exec_driver_sql(query, {"id": 1}).all() == []


def test_outside_of_transactions_nothing_is_prepared(engine):
    with engine.connect().execution_options(isolation_level="AUTOCOMMIT") as db:
        for number in range(OFTEN):
            put(db, number)
        assert kept_by(db) == []
