"""The link between a desk and the broker: takes messages in, sends answers out, and comes back whenever it breaks.

All of pika happens in the one thread that calls `run`; handlers run elsewhere, so heartbeats never wait for them. A
message is acknowledged when it is in the spool; an answer is marked sent when the broker has confirmed it.
"""

from __future__ import annotations

import logging
import random
import ssl
import time
from collections.abc import Callable
from threading import Event
from typing import Any

import pika
from pika.exceptions import (
    AMQPError,
    ChannelClosedByBroker,
    NackError,
    ProbableAccessDeniedError,
    ProbableAuthenticationError,
    UnroutableError,
)

from shared.contracts import whistles
from shared.kit.desk import Desk
from shared.kit.settings import KitSettings

log = logging.getLogger(__name__)

#: Seconds between two signs of life; after two without any the link counts as dead.
HEARTBEAT_S = 20
#: Messages that the broker hands over before it waits for acknowledgements.
PREFETCH = 50
#: Seconds between two looks for answers that another process (an office's command line) put into the spool.
LOOK_EVERY_S = 0.5
#: Seconds of the first pause before the broker is tried again, and of the longest.
PAUSES_S = (0.5, 30.0)
#: Seconds before an answer that the broker did not take is offered again.
REST_S = 5.0
#: Seconds that a blocked broker, or one that does not answer, is waited for.
_PATIENCE_S = 30
#: What breaks a link: tried again for ever, because the network comes back.
BREAKS: tuple[type[Exception], ...] = (AMQPError, OSError)


class Link:
    """One department's link. `run` it in one thread; `wake` and `stop` it from any other."""

    def __init__(self, settings: KitSettings, desk: Desk, *, jitter: Callable[[], float] = random.random) -> None:
        self._settings = settings
        self._desk = desk
        self._jitter = jitter
        self._connection: Any = None
        self._rests_until = float("-inf")
        self._stopping = Event()
        self._draining = Event()
        #: Whether messages come in right now.
        self.connected = Event()

    def stop(self) -> None:
        """Take no more messages; `run` goes on sending until `finish`."""
        self._draining.set()
        self.wake()

    def finish(self) -> None:
        """Send what is left and end `run`."""
        self._draining.set()
        self._stopping.set()
        self.wake()

    def wake(self) -> None:
        """There is something to send."""
        connection = self._connection
        if connection is not None and connection.is_open:
            try:
                connection.add_callback_threadsafe(lambda: None)
            except BREAKS:
                log.debug("the link closed while it was woken")

    def run(self) -> None:
        """Until `finish`. Raises only on bugs and a broken disk."""
        pause = PAUSES_S[0]
        while not self._stopping.is_set():
            try:
                self._once()
                pause = PAUSES_S[0]
            except BREAKS as error:
                was_up = self.connected.is_set()
                self.connected.clear()
                pause = PAUSES_S[0] if was_up else min(pause * 2, PAUSES_S[1])
                wait = pause * (0.5 + self._jitter() / 2)
                log.warning("no link to the broker: %s; again in %.1f s", _reason(error), wait)
                self._stopping.wait(wait)
            finally:
                self.connected.clear()
                self._drop()

    def _once(self) -> None:
        """One connection's life. Returns when told to finish; raises what broke it."""
        self._connection = pika.BlockingConnection(_parameters(self._settings))
        channel = self._connection.channel()
        channel.confirm_delivery()
        channel.basic_qos(prefetch_count=PREFETCH)
        channel.add_on_cancel_callback(_cancelled)
        tag = channel.basic_consume(whistles.key_of(self._desk.department), self._take)
        log.info("linked to the broker", extra={"department": self._desk.department})
        self.connected.set()
        while True:
            self._send(channel)
            if self._stopping.is_set():
                break
            if self._draining.is_set() and tag is not None:
                channel.basic_cancel(tag)
                tag = None
            self._connection.process_data_events(time_limit=LOOK_EVERY_S)
        self._connection.close()

    def _take(self, channel: Any, method: Any, properties: Any, body: bytes) -> None:
        del properties
        self._desk.receive(body)
        channel.basic_ack(method.delivery_tag)

    def _send(self, channel: Any) -> None:
        if time.monotonic() < self._rests_until:
            return
        for given in self._desk.outgoing():
            try:
                channel.basic_publish(
                    whistles.exchange_of(self._desk.department),
                    f"answer.{given.answer}",
                    given.body,
                    pika.BasicProperties(
                        content_type="application/cloudevents+json", delivery_mode=2, message_id=given.id,
                        type=whistles.answer_type(given.answer),
                    ),
                    mandatory=True,
                )  # fmt: skip
            except (UnroutableError, NackError) as error:
                # The suite's side is not there (yet), or full: it is an operator's business, and the answer stays here.
                log.error("the broker does not take our answers: %s", type(error).__name__)  # noqa: TRY400
                self._rests_until = time.monotonic() + REST_S
                return
            self._desk.sent(given.id)

    def _drop(self) -> None:
        connection, self._connection = self._connection, None
        if connection is not None and connection.is_open:
            try:
                connection.close()
            except BREAKS as error:
                log.debug("the link broke while it was closed: %r", error)


def _cancelled(_frame: Any) -> None:
    message = "the broker took our queue away"
    raise OSError(message)


def _parameters(settings: KitSettings) -> Any:
    parameters = pika.URLParameters(settings.broker_url)
    parameters.heartbeat = HEARTBEAT_S
    parameters.blocked_connection_timeout = _PATIENCE_S
    parameters.socket_timeout = parameters.stack_timeout = _PATIENCE_S
    parameters.client_properties = {
        "connection_name": f"department {settings.department}",
        "product": "gridwhistle-kit",
    }
    if settings.broker_url.startswith("amqps://"):
        context = ssl.create_default_context(cafile=None if settings.ca_file is None else str(settings.ca_file))
        if settings.certificate is not None:
            context.load_cert_chain(settings.certificate, settings.key)
        parameters.ssl_options = pika.SSLOptions(context, parameters.host)
    return parameters


def _reason(error: Exception) -> str:
    """What happened and what to do, without the password."""
    if isinstance(error, ProbableAuthenticationError | ProbableAccessDeniedError):
        return "the broker refuses user, password or virtual host; ask for a new department file"
    if isinstance(error, ChannelClosedByBroker):
        return f"the broker refuses what we do ({error.reply_text}); ask for `gridwhistle declare --check`"
    if isinstance(error, ssl.SSLError):
        return f"TLS: {error}; is DEPARTMENT_CA_FILE the broker's authority?"
    return f"{type(error).__name__} {error}".strip()
