"""Column types and engines: instants of any year sort and come back; errors keep what people wrote to themselves."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest
from sqlalchemy import Column, Integer, MetaData, String, Table, insert, select
from sqlalchemy.exc import IntegrityError

from shared.kernel.clock import parse_instant
from shared.ledger.engines import open_engine, reading, writing
from shared.ledger.types import Instant

TABLE = Table(
    "kept", MetaData(), Column("id", Integer, primary_key=True), Column("at", Instant), Column("words", String(100))
)


@pytest.fixture
def engine():
    engine = open_engine("sqlite://")
    TABLE.create(engine)
    yield engine
    engine.dispose()


def test_instants_of_every_year_sort_and_come_back(engine):
    instants = [datetime(year, 1, 2, 3, 4, 5, 6, tzinfo=UTC) for year in (1, 99, 999, 1900, 2026, 9999)]
    with writing(engine) as db:
        db.execute(insert(TABLE), [{"id": -place, "at": at} for place, at in enumerate(instants)])
        db.commit()
    with reading(engine) as db:
        assert db.execute(select(TABLE.c.at).order_by(TABLE.c.at)).scalars().all() == instants
        early = db.execute(select(TABLE.c.at).where(TABLE.c.at < instants[3]).order_by(TABLE.c.at)).scalars().all()
    assert early == instants[:3]


def test_a_database_error_does_not_tell_the_values(engine):
    with writing(engine) as db:
        db.execute(insert(TABLE).values(id=1))
        with pytest.raises(IntegrityError) as error:
            db.execute(insert(TABLE).values(id=1, words="王大妈说灯不亮 13800000001"))
    assert "13800000001" not in str(error.value)
    assert "王大妈" not in str(error.value)


@pytest.mark.parametrize("text", ["0001-01-01T00:00:00+14:00", "9999-12-31T23:59:59-14:00", "2026-11-17T09:00:00", "x"])
def test_an_instant_outside_all_years_is_a_value_error(text):
    with pytest.raises(ValueError, match=r".+"):
        parse_instant(text)
