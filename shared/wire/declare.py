"""The broker's topology, declared over AMQP: exchanges, quorum queues, bindings, dead letters.

What keeps a message from being lost travels as arguments of a queue's declaration: no queue ever exists without it, and
one AMQP address is all that a process needs (docs/adr/0009). Policies, which AMQP cannot set, only tune, and are set by
whoever runs `gridwhistle declare` with the management address. Declaring again changes nothing; a difference is drift,
and reported. A queue that release 0.1.0 declared is used as it is.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, Self

from amqp.exceptions import AccessRefused, NotFound, PreconditionFailed

from shared.wire import connection as connections
from shared.wire.arrangement import ARGUMENTS_0_1, QUEUE_ARGUMENTS, Exchange, Queue, exchanges, queues
from shared.wire.connection import BROKER_ERRORS, BrokerAway
from shared.wire.drift import Drift

_DECLARE = "run `gridwhistle declare`"
_Step = Callable[[Any], None]


class DeclarationRefused(Exception):
    """The broker does not let us declare, or has it otherwise; `drift` says what.

    Let an administrator run `gridwhistle declare`, or make the queue that differs anew (docs/runbook.md).
    """

    def __init__(self, drift: tuple[Drift, ...]) -> None:
        super().__init__("; ".join(map(str, drift)))
        self.drift = drift

    @property
    def faults(self) -> tuple[str, ...]:
        """One line each, for logs."""
        return tuple(map(str, self.drift))


def declare(url: str, departments: Sequence[str] = ()) -> None:
    """Make what is missing; safe at any time, by several at once. Raises BrokerAway or DeclarationRefused."""
    with _Session(url) as session:
        for exchange in exchanges(departments):
            session.attempt(f"exchange {exchange.name}", _declared(exchange))
        for queue in queues(departments):
            shapes = [_queue_declared(queue, arguments) for arguments in _accepted(queue)]
            if session.attempt(f"queue {queue.name}", *shapes):
                session.attempt(f"queue {queue.name}", _bound(queue))
            else:
                session.try_out(_bound(queue))  # may still be right for one that is there and differs, or is not ours
        if session.drift:
            raise DeclarationRefused(tuple(session.drift))


def is_there(url: str, departments: Sequence[str]) -> bool:
    """Whether these departments' queues and exchanges are there; asks without needing a right. Raises BrokerAway.

    Where services may not declare them, an administrator has: then there is nothing to complain about.
    """
    ours = {one.name for one in exchanges()} | {one.name for one in queues()}
    with _Session(url) as session:
        theirs: list[Exchange | Queue] = [one for one in exchanges(departments) if one.name not in ours]
        theirs += [one for one in queues(departments) if one.name not in ours]
        return all(session.attempt(one.name, _there(one)) for one in theirs)


def check(url: str, departments: Sequence[str] = ()) -> tuple[Drift, ...]:
    """What AMQP shows to be missing or to differ; changes nothing. Raises BrokerAway.

    It cannot list bindings, policies or rights: shared/wire/inspection.py does, through the management interface.
    """
    with _Session(url) as session:
        for exchange in exchanges(departments):
            where = f"exchange {exchange.name}"
            if session.attempt(where, _there(exchange)):
                session.attempt(where, _declared(exchange))
        for queue in queues(departments):
            where = f"queue {queue.name}"
            if session.attempt(where, _there(queue)):
                session.attempt(where, *(_queue_declared(queue, arguments) for arguments in _accepted(queue)))
        return tuple(session.drift)


class _Session:
    """A connection on which a refused step costs a channel, not the rest of the steps."""

    def __init__(self, url: str) -> None:
        self._connection = connections.connect(url, "gridwhistle declare")
        self._channel: Any = None
        self.drift: list[Drift] = []

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_raised: object) -> None:
        connections.close(self._connection)

    def attempt(self, where: str, *steps: _Step) -> bool:
        """Take the first step that the broker does not find to differ from what it has; note what the first met."""
        refused: Drift | None = None
        for step in steps:
            met = self._take(where, step)
            if met is None:
                return True
            refused = refused or met
            if met.code not in ("wrong-arguments", "wrong-exchange"):
                break
        if refused is not None:
            self.drift.append(refused)
        return False

    def try_out(self, step: _Step) -> None:
        """Take a step whose refusal says nothing new. Raises BrokerAway."""
        self._take("", step)

    def _take(self, where: str, step: _Step) -> Drift | None:
        kind = where.partition(" ")[0]
        try:
            if self._channel is None or not self._channel.is_open:
                self._channel = self._connection.channel()
            step(self._channel)
        except NotFound:
            return Drift(code=f"missing-{kind}", where=where, what="is missing", remedy=_DECLARE)
        except PreconditionFailed as error:
            code = "wrong-exchange" if kind == "exchange" else "wrong-arguments"
            what = f"differs from its declaration: {error.reply_text}"
            return Drift(code=code, where=where, what=what, remedy="make it anew: docs/runbook.md, WrongQueue")
        except AccessRefused as error:
            what = f"the broker's user may not declare it ({error.reply_text})"
            remedy = f"let an administrator {_DECLARE}, or give the right to configure it"
            return Drift(code="not-allowed", where=where, what=what, remedy=remedy)
        except BROKER_ERRORS as error:
            message = f"the broker went away at {where}: {error}"
            raise BrokerAway(message) from error
        return None


def _accepted(queue: Queue) -> tuple[dict[str, Any], ...]:
    """The arguments a queue may have: those of this release, and for a service's queue those of 0.1.0."""
    return (queue.arguments, ARGUMENTS_0_1) if queue.arguments == QUEUE_ARGUMENTS else (queue.arguments,)


def _declared(exchange: Exchange) -> _Step:
    return lambda channel: channel.exchange_declare(exchange.name, exchange.kind, durable=True, auto_delete=False)


def _queue_declared(queue: Queue, arguments: dict[str, Any]) -> _Step:
    return lambda channel: channel.queue_declare(queue.name, durable=True, auto_delete=False, arguments=arguments)


def _bound(queue: Queue) -> _Step:
    def step(channel: Any) -> None:
        for exchange, key in queue.bindings:
            channel.queue_bind(queue.name, exchange, routing_key=key)

    return step


def _there(thing: Exchange | Queue) -> _Step:
    if isinstance(thing, Exchange):
        return lambda channel: channel.exchange_declare(thing.name, thing.kind, passive=True)
    return lambda channel: channel.queue_declare(thing.name, passive=True)
