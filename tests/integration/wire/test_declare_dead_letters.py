"""Dead letters on a real broker: what is given up on arrives once, whatever policy is set and whenever it can."""

from __future__ import annotations

import time
from contextlib import suppress
from urllib.parse import quote

import pytest
from amqp.exceptions import MessageNacked

from shared.contracts import topology
from shared.wire import connection as connections
from shared.wire import declare, inspection
from shared.wire.policies import DELIVERY_LIMIT

QUEUE = topology.subscriptions_of("intake")[0].queue


def until(found, seconds=20.0):
    deadline = time.monotonic() + seconds
    while not (value := found()):
        assert time.monotonic() < deadline, "it did not happen in time"
        time.sleep(0.05)  # noqa: TID251 -- waiting for the broker
    return value


@pytest.fixture
def channel(vhost):
    connection = connections.connect(vhost, "test")
    yield connection.channel()
    connections.close(connection)


def _publish(channel, queue, *bodies):
    """Publish and wait for each confirm; returns what the broker took."""
    channel.confirm_select()
    taken = []
    for body in bodies:
        message = connections.amqp.Message(body, delivery_mode=2)
        with suppress(MessageNacked):
            channel.basic_publish_confirm(message, exchange="", routing_key=queue)
            taken.append(body)
    return taken


def _get(channel, queue, **how):
    return until(lambda: channel.basic_get(queue, **how))


def _bodies(channel, queue):
    found = []
    while (message := channel.basic_get(queue, no_ack=True)) is not None:
        found.append(message.body)
    return found


def _ready(channel, queue):
    return channel.queue_declare(queue, passive=True).message_count


def _policy(rabbitmq, vhost, name, definition, *, pattern, priority=100):
    path = f"/api/policies/{quote(vhost.rsplit('/', 1)[1], safe='')}/{name}"
    body = {"pattern": pattern, "apply-to": "queues", "definition": definition, "priority": priority}
    rabbitmq.manage("PUT", path, body)


def test_over_the_limit_of_deliveries_set_by_policy_it_lands_in_the_dead_queue(vhost, management_url, channel):
    declare.declare(vhost)
    named = {"gridwhistle", "gridwhistle-departments", "gridwhistle-dead"}
    assert set(inspection.set_policies(vhost, management_url)) == named
    _publish(channel, QUEUE, b"rubbish")
    for _ in range(DELIVERY_LIMIT + 1):
        channel.basic_reject(_get(channel, QUEUE).delivery_tag, requeue=True)
    assert _get(channel, topology.DEAD_QUEUE, no_ack=True).body == b"rubbish"
    assert channel.basic_get(QUEUE) is None


def test_without_any_policy_nothing_is_given_up_on(vhost, channel):
    declare.declare(vhost)
    _publish(channel, QUEUE, b"patience")
    for _ in range(2 * DELIVERY_LIMIT):
        channel.basic_reject(_get(channel, QUEUE).delivery_tag, requeue=True)
    assert _ready(channel, topology.DEAD_QUEUE) == 0
    assert _get(channel, QUEUE, no_ack=True).body == b"patience"


def test_the_limit_is_changed_in_place(rabbitmq, vhost, management_url, channel):
    declare.declare(vhost)
    inspection.set_policies(vhost, management_url)
    _policy(rabbitmq, vhost, "gridwhistle", {"delivery-limit": 2}, pattern=r"^gridwhistle\.[a-z]+\.from\.[a-z]+$")
    assert inspection.set_policies(vhost, management_url) == ()  # an operator's own figure stays
    _publish(channel, QUEUE, b"rubbish")
    for _ in range(3):
        channel.basic_reject(_get(channel, QUEUE).delivery_tag, requeue=True)
    assert _get(channel, topology.DEAD_QUEUE, no_ack=True).body == b"rubbish"


