"""The broker's topology, declared from shared/contracts/topology.py: exchanges, quorum queues, bindings, dead letters.

Everything a queue promises (quorum, dead-lettering at least once, refusing instead of dropping when full, the delivery
limit) travels as arguments of its declaration: no queue ever exists without them, and one AMQP address is all that is
needed (docs/adr: arguments, not policies). Declaring again changes nothing; a difference is drift, and reported.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Self

from amqp.exceptions import AccessRefused, NotFound, PreconditionFailed

from shared.contracts import topology
from shared.wire import connection as connections
from shared.wire.connection import BROKER_ERRORS, BrokerAway

#: Deliveries of one message before the broker sets it aside. Only a process that dies with it, or a lost link, counts
#: one: our consumers never requeue (shared/runtime/entrypoints.py). RabbitMQ 4's own default.
DELIVERY_LIMIT = 20
_QUORUM = {"x-queue-type": "quorum"}
QUEUE_ARGUMENTS: dict[str, Any] = _QUORUM | {
    "x-delivery-limit": DELIVERY_LIMIT,
    "x-dead-letter-exchange": topology.DEAD_EXCHANGE,
    "x-dead-letter-strategy": "at-least-once",
    "x-overflow": "reject-publish",
}


class DeclarationRefused(Exception):
    """The broker does not let us declare, or has it otherwise; `faults` says what.

    Let an administrator run `gridwhistle declare`, or delete the queue that differs once it is empty.
    """

    def __init__(self, faults: tuple[str, ...]) -> None:
        super().__init__("; ".join(faults))
        self.faults = faults


@dataclass(frozen=True, kw_only=True)
class Exchange:
    """An exchange to be there."""

    name: str
    kind: str


@dataclass(frozen=True, kw_only=True)
class Queue:
    """A queue to be there, and what it is bound to."""

    name: str
    arguments: dict[str, Any]
    exchange: str
    keys: tuple[str, ...]


def exchanges() -> tuple[Exchange, ...]:
    """Every exchange of the suite."""
    return (
        Exchange(name=topology.DEAD_EXCHANGE, kind="fanout"),
        *(Exchange(name=topology.exchange_of(service), kind="topic") for service in topology.SERVICES),
    )


def queues() -> tuple[Queue, ...]:
    """Every queue of the suite; the one for dead letters first, so that no other is ever there without it."""
    dead = Queue(name=topology.DEAD_QUEUE, arguments=dict(_QUORUM), exchange=topology.DEAD_EXCHANGE, keys=("",))
    return (
        dead,
        *(
            Queue(name=row.queue, arguments=dict(QUEUE_ARGUMENTS), exchange=row.exchange, keys=row.binding_keys())
            for row in topology.subscriptions()
        ),
    )


def declare(url: str) -> None:
    """Make what is missing; safe at any time, by several at once. Raises BrokerAway or DeclarationRefused."""
    with _Session(url) as session:
        for exchange in exchanges():
            session.attempt(f"exchange {exchange.name}", _declare_exchange, exchange)
        for queue in queues():
            session.attempt(f"queue {queue.name}", _declare_queue, queue)
        if session.faults:
            raise DeclarationRefused(tuple(session.faults))


def check(url: str) -> tuple[str, ...]:
    """What is missing or differs, one line each; empty when all is as declared. Changes nothing. Raises BrokerAway.

    AMQP cannot list bindings: a missing one shows as `relay_returned`, and `declare` makes it again.
    """
    with _Session(url) as session:
        for exchange in exchanges():
            name = f"exchange {exchange.name}"
            if session.attempt(name, _exchange_is_there, exchange):
                session.attempt(name, _declare_exchange, exchange)
        for queue in queues():
            name = f"queue {queue.name}"
            if session.attempt(name, _queue_is_there, queue):
                session.attempt(name, _redeclare_queue, queue)
        return tuple(session.faults)


class _Session:
    """A connection on which a refused step costs a channel, not the rest of the steps."""

    def __init__(self, url: str) -> None:
        self._connection = connections.connect(url, "gridwhistle declare")
        self._channel: Any = None
        self.faults: list[str] = []

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_raised: object) -> None:
        connections.close(self._connection)

    def attempt(self, what: str, step: Any, thing: Any) -> bool:
        try:
            if self._channel is None or not self._channel.is_open:
                self._channel = self._connection.channel()
            step(self._channel, thing)
        except NotFound:
            self.faults.append(f"{what} is missing; run `gridwhistle declare`")
        except PreconditionFailed as error:
            self.faults.append(f"{what} differs from its declaration: {error.reply_text}")
        except AccessRefused as error:
            self.faults.append(f"{what}: the broker's user may not declare it ({error.reply_text})")
        except BROKER_ERRORS as error:
            message = f"the broker went away at {what}: {error}"
            raise BrokerAway(message) from error
        else:
            return True
        return False


def _declare_exchange(channel: Any, exchange: Exchange) -> None:
    channel.exchange_declare(exchange.name, exchange.kind, durable=True, auto_delete=False)


def _exchange_is_there(channel: Any, exchange: Exchange) -> None:
    channel.exchange_declare(exchange.name, exchange.kind, passive=True)


def _redeclare_queue(channel: Any, queue: Queue) -> None:
    channel.queue_declare(queue.name, durable=True, auto_delete=False, arguments=queue.arguments)


def _queue_is_there(channel: Any, queue: Queue) -> None:
    channel.queue_declare(queue.name, passive=True)


def _declare_queue(channel: Any, queue: Queue) -> None:
    _redeclare_queue(channel, queue)
    for key in queue.keys:
        channel.queue_bind(queue.name, queue.exchange, routing_key=key)
