"""The rig bites: each deliberately broken build is found out by the judge, and the unbroken one is not.

Every breakage meets the fault that brings it out, at the instant that matters; the same run with the product as it is
must give no finding.
"""

from __future__ import annotations

import os
import socket
import subprocess
import sys
import time
from contextlib import contextmanager, nullcontext
from dataclasses import replace
from itertools import count
from threading import Event, Thread, current_thread
from unittest.mock import patch

import pytest
from sqlalchemy import create_engine, event, text
from sqlalchemy.pool import NullPool

from deploy.servers.ports import free_port
from services.dispatch import repository
from shared.ledger import engines, lease
from shared.ledger.errors import Transient
from shared.ledger.reception import Reception
from shared.wire.connection import BrokerAway
from tests.chaos.bench import Bench
from tests.chaos.builds import planted
from tests.chaos.builds.lease_without_fencing import trusting
from tests.chaos.judge import judge
from tests.chaos.suite import PROJECT

#: Seconds to wait for another process or thread.
WITHIN_S = 30.0
#: Milliseconds after which PostgreSQL throws out a session that sleeps in a transaction, where a test waits for it.
SHORT_IDLE_MS = 600
_numbers = count(1)


@pytest.fixture
def bench(rabbitmq, postgresql, tmp_path):
    made = Bench(tmp_path, rabbitmq, postgresql, f"bench_{os.getpid()}_{next(_numbers)}")
    yield made
    made.end()


def broken_or_not(name):
    """Twice: with the build broken in that way, and with the product as it is."""
    return pytest.mark.parametrize("build", [name, None], ids=["broken", "unbroken"])


def built(build):
    return nullcontext() if build is None else planted(build)


def kinds(bench):
    """The kinds of what the judge finds once everything has come to rest."""
    bench.settle()
    verdict = judge(bench, bench.book)
    print(verdict)  # noqa: T201 -- shown when a test failed
    return {finding.kind for finding in verdict.findings}


def until(condition):
    deadline = time.monotonic() + WITHIN_S
    while not condition():
        assert time.monotonic() < deadline, "it did not happen in time"
        time.sleep(0.02)  # noqa: TID251 -- waiting for another process or thread


# -- (a) acknowledged before the commit --------------------------------------------------------------------------------


@broken_or_not("ack-before-commit")
def test_acknowledged_before_the_commit(bench, build):
    for number in range(3):
        bench.register(f"楼道灯不亮 {number}")
    bench.publish("intake")
    with locked(bench, "inbox") as waiting, oversight_process(bench, build):
        # It has messages in hand, and gets no further than to their first row.
        until(lambda: bench.depth("oversight") == 0 and waiting())
    found = kinds(bench)
    assert ("lost" in found) == (build is not None)
    assert bool(found) == (build is not None)


@contextmanager
def oversight_process(bench, build):
    """A process of oversight, killed by force at the end of the block."""
    module = ["deploy.launcher.process"] if build is None else ["tests.chaos.builds", build]
    command = [sys.executable, "-m", *module, "serve", "oversight", "--port", str(free_port())]
    kept = {name: value for name, value in os.environ.items() if not name.startswith("GRIDWHISTLE_")}
    with (bench.folder / "oversight.log").open("wb") as log:
        process = subprocess.Popen(
            command, cwd=PROJECT, env=kept | bench.settings.environment(), stdout=log, stderr=log
        )  # fmt: skip
        try:
            yield
        finally:
            process.kill()
            process.wait()


@contextmanager
def locked(bench, table):
    """Nobody can write into a table of oversight's; yields whether somebody wants to."""
    query = "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND wait_event_type = 'Lock'"
    # An engine of our own: the suite's sessions are thrown out when they sleep in a transaction.
    engine = create_engine(bench.settings.database_for("oversight"), poolclass=NullPool)
    with engine.connect() as db:
        db.execute(text(f"LOCK TABLE {table} IN ACCESS EXCLUSIVE MODE"))
        yield lambda: db.execute(text(query)).scalar_one() > 0


# -- (b) marked before the confirm -------------------------------------------------------------------------------------


