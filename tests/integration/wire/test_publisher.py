"""The publisher against a real broker: every answer is matched to its message, and doubt means "send it again"."""

from __future__ import annotations

import time
from dataclasses import replace

import amqp
import pytest

from shared.kernel.clock import parse_instant
from shared.wire import connection as connections
from shared.wire.connection import BrokerAway
from shared.wire.publisher import Outgoing, Publisher

EXCHANGE = "test"


@pytest.fixture
def broker(vhost):
    connection = connections.connect(vhost, "test")
    channel = connection.channel()
    channel.exchange_declare(EXCHANGE, "topic", durable=True, auto_delete=False)
    yield vhost, channel
    connections.close(connection)


def _queue(channel, name, key, **arguments):
    arguments = {"x-queue-type": "quorum"} | {f"x-{k.replace('_', '-')}": v for k, v in arguments.items()}
    channel.queue_declare(name, durable=True, auto_delete=False, arguments=arguments)
    channel.queue_bind(name, EXCHANGE, routing_key=key)


def _message(number, key="kept"):
    at = parse_instant("2026-11-22T08:00:00.5Z")
    return Outgoing(
        exchange=EXCHANGE, routing_key=key, body=b"%d" % number, message_id=f"m{number}", type="t", timestamp=at
    )


def _collect(publisher):
    while publisher.unanswered:
        publisher.wait(1)
    return publisher.take_answers()


def _bodies(channel, queue):
    found = []
    while (message := channel.basic_get(queue, no_ack=True)) is not None:
        found.append(message.body if isinstance(message.body, bytes) else message.body.encode())
    return found


def test_a_queue_is_bound_before_what_it_shall_get_is_sent(broker):
    url, channel = broker
    _queue(channel, "q", "kept")
    with Publisher(url, "test") as publisher:
        assert publisher.bind("q", EXCHANGE, "new") is None
        for _ in range(3):
            assert "no queue" in publisher.bind("not there", EXCHANGE, "new")
        # None is left behind: 0 is the connection itself.
        assert [number for number, one in publisher._connection.channels.items() if number and one.is_open] == [1]
        publisher.send(_message(1, "new"))
        assert _collect(publisher).confirmed == ["m1"]
    assert _bodies(channel, "q") == [b"1"]


def test_two_thousand_messages_in_flight_are_all_confirmed_in_order(broker):
    url, channel = broker
    _queue(channel, "q", "kept")
    with Publisher(url, "test") as publisher:
        for number in range(2_000):
            publisher.send(_message(number))
        answers = _collect(publisher)
    assert sorted(answers.confirmed) == sorted(f"m{number}" for number in range(2_000))
    assert (answers.refused, answers.returned) == ([], {})
    assert _bodies(channel, "q") == [b"%d" % number for number in range(2_000)]


def test_an_unroutable_message_is_returned_and_not_confirmed_though_the_broker_acks_it(broker):
    url, channel = broker
    _queue(channel, "q", "kept")
    with Publisher(url, "test") as publisher:
        for number in range(10):
            publisher.send(_message(number, "lost" if number % 3 == 0 else "kept"))
        answers = _collect(publisher)
    assert set(answers.returned) == {"m0", "m3", "m6", "m9"}
    assert "NO_ROUTE" in answers.returned["m3"]
    assert sorted(answers.confirmed) == ["m1", "m2", "m4", "m5", "m7", "m8"]


def test_a_full_queue_that_rejects_is_a_refusal_of_exactly_those_messages(broker):
    url, channel = broker
    # A classic queue: a quorum queue lets some messages past its limit before it refuses.
    channel.queue_declare(
        "full", durable=True, auto_delete=False, arguments={"x-max-length": 3, "x-overflow": "reject-publish"}
    )
    channel.queue_bind("full", EXCHANGE, routing_key="full")
    _queue(channel, "q", "kept")
    with Publisher(url, "test") as publisher:
        for number in range(10):
            publisher.send(_message(number, "full"))
        publisher.send(_message(99, "kept"))
        answers = _collect(publisher)
    assert len(answers.refused) >= 6
    assert "m99" in answers.confirmed
    assert set(answers.refused) | set(answers.confirmed) == {f"m{number}" for number in (*range(10), 99)}
    assert sorted(_bodies(channel, "full")) == sorted(m[1:].encode() for m in answers.confirmed if m != "m99")


