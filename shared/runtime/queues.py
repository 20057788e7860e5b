"""Taking messages from the broker without losing any: raw bytes, nothing declared or decoded, settled when we say so.

kombu acks what it cannot decode and nameko acks what failed (research/messaging_style.md A.3); here neither looks into
a message. One connection a process; reconnects by itself for ever; says whether it consumes.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from typing import Any

from eventlet.support.greenlets import GreenletExit
from kombu.connection import Connection
from kombu.entity import Queue
from kombu.message import Message
from kombu.messaging import Consumer
from kombu.mixins import ConsumerMixin
from nameko.extensions import ProviderCollector, SharedExtension

from shared.runtime.health import STARTING
from shared.runtime.running import RunningService
from shared.wire.connection import BROKER_ERRORS, SOCKET_SETTINGS, limit_waits, read_ahead, sanitized

log = logging.getLogger(__name__)

#: Key of the RunningService in the nameko container's configuration.
RUNNING = "running"
#: Messages that the broker hands over per queue before it waits for acknowledgements: a batch at work, one gathering.
PREFETCH = 400
#: Seconds between two looks whether the process was told to stop.
_LOOK_EVERY_S = 0.2
#: Seconds between tries at a broker that is away: first, added each time, longest.
_RECONNECT_S = (0.2, 0.5, 5.0)


class RawQueueConsumer(SharedExtension, ProviderCollector, ConsumerMixin):
    """One connection for all queues of a service. Starts when the service is prepared; the container need not wait."""

    def __init__(self) -> None:
        super().__init__()
        self._thread: Any = None
        self._consumers: list[Any] = []
        self._unsettled = 0
        #: Channel -> delivery tags handed over and not to be acknowledged yet, and those to acknowledge.
        self._held: dict[Any, set[int]] = {}
        self._done: dict[Any, list[int]] = {}
        self._fault: str | None = STARTING

    @property
    def running(self) -> RunningService:
        """The service of this process."""
        found: RunningService = self.container.config[RUNNING]
        return found

    @property
    def connection(self) -> Connection:
        """How ConsumerMixin connects."""
        return Connection(  # type: ignore[no-untyped-call]
            self.running.broker_url, heartbeat=self.running.heartbeat_s, connect_timeout=5,
            transport_options={"socket_settings": SOCKET_SETTINGS},
        )  # fmt: skip

    # -- life ----------------------------------------------------------------------------------------------------

    def setup(self) -> None:
        """Tell health how we are."""
        self.running.health.broker_fault = lambda: self._fault

    def start(self) -> None:
        """Begin as soon as the service is prepared; returns at once (called by every entrypoint, works once)."""
        if self._thread is None:
            self._thread = self.container.spawn_managed_thread(self._consume, identifier="consume")

    def finish(self) -> None:
        """Take no more messages, let those being handled be settled, then disconnect."""
        self.running.stopping.set()
        if self._thread is None:
            return
        if self._fault is not None:  # waiting for a broker that is away: nothing to settle
            self._thread.kill()
        with suppress(GreenletExit):
            self._thread.wait()

    def stop(self) -> None:
        """As `finish`; nameko calls it last."""
        self.finish()

    def kill(self) -> None:
        """Drop the connection; what was held comes back to the queue."""
        if self._thread is not None:
            self._thread.kill()

    def _consume(self) -> None:
        while not self.running.prepared.wait(_LOOK_EVERY_S):
            if self.running.stopping.is_set():
                return
        if self._providers:
            self.run(safety_interval=_LOOK_EVERY_S)  # type: ignore[no-untyped-call]

    # -- called by ConsumerMixin ---------------------------------------------------------------------------------

    @contextmanager
    def establish_connection(self) -> Iterator[Connection]:
        """Connect, with short pauses that do not grow beyond seconds."""
        first, step, longest = _RECONNECT_S
        with self.create_connection() as connection:  # type: ignore[no-untyped-call]
            connection.ensure_connection(
                self.on_connection_error, None, interval_start=first, interval_step=step, interval_max=longest
            )
            limit_waits(connection.connection)
            read_ahead(connection.connection)
            yield connection

    @contextmanager
    def extra_context(self, connection: Connection, channel: Any) -> Iterator[None]:
        """Consuming from here to the end of the block, however it ends."""
        del connection, channel
        self._fault = None
        log.info("consuming", extra={"queues": sorted(provider.subscription.queue for provider in self._providers)})
        try:
            yield
        except BROKER_ERRORS as error:
            self._fault = f"connection lost: {error}"
            raise
        finally:
            self._fault = self._fault or "not connected"
            self._consumers = []
            self._held.clear()
            self._done.clear()

    def get_consumers(self, consumer_cls: Callable[..., Any], channel: Any) -> list[Any]:
        """One consumer per queue, on raw bytes. A queue that is not there closes the channel and is tried again.

        Each on a channel of its own, so that one acknowledgement can stand for a whole batch.
        """
        del consumer_cls
        self._fault = "the queues are not there; run `gridwhistle declare`"
        self._consumers = []
        for provider in self._providers:
            own = channel.connection.channel()
            own.auto_decode = False  # py-amqp: leave the body alone whatever content_encoding says
            own.Message = _untouched
            consumer = Consumer(  # type: ignore[no-untyped-call]
                own,
                queues=[Queue(provider.subscription.queue)],  # type: ignore[no-untyped-call]
                on_message=provider.handle_message,
                on_decode_error=self.on_decode_error,
                auto_declare=False,
            )
            consumer.qos(prefetch_count=PREFETCH)  # type: ignore[no-untyped-call]
            self._consumers.append(consumer)
        return list(self._consumers)

    def on_iteration(self) -> None:
        """Between two reads: stop taking when told to, leave when all is settled."""
        if not self.running.stopping.is_set():
            return
        for consumer in self._consumers:
            consumer.cancel()
        self._consumers = []
        if self._unsettled == 0:
            self.should_stop = True

    def on_connection_error(self, error: Exception, interval: float) -> None:
        """The broker is away."""
        self._fault = f"{sanitized(self.running.broker_url)} does not answer: {error}"
        log.warning("broker away", extra={"reason": str(error), "again_in_s": interval})

    def on_decode_error(self, message: Any, error: Exception) -> None:
        """Cannot happen, as nothing is decoded; kombu's own would ack."""
        log.critical("kombu tried to decode a message", exc_info=error, extra={"tag": message.delivery_tag})
        raise error

    # -- settling ------------------------------------------------------------------------------------------------

    def take(self, message: Any) -> None:
        """A message was handed to a worker."""
        self._unsettled += 1
        self._held.setdefault(message.channel, set()).add(message.delivery_tag)

    def settle(self, message: Any, *, acknowledge: bool) -> None:
        """Have a message acknowledged by the next `acknowledge`, or leave it to come back.

        On a connection that died it comes back anyway.
        """
        self._unsettled -= 1
        if acknowledge and message.channel in self._held:
            self._held[message.channel].discard(message.delivery_tag)
            self._done.setdefault(message.channel, []).append(message.delivery_tag)

    def acknowledge(self) -> None:
        """Tell the broker of what was settled: with one word for all that precede whatever is still held.

        Called from workers: py-amqp's writer holds a lock for the length of a frame, so frames never mix.
        """
        done, self._done = self._done, {}
        for channel, tags in done.items():
            first_held = min(self._held.get(channel, ()), default=None)
            before = [tag for tag in tags if first_held is None or tag < first_held]
            beyond = [tag for tag in tags if first_held is not None and tag > first_held]
            try:
                if channel.connection and before:
                    channel.basic_ack(max(before), multiple=True)
                for tag in beyond if channel.connection else ():
                    channel.basic_ack(tag)
            except BROKER_ERRORS as error:
                log.warning("acknowledgement lost; the inbox will know the message", extra={"reason": str(error)})


def _untouched(raw: Any, channel: Any = None, **_ignored: Any) -> Message:
    """A kombu message with nothing but the bytes: no headers, so that no `compression` is undone either."""
    return Message(  # type: ignore[no-untyped-call]
        body=raw.body,
        channel=channel,
        delivery_tag=raw.delivery_tag,
        delivery_info=raw.delivery_info,
    )
