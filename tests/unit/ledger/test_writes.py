"""Several rows at once: the same on SQLite, one by one, and on PostgreSQL, in one statement."""

from __future__ import annotations

import pytest
from sqlalchemy import Column, Integer, MetaData, String, Table, create_engine, event, select
from sqlalchemy.dialects.postgresql import psycopg2

from shared.ledger.writes import Write, _together, write

metadata = MetaData()
desks = Table(
    "desks", metadata, Column("id", String, primary_key=True), Column("name", String), Column("version", Integer)
)
steps = Table(
    "steps", metadata, Column("position", Integer, primary_key=True), Column("desk", String), Column("what", String)
)


@pytest.fixture
def db():
    engine = create_engine("sqlite://")
    metadata.create_all(engine)
    with engine.connect() as connection:
        write(connection, [Write(desks, {"id": "a", "name": "old", "version": 1})])
        yield connection
    engine.dispose()


def change(name, *, version=1):
    return Write(desks, {"name": name}, of={"id": "a", "version": version}, raised=("version",))


def test_rows_are_written(db):
    write(db, [Write(steps, {"desk": "a", "what": "opened"}), change("new")])
    assert db.execute(select(desks)).one() == ("a", "new", 2)
    assert db.execute(select(steps.c.desk, steps.c.what)).all() == [("a", "opened")]


def test_a_key_that_no_row_has_changes_nothing(db):
    write(db, [Write(steps, {"desk": "a", "what": "opened"}), change("new", version=7)])
    assert db.execute(select(desks.c.name)).scalar_one() == "old"


def test_no_rows_are_no_statement(db):
    seen = []
    event.listen(db.engine, "before_cursor_execute", lambda *about: seen.append(about[2]))
    write(db, [])
    assert not seen


def test_postgresql_gets_one_statement_built_once():
    def forms():
        return tuple(row.form for row in (Write(steps, {"desk": "a", "what": "x"}), change("new")))

    statement = _together(forms())
    assert _together(forms()) is statement
    text = " ".join(statement.text(psycopg2.dialect()).split())
    assert text == (
        "WITH part_0 AS (INSERT INTO steps (desk, what) VALUES (%(desk_0)s, %(what_0)s)) "
        "UPDATE desks SET name=%(name_1)s, version=(desks.version + %(version_1)s) "
        "WHERE desks.id = %(of_id_1)s AND desks.version = %(of_version_1)s"
    )
