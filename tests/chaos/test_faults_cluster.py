"""Three nodes of RabbitMQ; the leader of a queue is killed while events flow: nothing is lost, nothing done twice."""

from __future__ import annotations

import pytest

from deploy.servers.rabbitmq_cluster import PrivateRabbitMQCluster
from shared.contracts import topology
from tests.chaos.chain import Chain
from tests.chaos.proxy import HOST, Proxy

QUEUE = next(row.queue for row in topology.subscriptions_of("intake") if row.source == "dispatch")


@pytest.fixture(scope="module")
def cluster(server_folder):
    with PrivateRabbitMQCluster(server_folder / "chain-cluster") as made:
        yield made


@pytest.fixture(scope="module")
def chain(cluster, postgresql, tmp_path_factory):
    database_url = postgresql.url_for("postgres").rsplit("/", 1)[0] + "/nodes_{service}"
    for service in ("intake", "dispatch"):
        postgresql.url_for(f"nodes_{service}")
    with Proxy(HOST, cluster.nodes[0].port) as balancer:
        balancer.upstreams(cluster.addresses())
        url = balancer.url(cluster.url_for("chain"))
        with Chain(tmp_path_factory.mktemp("nodes"), url, database_url, database_url) as made:
            yield made
    for service in ("intake", "dispatch"):
        postgresql.drop(f"nodes_{service}")


def test_the_leader_of_a_queue_is_killed_and_everything_goes_on_with_two_nodes(chain, cluster):
    chain.emit(100)
    chain.until_done()
    found = cluster.members("chain", QUEUE)
    assert len(found["members"]) == len(found["online"]) == 3
    chain.emit(1_000)
    chain.until(lambda: chain.handled() > 200)
    leader = cluster.named(found["leader"][0])
    leader.kill()
    chain.emit(200)
    chain.until_done(60)
    assert chain.left_over() == {}
    after = cluster.members("chain", QUEUE)
    assert after["leader"] != found["leader"]
    assert after["members"] == found["members"]
    # Back again: it catches up, and may lead the next time.
    cluster.start()
    chain.emit(100)
    chain.until_done()
    chain.until(lambda: len(cluster.members("chain", QUEUE)["online"]) == 3)
    assert "Traceback" not in chain.log("relay")
