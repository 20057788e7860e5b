"""Fixed statements mean what they mean through SQLAlchemy, and refuse what they would leave out."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest
from sqlalchemy import (
    Boolean,
    Column,
    Integer,
    LargeBinary,
    MetaData,
    String,
    Table,
    bindparam,
    event,
    func,
    insert,
    select,
    update,
)
from sqlalchemy.exc import DBAPIError, IntegrityError, PendingRollbackError

from shared.ledger.dialects import upsert
from shared.ledger.engines import open_engine, reading, writing
from shared.ledger.fixed import Fixed, fetched, rows_written, run
from shared.ledger.types import Document, Instant

metadata = MetaData()
desks = Table(
    "desks", metadata,
    Column("id", Integer, primary_key=True), Column("name", String(40), nullable=False, unique=True),
    Column("open", Boolean), Column("about", Document), Column("since", Instant), Column("seal", LargeBinary),
    Column("class", String(10)),
)  # fmt: skip
AT = datetime(2026, 2, 14, 9, 30, 0, 250, tzinfo=UTC)
ROW = {
    "id": 1, "name": "光华里; 'a' %s 100% ?", "open": True, "about": {"字": [1, None]}, "since": AT,
    "seal": b"\x00\xff", "class": None,
}  # fmt: skip
ADD = Fixed(insert(desks).inline(), columns=tuple(ROW))
ALL = Fixed(select(desks).order_by(desks.c.id))
NAMED = Fixed(select(desks.c.id, desks.c.since).where(desks.c.name == bindparam("of_name"), desks.c.open.is_(True)))


@pytest.fixture
def engine(tmp_path):
    made = open_engine(f"sqlite:///{tmp_path}/desks.sqlite")
    metadata.create_all(made)
    yield made
    made.dispose()


def test_values_and_rows_are_those_of_sqlalchemy(engine):
    with writing(engine) as db:
        ADD.later(db, ROW)
        db.execute(insert(desks), ROW | {"id": 2, "name": "b"})
        db.commit()
        assert [tuple(row) for row in ALL.all(db, {})] == db.execute(select(desks).order_by(desks.c.id)).all()
        first, second = ALL.all(db, {})
        assert (first.about, first.since, first.seal, first.open) == ({"字": [1, None]}, AT, b"\x00\xff", True)
        assert first[2:] == second[2:]
        found = NAMED.first(db, {"of_name": ROW["name"]})
        assert (found.id, found.since) == (1, AT)
        assert NAMED.first(db, {"of_name": "nobody"}) is None


def test_written_rows_are_counted_and_what_returns_comes_back(engine):
    rename = Fixed(update(desks).where(desks.c.id == bindparam("of_id")), columns=("name",))
    grow = Fixed(insert(desks).returning(desks.c.id, desks.c.since), columns=("name", "since"))
    keep = Fixed(lambda dialect: upsert(dialect, desks).on_conflict_do_nothing(), columns=("id", "name"))
    with writing(engine) as db:
        assert tuple(grow.first(db, {"name": "a", "since": AT})) == (1, AT)
        assert rename.count(db, {"of_id": 1, "name": "b"}) == 1
        assert rename.count(db, {"of_id": 9, "name": "c"}) == 0
        assert [keep.count(db, {"id": each, "name": "d"}) for each in (1, 2, 3)] == [0, 1, 0]
        assert run(db, "SELECT count(*) AS many FROM desks", (), fetched)[0].many == 2
        assert run(db, "DELETE FROM desks", (), rows_written) == 2


def test_it_belongs_to_the_connections_transaction(engine):
    with writing(engine) as db:
        ADD.later(db, ROW)
        db.rollback()
        with db.begin_nested() as savepoint:
            ADD.later(db, ROW)
            savepoint.rollback()
        ADD.later(db, ROW | {"id": 5})
        assert db.in_transaction()
        db.commit()
    with reading(engine) as db:
        assert [row.id for row in ALL.all(db, {})] == [5]


def test_errors_are_sqlalchemys_and_tell_no_values(engine):
    with writing(engine) as db:
        ADD.later(db, ROW)
        with pytest.raises(IntegrityError) as caught:
            ADD.later(db, ROW | {"id": 2})
        assert "UNIQUE" in str(caught.value)
        assert "光华里" not in str(caught.value)
        assert not caught.value.connection_invalidated
        db.commit()  # as on SQLite: the statement failed, the transaction did not


def test_a_thread_that_is_killed_meanwhile_leaves_no_connection_behind(engine):
    class Killed(BaseException):
        pass

    def read(_cursor):
        raise Killed

    with writing(engine) as db:
        with pytest.raises(Killed):
            run(db, "SELECT 1", (), read)
        assert db.invalidated
        with pytest.raises(PendingRollbackError):
            ALL.all(db, {})
    with reading(engine) as db:
        assert ALL.all(db, {}) == []


def test_a_connection_that_was_closed_is_an_error_of_sqlalchemy_and_is_replaced(engine):
    with reading(engine) as db:
        db.connection.dbapi_connection.close()
        with pytest.raises(DBAPIError) as caught:
            ALL.all(db, {})
        assert caught.value.connection_invalidated
        assert db.invalidated
    with reading(engine) as db:
        assert ALL.all(db, {}) == []


def test_a_bug_while_reading_is_raised_as_it_is(engine):
    with reading(engine) as db:
        with pytest.raises(ZeroDivisionError):
            run(db, "SELECT 1", (), lambda _cursor: 1 // 0)
        assert not db.invalidated


def test_who_listens_to_the_engine_hears_it(engine):
    heard = []
    event.listen(engine, "before_cursor_execute", lambda _db, _cursor, text, values, *_: heard.append((text, values)))
    with writing(engine) as db:
        NAMED.all(db, {"of_name": "a"})
        ADD.later(db, ROW)
    assert [text.split()[0] for text, _ in heard if "desks" in text] == ["SELECT", "INSERT"]
    assert heard[-1][1][0] == 1


@pytest.mark.parametrize("given", [{}, {"of_name": "a", "more": 1}])
def test_values_that_do_not_fit_are_refused(engine, given):
    with reading(engine) as db, pytest.raises(ValueError, match="of_name"):
        NAMED.all(db, given)


def test_another_name_than_the_one_asked_for_is_refused(engine):
    with reading(engine) as db, pytest.raises(KeyError):
        NAMED.all(db, {"name": "a"})


def test_what_cannot_be_fixed_is_refused(engine):
    desk = Table("others", MetaData(), Column("id", Integer, primary_key=True), Column("n", Integer, default=1))
    with reading(engine) as db:
        with pytest.raises(ValueError, match="unknown length"):
            Fixed(select(desks).where(desks.c.id.in_(bindparam("ids", expanding=True)))).all(db, {"ids": [1]})
        with pytest.raises(ValueError, match=r"others\.n has a default"):
            Fixed(insert(desk), columns=("id",)).later(db, {"id": 1})


def test_columns_without_a_name_of_their_own_and_names_that_python_keeps_stand_at_their_place(engine):
    with reading(engine) as db:
        counted = Fixed(select(func.count(), desks.c.id, desks.c["class"]).group_by(desks.c.id))
        assert counted.all(db, {}) == []
        (row,) = Fixed(select(func.count(desks.c.id))).all(db, {})
        assert row[0] == 0