def test_a_connection_killed_in_mid_window_leaves_the_rest_unanswered(rabbitmq, broker):
    url, channel = broker
    _queue(channel, "q", "kept")
    publisher = Publisher(url, "to be killed")
    for number in range(50):
        publisher.send(_message(number))
    while publisher.unanswered:
        publisher.wait(1)
    before = publisher.take_answers().confirmed
    with pytest.raises(BrokerAway):  # noqa: PT012 -- the break may show at any of the sends or at the wait
        publisher._connection.sock.shutdown(2)
        for number in range(50, 5_000):
            publisher.send(_message(number))
        _collect(publisher)
    assert len(before) == 50
    after = publisher.take_answers().confirmed
    assert set(after) < {f"m{number}" for number in range(50, 5_000)}
    assert publisher.unanswered == 0  # nothing of the dead connection is waited for


def test_an_exchange_that_is_not_there_breaks_the_connection_and_confirms_nothing(broker):
    url, _ = broker
    publisher = Publisher(url, "test")
    with pytest.raises(BrokerAway, match="no exchange"):  # noqa: PT012
        publisher.send(Outgoing(exchange="absent", routing_key="x", body=b"", message_id="m1"))
        _collect(publisher)
    assert publisher.take_answers().confirmed == []


def test_a_blocked_broker_is_noticed_and_waited_for(rabbitmq, broker):
    url, channel = broker
    _queue(channel, "q", "kept")
    with Publisher(url, "test", deadline_s=0.5) as publisher:
        rabbitmq.ctl("set_vm_memory_high_watermark", "absolute", "1MB")
        try:
            publisher.send(_message(1))
            for _ in range(8):  # past the deadline: time spent held back does not count
                publisher.wait(0.25)
            assert publisher.blocked
            assert publisher.unanswered == 1
        finally:
            rabbitmq.ctl("set_vm_memory_high_watermark", "absolute", "1GiB")
        assert _collect(publisher).confirmed == ["m1"]
        assert publisher.blocked is None


def test_a_broker_that_is_away_is_said_to_be_with_its_address_but_not_its_password():
    with pytest.raises(BrokerAway, match="does not answer") as raised:
        Publisher("amqp://someone:secret-word@127.0.0.1:1/", "test")
    assert "secret-word" not in str(raised.value)


def test_a_wrong_password_is_told_from_a_broker_that_is_away(rabbitmq):
    url = rabbitmq.url.replace(rabbitmq.password, "wrong")
    with pytest.raises(BrokerAway, match="refuses us"):
        Publisher(url, "test")


def test_what_operators_see_is_copied_into_the_properties(broker):
    url, channel = broker
    _queue(channel, "q", "kept")
    with Publisher(url, "test") as publisher:
        publisher.send(_message(7))
        _collect(publisher)
    message: amqp.Message = channel.basic_get("q", no_ack=True)
    assert message.properties["message_id"] == "m7"
    assert message.properties["delivery_mode"] == 2
    assert message.properties["timestamp"] == 1_795_334_400


def test_a_broker_that_takes_nothing_for_a_while_keeps_the_connection(broker, rabbitmq):
    """py-amqp has the kernel end a connection after one second of bytes not taken; an alarm may last for hours."""
    url, channel = broker
    _queue(channel, "q", "kept")
    rabbitmq.raise_disk_alarm()
    try:
        with Publisher(url, "test") as publisher:
            for number in range(300):
                publisher.send(replace(_message(number), body=b"x" * 8_000))
            until = time.monotonic() + 4
            while time.monotonic() < until:
                publisher.wait(0.5)
            assert publisher.blocked is not None
            assert publisher.unanswered == 300
            rabbitmq.clear_alarms()
            assert len(_collect(publisher).confirmed) == 300
    finally:
        rabbitmq.clear_alarms()
