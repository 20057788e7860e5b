"""The topology over AMQP on a real broker: complete, the same however often it is declared, and drift is told."""

from __future__ import annotations

from urllib.parse import quote

import pytest

from shared.contracts import topology, whistles
from shared.wire import connection as connections
from shared.wire import declare
from shared.wire.arrangement import ARGUMENTS_0_1, exchanges, queues
from shared.wire.declare import DeclarationRefused


def _vhost(url):
    return quote(url.rsplit("/", 1)[1], safe="")


def _declare_by_hand(url, name, arguments):
    connection = connections.connect(url, "test")
    connection.channel().queue_declare(name, durable=True, auto_delete=False, arguments=arguments)
    connections.close(connection)


def test_declaring_twice_makes_everything_once_and_check_finds_nothing(rabbitmq, vhost):
    assert {one.code for one in declare.check(vhost)} == {"missing-exchange", "missing-queue"}
    assert len(declare.check(vhost)) == len(exchanges()) + len(queues())
    declare.declare(vhost)
    declare.declare(vhost)
    assert declare.check(vhost) == ()
    found = {queue["name"]: queue for queue in rabbitmq.manage("GET", f"/api/queues/{_vhost(vhost)}")}
    ours = {topology.DEAD_QUEUE, topology.ANSWERS_QUEUE, *(row.queue for row in topology.subscriptions())}
    assert found.keys() == ours
    assert {queue["type"] for queue in found.values()} == {"quorum"}
    assert {name: queue["arguments"] for name, queue in found.items()} == {one.name: one.arguments for one in queues()}
    bound = {
        (binding["source"], binding["routing_key"], binding["destination"])
        for binding in rabbitmq.manage("GET", f"/api/bindings/{_vhost(vhost)}")
        if binding["source"]
    }
    assert bound == {(source, key, queue.name) for queue in queues() for source, key in queue.bindings}


def test_check_changes_nothing(rabbitmq, vhost):
    declare.check(vhost)
    assert rabbitmq.manage("GET", f"/api/queues/{_vhost(vhost)}") == []


def test_a_queue_that_somebody_made_otherwise_is_drift_and_bound_and_the_rest_is_made(rabbitmq, vhost):
    strange = topology.subscriptions()[0].queue
    _declare_by_hand(vhost, strange, {})
    with pytest.raises(DeclarationRefused) as raised:
        declare.declare(vhost)
    assert [(one.code, one.where) for one in raised.value.drift] == [("wrong-arguments", f"queue {strange}")]
    found = declare.check(vhost)
    assert [(one.code, one.where) for one in found] == [("wrong-arguments", f"queue {strange}")]
    assert "x-queue-type" in found[0].what or "arg" in found[0].what
    # Whatever it is, what is told to it has to reach it.
    assert keys_of(rabbitmq, vhost, strange) == set(topology.subscriptions()[0].binding_keys())


def keys_of(rabbitmq, vhost, queue):
    """The routing keys under which a queue gets something."""
    rows = rabbitmq.manage("GET", f"/api/bindings/{_vhost(vhost)}")
    return {row["routing_key"] for row in rows if row["destination"] == queue and row["source"]}


def test_the_queues_of_release_0_1_are_used_as_they_are_and_bound_to_what_is_new(rabbitmq, vhost):
    for row in topology.subscriptions():
        _declare_by_hand(vhost, row.queue, ARGUMENTS_0_1)
    declare.declare(vhost)
    assert declare.check(vhost) == ()
    found = rabbitmq.manage("GET", f"/api/queues/{_vhost(vhost)}")
    assert sum(queue["arguments"] == ARGUMENTS_0_1 for queue in found) == len(topology.subscriptions())
    sources = {row["source"] for row in rabbitmq.manage("GET", f"/api/bindings/{_vhost(vhost)}")}
    # Without departments nobody is told anything by the exchange for them.
    assert {exchange.name for exchange in exchanges()} - {whistles.EXCHANGE} <= sources


def test_a_user_without_the_right_is_told_which_thing_it_may_not_declare(rabbitmq, vhost):
    rabbitmq.manage("PUT", "/api/users/small", {"password": "small", "tags": ""})
    rabbitmq.manage("PUT", f"/api/permissions/{_vhost(vhost)}/small", {"configure": "", "write": ".*", "read": ".*"})
    url = vhost.replace(f"{rabbitmq.user}:{rabbitmq.password}", "small:small")
    try:
        with pytest.raises(
            DeclarationRefused, match=r"exchange gridwhistle\.intake: the broker's user may not declare it"
        ):
            declare.declare(url)
        first = topology.subscriptions()[0]
        declare.declare(vhost)
        rabbitmq.manage("DELETE", binding_of(vhost, first, first.binding_keys()[0]))
        with pytest.raises(DeclarationRefused):
            declare.declare(url)
        # Queues that are there may be bound without the right to make them.
        assert keys_of(rabbitmq, vhost, first.queue) == set(first.binding_keys())
    finally:
        rabbitmq.manage("DELETE", "/api/users/small")


def binding_of(vhost, subscription, key):
    """The address of one binding in the management interface."""
    return f"/api/bindings/{_vhost(vhost)}/e/{subscription.exchange}/q/{subscription.queue}/{key}"
