"""A ledger in memory: one service's database without a service."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest

from shared.kernel.clock import ManualClock
from shared.kernel.ids import SequentialIds
from shared.kernel.sealing import Sealer, new_key_text
from shared.ledger import tables
from shared.ledger.engines import open_engine
from shared.ledger.unit_of_work import Surroundings

START = datetime(2026, 11, 16, 1, 0, tzinfo=UTC)


@pytest.fixture
def make_surroundings(tmp_path):
    """surroundings(service, file=False) with the ledger's tables; the pack is not needed here."""
    engines = []

    def make(service: str, *, file: bool = False) -> Surroundings:
        engine = open_engine(f"sqlite:///{tmp_path}/{service}.sqlite" if file else "sqlite://")
        engines.append(engine)
        tables.metadata.create_all(engine)
        return Surroundings(
            service=service,
            engine=engine,
            clock=ManualClock(START),
            ids=SequentialIds(),
            jurisdiction=None,  # type: ignore[arg-type]
            sealer=Sealer.from_text(new_key_text()),
            link_secret="x" * 32,
            public_url="http://suite",
        )

    yield make
    for engine in engines:
        engine.dispose()
