"""The unit of work: commits everything or nothing, numbers streams without holes, refuses what is not its own."""

from __future__ import annotations

import contextlib
import threading

import pytest
from sqlalchemy import func, select

from shared.contracts import dispatch, intake
from shared.contracts.envelope import from_bytes
from shared.ledger import outbox, tables
from shared.ledger.engines import reading, writing
from shared.ledger.unit_of_work import unit_of_work


def joined(matter: str, demands: int = 2) -> intake.DemandJoinedMatter:
    return intake.DemandJoinedMatter(
        matter_id=matter, demand_id="d", asker_kind="resident", demands=demands, reason="exact-duplicate"
    )


def pending(at_hand):
    with reading(at_hand.engine) as db:
        return [from_bytes(row.envelope) for row in outbox.pending(db, 1000)]


def test_leaving_without_commit_stores_nothing(make_surroundings):
    at_hand = make_surroundings("intake")
    with unit_of_work(at_hand) as work:
        work.emit(joined("m1"))
        work.db.execute(tables.leases.insert().values(name="n", holder="h", token=1, expires_at=work.now))
    with reading(at_hand.engine) as db:
        assert db.execute(select(func.count()).select_from(tables.leases)).scalar_one() == 0
    assert pending(at_hand) == []


def test_an_exception_after_writes_stores_nothing(make_surroundings):
    at_hand = make_surroundings("intake")

    def fail() -> None:
        with unit_of_work(at_hand) as work:
            work.db.execute(tables.leases.insert().values(name="n", holder="h", token=1, expires_at=work.now))
            raise RuntimeError

    with pytest.raises(RuntimeError):
        fail()
    with reading(at_hand.engine) as db:
        assert db.execute(select(func.count()).select_from(tables.leases)).scalar_one() == 0


def test_streams_are_numbered_from_one_without_holes_across_transactions(make_surroundings):
    at_hand = make_surroundings("intake")
    for _ in range(3):
        with unit_of_work(at_hand) as work:
            work.emit(joined("m1"))
            work.emit(joined("m2"))
            work.emit(joined("m1"))
            work.commit()
    with unit_of_work(at_hand) as work:  # rolled back: its versions are given out again
        work.emit(joined("m1"))
    with unit_of_work(at_hand) as work:
        work.emit(joined("m1"))
        work.commit()
    versions = {}
    for envelope in pending(at_hand):
        versions.setdefault(envelope.stream, []).append(envelope.streamversion)
    assert versions == {"intake.matter:m1": [1, 2, 3, 4, 5, 6, 7], "intake.matter:m2": [1, 2, 3]}


def test_concurrent_writers_of_one_stream_never_share_or_skip_a_version(make_surroundings):
    at_hand = make_surroundings("intake", file=True)

    def write() -> None:
        for _ in range(20):
            with unit_of_work(at_hand) as work:
                work.emit(joined("m"))
                work.commit()

    threads = [threading.Thread(target=write) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert [envelope.streamversion for envelope in pending(at_hand)] == list(range(1, 81))


def test_a_failed_attempt_takes_back_its_events_and_rows_only(make_surroundings):
    at_hand = make_surroundings("intake")
    with unit_of_work(at_hand) as work:
        work.emit(joined("kept"))
        with contextlib.suppress(ValueError), work.attempt():
            work.emit(joined("dropped"))
            work.db.execute(tables.leases.insert().values(name="n", holder="h", token=1, expires_at=work.now))
            raise ValueError("no")
        work.commit()
    assert [envelope.subject for envelope in pending(at_hand)] == ["kept"]
    assert [event.matter_id for event in work.events] == ["kept"]
    with reading(at_hand.engine) as db:
        assert db.execute(select(func.count()).select_from(tables.leases)).scalar_one() == 0


def test_a_service_may_emit_only_its_own_events(make_surroundings):
    with unit_of_work(make_surroundings("intake")) as work, pytest.raises(ValueError, match="may not emit"):
        work.emit(dispatch.MatterAccepted(matter_id="m", unit="u", accepted_by="p"))


def test_marking_is_exact(make_surroundings):
    at_hand = make_surroundings("intake")
    with unit_of_work(at_hand) as work:
        for number in range(3):
            work.emit(joined(f"m{number}"))
        work.commit()
    with reading(at_hand.engine) as db:
        rows = outbox.pending(db, 10)
    with writing(at_hand.engine) as db:
        assert outbox.mark_published(db, [rows[1].message_id, "unknown"], at_hand.clock.now()) == 1
        assert outbox.mark_published(db, [rows[1].message_id], at_hand.clock.now()) == 0
        db.commit()
    with reading(at_hand.engine) as db:
        assert [row.position for row in outbox.pending(db, 10)] == [rows[0].position, rows[2].position]
        assert outbox.backlog(db) == (2, at_hand.clock.now())
