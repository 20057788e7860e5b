"""Publishing with pipelined confirms: many messages in flight, every answer matched to the message it is about.

py-amqp's own confirm takes *any* ack for the last message (research/messaging_style.md, t3); here every delivery tag is
counted and looked up. What is not confirmed is not published: after any error or missed deadline the connection is
thrown away and the caller sends again what was unanswered. Never decides what to publish; that is the relay.
"""

from __future__ import annotations

import time
from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Self

import amqp
from amqp.exceptions import AccessRefused, NotFound, UnexpectedFrame

from shared.wire import connection as connections
from shared.wire.connection import BROKER_ERRORS, HEARTBEAT_S, NOTHING_CAME, BrokerAway

#: Seconds the broker may take to answer for one message; a quorum with a slow disk needs a few.
CONFIRM_DEADLINE_S = 30.0
_PERSISTENT = 2


@dataclass(frozen=True, kw_only=True)
class Outgoing:
    """One message to publish."""

    exchange: str
    routing_key: str
    body: bytes
    message_id: str
    #: Copies for operators; never read back as truth.
    type: str = ""
    correlation_id: str = ""
    content_type: str = ""
    timestamp: datetime | None = None


@dataclass(kw_only=True)
class Answers:
    """What the broker said, by message id. A message in none of the three is unanswered: send it again."""

    #: Safe: on the disks of a majority, in every queue it was routed to.
    confirmed: list[str] = field(default_factory=list)
    #: Nacked: a queue refused it (full, or its node is down). It may have reached other queues.
    refused: list[str] = field(default_factory=list)
    #: No queue is bound for it: reason by message id. The topology is not declared, or was changed.
    returned: dict[str, str] = field(default_factory=dict)


@dataclass(kw_only=True)
class _Flight:
    message_id: str
    sent_at: float


