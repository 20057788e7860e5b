"""A whole suite in full mode, started as an operator starts it, and looked at from outside.

Used by the tests of full mode and by the rig. It must never mend what it finds.
"""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections import Counter
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

from sqlalchemy import func, select

from deploy.launcher.client import SuiteClient, addresses_of
from deploy.launcher.installation import trial_settings
from deploy.launcher.supervisor import RELAY_OFFSET, REPLICA_OFFSET, read_state
from deploy.servers.ports import free_block
from services.oversight.repository import trace
from services.oversight.tables import trace as trace_table
from shared.contracts.topology import SERVICES
from shared.kernel.clock import SystemClock, parse_instant
from shared.ledger import tables
from shared.ledger.engines import open_engine, reading
from shared.runtime.operations import not_at_rest
from shared.runtime.setup import gatekeeper_of
from shared.wire import connection as connections

PROJECT = Path(__file__).parents[2]
#: Replicas of a service that a suite here may have.
_REPLICAS = 2
#: What `gridwhistle up` is started with: it ends when we do, however we end (prctl PR_SET_PDEATHSIG).
UP = "import ctypes; ctypes.CDLL(None).prctl(1, 15, 0, 0, 0); from deploy.launcher.cli import main; main()"


class FullSuite:
    """A running `gridwhistle up`."""

    #: Program that is run with `up …` as its arguments.
    program = UP

    def __init__(self, folder, broker_url, database_url, **more):
        """`broker_url`, `database_url`: where the suite connects to. `more`: further settings."""
        folder.mkdir(parents=True, exist_ok=True)
        settings = trial_settings(folder, "jianwai", port_base=free_base())
        self.folder = folder
        self.settings = replace(
            settings, **({"broker_url": broker_url, "database_url": database_url, "due_interval": 0.5} | more)
        )
        self.output = folder / "up.log"
        self.process = None
        self.calm_since = 0.0
        self.client = SuiteClient(addresses_of(self.settings), lasting_token(self.settings))
        #: Straight to the database, whatever stands between it and the suite; who compares takes time over a row.
        self.engines = {name: open_engine(self.direct_database(name), pool_size=1, idle_ms=0) for name in SERVICES}

    def direct_database(self, service):
        """The database's own address."""
        return self.settings.database_for(service)

    def direct_broker(self):
        """The broker's own address."""
        return self.settings.broker_url

    # -- running it ----------------------------------------------------------------------------------------------

    def start(self, *arguments, ready_within=60):
        """Start, and wait until everything is ready. `arguments`: of `gridwhistle up`."""
        self.launch(*arguments)
        self.until_ready(ready_within)

    def launch(self, *arguments):
        """Start, and do not wait. From the main thread: the suite ends with the thread that started it."""
        kept = {name: value for name, value in os.environ.items() if not name.startswith("GRIDWHISTLE_")}
        with self.output.open("ab") as output:
            self.process = subprocess.Popen(
                [sys.executable, "-c", self.program, "up", *arguments],
                env=kept | self.settings.environment(), cwd=PROJECT, stdout=output, stderr=output,
                start_new_session=True,
            )  # fmt: skip

    def state(self):
        """Who runs where, as the supervisor wrote it down; None while there is no suite."""
        return read_state(self.settings.data_dir)

    def running(self):
        """The suite's processes: name, kind, service, port, pid (None while it is down), ready, starts."""
        state = self.state()
        return [] if state is None else state["processes"]

    def is_ready(self):
        """Whether every process has been ready since it was started last."""
        found = self.running()
        return bool(found) and all(each["ready"] for each in found)

    def until_ready(self, seconds=60):
        """Wait until every process is ready."""
        self.until(self.is_ready, seconds)

    def until(self, condition, seconds, every=0.1):
        """Wait for something. Raises AssertionError with the supervisor's output."""
        deadline = time.monotonic() + seconds
        while not condition():
            assert self.process.poll() is None, self.output.read_text(encoding="utf-8")
            assert time.monotonic() < deadline, self.output.read_text(encoding="utf-8")
            time.sleep(every)  # noqa: TID251 -- waiting for other processes

    def found(self, name):
        """One process by name. Raises StopIteration when the plan has no such process."""
        return next(each for each in self.running() if each["name"] == name)

    def kill(self, name):
        """SIGKILL, as the out-of-memory killer would; returns how often it had been started."""
        found = self.found(name)
        os.kill(found["pid"], signal.SIGKILL)
        return found["starts"]

    def starts(self, name):
        """How often a process has been started."""
        return self.found(name)["starts"]

    def stop(self):
        """As Ctrl-C; returns (exit code, seconds)."""
        began = time.monotonic()
        self.process.send_signal(signal.SIGINT)
        code = self.process.wait(30)
        return code, time.monotonic() - began

    def end(self):
        """Stop it if it runs, and let go of the databases."""
        if self.process is not None and self.process.poll() is None:
            self.stop()
        for engine in self.engines.values():
            engine.dispose()

    # -- looking at it -------------------------------------------------------------------------------------------

    def now(self):
        """The suite's present."""
        return datetime.now(UTC)

    def until_at_rest(self, seconds=90, still=1.0):
        """Everything emitted has been handled everywhere, nothing is due, and the books stand still for a second."""
        calm = []

        def rests():
            books = None if self.unrest() else self.ledger()
            if books is None or (calm and calm[0] != books):
                calm.clear()
            if books is not None:
                calm.append(books)
                if len(calm) == 1:
                    self.calm_since = time.monotonic()
            return len(calm) > 1 and time.monotonic() - self.calm_since > still

        self.until(rests, seconds, every=0.5)

    def unrest(self):
        """Why the suite is not at rest; empty when it is."""
        answers = {name: self.client.get(name, "/api/v1/operations") for name in SERVICES}
        due = [
            f"{name}: work is due since {answer['next_due']}"
            for name, answer in answers.items()
            if answer["next_due"] and parse_instant(answer["next_due"]) <= self.now()
        ]
        return not_at_rest(answers) + due

    def ledger(self):
        """Counts of everything that must not depend on who died when."""
        counts = Counter()
        for name, engine in self.engines.items():
            with reading(engine) as db:
                counts[name, "inbox"] = db.execute(select(func.count()).select_from(tables.inbox)).scalar_one()
                for type_, number in db.execute(
                    select(tables.outbox.c.type, func.count()).group_by(tables.outbox.c.type)
                ):
                    counts[name, "outbox", type_] = number
        with reading(self.engines["oversight"]) as db:
            for type_, number in db.execute(select(trace_table.c.type, func.count()).group_by(trace_table.c.type)):
                counts["trace", type_] = number
        return counts

    def left_over(self):
        """What nobody may leave behind: unpublished, parked, quarantined, failed."""
        found = Counter()
        for name, engine in self.engines.items():
            with reading(engine) as db:
                unpublished = select(func.count()).where(tables.outbox.c.published_at.is_(None))
                found[name, "unpublished"] = db.execute(unpublished).scalar_one()
                for table in (tables.parked, tables.quarantine, tables.failures):
                    found[name, table.name] = db.execute(select(func.count()).select_from(table)).scalar_one()
        found["dead letters"] = self.dead_letters()
        return {what: number for what, number in found.items() if number}

    def dead_letters(self):
        """How many messages the broker gave up."""
        connection = connections.connect(self.direct_broker(), "test")
        found = connection.channel().queue_declare("gridwhistle.dead", passive=True).message_count
        connections.close(connection)
        return found

    def trace_is_valid(self):
        """What verifying the hash chain says."""
        with reading(self.engines["oversight"]) as db:
            return trace.verify(db)


def lasting_token(settings):
    """An operator's token that outlasts every step of the suite's clock."""
    return gatekeeper_of(settings, SystemClock()).issue(
        subject="operator", roles=frozenset({"system-admin", "audit-admin"}), unit=None, lasting=timedelta(days=3_650)
    )


def free_base():
    """A port base whose services, replicas and relays find their ports free."""
    further = [REPLICA_OFFSET * number for number in range(_REPLICAS)]
    shifts = (*further, *(RELAY_OFFSET + shift for shift in further))
    return free_block(shift + place for shift in shifts for place in range(1, len(SERVICES) + 1))
