"""What becomes of a message, in a real process with a real broker and database: nothing is lost, nothing done twice."""

from __future__ import annotations

import gzip
import json
import os
import signal
import subprocess
import sys
import time
from dataclasses import replace
from pathlib import Path

import amqp
import pytest
import requests
from sqlalchemy import func, select

from deploy.launcher.installation import trial_settings
from deploy.servers.ports import free_port
from shared.contracts import topology
from shared.contracts.dispatch import MatterAccepted
from shared.contracts.envelope import Envelope
from shared.contracts.shapes import dump
from shared.kernel.clock import SystemClock
from shared.kernel.ids import RandomIds
from shared.ledger import tables
from shared.ledger.engines import open_engine
from shared.wire import connection as connections
from shared.wire import declare

PROJECT = Path(__file__).parents[3]
SCRIPT = Path(__file__).with_name("sample_process.py")
QUEUE = topology.subscriptions_of("intake")[0].queue
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


class Process:
    """The process under test, the queue before it and the database behind it."""

    def __init__(self, folder, broker_url, database_url):
        self.folder = folder
        self.port = free_port()
        self.url = f"http://127.0.0.1:{self.port}"
        self.engine = open_engine(database_url)
        settings = trial_settings(folder, "jianwai")
        self.settings = replace(settings, broker_url=broker_url, database_url=database_url, due_interval=0.5, workers=4)
        (folder / "migrations").mkdir()
        (folder / "migrations" / "intake_0001.py").write_text(MIGRATION, encoding="utf-8")
        self.log = folder / "process.log"
        self.broker_url = broker_url
        self.process = None

    def start(self, *, wait=True):
        kept = {key: value for key, value in os.environ.items() if not key.startswith("GRIDWHISTLE_")}
        with self.log.open("ab") as output:
            self.process = subprocess.Popen(
                [sys.executable, str(SCRIPT), str(self.folder / "migrations"), str(self.port)],
                env=kept | self.settings.environment() | {"PYTHONPATH": str(PROJECT)},
                stdout=output, stderr=output,
            )  # fmt: skip
        if wait:
            until(lambda: self.ready().get("status") == "ready", 30)

    def ready(self):
        try:
            return requests.get(f"{self.url}/health/ready", timeout=5).json()
        except requests.RequestException:
            return {}

    def publish(self, *bodies, **properties):
        connection = connections.connect(self.broker_url, "test")
        channel = connection.channel()
        channel.confirm_select()
        for body in bodies:
            message = amqp.Message(body, delivery_mode=2, **properties)
            channel.basic_publish_confirm(message, exchange="", routing_key=QUEUE)
        connections.close(connection)

    def depth(self, queue=QUEUE):
        connection = connections.connect(self.broker_url, "test")
        try:
            return connection.channel().queue_declare(queue, passive=True).message_count
        finally:
            connections.close(connection)

    def count(self, table, **where):
        query = select(func.count()).select_from(table)
        for column, value in where.items():
            query = query.where(table.c[column] == value)
        with self.engine.connect() as db:
            return db.execute(query).scalar_one()

    def rows(self, table):
        with self.engine.connect() as db:
            return db.execute(select(table)).all()

    def end(self):
        if self.process is not None and self.process.poll() is None:
            self.process.kill()
            self.process.wait()
        self.engine.dispose()


def until(condition, seconds=20.0):
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, "it did not happen in time"
        time.sleep(0.05)  # noqa: TID251 -- waiting for another process


def event(matter, *, version=1, **changes):
    data = dump(MatterAccepted(matter_id=matter, unit="u", accepted_by="p"))
    values = {
        "id": RandomIds().new(),
        "source": "urn:gridwhistle:dispatch",
        "type": "gridwhistle.dispatch.matter-accepted.v1",
        "subject": matter,
        "time": SystemClock().now(),
        "stream": f"dispatch.matter:{matter}",
        "streamversion": version,
        "correlationid": "c",
        "causationid": None,
        "traceparent": None,
        "classification": "internal",
        "data": data,
    }
    return Envelope(**(values | changes)).to_bytes()


@pytest.fixture
def process(tmp_path, vhost, database):
    declare.declare(vhost)
    made = Process(tmp_path, vhost, database)
    yield made
    made.end()


def test_every_kind_of_message_has_its_outcome_and_nothing_stays_or_is_lost(process):
    process.start()
    process.publish(event("good"), event("refuse-1"), event("crash-1"))
    process.publish(b"{not json", b"\x80\x04K\x01.", b"[]", content_type="application/x-python-serialize")
    process.publish(event("no-data", data={}), event("no-type", type="gridwhistle.dispatch.unheard-of.v1"))
    packed = gzip.compress(event("packed"))
    process.publish(packed, application_headers={"compression": "application/x-gzip"}, content_encoding="utf-8")
    twice = event("twice")
    process.publish(twice, twice)
    until(lambda: process.count(tables.quarantine) >= 6, 30)
    until(lambda: process.count(tables.inbox) == 4)  # good, refused, twice, and the type of a newer release
    until(lambda: process.depth() == 0)
    quarantined = {bytes(row.body): row.reason for row in process.rows(tables.quarantine)}
    assert quarantined[b"{not json"] == "undecodable"
    assert quarantined[b"\x80\x04K\x01."] == "undecodable"
    assert quarantined[b"[]"] == "undecodable"
    assert quarantined[packed] == "undecodable"  # the exact bytes: nobody unpacked them on the way
    assert sorted(quarantined.values()) == ["handler-failed", "schema-violation", *["undecodable"] * 4]
    assert [row.attempts for row in process.rows(tables.failures)] == [5]
    assert process.count(_handled(process)) == 2  # good and twice, once each; what failed or was refused is undone
    assert process.depth(topology.DEAD_QUEUE) == 0
    assert process.process.poll() is None


