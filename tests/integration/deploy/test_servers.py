"""Private servers are real: they keep what they confirmed, run side by side and leave nothing behind."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pika
import psycopg2
import pytest

from deploy.servers import PrivatePostgreSQL, PrivatePrometheus, PrivateRabbitMQ, ServerFailed

#: 127.0.0.1 and ::1 (epmd adds it by itself) as /proc/net writes them.
LOOPBACK = {"0100007F", "00000000000000000000000001000000"}
PROJECT = Path(__file__).parents[3]


def _publish(url, queue, body):
    with pika.BlockingConnection(pika.URLParameters(url)) as connection:
        channel = connection.channel()
        channel.confirm_delivery()
        channel.queue_declare(queue, durable=True, arguments={"x-queue-type": "quorum"})
        channel.basic_publish("", queue, body, pika.BasicProperties(delivery_mode=2), mandatory=True)


def _take(url, queue):
    with pika.BlockingConnection(pika.URLParameters(url)) as connection:
        _method, _properties, body = connection.channel().basic_get(queue, auto_ack=True)
        return body


def _rows(dsn, statement):
    connection = psycopg2.connect(dsn)
    try:
        connection.autocommit = True
        with connection.cursor() as cursor:
            cursor.execute(statement)
            return cursor.fetchall() if cursor.description else []
    finally:
        connection.close()


@pytest.mark.parametrize("way", ["stop", "kill"])
def test_rabbitmq_keeps_what_it_confirmed(rabbitmq, vhost, way):
    _publish(vhost, "kept", b"confirmed")
    rabbitmq.settle()
    getattr(rabbitmq, way)()
    assert not rabbitmq.running
    rabbitmq.start()
    assert _take(vhost, "kept") == b"confirmed"


def test_two_brokers_run_side_by_side_and_know_nothing_of_each_other(rabbitmq, server_folder):
    with PrivateRabbitMQ(server_folder / "second") as second:
        assert second.url != rabbitmq.url
        second.url_for("only-in-second")
        assert "only-in-second" in second.ctl("list_vhosts", "--quiet")
        assert "only-in-second" not in rabbitmq.ctl("list_vhosts", "--quiet")
        addresses = second.url, second.management_url
        second.kill()
        with PrivateRabbitMQ(server_folder / "second") as again:
            assert (again.url.rsplit("/", 1)[0], again.management_url) == (
                addresses[0].rsplit("/", 1)[0],
                addresses[1],
            )


def test_every_port_of_the_broker_is_on_loopback(rabbitmq):
    listening = subprocess.run(
        ["cat", "/proc/net/tcp", "/proc/net/tcp6"], capture_output=True, text=True, check=True
    ).stdout
    for port in rabbitmq._ports.values():
        addresses = [
            line.split()[1].split(":")[0]
            for line in listening.splitlines()
            if f":{port:04X}" in line.split()[1] and line.split()[3] == "0A"
        ]
        assert addresses
        assert set(addresses) <= LOOPBACK


def test_a_refused_management_call_says_why(rabbitmq):
    with pytest.raises(ServerFailed, match="404"):
        rabbitmq.manage("GET", "/api/vhosts/not-there")
    rabbitmq.drop("not-there")


@pytest.mark.parametrize("way", ["fast", "immediate", "kill"])
def test_postgresql_keeps_what_it_committed(postgresql, way):
    dsn = postgresql.dsn_for(f"kept_{way}")
    _rows(dsn, "CREATE TABLE kept AS SELECT 42 AS answer")
    if way == "kill":
        postgresql.kill()
    else:
        postgresql.stop(way)
    assert not postgresql.running
    postgresql.start()
    assert _rows(dsn, "SELECT answer FROM kept") == [(42,)]
    postgresql.drop(f"kept_{way}")


def test_postgresql_settings_are_those_of_production(postgresql):
    dsn = postgresql.dsn_for("settings")
    wanted = {
        "fsync": "on",
        "synchronous_commit": "on",
        "full_page_writes": "on",
        "server_encoding": "UTF8",
        "TimeZone": "UTC",
        "listen_addresses": "127.0.0.1",
    }
    assert {name: _rows(dsn, f"SHOW {name}")[0][0] for name in wanted} == wanted
    with pytest.raises(psycopg2.OperationalError, match="password"):
        _rows(dsn.replace(postgresql.password, "guessed"), "SELECT 1")


def test_a_database_is_made_once_and_bad_names_are_refused(postgresql):
    assert postgresql.url_for("intake") == postgresql.url_for("intake")
    assert postgresql.url_for("intake").startswith("postgresql+psycopg2://")
    with pytest.raises(ValueError, match="is no database name"):
        postgresql.url_for('x"; DROP DATABASE intake')


def test_prometheus_answers_and_refuses_a_faulty_configuration(server_folder):
    with PrivatePrometheus(server_folder / "prometheus") as monitor:
        assert monitor.query("vector(1)")[0]["value"][1] == "1"
    with pytest.raises(ServerFailed, match="scrape_konfigs"):
        PrivatePrometheus(server_folder / "faulty", configuration="scrape_konfigs: []\n").start()


def test_nothing_is_left_when_the_owner_is_killed(server_folder):
    """The command a person uses, ended the hardest way."""
    folder = server_folder / "person"
    with subprocess.Popen(
        [sys.executable, "-m", "deploy.servers", "--data", str(folder)],
        stdout=subprocess.PIPE,
        text=True,
        cwd=PROJECT,
    ) as person:
        shown = []
        for line in person.stdout:
            shown.append(line)
            if line.startswith("Ctrl-C"):
                break
        person.kill()
    assert any(line.startswith("RabbitMQ (ready after") for line in shown)
    assert sum("postgresql+psycopg2://" in line for line in shown) == 5
    # The old servers are still ending: a new start waits for that and finds everything in order.
    with PrivatePostgreSQL(folder / "postgresql") as again:
        assert _rows(again.dsn_for("intake"), "SELECT 1") == [(1,)]
    with PrivateRabbitMQ(folder / "rabbitmq"):
        assert _processes_in(folder) > 0
    assert _processes_in(folder) == 0


def _processes_in(folder):
    found = 0
    for entry in Path("/proc").iterdir():
        if not entry.name.isdigit():
            continue
        try:
            found += str(folder).encode() in (entry / "cmdline").read_bytes()
            found += str(folder).encode() in (entry / "environ").read_bytes()
        except OSError:
            continue
    return found
