"""Intake alone, in memory, with the Jianwai pack."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path

import pytest
from sqlalchemy import select

from deploy.launcher.suite import Suite
from shared.contracts.envelope import from_bytes
from shared.jurisdiction import load
from shared.ledger.engines import reading
from shared.ledger.tables import outbox as table

PACK = Path(__file__).parents[3] / "deploy" / "jurisdictions" / "jianwai"
#: A Monday, 09:00 in Beijing.
START = datetime(2026, 11, 16, 1, 0, tzinfo=UTC)


@pytest.fixture(scope="session")
def pack():
    return load(PACK)


@pytest.fixture
def suite(pack):
    suite = Suite.in_memory(pack, START, only=["intake"])
    yield suite
    suite.close()


@pytest.fixture
def emitted(suite):
    """Every event in intake's outbox so far, as (name, data)."""

    def read():
        with reading(suite.applications["intake"].at_hand.engine) as db:
            raws = db.execute(select(table.c.envelope).order_by(table.c.position)).scalars().all()
        return [(envelope.name, envelope.data) for envelope in (from_bytes(bytes(raw)) for raw in raws)]

    return read


@pytest.fixture
def worker(suite):
    return suite.actor("grid-worker-guanghua-dongli-1")


@pytest.fixture
def street(suite):
    return suite.actor("street-clerk-jianwai")