def test_a_missing_dead_queue_keeps_the_dead_letters_where_they_were_and_each_arrives_once(rabbitmq, vhost, channel):
    # The broker tries again every three minutes; here every second.
    rabbitmq.ctl("eval", "application:set_env(rabbit, dead_letter_worker_publisher_confirm_timeout, 1000).")
    try:
        declare.declare(vhost)
        channel.queue_delete(topology.DEAD_QUEUE)
        bodies = [b"dead %d" % number for number in range(5)]
        _publish(channel, QUEUE, *bodies)
        for _ in bodies:
            channel.basic_reject(_get(channel, QUEUE).delivery_tag, requeue=False)
        assert channel.basic_get(QUEUE) is None
        declare.declare(vhost)
        until(lambda: _ready(channel, topology.DEAD_QUEUE) == len(bodies))
        time.sleep(2.5)  # noqa: TID251 -- two more of the broker's tries: nothing may come twice
        assert sorted(_bodies(channel, topology.DEAD_QUEUE)) == bodies
    finally:
        rabbitmq.ctl("eval", "application:set_env(rabbit, dead_letter_worker_publisher_confirm_timeout, 180000).")


CATCH_ALL = {"max-length": 3, "overflow": "drop-head"}


def test_somebodys_catch_all_policy_does_not_reach_our_queues(rabbitmq, vhost, management_url, channel):
    declare.declare(vhost)
    inspection.set_policies(vhost, management_url)
    _policy(rabbitmq, vhost, "catch-all", CATCH_ALL, pattern=".*")
    assert len(_publish(channel, QUEUE, *(b"event %d" % number for number in range(20)))) == 20
    until(lambda: _ready(channel, QUEUE) == 20)
    assert inspection.inspect(vhost, management_url) == ()


def test_a_limit_of_length_set_on_purpose_discards_nothing_and_is_told(rabbitmq, vhost, management_url, channel):
    declare.declare(vhost)
    inspection.set_policies(vhost, management_url)
    limited = {"max-length": 3, "delivery-limit": 1}
    _policy(rabbitmq, vhost, "narrow", limited, pattern=r"\.from\.", priority=5_000)
    taken = _publish(channel, QUEUE, *(b"event %d" % number for number in range(20)))
    assert 3 <= len(taken) < 20  # the relay is told no; a quorum queue lets some past its limit first
    for _ in range(2):
        channel.basic_reject(_get(channel, QUEUE).delivery_tag, requeue=True)
    until(lambda: _ready(channel, topology.DEAD_QUEUE) == 1)
    assert sorted(_bodies(channel, QUEUE) + _bodies(channel, topology.DEAD_QUEUE)) == sorted(taken)
    found = inspection.inspect(vhost, management_url)
    assert [(one.code, one.where) for one in found] == [("displaced-policy", "policy narrow")]


@pytest.mark.parametrize(("by", "kept"), [("argument", 17), ("policy", 0)])
def test_a_policy_that_drops_finds_dead_letters_kept_by_argument_and_lost_by_policy(rabbitmq, vhost, channel, by, kept):
    """Why ours are safe by argument, and why their policy has a high priority all the same: docs/adr/0009."""
    declare.declare(vhost)
    safe = {"dead-letter-exchange": "gridwhistle.dead", "dead-letter-strategy": "at-least-once"}
    safe |= {"overflow": "reject-publish"}
    arguments = {f"x-{name}": value for name, value in safe.items()} if by == "argument" else {}
    channel.queue_declare("q", durable=True, auto_delete=False, arguments={"x-queue-type": "quorum"} | arguments)
    _policy(rabbitmq, vhost, "safe", safe, pattern="^q$", priority=10)
    _policy(rabbitmq, vhost, "drops", CATCH_ALL, pattern="^q$")
    assert len(_publish(channel, "q", *(b"event %d" % number for number in range(20)))) == 20
    until(lambda: _ready(channel, "q") == 3)
    until(lambda: _ready(channel, topology.DEAD_QUEUE) == kept)
