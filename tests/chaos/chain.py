"""The shortest way an event goes through real processes: an outbox, its relay, the broker, a consumer, its database.

    dispatch's outbox -> relay process -> [proxy] RabbitMQ [proxy] -> consumer process -> [proxy] PostgreSQL

For tests of single faults, which need no whole suite. The consumer is the sample process of tests/integration/runtime;
it writes one row per event and would fail on a second one.
"""

from __future__ import annotations

import os
import re
import signal
import subprocess
import sys
import time
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import requests
from sqlalchemy import Column, MetaData, Table, func, insert, select

from deploy.launcher import services
from deploy.launcher.installation import trial_settings
from deploy.servers.ports import free_port
from shared.contracts.dispatch import MatterAccepted
from shared.contracts.envelope import Envelope
from shared.contracts.registry import by_shape
from shared.contracts.shapes import dump
from shared.kernel.clock import SystemClock
from shared.kernel.ids import RandomIds
from shared.ledger import tables
from shared.ledger.engines import open_engine, reading, writing
from shared.ledger.migrate import migrate
from shared.ledger.types import Id, Instant

PROJECT = Path(__file__).parents[2]
SAMPLE = PROJECT / "tests" / "integration" / "runtime" / "sample_process.py"
MIGRATION = """
from __future__ import annotations
import sqlalchemy as sa
from alembic import op
from shared.ledger.revisions import create_ledger_0001
from shared.ledger.types import Id, Instant
revision = "intake_0001"
down_revision = None
branch_labels = None
depends_on = None
def upgrade():
    create_ledger_0001(op)
    op.create_table("handled", sa.Column("matter_id", Id, primary_key=True), sa.Column("at", Instant))
"""
handled = Table("handled", MetaData(), Column("matter_id", Id, primary_key=True), Column("at", Instant))
#: Limits short enough for a test.
SHORT = {"confirm_deadline": 1.0, "database_deadline": 1.0, "broker_heartbeat": 1, "due_interval": 0.5, "workers": 4}


class Chain:
    """One relay and one consumer with their databases; a context manager."""

    def __init__(self, folder, broker_url, database_url, direct_url, **limits):
        """The first two urls are what the processes are given; `direct_url` is for looks. Databases with `{service}`.

        `limits` go over SHORT, by the settings' names.
        """
        self.folder = folder
        settings = trial_settings(folder, "jianwai")
        self.settings = replace(settings, broker_url=broker_url, database_url=database_url, **(SHORT | limits))
        self.out = open_engine(direct_url.replace("{service}", "dispatch"))
        self.into = open_engine(direct_url.replace("{service}", "intake"))
        migrate(self.out, services.definition("dispatch"))
        (folder / "migrations").mkdir()
        (folder / "migrations" / "intake_0001.py").write_text(MIGRATION, encoding="utf-8")
        self.ports = {"relay": free_port(), "consumer": free_port()}
        self.processes = {}
        self.written = 0

    def __enter__(self):
        try:
            self.start()
        except BaseException:
            self.end()
            raise
        return self

    def __exit__(self, *_raised):
        self.end()

    def start(self):
        """Start both and wait until they work."""
        kept = {name: value for name, value in os.environ.items() if not name.startswith("GRIDWHISTLE_")}
        relay = ["-m", "deploy.launcher.process", "relay", "dispatch", "--port", str(self.ports["relay"])]
        consumer = [str(SAMPLE), str(self.folder / "migrations"), str(self.ports["consumer"])]
        for name, command in (("relay", relay), ("consumer", consumer)):
            with (self.folder / f"{name}.log").open("ab") as log:
                self.processes[name] = subprocess.Popen(
                    [sys.executable, *command], cwd=PROJECT, stdout=log, stderr=log,
                    env=kept | self.settings.environment() | {"PYTHONPATH": str(PROJECT)},
                )  # fmt: skip
        self.until(lambda: self.fault() == {} and self.gauge("relay_leader") == 1, 40)

    def emit(self, count):
        """Write events into the outbox, as one transaction would."""
        at, rows = SystemClock().now(), []
        for number in range(self.written, self.written + count):
            event = MatterAccepted(matter_id=f"m{number}", unit="u", accepted_by="p")
            envelope = Envelope(
                id=RandomIds().new(), source="urn:gridwhistle:dispatch", type=by_shape(MatterAccepted).type,
                subject=event.matter_id, time=at, stream=f"dispatch.matter:{event.matter_id}", streamversion=1,
                correlationid="c-1", causationid=None, traceparent=None, classification="internal", data=dump(event),
            )  # fmt: skip
            rows.append(
                {
                    "message_id": envelope.id, "stream": envelope.stream, "stream_version": 1, "type": envelope.type,
                    "envelope": envelope.to_bytes(), "created_at": at - timedelta(seconds=1),
                }
            )  # fmt: skip
        self.written += count
        with writing(self.out) as db:
            db.execute(insert(tables.outbox), rows)
            db.commit()

    # -- looking at it -------------------------------------------------------------------------------------------

    def unpublished(self):
        """Rows that wait in the outbox."""
        with reading(self.out) as db:
            return db.execute(select(func.count()).where(tables.outbox.c.published_at.is_(None))).scalar_one()

    def handled(self):
        """Events that had their effect."""
        with reading(self.into) as db:
            return db.execute(select(func.count()).select_from(handled)).scalar_one()

    def left_over(self):
        """What nobody may leave behind."""
        with reading(self.into) as db:
            counts = {
                table.name: db.execute(select(func.count()).select_from(table)).scalar_one()
                for table in (tables.parked, tables.quarantine, tables.failures)
            }
        return {name: count for name, count in counts.items() if count}

    def fault(self):
        """What the consumer misses, as `/health/ready` says; {} when nothing, None when it does not answer."""
        try:
            answer = requests.get(f"http://127.0.0.1:{self.ports['consumer']}/health/ready", timeout=10).json()
        except requests.RequestException:
            return None
        return answer.get("missing", {})

    def gauge(self, name):
        """A metric of the relay; None while it does not answer."""
        try:
            text = requests.get(f"http://127.0.0.1:{self.ports['relay']}/metrics", timeout=10).text
        except requests.RequestException:
            return None
        found = re.search(rf'^gridwhistle_{name}{{service="dispatch"}} (\S+)$', text, re.MULTILINE)
        return float(found.group(1)) if found else None

    def log(self, name):
        """What a process said."""
        return (self.folder / f"{name}.log").read_text(encoding="utf-8")

    def until(self, condition, seconds=30.0):
        """Wait for something the processes do. Raises AssertionError with the ends of their logs."""
        deadline = time.monotonic() + seconds
        while not condition():
            for name, process in self.processes.items():
                assert process.poll() is None, f"{name} ended: {self.log(name)[-3000:]}"
            if time.monotonic() > deadline:
                raise AssertionError("\n".join(self.log(name)[-3000:] for name in self.processes))
            time.sleep(0.05)  # noqa: TID251 -- waiting for other processes

    def until_done(self, seconds=40.0):
        """Everything emitted has had its effect, once."""
        self.until(lambda: self.handled() == self.written and self.unpublished() == 0, seconds)

    def end(self):
        """End both by force."""
        for process in self.processes.values():
            process.send_signal(signal.SIGCONT)
            process.kill()
            process.wait()
        self.out.dispose()
        self.into.dispose()
