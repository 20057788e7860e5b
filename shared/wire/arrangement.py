"""What the broker has to have, as data: exchanges, quorum queues and what they are bound to.

From shared/contracts/topology.py and whistles.py: the suite's own, and for each department of the pack its queue and
its exchange (names that begin with `whistle.` and `department.`). Arguments are what a queue must never be without
(docs/adr/0009); what may be tuned is in policies.py.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from shared.contracts import topology, whistles

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
    """A queue to be there, and what it is bound to: (exchange, key)."""

    name: str
    arguments: dict[str, Any]
    bindings: tuple[tuple[str, str], ...]


def exchanges(departments: Iterable[str] = ()) -> tuple[Exchange, ...]:
    """Every exchange of the suite, and of these departments."""
    return (
        Exchange(name=topology.DEAD_EXCHANGE, kind="fanout"),
        *(Exchange(name=topology.exchange_of(service), kind="topic") for service in topology.SERVICES),
        Exchange(name=whistles.EXCHANGE, kind="topic"),
        *(Exchange(name=whistles.exchange_of(department), kind="topic") for department in departments),
    )


def queues(departments: Iterable[str] = ()) -> tuple[Queue, ...]:
    """Every queue of the suite, and of these departments.

    The one for dead letters first, so that no other is ever there without it.
    """
    departments = tuple(departments)
    dead = Queue(name=topology.DEAD_QUEUE, arguments=dict(_QUORUM), bindings=((topology.DEAD_EXCHANGE, ""),))
    answers = tuple(
        (whistles.exchange_of(department), key) for department in departments for key in whistles.ANSWER_KEYS
    )
    return (
        dead,
        *(
            Queue(
                name=row.queue, arguments=dict(QUEUE_ARGUMENTS),
                bindings=tuple((row.exchange, key) for key in row.binding_keys()),
            )
            for row in topology.subscriptions()
        ),
        Queue(name=topology.ANSWERS_QUEUE, arguments=dict(QUEUE_ARGUMENTS), bindings=answers),
        *(
            Queue(
                name=whistles.key_of(department), arguments=dict(QUEUE_ARGUMENTS),
                bindings=((whistles.EXCHANGE, whistles.key_of(department)),),
            )
            for department in departments
        ),
    )  # fmt: skip
