"""Purging: what is old and done goes, in pieces; what is not done stays whatever its age, and nothing happens twice."""

from __future__ import annotations

from datetime import timedelta

import pytest
from sqlalchemy import func, insert, select, update

from shared.contracts import intake
from shared.ledger import inbox, lease, outbox, retention, tables
from shared.ledger.engines import reading, writing
from shared.ledger.lease import Candidate
from shared.ledger.reception import Outcome, Reception
from shared.ledger.retention import BATCH, PURGES, Retention
from shared.ledger.unit_of_work import unit_of_work
from shared.runtime.metrics import ServiceMetrics
from shared.runtime.purging import BATCHES, LEASE, REST_S, Purging

DAY = timedelta(days=1)


class Seconds:
    """A monotonic clock that the test moves."""

    now = 1_000.0

    def __call__(self):
        return self.now


@pytest.fixture
def at_hand(make_surroundings):
    return make_surroundings("dispatch")


@pytest.fixture
def seconds():
    return Seconds()


@pytest.fixture
def metrics():
    return ServiceMetrics("dispatch")


@pytest.fixture
def purge(at_hand, seconds, metrics):
    purging = Purging(monotonic=seconds)
    candidate = Candidate(holder="me", monotonic=seconds)

    def run():
        seconds.now += REST_S + 1
        purging.run(at_hand, candidate, metrics)

    return run


def put(at_hand, table, *rows):
    with writing(at_hand.engine) as db:
        db.execute(insert(table), list(rows))
        db.commit()


def event(number, *, age, now, published=True):
    at = now - age
    return {
        "message_id": f"m{number}", "stream": f"dispatch.matter:{number}", "stream_version": 1, "type": "t",
        "envelope": b"{}", "created_at": at, "published_at": at if published else None,
    }  # fmt: skip


def left(at_hand, column):
    with reading(at_hand.engine) as db:
        return list(db.execute(select(column).order_by(column)).scalars())


def size(at_hand, table):
    with reading(at_hand.engine) as db:
        return db.execute(select(func.count()).select_from(table)).scalar_one()


def test_published_events_go_after_their_time_and_unpublished_ones_never(at_hand, purge):
    now = at_hand.clock.now()
    put(
        at_hand,
        tables.outbox,
        event(1, age=900 * DAY, now=now, published=False),
        event(2, age=36 * DAY, now=now),
        event(3, age=34 * DAY, now=now),
        event(4, age=36 * DAY, now=now),
    )
    purge()
    assert left(at_hand, tables.outbox.c.message_id) == ["m1", "m3"]


def test_an_old_event_published_late_stays_for_as_long_as_any_other(at_hand, purge):
    now = at_hand.clock.now()
    put(at_hand, tables.outbox, event(1, age=90 * DAY, now=now) | {"published_at": now - DAY})
    purge()
    assert left(at_hand, tables.outbox.c.message_id) == ["m1"]


def test_old_events_behind_many_stuck_ones_are_reached(at_hand, purge):
    now = at_hand.clock.now()
    stuck = [event(number, age=40 * DAY, now=now, published=False) for number in range(BATCH + 100)]
    put(at_hand, tables.outbox, *stuck, event("old", age=40 * DAY, now=now), event("new", age=DAY, now=now))
    purge()
    assert size(at_hand, tables.outbox) == BATCH + 101
    assert "mold" not in left(at_hand, tables.outbox.c.message_id)


def test_one_scan_does_a_bounded_piece_and_the_next_goes_on_where_it_ended(at_hand, seconds, metrics):
    now = at_hand.clock.now()
    put(at_hand, tables.outbox, *(event(number, age=40 * DAY, now=now) for number in range(BATCHES * BATCH + 500)))
    purging, candidate = Purging(monotonic=seconds), Candidate(holder="me", monotonic=seconds)
    purging.run(at_hand, candidate, metrics)
    assert size(at_hand, tables.outbox) == 500
    purging.run(at_hand, candidate, metrics)  # no rest while there is something left
    assert size(at_hand, tables.outbox) == 0
    of = metrics.registry.get_sample_value
    purged = of("gridwhistle_purged_rows_total", {"service": "dispatch", "table": "outbox"})
    assert purged == BATCHES * BATCH + 500
    assert of("gridwhistle_purge_last_success_timestamp_seconds", {"service": "dispatch"}) == now.timestamp()
    put(at_hand, tables.outbox, event("late", age=40 * DAY, now=now))
    purging.run(at_hand, candidate, metrics)
    assert size(at_hand, tables.outbox) == 1  # it rests
    seconds.now += REST_S
    purging.run(at_hand, candidate, metrics)
    assert size(at_hand, tables.outbox) == 0


def test_the_inbox_keeps_what_is_younger_than_its_time(at_hand, purge):
    now = at_hand.clock.now()
    rows = [
        {"handler": "dispatch", "message_id": f"m{days}", "handled_at": now - days * DAY} for days in (1, 399, 401, 900)
    ]
    put(at_hand, tables.inbox, *rows)
    purge()
    assert left(at_hand, tables.inbox.c.message_id) == ["m1", "m399"]


