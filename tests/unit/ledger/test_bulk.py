"""Several rows in one statement store what single ones would, on both databases."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta, timezone

import pytest
from sqlalchemy import Boolean, Column, Float, Integer, MetaData, String, Table, insert, select

from shared.ledger.bulk import Changing, Inserting, updating
from shared.ledger.engines import open_engine, reading, writing
from shared.ledger.types import Bytes, Document, Id, Instant, Position

THINGS = Table(
    "things",
    MetaData(),
    Column("place", Position, primary_key=True, autoincrement=True),
    Column("id", Id, nullable=False, unique=True),
    Column("short", String(5)),
    Column("flag", Boolean),
    Column("number", Integer),
    Column("share", Float),
    Column("at", Instant),
    Column("papers", Document),
    Column("raw", Bytes),
)
COLUMNS = ("id", "short", "flag", "number", "share", "at", "papers", "raw")
AT = datetime(2026, 11, 22, 9, 30, 0, 123456, tzinfo=timezone(timedelta(hours=8)))
ROWS = [
    ("a", "短", True, 7, 0.5, AT, {"words": ["{}", "'", '"', "\\", "%s", "%"], "no": None}, b"\x00\xff'{}\\"),
    ("b", None, None, None, None, None, [], None),
    ('{c,"d"}\\\'%(x)s', "", False, -1, 1.0, AT.astimezone(UTC), {}, b""),
]


@pytest.fixture
def engine():
    made = open_engine("sqlite://")
    THINGS.metadata.create_all(made)
    yield made
    made.dispose()


def stored(engine):
    with reading(engine) as db:
        return [tuple(row)[1:] for row in db.execute(select(THINGS).order_by(THINGS.c.place))]


def store(engine, *statements):
    with writing(engine) as db:
        found = [statement.run(db, rows) for statement, rows in statements]
        db.commit()
    return found


def test_what_is_stored_is_what_sqlalchemy_stores(engine):
    store(engine, (Inserting(table=THINGS, columns=COLUMNS), ROWS))
    together = stored(engine)
    with writing(engine) as db:
        db.execute(THINGS.delete())
        for row in ROWS:
            db.execute(insert(THINGS).values(dict(zip(COLUMNS, row, strict=True))))
        db.commit()
    assert together == stored(engine)
    assert [row[0] for row in together] == [row[0] for row in ROWS]


def test_conflicts_and_what_comes_back(engine):
    columns = ("id", "number")
    once = Inserting(table=THINGS, columns=columns, conflict="ON CONFLICT DO NOTHING", returning=("id",))
    newest = Inserting(table=THINGS, columns=columns, conflict=f"ON CONFLICT (id) DO UPDATE SET {updating(['number'])}")
    [first] = store(engine, (once, [("a", 1), ("b", 2)]))
    [second] = store(engine, (once, [("b", 3), ("c", 4)]))
    store(engine, (newest, [("a", 10), ("d", 5)]))
    assert [{row.id for row in rows} for rows in (first, second)] == [{"a", "b"}, {"c"}]
    assert {row[0]: row[3] for row in stored(engine)} == {"a": 10, "b": 2, "c": 4, "d": 5}


def test_rows_are_changed_each_to_its_own(engine):
    store(engine, (Inserting(table=THINGS, columns=COLUMNS), ROWS))
    change = Changing(
        table=THINGS, key="id", columns=("at", "papers"), also="number = things.number + 1", where="things.flag",
        returning=("id", "number"),
    )  # fmt: skip
    [found] = store(engine, (change, [("a", None, {"new": 1}), ("b", AT, {}), ("nobody", AT, {})]))
    assert [tuple(row) for row in found] == [("a", 8)]
    rows = {row[0]: row for row in stored(engine)}
    assert (rows["a"][5], rows["a"][6]) == (None, {"new": 1})
    assert rows["b"][5] is None


def test_more_rows_than_one_statement_takes(engine):
    rows = [(f"id-{number}", number) for number in range(1_234)]
    store(engine, (Inserting(table=THINGS, columns=("id", "number")), rows))
    assert [(row[0], row[3]) for row in stored(engine)] == rows


def test_no_rows_are_no_statement(engine):
    nothing = Changing(table=THINGS, key="id", columns=("number",))
    assert store(engine, (Inserting(table=THINGS, columns=("id",)), []), (nothing, [])) == [[], []]


def test_a_naive_instant_is_refused(engine):
    with pytest.raises(TypeError):
        store(engine, (Inserting(table=THINGS, columns=("id", "at")), [("a", AT.replace(tzinfo=None))]))
