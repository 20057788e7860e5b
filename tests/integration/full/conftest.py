"""The whole suite in full mode, started as an operator starts it, on servers of this session."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections import Counter
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import pytest
from sqlalchemy import func, select, update

from deploy.launcher.client import SuiteClient, addresses_of, operator_token
from deploy.launcher.installation import trial_settings
from deploy.launcher.supervisor import read_state
from deploy.servers.ports import LOWEST_PORT, is_free
from services.notify.domain import State
from services.notify.tables import messages
from services.oversight.repository import trace
from services.oversight.tables import trace as trace_table
from shared.contracts.topology import SERVICES
from shared.kernel.clock import parse_instant
from shared.ledger import tables
from shared.ledger.engines import open_engine, reading, writing
from shared.runtime.operations import not_at_rest
from shared.wire import connection as connections

PROJECT = Path(__file__).parents[3]
#: Ports from the base that a suite with two dispatchers uses.
PORTS = (*range(1, 6), *range(11, 16), 23)


class FullSuite:
    """A running `gridwhistle up`."""

    def __init__(self, folder, broker_url, database_url):
        settings = trial_settings(folder, "jianwai", port_base=_free_base())
        self.settings = replace(settings, broker_url=broker_url, database_url=database_url, due_interval=0.5)
        self.output = folder / "up.log"
        self.process = None
        self.calm_since = 0.0
        self.client = SuiteClient(addresses_of(self.settings), operator_token(self.settings.token_secret))
        self.engines = {name: open_engine(self.settings.database_for(name), pool_size=1) for name in SERVICES}

    def start(self, *arguments):
        kept = {name: value for name, value in os.environ.items() if not name.startswith("GRIDWHISTLE_")}
        program = "from deploy.launcher.cli import main; main()"
        with self.output.open("ab") as output:
            self.process = subprocess.Popen(
                [sys.executable, "-c", program, "up", *arguments],
                env=kept | self.settings.environment(), cwd=PROJECT, stdout=output, stderr=output,
            )  # fmt: skip
        self.until_ready()

    def state(self):
        return read_state(self.settings.data_dir)

    def until_ready(self, seconds=60):
        def ready():
            state = self.state()
            return state is not None and all(each["ready"] for each in state["processes"])

        self.until(ready, seconds)

    def until(self, condition, seconds, every=0.1):
        deadline = time.monotonic() + seconds
        while not condition():
            assert self.process.poll() is None, self.output.read_text(encoding="utf-8")
            assert time.monotonic() < deadline, self.output.read_text(encoding="utf-8")
            time.sleep(every)  # noqa: TID251 -- waiting for other processes

    def kill(self, name):
        """SIGKILL, as the out-of-memory killer would; returns how often it had been started."""
        found = next(each for each in self.state()["processes"] if each["name"] == name)
        os.kill(found["pid"], signal.SIGKILL)
        return found["starts"]

    def starts(self, name):
        return next(each for each in self.state()["processes"] if each["name"] == name)["starts"]

    def stop(self):
        """As Ctrl-C; returns (exit code, seconds)."""
        began = time.monotonic()
        self.process.send_signal(signal.SIGINT)
        code = self.process.wait(30)
        return code, time.monotonic() - began

    def end(self):
        if self.process is not None and self.process.poll() is None:
            self.stop()
        for engine in self.engines.values():
            engine.dispose()

    def let_claims_run_out(self):
        """What a killed sender had claimed is free again after ten minutes; here, at once. Only when all is at rest."""
        with writing(self.engines["notify"]) as db:
            stuck = update(messages).where(messages.c.state == State.SENDING).values(next_attempt_at=datetime.now(UTC))
            db.execute(stuck)
            db.commit()

    # -- looking at it -------------------------------------------------------------------------------------------

    def until_at_rest(self, seconds=90):
        """Everything emitted has been handled everywhere, nothing is due, and the books stand still for a second."""
        calm = []

        def rests():
            answers = {name: self.client.get(name, "/api/v1/operations") for name in SERVICES}
            due = [answer["next_due"] for answer in answers.values() if answer["next_due"]]
            busy = not_at_rest(answers) or any(parse_instant(at) <= datetime.now(UTC) for at in due)
            books = None if busy else self.ledger()
            if books is None or (calm and calm[0] != books):
                calm.clear()
            if books is not None:
                calm.append(books)
                if len(calm) == 1:
                    self.calm_since = time.monotonic()
            return len(calm) > 1 and time.monotonic() - self.calm_since > 1.0

        self.until(rests, seconds, every=0.5)

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
        connection = connections.connect(self.settings.broker_url, "test")
        found["dead letters"] = connection.channel().queue_declare("gridwhistle.dead", passive=True).message_count
        connections.close(connection)
        return {what: number for what, number in found.items() if number}

    def trace_is_valid(self):
        with reading(self.engines["oversight"]) as db:
            return trace.verify(db)


def _free_base():
    for base in range(LOWEST_PORT, 32_000, 40):
        if all(is_free(base + offset) for offset in PORTS):
            return base
    message = "no 40 free ports in a row"
    raise AssertionError(message)


@pytest.fixture(scope="module")
def full_suite(rabbitmq, postgresql, tmp_path_factory):
    folder = tmp_path_factory.mktemp("full")
    database_url = postgresql.url_for("postgres").rsplit("/", 1)[0] + "/full_{service}"
    suite = FullSuite(folder, rabbitmq.url_for("full"), database_url)
    yield suite
    suite.end()
    rabbitmq.drop("full")
    for name in SERVICES:
        postgresql.drop(f"full_{name}")
    errors = [
        line
        for log in (folder / "logs").glob("*.log")
        for line in log.read_text(encoding="utf-8").splitlines()
        if not line.startswith("{") or json.loads(line)["level"] in ("ERROR", "CRITICAL")
    ]
    print("\n".join(errors[:20]))  # noqa: T201 -- shown when a test failed