class Publisher:
    """A connection in confirm mode. After BrokerAway it is of no use any more; make another one."""

    def __init__(
        self,
        url: str,
        name: str,
        *,
        deadline_s: float = CONFIRM_DEADLINE_S,
        heartbeat_s: int = HEARTBEAT_S,
        monotonic: Callable[[], float] = time.monotonic,
        connect: Callable[..., Any] = connections.connect,
    ) -> None:
        """Connect. Raises BrokerAway."""
        self._deadline_s = deadline_s
        self._monotonic = monotonic
        #: The broker's reason while it holds publishers back (memory or disk alarm), else None.
        self.blocked: str | None = None
        self._in_flight: OrderedDict[int, _Flight] = OrderedDict()
        #: Returned, and not acked yet: the ack that follows a return says nothing more than the return.
        self._returns: dict[str, str] = {}
        self._answers = Answers()
        self._next_tag = 1
        self._connection = connect(
            url, name, heartbeat_s=heartbeat_s, on_blocked=self._on_blocked, on_unblocked=self._on_unblocked
        )
        try:
            self._channel = self._connection.channel()
            self._channel.confirm_select()
            self._channel.events["basic_ack"].add(self._on_ack)
            self._channel.events["basic_nack"].add(self._on_nack)
            self._channel.events["basic_return"].add(self._on_return)
        except BROKER_ERRORS as error:
            connections.drop(self._connection)
            message = f"the broker left while the channel was opened: {error}"
            raise BrokerAway(message) from error

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_raised: object) -> None:
        self.close()

    @property
    def unanswered(self) -> int:
        """Messages sent and not answered yet."""
        return len(self._in_flight)

    def bind(self, queue: str, exchange: str, routing_key: str) -> str | None:
        """Have a queue get what leaves under a key; why not, where the broker does not allow it. Raises BrokerAway."""
        try:
            channel = self._connection.channel()
            try:
                channel.queue_bind(queue, exchange, routing_key=routing_key)
            except (AccessRefused, NotFound) as error:
                if error.method_sig != amqp.spec.Queue.Bind:
                    raise  # of something that was published before, and is read only now
                return str(error.reply_text)
            finally:
                if channel.is_open:
                    channel.close()  # py-amqp opens a channel again that the broker has closed
        except BROKER_ERRORS as error:
            raise self._gone(f"binding {queue} failed: {error}") from error
        return None

    def send(self, message: Outgoing) -> None:
        """Put one message on its way, persistent and mandatory; a later `wait` brings its answer. Raises BrokerAway."""
        tag = self._next_tag
        self._in_flight[tag] = _Flight(message_id=message.message_id, sent_at=self._monotonic())
        self._next_tag += 1
        content = amqp.Message(
            message.body,
            delivery_mode=_PERSISTENT,
            message_id=message.message_id,
            type=message.type,
            correlation_id=message.correlation_id,
            content_type=message.content_type,
            app_id="gridwhistle",
        )
        if message.timestamp is not None:
            content.properties["timestamp"] = int(message.timestamp.timestamp())
        try:
            self._channel.basic_publish(
                content, exchange=message.exchange, routing_key=message.routing_key, mandatory=True
            )
        except BROKER_ERRORS as error:
            raise self._gone(f"publishing failed: {error}") from error

    def wait(self, seconds: float) -> None:
        """Read what the broker has to say, for at most that long; also keeps the heartbeat. Raises BrokerAway."""
        until = self._monotonic() + seconds
        remaining = seconds
        try:
            while True:
                try:
                    self._connection.drain_events(timeout=max(remaining, 0.001))
                except NOTHING_CAME:
                    break
                remaining = until - self._monotonic()
                if remaining <= 0 or not self._in_flight:
                    break
            self._connection.heartbeat_tick()
        except BROKER_ERRORS as error:
            raise self._gone(f"the link broke: {error}") from error
        self._check_deadline()

    def take_answers(self) -> Answers:
        """The answers since the last call; also what was answered before a BrokerAway."""
        answers, self._answers = self._answers, Answers()
        return answers

    def close(self) -> None:
        """Say goodbye. What is unanswered stays unanswered."""
        connections.close(self._connection)

    # -- called by py-amqp while it reads ------------------------------------------------------------------------

    def _on_ack(self, tag: int, multiple: bool) -> None:  # noqa: FBT001 -- py-amqp calls it
        for flight in self._landed(tag, multiple=multiple):
            reason = self._returns.pop(flight.message_id, None)
            if reason is None:
                self._answers.confirmed.append(flight.message_id)
            else:
                self._answers.returned[flight.message_id] = reason

    def _on_nack(self, tag: int, multiple: bool) -> None:  # noqa: FBT001 -- py-amqp calls it
        for flight in self._landed(tag, multiple=multiple):
            self._answers.refused.append(flight.message_id)

    def _on_return(self, reason: Exception, exchange: str, routing_key: str, message: Any) -> None:
        # basic.return carries no tag, so it is matched by message id (which we set ourselves).
        self._returns[message.properties.get("message_id", "")] = f"{exchange}/{routing_key}: {reason}"

    def _on_blocked(self, reason: str) -> None:
        self.blocked = reason

    def _on_unblocked(self) -> None:
        self.blocked = None
        # Time spent held back is no silence of the broker.
        for flight in self._in_flight.values():
            flight.sent_at = self._monotonic()

    def _landed(self, tag: int, *, multiple: bool) -> list[_Flight]:
        if multiple:
            tags = [known for known in self._in_flight if known <= tag]
        else:
            tags = [tag] if tag in self._in_flight else []
        if not tags:
            message = f"the broker answered for tag {tag}, which is not in flight"
            raise UnexpectedFrame(message)
        return [self._in_flight.pop(known) for known in tags]

    # ------------------------------------------------------------------------------------------------------------

    def _check_deadline(self) -> None:
        if self.blocked is not None or not self._in_flight:
            return
        oldest = next(iter(self._in_flight.values()))
        if self._monotonic() - oldest.sent_at > self._deadline_s:
            raise self._gone(f"no answer for {oldest.message_id} within {self._deadline_s:.0f} s")

    def _gone(self, why: str) -> BrokerAway:
        connections.drop(self._connection)
        self._in_flight.clear()
        return BrokerAway(why)