@broken_or_not("marked-before-confirm")
def test_marked_before_the_confirm(bench, build):
    bench.register("先来的一件")
    bench.settle()  # the relay is connected now
    for number in range(3):
        bench.register(f"井盖松动 {number}")
    with built(build):
        bench.relays["intake"]._publisher._connection.sock.shutdown(socket.SHUT_RDWR)
        with pytest.raises(BrokerAway):
            bench.publish("intake")
        assert (bench.unpublished("intake") == 0) == (build is not None)
        found = kinds(bench)
    assert ("lost" in found) == (build is not None)
    assert bool(found) == (build is not None)


# -- (c) an inbox key without the handler ------------------------------------------------------------------------------


@broken_or_not("inbox-key-without-handler")
def test_an_inbox_key_without_the_handler(bench, build):
    oversight = bench.applications["oversight"]
    # Another reader of the same messages on the same database, as a replay or a second projection would be.
    at_hand = replace(oversight.at_hand, service="auditor")
    bench.listeners["oversight"].append(Reception(at_hand=at_hand, handlers={}))
    with built(build):
        bench.register("餐馆油烟扰民")
        found = kinds(bench)
    assert ("lost" in found) == (build is not None)
    assert bool(found) == (build is not None)


# -- (d) a relay by position -------------------------------------------------------------------------------------------


@broken_or_not("relay-by-position")
def test_a_relay_by_position(bench, build):
    slow, quick = (bench.register(words) for words in ("门禁坏了", "下水道堵了"))
    bench.settle()
    actor = bench.cast.handler("guanghua-dongli-1")
    with built(build):
        with late_commit(bench.engines["dispatch"], lambda: bench.execute("dispatch.accept", actor, matter=slow)):
            # The slow one has its position already, and is not seen yet.
            bench.execute("dispatch.accept", actor, matter=quick)
            assert bench.publish("dispatch")
        found = kinds(bench)
    assert ({"lost", "unpublished"} <= found) == (build is not None)
    assert bool(found) == (build is not None)


@contextmanager
def late_commit(engine, run):
    """Run something up to its commit, all else of it done, and commit at the end of the block."""
    arrived, go, raised = Event(), Event(), []

    def hold(connection):
        if current_thread() is thread:
            connection.connection.driver_connection.depart()  # what would have travelled with COMMIT
            arrived.set()
            go.wait(WITHIN_S)

    def body():
        try:
            run()
        except BaseException as error:  # noqa: BLE001 -- told to the test
            raised.append(error)
            arrived.set()

    thread = Thread(target=body)
    event.listen(engine, "commit", hold)
    thread.start()
    try:
        assert arrived.wait(WITHIN_S)
        yield
    finally:
        go.set()
        thread.join(WITHIN_S)
        event.remove(engine, "commit", hold)
    assert raised == []


# -- (e) a lease without fencing ---------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "build", ["lease-without-fencing", "trusting", None], ids=["broken", "fence-alone", "unbroken"]
)
def test_a_lease_without_fencing(bench, build):
    bench.register("暖气不热")
    bench.settle()
    successor = bench.applications["dispatch"]
    broken = build == "lease-without-fencing"
    with trusting() if build == "trusting" else built(build):
        with patch.object(engines, "IDLE_MS", engines.IDLE_MS if broken else SHORT_IDLE_MS):
            sleeper = bench.application("dispatch")
        bench.clock.set(successor.next_due())
        with asleep_in_the_scan(sleeper):
            bench.clock.advance(2 * lease.DURATION)
            # Broken: at once. Else: when PostgreSQL has thrown the sleeper out, whose lease is locked till then.
            until(lambda: successor.run_due() > 0)
        sleeper.at_hand.engine.dispose()
        found = kinds(bench)
    assert ("twice" in found) == broken
    assert bool(found) == broken


@contextmanager
def asleep_in_the_scan(application):
    """The application scans, finds something due, and does it at the end of the block, if it still may."""
    asleep, awake, ended = Event(), Event(), []
    look = repository.due_clocks

    def look_and_sleep(db, now, limit):
        found = look(db, now, limit)
        if current_thread() is thread and found:
            asleep.set()
            awake.wait(WITHIN_S)
        return found

    def body():
        try:
            ended.append(application.run_due())
        except Transient as error:
            ended.append(error)

    thread = Thread(target=body)
    with patch.object(repository, "due_clocks", look_and_sleep):
        thread.start()
        try:
            assert asleep.wait(WITHIN_S)
            yield
        finally:
            awake.set()
            thread.join(WITHIN_S)
    assert len(ended) == 1
