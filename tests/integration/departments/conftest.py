"""A broker with two departments, each with its own user, made the way `gridwhistle declare` makes them."""

from __future__ import annotations

from urllib.parse import urlsplit

import pika
import pytest

from shared.contracts import whistles
from shared.wire import declare, department_users, inspection
from shared.wire.publisher import Outgoing, Publisher

WATER, FIRE = "dept-water", "dept-fire"
BOTH = (WATER, FIRE)


@pytest.fixture
def management_url(rabbitmq):
    """Address with the administrator's password."""
    return rabbitmq.management_url.replace("://", f"://{rabbitmq.user}:{rabbitmq.password}@")


@pytest.fixture
def declared(rabbitmq, vhost, management_url):
    """AMQP address of the suite's own user, everything declared; the departments' users go with the test."""
    declare.declare(vhost, BOTH)
    inspection.set_policies(vhost, management_url)
    department_users.set_users(vhost, management_url, BOTH, passwords=dict.fromkeys(BOTH, "a-password-for-tests"))
    yield vhost
    for department in BOTH:
        rabbitmq.manage("DELETE", f"/api/users/{whistles.exchange_of(department)}", absent_is_fine=True)


def url_of(vhost, department, password="a-password-for-tests"):
    parts = urlsplit(vhost)
    return f"amqp://{whistles.exchange_of(department)}:{password}@{parts.hostname}:{parts.port}{parts.path}"


@pytest.fixture
def channel_of(declared):
    """A channel as a department; a refused step closes it, so each attempt takes a new one."""
    opened = []

    def open_(department):
        connection = pika.BlockingConnection(pika.URLParameters(url_of(declared, department)))
        opened.append(connection)
        channel = connection.channel()
        channel.confirm_delivery()
        return channel

    yield open_
    for connection in opened:
        if connection.is_open:
            connection.close()


@pytest.fixture
def suite_sends(declared):
    """Publish as the suite does."""
    publisher = Publisher(declared, "test suite")

    def send(exchange, key, body=b"{}", message_id="m"):
        publisher.send(Outgoing(exchange=exchange, routing_key=key, body=body, message_id=message_id))
        while publisher.unanswered:
            publisher.wait(0.2)
        answers = publisher.take_answers()
        assert answers.confirmed == [message_id]

    yield send
    publisher.close()
