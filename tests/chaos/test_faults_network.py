"""The network between processes and their servers swallows, delays, cuts: nobody hangs, everything arrives once."""

from __future__ import annotations

import subprocess
import sys
import time
from pathlib import Path

import pytest

from shared.wire import connection as connections
from shared.wire.connection import BROKER_ERRORS, BrokerAway
from shared.wire.declare import declare
from tests.chaos.chain import Chain
from tests.chaos.proxy import ANSWERS, BOTH, HOST, REQUESTS, Proxy

PROJECT = Path(__file__).parents[2]
#: A process of ours asks its database and prints how the answer came, then asks again once told to.
ASKS = """
import sys, time
{first}
from sqlalchemy import text
from sqlalchemy.exc import OperationalError
from shared.ledger import deadline
from shared.ledger.engines import open_engine, reading
from shared.ledger.errors import is_transient
deadline.GRACE_S, deadline.CONNECT_S = 0.2, 1.0
{keep}
engine = open_engine(sys.argv[1], answer_within_s=1.0)
for line in sys.stdin:
    began = time.monotonic()
    try:
        with reading(engine) as db:
            print(db.execute(text("SELECT 'answered'")).scalar_one(), flush=True)
    except OperationalError as error:
        print(is_transient(error), round(time.monotonic() - began, 1), error.orig, flush=True)
"""
WAYS = {
    "serving": ("import shared.runtime.green", ""),
    "relaying": ("", "deadline.keep()"),
}


@pytest.fixture(scope="module")
def broker_proxy(rabbitmq):
    with Proxy(HOST, rabbitmq.port) as made:
        yield made


@pytest.fixture(scope="module")
def database_proxy(postgresql):
    with Proxy(HOST, postgresql.port) as made:
        yield made


@pytest.fixture(autouse=True)
def healed(broker_proxy, database_proxy):
    yield
    broker_proxy.heal()
    database_proxy.heal()


@pytest.fixture(scope="module")
def chain(rabbitmq, postgresql, broker_proxy, database_proxy, tmp_path_factory):
    direct = postgresql.url_for("postgres").rsplit("/", 1)[0] + "/chain_{service}"
    for service in ("intake", "dispatch"):
        postgresql.url_for(f"chain_{service}")
    made = Chain(
        tmp_path_factory.mktemp("chain"), broker_proxy.url(rabbitmq.url_for("chain")),
        direct.replace(f":{postgresql.port}/", f":{database_proxy.port}/"), direct,
    )  # fmt: skip
    with made:
        yield made
    rabbitmq.drop("chain")
    for service in ("intake", "dispatch"):
        postgresql.drop(f"chain_{service}")


@pytest.mark.parametrize("kind", WAYS)
def test_a_database_behind_a_black_hole_holds_up_nobody_for_ever(database_proxy, database, kind):
    first, keep = WAYS[kind]
    with subprocess.Popen(
        [sys.executable, "-c", ASKS.format(first=first, keep=keep), database_proxy.url(database)],
        stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, cwd=PROJECT,
    ) as process:  # fmt: skip

        def asked():
            process.stdin.write("\n")
            process.stdin.flush()
            return process.stdout.readline().strip()

        try:
            assert asked() == "answered"
            database_proxy.black_hole(BOTH)
            for _ in range(2):  # over the connection it had, over a new one
                passes, seconds, words = asked().split(" ", 2)
                assert (passes, words) == ("True", "no answer from the database within 1 s")
                assert 1 <= float(seconds) < 5
            database_proxy.heal()
            assert asked() == "answered"
        finally:
            process.kill()


def test_no_step_of_connecting_to_the_broker_waits_for_ever(broker_proxy, vhost, monkeypatch):
    monkeypatch.setattr(connections, "ANSWER_WITHIN_S", 0.5)
    monkeypatch.setattr(connections, "CONNECT_TIMEOUT_S", 0.5)
    url = broker_proxy.url(vhost)
    connection = connections.connect(url, "test")
    broker_proxy.black_hole(ANSWERS)
    with pytest.raises(BROKER_ERRORS):
        connection.channel()
    connections.drop(connection)
    broker_proxy.heal()
    connection = connections.connect(url, "test")
    monkeypatch.setattr(connections, "connect", lambda *_args, **_more: connection)
    broker_proxy.black_hole(BOTH)
    with pytest.raises(BrokerAway):
        declare(url)
    connections.drop(connection)


def test_confirms_that_do_not_come_back_are_waited_for_and_the_events_sent_again(chain, broker_proxy):
    chain.emit(50)
    chain.until_done()
    broker_proxy.black_hole(ANSWERS)
    chain.emit(300)
    chain.until(lambda: chain.gauge("relay_connected") == 0)  # the deadline passed
    assert chain.unpublished() == 300  # what was not confirmed is not marked, though it has reached the broker
    broker_proxy.cut()
    broker_proxy.heal()
    chain.until_done()
    assert "no answer for" in chain.log("relay")


def test_confirms_later_than_the_deadline_count_for_nothing_and_nothing_is_lost(chain, broker_proxy):
    broker_proxy.delay(1.5)
    chain.emit(100)
    chain.until(lambda: chain.log("relay").count("no answer for") > 1)
    assert chain.unpublished() >= 100
    broker_proxy.heal()
    chain.until_done()


def test_a_consumer_whose_broker_falls_silent_notices_and_comes_back(chain, broker_proxy):
    broker_proxy.black_hole(BOTH)
    began = time.monotonic()
    chain.until(lambda: "broker" in (chain.fault() or {}))
    assert time.monotonic() - began < 8  # two beats of one second, and a look
    broker_proxy.cut()
    broker_proxy.heal()
    chain.emit(50)
    chain.until_done()
    chain.until(lambda: chain.fault() == {})


def test_acks_that_do_not_arrive_bring_the_messages_again_and_count_once(chain, broker_proxy):
    broker_proxy.black_hole(REQUESTS)
    chain.emit(20)  # in the outbox; the publishes are swallowed
    chain.until(lambda: chain.gauge("relay_connected") == 0)
    broker_proxy.cut()
    broker_proxy.heal()
    chain.emit(400)
    for _ in range(4):
        broker_proxy.cut()
        time.sleep(0.2)  # noqa: TID251 -- they connect anew and are in the midst of it
    chain.until_done()


def test_databases_cut_and_swallowed_under_load_cost_nothing(chain, database_proxy):
    chain.emit(500)
    for _ in range(5):
        database_proxy.cut()
        time.sleep(0.1)  # noqa: TID251 -- they connect anew and are in the midst of it
    database_proxy.black_hole(BOTH)
    chain.emit(100)
    chain.until(lambda: "no answer from the database" in chain.log("relay"))
    database_proxy.cut()
    database_proxy.heal()
    chain.until_done()
    chain.until(lambda: chain.fault() == {})
    assert chain.left_over() == {}
    assert "Traceback" not in chain.log("relay")
