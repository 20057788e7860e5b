"""Fixed statements on PostgreSQL: the same rows, the same errors, and a lost connection is nobody else's."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest
from sqlalchemy import Boolean, Column, Float, Integer, LargeBinary, MetaData, String, Table, bindparam, insert, select
from sqlalchemy.exc import DBAPIError, IntegrityError, PendingRollbackError

from shared.ledger.dialects import upsert
from shared.ledger.engines import open_engine, reading, writing
from shared.ledger.errors import is_transient
from shared.ledger.fixed import Fixed, run
from shared.ledger.types import Document, Instant

metadata = MetaData()
desks = Table(
    "desks", metadata,
    Column("id", Integer, primary_key=True), Column("name", String(40), nullable=False, unique=True),
    Column("open", Boolean), Column("about", Document), Column("since", Instant), Column("seal", LargeBinary),
    Column("share", Float),
)  # fmt: skip
ROW = {
    "id": 1, "name": "光华里; 'a' %s 100%", "open": True, "about": {"字": [1, None]},
    "since": datetime(2026, 2, 14, 9, 30, 0, 250, tzinfo=UTC), "seal": b"\x00\xff", "share": 0.25,
}  # fmt: skip
ADD = Fixed(insert(desks).inline(), columns=tuple(ROW))
ALL = Fixed(select(desks).order_by(desks.c.id))
OF = Fixed(select(desks.c.name).where(desks.c.id == bindparam("of_id"), desks.c.open.is_(True)).with_for_update())
KEEP = Fixed(lambda dialect: upsert(dialect, desks).on_conflict_do_nothing(), columns=("id", "name"))


@pytest.fixture
def engine(database):
    made = open_engine(database, pool_size=3)
    metadata.create_all(made)
    yield made
    made.dispose()


def test_values_and_rows_are_those_of_sqlalchemy_prepared_or_not(engine):
    with writing(engine) as db:
        ADD.later(db, ROW)
        db.execute(insert(desks), ROW | {"id": 2, "name": "b"})
        db.commit()
        for _ in range(8):
            assert [tuple(row) for row in ALL.all(db, {})] == db.execute(select(desks).order_by(desks.c.id)).all()
            assert OF.first(db, {"of_id": 1}).name == ROW["name"]
            assert OF.first(db, {"of_id": 3}) is None
            assert KEEP.count(db, {"id": 1, "name": "c"}) == 0
        assert ALL.all(db, {})[0]._asdict() == ROW


def test_a_refused_row_is_sqlalchemys_error_and_tells_no_values_of_ours(engine):
    with writing(engine) as db:
        ADD.later(db, ROW)
        ADD.later(db, ROW | {"name": "b"})
        with pytest.raises(IntegrityError) as caught:  # of the one that waited, told to who asks next
            ALL.all(db, {})
        assert not caught.value.connection_invalidated
        assert "parameters hidden" in str(caught.value) or "parameters:" not in str(caught.value)


def backend(db):
    return run(db, "SELECT pg_backend_pid()", {}, lambda cursor: cursor.fetchone()[0])


def test_sessions_that_were_ended_are_found_out_once_and_replaced(engine):
    with reading(engine) as one, reading(engine) as idle:
        lost = [backend(one), backend(idle)]
        idle.close()  # it waits in the pool
        with reading(open_engine(engine.url.render_as_string(hide_password=False))) as other:
            other.exec_driver_sql("SELECT pg_terminate_backend(pid) FROM unnest(%(pids)s) AS pid", {"pids": lost})
        with pytest.raises(DBAPIError) as caught:
            ALL.all(one, {})
        assert caught.value.connection_invalidated
        assert is_transient(caught.value)
        with pytest.raises(PendingRollbackError):
            ALL.all(one, {})
    for _ in range(3):
        with reading(engine) as db:
            assert ALL.all(db, {}) == []
            assert backend(db) not in lost


def test_a_thread_that_is_killed_while_an_answer_is_on_its_way_leaves_no_connection_behind(engine):
    class Killed(BaseException):
        pass

    def read(_cursor):
        raise Killed

    with writing(engine) as db:
        before = backend(db)
        with pytest.raises(Killed):
            run(db, "SELECT 1", {}, read)
        assert db.invalidated
    with reading(engine) as db:
        assert backend(db) != before