def test_kept_replies_go(at_hand, purge):
    now = at_hand.clock.now()
    rows = [
        {
            "actor": "a",
            "command": "c",
            "key": f"k{days}",
            "fingerprint": "f",
            "reply": {},
            "created_at": now - days * DAY,
        }
        for days in (1, 36)
    ]
    put(at_hand, tables.idempotency, *rows)
    purge()
    assert left(at_hand, tables.idempotency.c.key) == ["k1"]


def test_notes_about_failures_go_once_the_message_was_handled_or_decided_about(at_hand, purge):
    now = at_hand.clock.now()
    old = now - 36 * DAY
    failed = {"handler": "dispatch", "attempts": 1, "last_error": "e", "last_at": old}
    put(
        at_hand,
        tables.failures,
        *(failed | {"message_id": name} for name in ("handled", "discarded", "held", "being-tried")),
        failed | {"message_id": "handled-young", "last_at": now},
    )
    done = {"handler": "dispatch", "handled_at": now}
    put(at_hand, tables.inbox, done | {"message_id": "handled"}, done | {"message_id": "handled-young"})
    put(at_hand, tables.quarantine, entry("discarded", "discarded", now), entry("held", "held", None))
    purge()
    assert left(at_hand, tables.failures.c.message_id) == ["being-tried", "handled-young", "held"]


def entry(name, state, decided_at):
    return {
        "id": name, "handler": "dispatch", "message_id": name, "reason": "r", "detail": "d", "body": b"",
        "held_at": decided_at or START_OF_TIME, "state": state, "decided_at": decided_at,
    }  # fmt: skip


START_OF_TIME = tables.leases.c.expires_at.type.process_result_value("1990-01-01T00:00:00.000000Z", None)


def test_a_quarantined_message_goes_long_after_the_decision_and_never_without_one(at_hand, purge):
    now = at_hand.clock.now()
    put(
        at_hand,
        tables.quarantine,
        entry("old", "discarded", now - 401 * DAY),
        entry("released", "released", now - 401 * DAY),
        entry("young", "discarded", now - 399 * DAY),
        entry("held", "held", None),
    )
    purge()
    assert left(at_hand, tables.quarantine.c.id) == ["held", "young"]


@pytest.mark.parametrize("table", sorted(PURGES))
def test_what_is_counted_beforehand_is_what_goes(at_hand, table):
    now = at_hand.clock.now()
    put(at_hand, tables.outbox, *(event(number, age=number * DAY, now=now) for number in range(60)))
    put(
        at_hand,
        tables.inbox,
        *({"handler": "h", "message_id": f"{days}", "handled_at": now - days * DAY} for days in range(390, 420)),
    )
    before = retention.cutoffs(Retention(), now)[table]
    with writing(at_hand.engine) as db:
        expected = retention.purgeable(db, table, before)
        assert PURGES[table](db, before, 0).purged == expected
        assert retention.purgeable(db, table, before) == 0
    assert expected == {"outbox": 24, "inbox": 19}.get(table, 0)


def test_another_process_that_leads_is_left_alone(at_hand, purge):
    now = at_hand.clock.now()
    put(at_hand, tables.outbox, event(1, age=90 * DAY, now=now))
    with writing(at_hand.engine) as db:
        lease.take(db, LEASE, Candidate(holder="other"), now)
        db.commit()
    purge()
    assert size(at_hand, tables.outbox) == 1
    at_hand.clock.advance(lease.DURATION)
    purge()
    assert size(at_hand, tables.outbox) == 0


@pytest.mark.parametrize("together", [False, True])
def test_an_event_that_comes_again_after_the_inbox_was_emptied_is_known_by_its_streams_position(
    at_hand, make_surroundings, purge, together
):
    source = make_surroundings("intake")
    with unit_of_work(source) as work:
        for number in (2, 3, 4):
            work.emit(
                intake.DemandJoinedMatter(
                    matter_id="m", demand_id="d", asker_kind="resident", demands=number, reason="clerk"
                )
            )
        work.commit()
    with reading(source.engine) as db:
        raws = [row.envelope for row in outbox.pending(db, 10)]
    seen = []
    reception = Reception(
        at_hand=at_hand, handlers={"intake.demand-joined-matter": lambda event, _work: seen.append(event.demands)}
    )
    for raw in raws:
        assert reception.receive(raw) is Outcome.HANDLED
    at_hand.clock.advance(401 * DAY)
    purge()
    assert size(at_hand, tables.inbox) == 0
    # The first, one in the middle, and the last of its stream: that one only the position's standing still gives away.
    if together:
        answers = [received.outcome for received in reception.receive_many(raws)]
    else:
        answers = [reception.receive(raw) for raw in raws]
    assert answers == [Outcome.DUPLICATE] * 3
    assert seen == [2, 3, 4]
    assert size(at_hand, tables.parked) == 0


def test_stepping_tells_a_turn_from_a_repeat_without_the_inbox(at_hand):
    with writing(at_hand.engine) as db:
        assert inbox.step(db, "h", "s", 1).moved
        assert not inbox.step(db, "h", "s", 1).moved
        assert inbox.step(db, "h", "s", 2).moved
        assert not inbox.step(db, "h", "s", 1).moved
        early = inbox.step(db, "h", "s", 4)
        assert (early.version, early.moved) == (2, False)
        first = inbox.step(db, "h", "other", 3)
        assert (first.version, first.moved) == (0, False)
        db.execute(update(tables.stream_positions).values(waiting=1))
        assert inbox.step(db, "h", "s", 4).waiting == 1
