"""Clocks that disagree or are set: nothing that falls due is lost or done twice, and nobody waits for a day."""

from __future__ import annotations

import os
from dataclasses import replace
from datetime import timedelta
from itertools import count
from threading import Event

import pytest
from sqlalchemy import select

from services.notify import tables as notify_tables
from shared.kernel.clock import ManualClock
from shared.ledger import lease, tables
from shared.ledger.engines import reading
from tests.chaos.bench import GRID, Bench
from tests.chaos.judge import judge

DAY = timedelta(days=1)
_numbers = count(1)


class Watch:
    """Seconds that only go forward, when told."""

    def __init__(self):
        self.now = 0.0

    def __call__(self):
        return self.now


@pytest.fixture
def bench(rabbitmq, postgresql, tmp_path):
    made = Bench(tmp_path, rabbitmq, postgresql, f"clocks_{os.getpid()}_{next(_numbers)}")
    yield made
    made.end()


def findings(bench):
    bench.settle()
    verdict = judge(bench, bench.book)
    print(verdict)  # noqa: T201 -- shown when a test failed
    return {finding.kind for finding in verdict.findings}


def with_clock(application, clock, watch=None):
    """Another process of the same service, which believes another time."""
    candidate = replace(application.candidate, holder=f"{application.candidate.holder}+", _seen={})
    if watch is not None:
        candidate = replace(candidate, monotonic=watch)
    return replace(application, at_hand=replace(application.at_hand, clock=clock), candidate=candidate)


def told(bench, name):
    query = select(tables.outbox.c.type).where(tables.outbox.c.type == f"gridwhistle.dispatch.{name}.v1")
    with reading(bench.engines["dispatch"]) as db:
        return len(db.execute(query).all())


def holder(bench):
    with reading(bench.engines["dispatch"]) as db:
        return db.execute(select(tables.leases).where(tables.leases.c.name == "due:clocks")).one()


def test_scanners_a_day_apart_do_each_step_once(bench):
    for number in range(3):
        bench.register(f"路灯不亮 {number}")
    bench.settle()
    right = bench.applications["dispatch"]
    ahead = with_clock(right, ManualClock(bench.clock.now() + DAY))
    behind = with_clock(right, ManualClock(bench.clock.now() - DAY))
    # Whoever comes takes the lease from the one before, by a clock that says it ran out long ago.
    for _ in range(3):
        for application in (behind, right, ahead, right, behind):
            application.run_due()
    breached = told(bench, "clock-breached")
    assert breached > 0  # by the one that is ahead
    for application in (ahead, right, behind):
        application.run_due()
    assert told(bench, "clock-breached") == breached
    assert findings(bench) == set()


def test_relays_a_day_apart_lose_nothing(bench):
    ahead = bench.relay("intake", holder="ahead", clock=ManualClock(bench.clock.now() + DAY))
    behind = bench.relay("intake", holder="behind", clock=ManualClock(bench.clock.now() - DAY))
    led = set()
    for number in range(6):
        bench.register(f"井盖松动 {number}")
        for relay in (ahead, behind) if number % 2 else (behind, ahead):
            relay.run_once(Event())
            led.add(relay._candidate.holder if relay._token is not None else None)
    for relay in (ahead, behind):
        relay._leave()
    assert led >= {"ahead", "behind"}
    assert findings(bench) == set()


def test_a_dead_leader_that_was_a_day_ahead_is_followed_within_the_lease(bench):
    bench.register("电梯停了")
    bench.settle()
    watch = Watch()
    right = bench.applications["dispatch"]
    dead = with_clock(right, ManualClock(bench.clock.now() + DAY))
    successor = with_clock(dead, bench.clock, watch)
    dead.run_due()
    assert holder(bench).expires_at > bench.clock.now() + DAY
    token = holder(bench).token
    successor.run_due()
    assert holder(bench).token == token  # it watches
    watch.now += lease.DURATION.total_seconds()
    successor.run_due()
    assert (holder(bench).token, holder(bench).holder) == (token + 1, successor.candidate.holder)
    assert findings(bench) == set()


def test_set_back_by_a_day_everything_goes_on(bench):
    bench.clock.advance(DAY)
    ahead = bench.register("先来的一件", phone="13800000001")
    bench.publish("intake")
    bench.consume("notify")
    assert letters(bench) == {"pending"}  # written by a clock that was a day ahead, and not sent yet
    bench.clock.advance(-DAY)
    behind = bench.register("后来的一件", phone="13800000002")
    actor = bench.cast.handler(GRID)
    bench.settle()
    for matter in (ahead, behind):
        bench.execute("dispatch.accept", actor, matter=matter)
    assert findings(bench) == set()
    assert letters(bench) == {"delivered"}


def test_set_forward_over_every_deadline_and_back(bench):
    for number in range(3):
        bench.register(f"树枝压线 {number}")
    bench.settle()
    bench.clock.advance(30 * DAY)
    bench.settle()
    breached = told(bench, "clock-breached")
    assert breached >= 3
    bench.clock.advance(-30 * DAY)
    bench.settle()
    bench.clock.advance(30 * DAY)
    assert findings(bench) == set()
    assert told(bench, "clock-breached") == breached


def letters(bench):
    with reading(bench.engines["notify"]) as db:
        return set(db.execute(select(notify_tables.messages.c.state)).scalars())
