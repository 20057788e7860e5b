"""Several rows in one statement: PostgreSQL writes all of them."""

from __future__ import annotations

import pytest
from sqlalchemy import Column, Integer, MetaData, String, Table, event, select

from shared.ledger.engines import open_engine
from shared.ledger.types import Document
from shared.ledger.writes import Write, write

metadata = MetaData()
desks = Table(
    "desks", metadata, Column("id", String, primary_key=True), Column("about", Document), Column("version", Integer)
)
steps = Table(
    "steps", metadata, Column("position", Integer, primary_key=True), Column("desk", String), Column("what", Document)
)


@pytest.fixture
def engine(database):
    made = open_engine(database, pool_size=1)
    metadata.create_all(made)
    yield made
    made.dispose()


def test_all_rows_are_written_by_one_statement(engine):
    seen = []
    event.listen(engine, "before_cursor_execute", lambda *about: seen.append(about[2]))
    with engine.connect() as db:
        write(db, [Write(desks, {"id": each, "about": {"name": each}, "version": 1}) for each in "ab"])
        rows = [
            Write(steps, {"desk": "a", "what": {"text": "开"}}),
            Write(desks, {"about": None}, of={"id": "b"}),
            Write(desks, {"about": {"name": "新"}}, of={"id": "a", "version": 1}, raised=("version",)),
        ]
        write(db, rows)
        write(db, [Write(desks, {"about": {}}, of={"id": "a", "version": 1}, raised=("version",))])
        db.commit()
    assert len(seen) == 3
    with engine.connect() as db:
        assert db.execute(select(desks).order_by(desks.c.id)).all() == [
            ("a", {"name": "新"}, 2),
            ("b", None, 1),
        ]
        assert db.execute(select(steps.c.desk, steps.c.what)).all() == [("a", {"text": "开"})]
