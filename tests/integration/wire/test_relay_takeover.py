"""Two relays of one service, real processes, broker and database: one works, and a sleeper that wakes marks nothing."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from dataclasses import replace
from pathlib import Path

import pytest
import requests
from sqlalchemy import func, insert, select

from deploy.launcher import services
from deploy.launcher.installation import trial_settings
from deploy.servers.ports import free_port
from shared.contracts import topology
from shared.contracts.intake import MatterOpened
from shared.contracts.registry import by_shape
from shared.kernel.clock import SystemClock
from shared.ledger import lease, tables
from shared.ledger.engines import open_engine, writing
from shared.ledger.migrate import migrate
from shared.wire import connection as connections
from shared.wire import declare

PROJECT = Path(__file__).parents[3]
QUEUE = next(row.queue for row in topology.subscriptions_of("oversight") if row.source == "intake")
#: Within this a dead or stopped leader is followed: its lease, a look a second, and what a busy machine may take.
TAKEOVER_S = lease.DURATION.total_seconds() + 1 + 3


class Relays:
    """An outbox, a broker, and relay processes between them."""

    def __init__(self, folder, broker_url, database_url):
        self.folder = folder
        self.broker_url = broker_url
        self.engine = open_engine(database_url)
        self.settings = replace(trial_settings(folder, "jianwai"), broker_url=broker_url, database_url=database_url)
        self.ports = {}
        self.processes = {}
        self.written = 0

    def start(self, name, **settings):
        """`settings` as this process alone has them."""
        self.ports[name] = free_port()
        kept = {key: value for key, value in os.environ.items() if not key.startswith("GRIDWHISTLE_")}
        command = [sys.executable, "-m", "deploy.launcher.process", "relay", "intake", "--port", str(self.ports[name])]
        with (self.folder / f"{name}.log").open("ab") as log:
            self.processes[name] = subprocess.Popen(
                command, cwd=PROJECT, env=kept | replace(self.settings, **settings).environment(),
                stdout=log, stderr=log,
            )  # fmt: skip

    def leads(self, name):
        try:
            text = requests.get(f"http://127.0.0.1:{self.ports[name]}/metrics", timeout=2).text
        except requests.RequestException:
            return False
        return 'gridwhistle_relay_leader{service="intake"} 1.0' in text

    def log(self, name):
        return (self.folder / f"{name}.log").read_text(encoding="utf-8")

    def emit(self, count):
        at = SystemClock().now()
        rows = [
            {
                "message_id": f"m{number}", "stream": f"intake.matter:{number}", "stream_version": 1,
                "type": by_shape(MatterOpened).type, "envelope": b"{}", "created_at": at,
            }
            for number in range(self.written, self.written + count)
        ]  # fmt: skip
        self.written += count
        with writing(self.engine) as db:
            db.execute(insert(tables.outbox), rows)
            db.commit()

    def unpublished(self):
        with self.engine.connect() as db:
            return db.execute(select(func.count()).where(tables.outbox.c.published_at.is_(None))).scalar_one()

    def received(self):
        connection = connections.connect(self.broker_url, "test")
        channel = connection.channel()
        found = []
        while (message := channel.basic_get(QUEUE, no_ack=True)) is not None:
            found.append(message.properties["message_id"])
        connections.close(connection)
        return found

    def end(self):
        for process in self.processes.values():
            process.send_signal(signal.SIGCONT)
            process.kill()
            process.wait()
        self.engine.dispose()


def until(condition, seconds=20.0):
    """Wait; returns the seconds it took."""
    began = time.monotonic()
    while not condition():
        assert time.monotonic() - began < seconds, "it did not happen in time"
        time.sleep(0.05)  # noqa: TID251 -- waiting for another process
    return time.monotonic() - began


@pytest.fixture
def relays(tmp_path, vhost, database):
    declare.declare(vhost)
    made = Relays(tmp_path, vhost, database)
    migrate(made.engine, services.definition("intake"))
    yield made
    made.end()


def test_a_relay_that_is_stopped_is_replaced_and_marks_nothing_when_it_wakes(relays):
    relays.start("first")
    until(lambda: relays.leads("first"))
    relays.start("second")
    relays.emit(500)
    until(lambda: relays.unpublished() == 0)
    assert not relays.leads("second")
    relays.emit(5_000)
    relays.processes["first"].send_signal(signal.SIGSTOP)
    assert until(lambda: relays.leads("second")) < TAKEOVER_S
    until(lambda: relays.unpublished() == 0)
    relays.processes["first"].send_signal(signal.SIGCONT)
    relays.emit(300)
    until(lambda: relays.unpublished() == 0)
    until(lambda: not relays.leads("first"))
    received = relays.received()
    assert set(received) == {f"m{number}" for number in range(5_800)}
    # What the sleeper had in flight may come twice; the inboxes drop the second.
    assert len(received) - 5_800 <= 400
    relays.processes["second"].send_signal(signal.SIGTERM)
    assert relays.processes["second"].wait(10) == 0
    until(lambda: relays.leads("first"), 5)  # given up, not run out: no need to wait for its end
    assert "Traceback" not in relays.log("first") + relays.log("second")


def test_a_dead_relay_whose_clock_was_a_day_ahead_is_replaced_as_fast_as_any_other(relays, tmp_path):
    ahead = tmp_path / "clock"
    ahead.write_text("86400", encoding="utf-8")
    relays.start("first", clock_file=ahead)
    until(lambda: relays.leads("first"))
    relays.start("second")
    relays.emit(10)
    until(lambda: relays.unpublished() == 0)
    relays.processes["first"].send_signal(signal.SIGKILL)
    assert until(lambda: relays.leads("second")) < TAKEOVER_S
    relays.emit(10)
    until(lambda: relays.unpublished() == 0)
    assert sorted(relays.received()) == sorted(f"m{number}" for number in range(20))