def test_later_first_is_parked_and_applied_in_order(process):
    process.start()
    process.publish(event("m", version=2, data=dump(MatterAccepted(matter_id="m2", unit="u", accepted_by="p"))))
    until(lambda: process.count(tables.parked) == 1)
    process.publish(event("m"))
    until(lambda: process.count(_handled(process)) == 2)
    assert process.count(tables.parked) == 0


def test_a_database_that_goes_away_and_comes_back_costs_no_message(process, postgresql):
    process.start()
    process.publish(event("before"))
    until(lambda: process.count(tables.inbox) == 1)
    process.engine.dispose()
    postgresql.kill()
    try:
        process.publish(*(event(f"during-{number}") for number in range(5)))
        until(lambda: "database" in process.ready().get("missing", {}))
        assert requests.get(f"{process.url}/health/live", timeout=5).ok
        assert requests.get(f"{process.url}/metrics", timeout=5).ok
        answer = requests.get(f"{process.url}/broken", timeout=10)
        assert (answer.status_code, answer.json()["code"]) == (503, "temporarily-unavailable")
    finally:
        postgresql.start()
    until(lambda: process.count(tables.inbox) == 6, 60)
    assert process.count(_handled(process)) == 6
    assert process.process.poll() is None


def test_a_broker_that_restarts_is_found_again(process, rabbitmq):
    process.start()
    rabbitmq.settle()  # else the new queues' names may be lost, and this broker takes no more of them (RabbitMQ 3.10)
    rabbitmq.kill()
    until(lambda: "broker" in process.ready().get("missing", {}))
    rabbitmq.start()
    until(lambda: process.ready().get("status") == "ready", 60)
    process.publish(event("after"))
    until(lambda: process.count(tables.inbox) == 1)


def test_servers_away_at_start_are_waited_for_and_named(tmp_path):
    process = Process(
        tmp_path, f"amqp://guest:guest@127.0.0.1:{free_port()}/", f"postgresql+psycopg2://x:y@127.0.0.1:{free_port()}/z"
    )
    try:
        process.start(wait=False)
        until(lambda: set(process.ready().get("missing", {})) == {"database", "broker"}, 30)
        until(lambda: "refused" in process.ready()["missing"]["database"])
        assert "waiting to start" in process.log.read_text(encoding="utf-8")
    finally:
        process.process.send_signal(signal.SIGTERM)
        assert process.process.wait(10) == 0
        process.end()


def test_told_to_stop_it_ends_within_seconds_and_leaves_what_it_held(process):
    process.start()
    process.publish(event("crash-held"), *(event(f"m{number}") for number in range(50)))
    until(lambda: process.count(tables.failures) == 1)  # one message is being held now
    began = time.monotonic()
    process.process.send_signal(signal.SIGTERM)
    assert process.process.wait(10) == 0
    assert time.monotonic() - began < 10
    until(lambda: process.depth() == 51 - process.count(tables.inbox), 10)
    process.start()
    until(lambda: process.count(tables.inbox) == 50)
    until(lambda: process.count(tables.quarantine) == 1)
    assert process.count(_handled(process)) == 50


def test_nothing_internal_leaves_by_http(process):
    process.start()
    answer = requests.get(f"{process.url}/broken", timeout=5)
    assert (answer.status_code, answer.json()["code"]) == (500, "internal-error")
    assert "secret" not in answer.text
    assert "RuntimeError" not in answer.text
    assert requests.get(f"{process.url}/nothing", timeout=5).json()["code"] == "not-found"
    browser = {"Accept": "text/html,application/xhtml+xml,*/*;q=0.8"}
    page = requests.get(f"{process.url}/nothing", headers=browser, timeout=5)
    assert (page.status_code, page.headers["Content-Type"]) == (404, "text/html; charset=utf-8")
    assert "没有找到" in page.text
    refused = requests.get(f"{process.url}/only-post", timeout=5)
    assert (refused.status_code, refused.headers["Allow"]) == (405, "POST")
    lines = [json.loads(line) for line in process.log.read_text(encoding="utf-8").splitlines()]
    failed = next(line for line in lines if line["message"] == "request failed")
    assert failed["correlation_id"] == answer.headers["X-Correlation-ID"] == answer.json()["reference"]


def test_a_taken_port_is_refused_and_not_shared(process):
    process.start()
    second = subprocess.run(
        [sys.executable, str(SCRIPT), str(process.folder / "migrations"), str(process.port)],
        env=dict(os.environ) | process.settings.environment() | {"PYTHONPATH": str(PROJECT)},
        capture_output=True, text=True, timeout=30, check=False,
    )  # fmt: skip
    assert second.returncode == 1
    assert "Address already in use" in second.stderr


def _handled(process):
    from sqlalchemy import MetaData, Table  # noqa: PLC0415

    return Table("handled", MetaData(), autoload_with=process.engine)
