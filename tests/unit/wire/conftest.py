"""A relay whose broker, clocks and database the test moves."""

from __future__ import annotations

import pytest

from shared.kernel.clock import ManualClock
from shared.ledger import tables
from shared.ledger.engines import open_engine
from tests.unit.wire.relays import NOW, Broker, Seconds, relay_of


@pytest.fixture
def engine(tmp_path):
    engine = open_engine(f"sqlite:///{tmp_path}/intake.db")
    tables.metadata.create_all(engine)
    yield engine
    engine.dispose()


@pytest.fixture
def broker():
    return Broker()


@pytest.fixture
def clock():
    return ManualClock(NOW)


@pytest.fixture
def seconds():
    return Seconds()


@pytest.fixture
def relay(engine, broker, clock, seconds):
    return relay_of(engine, broker, clock, seconds, "first")
