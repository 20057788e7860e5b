"""Three nodes set up by the files in deploy/rabbitmq/cluster: what works when one is killed, and when two are."""

from __future__ import annotations

import time
from pathlib import Path

import pytest
import requests

from deploy.servers.rabbitmq_cluster import PrivateRabbitMQCluster
from shared.contracts import topology
from shared.wire import connection as connections
from shared.wire import declare, inspection
from shared.wire.connection import BROKER_ERRORS, BrokerAway

SETTINGS = Path(__file__).parents[3] / "deploy" / "rabbitmq" / "cluster" / "10-cluster.conf"
QUEUE = topology.subscriptions()[0].queue


def until(found, seconds=60.0):
    deadline = time.monotonic() + seconds
    while not (value := found()):
        assert time.monotonic() < deadline, "it did not happen in time"
        time.sleep(0.2)  # noqa: TID251 -- waiting for the brokers
    return value


def publish(url, count):
    """Publish with confirms; None when the broker does not take them."""
    try:
        connection = connections.connect(url, "test")
        try:
            channel = connection.channel()
            channel.confirm_select()
            for _ in range(count):
                message = connections.amqp.Message(b"event", delivery_mode=2)
                channel.basic_publish_confirm(message, exchange="", routing_key=QUEUE, confirm_timeout=5)
            return channel.queue_declare(QUEUE, passive=True).message_count
        finally:
            connections.close(connection)
    except (BrokerAway, *BROKER_ERRORS):
        return None


@pytest.fixture
def cluster(server_folder):
    """Three nodes on this machine, with the shipped settings but for the names of the nodes."""
    made = PrivateRabbitMQCluster(server_folder / "cluster")
    lines = SETTINGS.read_text(encoding="utf-8").splitlines(keepends=True)
    for number in (1, 2, 3):
        settings = made.folder / f"gridwhistle{number}" / "conf.d" / SETTINGS.name
        settings.parent.mkdir(parents=True)
        settings.write_text(
            "".join(line for line in lines if "classic_config.nodes" not in line and "retry" not in line)
        )
    try:
        made.start()
        yield made
    finally:
        made.kill()


@pytest.mark.soak
def test_one_node_may_be_lost_and_with_two_the_rest_waits(cluster):
    first, second, third = cluster.nodes
    url = first.url_for("gridwhistle")
    management_url = first.management_url.replace("://", f"://{first.user}:{first.password}@")

    def codes():
        return {one.code for one in inspection.inspect(url, management_url)}

    handling = first.ctl("eval", "element(2, application:get_env(rabbit, cluster_partition_handling)).")
    assert handling.strip() == "pause_minority"
    declare.declare(url)
    inspection.set_policies(url, management_url)
    until(lambda: codes() == set())
    rows = first.manage("GET", "/api/queues/gridwhistle")
    assert {len(row["members"]) for row in rows} == {3}
    until(lambda: _reports(first, "raft_log_commit_index") == _reports(third, "raft_log_commit_index") == len(rows))
    assert publish(url, 100) == 100
    third.kill()
    assert publish(url, 100) == 200
    until(lambda: codes() == {"member-offline"})
    second.kill()
    until(lambda: publish(url, 1) is None)
    second.start()
    taken = until(lambda: publish(url, 1))
    assert 201 <= taken <= 202  # one may have been taken while the second went, and not been confirmed
    third.start()
    until(lambda: codes() == set())


def _reports(node, family):
    page = requests.get(
        f"{node.metrics_url}/detailed", {"family": "ra_metrics", "vhost": "gridwhistle"}, timeout=10
    ).text
    return sum(line.startswith(f"rabbitmq_detailed_{family}") for line in page.splitlines())
