"""Reception on PostgreSQL with many workers, shuffled and repeated: each effect once, in its stream's order."""

from __future__ import annotations

import random
import threading
from collections import defaultdict
from datetime import UTC, datetime

import pytest
from sqlalchemy import Column, Integer, MetaData, String, Table, func, select

from shared.contracts import intake
from shared.kernel.clock import ManualClock
from shared.kernel.ids import RandomIds
from shared.kernel.sealing import Sealer, new_key_text
from shared.ledger import lease, outbox, tables
from shared.ledger.engines import open_engine, reading, writing
from shared.ledger.errors import HandlerFailed, LeaseLost, Transient
from shared.ledger.lease import Candidate
from shared.ledger.reception import Reception
from shared.ledger.unit_of_work import Surroundings, unit_of_work

START = datetime(2026, 11, 16, 1, 0, tzinfo=UTC)
STREAMS, EACH, COPIES, WORKERS = 20, 12, 2, 8

#: What the handler writes: one row per effect, in the order of commits.
effects = Table(
    "effects",
    MetaData(),
    Column("serial", Integer, primary_key=True, autoincrement=True),
    Column("stream", String(50)),
    Column("number", Integer),
)


@pytest.fixture
def make_surroundings(database):
    engines = []

    def make(service, url):
        engine = open_engine(url)
        engines.append(engine)
        tables.metadata.create_all(engine)
        return Surroundings(
            service=service, engine=engine, clock=ManualClock(START), ids=RandomIds(), jurisdiction=None,
            sealer=Sealer.from_text(new_key_text()), link_secret="x" * 32, public_url="",
        )  # fmt: skip

    yield make
    for engine in engines:
        engine.dispose()


def envelopes(make_surroundings):
    source = make_surroundings("intake", "sqlite://")
    with unit_of_work(source) as work:
        for number in range(1, EACH + 1):
            for stream in range(STREAMS):
                work.emit(
                    intake.DemandJoinedMatter(
                        matter_id=f"m{stream}", demand_id="d", asker_kind="resident", demands=number + 1, reason="clerk"
                    )
                )
        work.commit()
    with reading(source.engine) as db:
        return [row.envelope for row in outbox.pending(db, 10_000)]


@pytest.mark.parametrize("batch", [1, 7])
def test_many_workers_shuffled_and_repeated(make_surroundings, database, batch):
    at_hand = make_surroundings("dispatch", database)
    effects.metadata.create_all(at_hand.engine)

    def handler(event, work):
        work.db.execute(effects.insert().values(stream=event.matter_id, number=event.demands - 1))

    reception = Reception(at_hand=at_hand, handlers={"intake.demand-joined-matter": handler})
    raws = envelopes(make_surroundings) * COPIES
    random.Random(7).shuffle(raws)
    errors: list[BaseException] = []

    def work(mine):
        for start in range(0, len(mine), batch):
            waiting = mine[start : start + batch]
            while waiting:
                answers = reception.receive_many(waiting)
                errors.extend(received.kept for received in answers if isinstance(received.kept, HandlerFailed))
                # A deadlock or a lock time-out: the message is kept and tried again.
                waiting = [
                    raw for raw, received in zip(waiting, answers, strict=True) if isinstance(received.kept, Transient)
                ]

    threads = [threading.Thread(target=work, args=(raws[start::WORKERS],)) for start in range(WORKERS)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    reception.sweep()

    assert errors == []
    seen = defaultdict(list)
    with reading(at_hand.engine) as db:
        for row in db.execute(select(effects).order_by(effects.c.serial)):
            seen[row.stream].append(row.number)
        parked = db.execute(select(func.count()).select_from(tables.parked)).scalar_one()
        waiting = db.execute(select(func.sum(tables.stream_positions.c.waiting))).scalar_one()
    assert seen == {f"m{stream}": list(range(1, EACH + 1)) for stream in range(STREAMS)}
    assert (parked, waiting) == (0, 0)


def test_concurrent_emitters_number_streams_without_holes(make_surroundings, database):
    at_hand = make_surroundings("intake", database)

    def emit(first):
        for number in range(25):
            with unit_of_work(at_hand) as work:
                # Streams in opposite orders: the versions are taken in one order all the same, so nobody deadlocks.
                for stream in ("a", "b") if first else ("b", "a"):
                    work.emit(
                        intake.DemandJoinedMatter(
                            matter_id=stream, demand_id="d", asker_kind="resident", demands=number + 2, reason="clerk"
                        )
                    )
                work.commit()

    threads = [threading.Thread(target=emit, args=(index % 2 == 0,)) for index in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    with reading(at_hand.engine) as db:
        rows = db.execute(
            select(tables.outbox.c.stream, tables.outbox.c.stream_version).order_by(tables.outbox.c.position)
        ).all()
    for stream in ("intake.matter:a", "intake.matter:b"):
        assert [row.stream_version for row in rows if row.stream == stream] == list(range(1, 101))


def test_a_leader_that_lost_its_lease_cannot_commit(make_surroundings, database):
    at_hand = make_surroundings("dispatch", database)
    with writing(at_hand.engine) as db:
        old = lease.take(db, "job", Candidate(holder="sleeper"), at_hand.clock.now())
        db.commit()
    at_hand.clock.advance(lease.DURATION)
    with writing(at_hand.engine) as db:
        assert lease.take(db, "job", Candidate(holder="other"), at_hand.clock.now()) == old + 1
        db.commit()
    with writing(at_hand.engine) as db, pytest.raises(LeaseLost):
        lease.fence(db, "job", old)
