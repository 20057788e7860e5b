"""The rig's own way to the broker: publishing with confirms, taking what waits in a queue. Never through the suite."""

from __future__ import annotations

import contextlib
import json
import time

from shared.contracts import registry, topology
from shared.wire import connection as connections
from shared.wire.publisher import Outgoing, Publisher

#: Seconds for the broker to confirm.
WITHIN_S = 30.0
#: How the suite's own messages are labelled.
CONTENT_TYPE = "application/cloudevents+json"


def publish(url, outgoings):
    """Publish messages and wait until each is confirmed. Raises BrokerAway, AssertionError."""
    wanted = [each.message_id for each in outgoings]
    with Publisher(url, "chaos") as publisher:
        for each in outgoings:
            publisher.send(each)
        deadline = time.monotonic() + WITHIN_S
        while publisher.unanswered and time.monotonic() < deadline:
            publisher.wait(0.2)
        answers = publisher.take_answers()
    assert sorted(answers.confirmed) == sorted(wanted), f"the broker took {answers} of {wanted}"


def as_emitted(raw, type_):
    """An event's bytes on their way to everyone who hears it, as its relay sends them."""
    row = registry.by_type(type_)
    return Outgoing(
        exchange=topology.exchange_of(row.owner), routing_key=row.routing_key, body=raw,
        message_id=json.loads(raw)["id"], type=type_, content_type=CONTENT_TYPE,
    )  # fmt: skip


def straight_to(queue, raw, message_id, *, content_type=CONTENT_TYPE):
    """Bytes on their way into one queue alone, past every exchange of the suite."""
    return Outgoing(exchange="", routing_key=queue, body=raw, message_id=message_id, content_type=content_type)


@contextlib.contextmanager
def taken(url, queue, most):
    """(messages taken from a queue and not acknowledged, function that acknowledges them all).

    What is not acknowledged when the block ends goes back to where it was.
    """
    connection = connections.connect(url, "chaos")
    try:
        channel = connection.channel()
        messages = []
        while len(messages) < most and (message := channel.basic_get(queue)) is not None:
            messages.append(message)

        def acknowledge():
            for message in messages:
                channel.basic_ack(message.delivery_tag)
            # A round trip: the broker has read the acknowledgements before we hang up.
            channel.queue_declare(queue, passive=True)

        yield messages, acknowledge
    finally:
        connections.close(connection)
