"""The topology on a real broker: complete, the same however often it is declared, and drift is told."""

from __future__ import annotations

from urllib.parse import quote

import pytest

from shared.contracts import topology
from shared.wire import connection as connections
from shared.wire import declare
from shared.wire.declare import DeclarationRefused


def _vhost(url):
    return url.rsplit("/", 1)[1]


def test_declaring_twice_makes_everything_once_and_check_finds_nothing(rabbitmq, vhost):
    assert len(declare.check(vhost)) == len(declare.exchanges()) + len(declare.queues())
    declare.declare(vhost)
    declare.declare(vhost)
    assert declare.check(vhost) == ()
    name = quote(_vhost(vhost), safe="")
    queues = {queue["name"]: queue for queue in rabbitmq.manage("GET", f"/api/queues/{name}")}
    assert queues.keys() == {topology.DEAD_QUEUE, *(row.queue for row in topology.subscriptions())}
    assert {queue["type"] for queue in queues.values()} == {"quorum"}
    bound = {
        (binding["source"], binding["routing_key"], binding["destination"])
        for binding in rabbitmq.manage("GET", f"/api/bindings/{name}")
        if binding["source"]
    }
    assert bound == {(queue.exchange, key, queue.name) for queue in declare.queues() for key in queue.keys}


def test_check_changes_nothing(rabbitmq, vhost):
    declare.check(vhost)
    assert rabbitmq.manage("GET", f"/api/queues/{quote(_vhost(vhost), safe='')}") == []


def test_a_queue_that_somebody_made_otherwise_is_drift_and_the_rest_is_made(vhost):
    strange = topology.subscriptions()[0].queue
    connection = connections.connect(vhost, "test")
    connection.channel().queue_declare(strange, durable=True, auto_delete=False)
    connections.close(connection)
    with pytest.raises(DeclarationRefused) as raised:
        declare.declare(vhost)
    assert len(raised.value.faults) == 1
    assert strange in raised.value.faults[0]
    faults = declare.check(vhost)
    assert len(faults) == 1
    assert "x-queue-type" in faults[0] or "arg" in faults[0]


def test_what_is_rejected_for_the_limit_of_deliveries_lands_in_the_dead_queue(vhost):
    declare.declare(vhost)
    queue = topology.subscriptions_of("intake")[0].queue
    connection = connections.connect(vhost, "test")
    channel = connection.channel()
    channel.confirm_select()
    channel.basic_publish(connections.amqp.Message(b"rubbish", delivery_mode=2), exchange="", routing_key=queue)
    for _ in range(declare.DELIVERY_LIMIT + 1):
        message = None
        while message is None:
            message = channel.basic_get(queue)
        channel.basic_reject(message.delivery_tag, requeue=True)
    dead = None
    while dead is None:
        dead = channel.basic_get(topology.DEAD_QUEUE, no_ack=True)
    assert dead.body == b"rubbish"
    assert channel.basic_get(queue) is None
    connections.close(connection)


def test_a_user_without_the_right_is_told_which_thing_it_may_not_declare(rabbitmq, vhost):
    name = quote(_vhost(vhost), safe="")
    rabbitmq.manage("PUT", "/api/users/small", {"password": "small", "tags": ""})
    rabbitmq.manage("PUT", f"/api/permissions/{name}/small", {"configure": "", "write": ".*", "read": ".*"})
    url = vhost.replace(f"{rabbitmq.user}:{rabbitmq.password}", "small:small")
    with pytest.raises(DeclarationRefused, match=r"exchange gridwhistle\.intake: the broker's user may not declare it"):
        declare.declare(url)
    rabbitmq.manage("DELETE", "/api/users/small")
