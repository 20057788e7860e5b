"""Messages that come again, in another order, or that nobody should have sent: what becomes of each, step by step."""

from __future__ import annotations

import os
import random
from itertools import count

import pytest
from sqlalchemy import select

from services.dispatch.tables import matters
from shared.contracts import topology
from shared.ledger import quarantine, tables
from shared.ledger.engines import reading
from tests.chaos.bench import Bench
from tests.chaos.builds import planted
from tests.chaos.builds.bug_for_one_matter import CURSED
from tests.chaos.faults import messages
from tests.chaos.judge import judge

_numbers = count(1)
KINDS = {fault.kind: fault for fault in messages.FAULTS}


@pytest.fixture
def bench(rabbitmq, postgresql, tmp_path):
    made = Bench(tmp_path, rabbitmq, postgresql, f"messages_{os.getpid()}_{next(_numbers)}")
    yield made
    made.end()


def known_matters(bench):
    with reading(bench.engines["dispatch"]) as db:
        return set(db.execute(select(matters.c.id)).scalars())


def findings(bench, held=()):
    bench.settle()
    verdict = judge(bench, bench.book, held)
    print(verdict)  # noqa: T201 -- shown when a test failed
    return {finding.kind for finding in verdict.findings}


def test_poison_of_every_class_is_set_aside_and_nobody_else_troubled(bench):
    dice, held = random.Random(7), []
    bench.register("先来的一件")
    for name, (_, _, reason) in messages.POISON.items():
        struck = KINDS[f"poison-{name}"].strike(bench, dice)
        ((service, message_id, why),) = struck.detail["planted"]
        assert why == reason
        held.append((service, message_id, why))
        bench.register(f"楼道灯不亮（{name}）")
    held += KINDS["poison-unknown-type"].strike(bench, dice).detail["planted"]
    assert findings(bench, held) == set()
    # Not named as planted, it would have been found: the judge excuses nothing.
    assert findings(bench, held[1:]) == {"quarantined"}


def test_a_forged_hole_waits_and_is_passed_when_it_is_filled(bench):
    bench.register("门禁坏了")
    fault = KINDS["forged-hole"]
    struck = fault.strike(bench, random.Random(3))
    assert findings(bench, struck.detail["planted"]) == {"parked"}
    fault.heal(bench, struck)
    assert findings(bench, struck.detail["planted"]) == set()


def test_the_same_message_three_times(bench):
    for number in range(3):
        bench.register(f"井盖松动 {number}")
    bench.settle()
    dice = random.Random(5)
    for _ in range(10):
        KINDS["message-thrice"].strike(bench, dice)
    assert bench.depth("oversight") >= 10
    assert findings(bench) == set()


@pytest.mark.parametrize("seed", [1, 2, 3])
def test_queues_backwards_and_shuffled(bench, seed):
    dice = random.Random(seed)
    for number in range(4):
        bench.register(f"下水道堵了 {number}")
    for _ in range(3):  # the events of dispatch and notify follow only when those before them were heard
        for service in topology.SERVICES:
            bench.publish(service)
        for row in topology.subscriptions():
            messages._put_back(bench, row.queue, dice)
        for service in topology.SERVICES:
            bench.consume(service)
    assert findings(bench) == set()


def test_a_bug_that_one_matter_meets_stops_nothing_but_that_matter(bench):
    with planted("bug-for-one-matter"):
        cursed = bench.register(f"楼道里堆着旧家具{CURSED}")
        others = [bench.register(f"暖气不热 {number}") for number in range(3)]
        bench.settle()
        message_id = messages._opened_by(bench, cursed)
        held = [("dispatch", message_id, "handler-failed")]
        assert messages._held(bench, "dispatch") == {message_id: "handler-failed"}
        assert attempts(bench, message_id) == quarantine.MAX_ATTEMPTS
        assert known_matters(bench) == set(others)
        assert "lost" in findings(bench, held)  # set aside is not done: the matter is not where it should be
    messages.release(bench, "dispatch", message_id, why="the bug is mended")
    assert known_matters(bench) == {cursed, *others}
    assert messages._held(bench, "dispatch") == {}
    assert findings(bench, held) == set()


def attempts(bench, message_id):
    query = select(tables.failures.c.attempts).where(tables.failures.c.message_id == message_id)
    with reading(bench.engines["dispatch"]) as db:
        return db.execute(query).scalar_one()
