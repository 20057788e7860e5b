"""What the broker has to have, as data: exchanges, quorum queues and what they are bound to.

From shared/contracts/topology.py. Arguments are what a queue must never be without (docs/adr/0009); what may be tuned
is in policies.py.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from shared.contracts import topology

_QUORUM = {"x-queue-type": "quorum"}
#: Of every queue that a service reads: nothing is dropped when it is full, and what the broker gives up on is kept.
QUEUE_ARGUMENTS: dict[str, Any] = _QUORUM | {
    "x-dead-letter-exchange": topology.DEAD_EXCHANGE,
    "x-dead-letter-strategy": "at-least-once",
    "x-overflow": "reject-publish",
}
#: As release 0.1.0 declared them; such queues are used as they are.
ARGUMENTS_0_1: dict[str, Any] = QUEUE_ARGUMENTS | {"x-delivery-limit": 20}


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
