"""A real broker's alarm: requests are taken, the outbox grows, alerts fire; lifted, it drains and they resolve."""

from __future__ import annotations

import os
import re
import subprocess
import sys
import time
from dataclasses import replace
from pathlib import Path

import pytest
import requests
from sqlalchemy import func, select

from deploy.launcher import services
from deploy.launcher.client import SuiteClient, operator_token
from deploy.launcher.installation import trial_settings
from deploy.servers.ports import free_port
from deploy.servers.prometheus import PrivatePrometheus
from shared.contracts import topology
from shared.ledger import tables
from shared.ledger.engines import open_engine
from shared.ledger.migrate import migrate
from shared.wire import connection as connections
from shared.wire import declare

PROJECT = Path(__file__).parents[3]
RULES = PROJECT / "deploy" / "prometheus" / "rules"
DEMANDS = 30
QUEUE = next(row.queue for row in topology.subscriptions_of("oversight") if row.source == "intake")
EXPECTED = {"GridwhistleBrokerMemoryAlarm", "GridwhistleRelayBlocked", "GridwhistleOutboxOld"}


def hurried(folder):
    """The rules as shipped, but minutes are seconds: what is waited for, and how old an event may be."""
    for path in RULES.glob("*.yaml"):
        text = re.sub(r"for: \d+[smh]\b", "for: 1s", path.read_text(encoding="utf-8"))
        text, changed = re.subn(r"(outbox_oldest_age_seconds\)) > 60\b", r"\1 > 3", text)
        assert changed == (path.name == "relays.yaml")
        (folder / path.name).write_text(text, encoding="utf-8")
    return folder / "*.yaml"


def configuration(rules, intake, relay, broker):
    jobs = {"gridwhistle-services": intake, "gridwhistle-relays": relay, "rabbitmq": broker}
    scraped = "".join(
        f"  - job_name: {name}\n    static_configs: [{{targets: ['{target}']}}]\n" for name, target in jobs.items()
    )
    times = "  scrape_interval: 1s\n  scrape_timeout: 1s\n  evaluation_interval: 1s\n"
    return f"global:\n{times}rule_files: ['{rules}']\nscrape_configs:\n{scraped}"


def until(condition, seconds=30.0):
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, "it did not happen in time"
        time.sleep(0.1)  # noqa: TID251 -- waiting for other processes


@pytest.fixture
def intake(tmp_path, vhost, database):
    """Intake and its relay, as processes; yields (client, engine, address of either)."""
    declare.declare(vhost)
    settings = replace(trial_settings(tmp_path, "jianwai"), broker_url=vhost, database_url=database)
    engine = open_engine(database)
    migrate(engine, services.definition("intake"))
    kept = {key: value for key, value in os.environ.items() if not key.startswith("GRIDWHISTLE_")}
    addresses, processes = {}, []
    for kind in ("serve", "relay"):
        port = free_port()
        addresses[kind] = f"127.0.0.1:{port}"
        command = [sys.executable, "-m", "deploy.launcher.process", kind, "intake", "--port", str(port)]
        with (tmp_path / f"{kind}.log").open("ab") as log:
            processes.append(
                subprocess.Popen(command, cwd=PROJECT, env=kept | settings.environment(), stdout=log, stderr=log)
            )
    client = SuiteClient({"intake": f"http://{addresses['serve']}"}, operator_token(settings.token_secret))
    until(lambda: _answers(f"http://{addresses['serve']}/health/ready"), 60)
    until(lambda: 'relay_leader{service="intake"} 1.0' in _text(f"http://{addresses['relay']}/metrics"), 60)
    yield client, engine, addresses
    for process in processes:
        process.kill()
        process.wait()
    engine.dispose()


def _text(url):
    try:
        return requests.get(url, timeout=5).text
    except requests.RequestException:
        return ""


def _answers(url):
    try:
        return requests.get(url, timeout=5).ok
    except requests.RequestException:
        return False


def _count(engine, *conditions):
    with engine.connect() as db:
        return db.execute(select(func.count()).select_from(tables.outbox).where(*conditions)).scalar_one()


def _register(client, word):
    rows = [
        {"text": f"路灯不亮（{word}之{number}）", "location": {"address": f"建外街道第{number}号楼"},
         "source_ref": f"{word}-{number}", "asker": {"kind": "resident"}}
        for number in range(DEMANDS)
    ]  # fmt: skip
    answer = client.post("intake", "/api/v1/demands/import", {"source": "alarm-test", "rows": rows})
    return answer["registered"] + answer["known"]  # known: asked again because an answer came late


def test_a_memory_alarm_from_beginning_to_end(rabbitmq, vhost, tmp_path, intake):
    client, engine, addresses = intake
    unpublished = tables.outbox.c.published_at.is_(None)
    rules = tmp_path / "rules"
    rules.mkdir()
    broker = rabbitmq.metrics_url.removeprefix("http://").removesuffix("/metrics")
    text = configuration(hurried(rules), addresses["serve"], addresses["relay"], broker)
    with PrivatePrometheus(tmp_path / "prometheus", configuration=text) as prometheus:

        def firing():
            found = prometheus.query('ALERTS{alertstate="firing"}')
            return {row["metric"]["alertname"] for row in found}

        assert _register(client, "前") == DEMANDS
        until(lambda: _count(engine, unpublished) == 0)
        until(lambda: len(prometheus.query("up == 1")) == 3)
        until(lambda: not firing() & EXPECTED)
        before = _count(engine)
        rabbitmq.ctl("set_vm_memory_high_watermark", "0.0001")
        try:
            until(lambda: "GridwhistleBrokerMemoryAlarm" in firing())
            assert _register(client, "中") == DEMANDS
            grown = _count(engine) - before
            assert grown >= DEMANDS
            until(lambda: firing() >= EXPECTED)
            assert _count(engine, unpublished) == grown
            assert _answers(f"http://{addresses['serve']}/health/live")
        finally:
            rabbitmq.ctl("set_vm_memory_high_watermark", "absolute", "1GiB")
        until(lambda: _count(engine, unpublished) == 0)
        until(lambda: not firing() & EXPECTED)
    connection = connections.connect(vhost, "test")
    channel = connection.channel()
    received = []
    while (message := channel.basic_get(QUEUE, no_ack=True)) is not None:
        received.append(message.properties["message_id"])
    connections.close(connection)
    with engine.connect() as db:
        emitted = set(db.execute(select(tables.outbox.c.message_id)).scalars())
    assert set(received) == emitted
    assert len(received) == len(emitted)
