"""Leaders of due work in real processes on PostgreSQL: one that is stopped is followed, and commits nothing later."""

from __future__ import annotations

import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
from sqlalchemy import func, insert, select

from shared.ledger import lease, tables
from shared.ledger.engines import IDLE_MS, open_engine, writing
from tests.integration.growth.scanner_process import chores, metadata

PROJECT = Path(__file__).parents[3]
SCRIPT = Path(__file__).with_name("scanner_process.py")
#: Seconds beside the lease's own that a machine with other work may take.
GRACE_S = 4.0


class Scanners:
    """Processes that do chores, and the chores."""

    def __init__(self, folder, url):
        self.folder = folder
        self.url = url
        self.engine = open_engine(url)
        self.processes = {}
        self.written = 0

    def start(self, name):
        with (self.folder / f"{name}.log").open("ab") as log:
            self.processes[name] = subprocess.Popen(
                [sys.executable, SCRIPT, self.url, name, self.folder], cwd=PROJECT, env={"PYTHONPATH": str(PROJECT)},
                stdout=log, stderr=log,
            )  # fmt: skip

    def give(self, count):
        rows = [{"number": number, "times": 0} for number in range(self.written, self.written + count)]
        self.written += count
        with writing(self.engine) as db:
            db.execute(insert(chores), rows)
            db.commit()

    def done(self):
        """How many chores each has done; each of them once."""
        query = select(chores.c.done_by, func.count(), func.max(chores.c.times)).group_by(chores.c.done_by)
        with self.engine.connect() as db:
            found = {by: (count, most) for by, count, most in db.execute(query)}
        assert all(most == 1 for by, (_, most) in found.items() if by is not None)
        return {by: count for by, (count, _) in found.items()}

    def leader(self):
        with self.engine.connect() as db:
            row = db.execute(select(tables.leases).where(tables.leases.c.name == "due:chores")).one_or_none()
        return (None, 0) if row is None else (row.holder, row.token)

    def send(self, name, number):
        self.processes[name].send_signal(number)

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
        time.sleep(0.02)  # noqa: TID251 -- waiting for another process
    return time.monotonic() - began


@pytest.fixture
def scanners(tmp_path, database):
    made = Scanners(tmp_path, database)
    for each in (tables.metadata, metadata):
        each.create_all(made.engine)
    made.start("first")
    until(lambda: made.leader()[0] == "first")
    made.start("second")
    made.give(10)
    until(lambda: made.done() == {"first": 10})
    yield made
    made.end()


def test_a_leader_that_is_killed_is_followed_within_seconds(scanners):
    scanners.send("first", signal.SIGKILL)
    scanners.give(5)
    took = until(lambda: scanners.done() == {"first": 10, "second": 5})
    assert took < lease.DURATION.total_seconds() + GRACE_S


def test_a_leader_that_is_stopped_is_followed_within_seconds_and_does_nothing_when_it_wakes(scanners):
    scanners.send("first", signal.SIGSTOP)
    scanners.give(5)
    took = until(lambda: scanners.done() == {"first": 10, "second": 5})
    assert took < lease.DURATION.total_seconds() + GRACE_S
    scanners.send("first", signal.SIGCONT)
    scanners.give(5)
    until(lambda: scanners.done() == {"first": 10, "second": 10})
    assert scanners.leader() == ("second", 2)


def test_a_leader_that_is_stopped_inside_its_transaction_holds_nobody_up_and_cannot_commit_it(scanners):
    hold = scanners.folder / "hold-first"
    hold.touch()
    scanners.give(5)
    until((scanners.folder / "inside-first").exists)
    scanners.send("first", signal.SIGSTOP)
    took = until(lambda: scanners.done() == {"first": 10, "second": 5})
    assert took < max(IDLE_MS / 1000, lease.DURATION.total_seconds()) + GRACE_S
    hold.unlink()
    scanners.send("first", signal.SIGCONT)
    log = scanners.folder / "first.log"
    until(lambda: "transient" in log.read_text(encoding="utf-8"))  # it tried, and its session was gone
    scanners.give(5)
    until(lambda: scanners.done() == {"first": 10, "second": 10})
    assert scanners.leader() == ("second", 2)
    assert "Traceback" not in log.read_text(encoding="utf-8")


def test_a_leader_in_a_long_transaction_is_not_taken_for_dead(scanners):
    hold = scanners.folder / "hold-first"
    hold.touch()
    scanners.give(5)
    until((scanners.folder / "inside-first").exists)
    # Longer than the lease lasts is not possible without talking to the server; as long as it may stay silent is.
    time.sleep(IDLE_MS / 1000 - 1.5)  # noqa: TID251 -- another process works meanwhile
    hold.unlink()
    until(lambda: scanners.done() == {"first": 15})
    assert scanners.leader() == ("first", 1)
