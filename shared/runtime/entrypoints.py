"""nameko's part: what turns a message, a request or a tick of time into a call of a service's method. Nothing else.

    consume(*subscriptions)   the raw bytes of the messages of these queues, several at a time
    take_letters(queue)       messages from outside, each with the exchange on which it was published
    serve(*routes)            each request on these routes
    due                       every few seconds
    Running()                 the RunningService, as `self.running`

What becomes of a message (design section 6.5): handled, refused, duplicate, parked, quarantined -> acknowledged.
Database away -> held and tried again in place, after five minutes the process exits. A bug -> held, counted in the
ledger, at the fifth attempt quarantined with its bytes. Told to stop -> left, comes back. Never rejected, never
requeued in a loop.
"""

from __future__ import annotations

import logging
import time
from collections import deque
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from functools import partial
from typing import Any, TypeVar

from eventlet import sleep
from eventlet.event import Event
from nameko.exceptions import ContainerBeingKilled
from nameko.extensions import DependencyProvider, Entrypoint
from nameko.timer import Timer
from werkzeug import Request, Response

from shared.contracts.topology import Subscription
from shared.ledger.letters import Letter
from shared.runtime import http, problems
from shared.runtime.definition import Route
from shared.runtime.doors import DoorServer
from shared.runtime.operations import COMMON_ROUTES
from shared.runtime.patience import Abandoned
from shared.runtime.queues import RUNNING, RawQueueConsumer
from shared.runtime.running import RunningService

log = logging.getLogger(__name__)

#: Key of the seconds between two scans in the nameko container's configuration.
DUE_INTERVAL = "due_interval"
#: Messages handled in one transaction at most.
BATCH = 200
#: Seconds for which a queue's messages gather before they are handled, unless a batch is full: at least and at most.
#: A transaction costs nearly the same for one as for many, so the dearer the last one was the longer the next gathers.
GATHER_S = (0.05, 0.5)
#: Share of its time that a queue gathers, where the limits allow it, as a multiple of what it works.
GATHER_TO_WORK = 5

Method = TypeVar("Method", bound=Callable[..., Any])
ExcInfo = tuple[type[BaseException], BaseException, Any]


class Running(DependencyProvider):
    """Gives a service its RunningService."""

    def get_dependency(self, worker_ctx: Any) -> RunningService:
        """The same for every call; it is safe for concurrent ones."""
        del worker_ctx
        running: RunningService = self.container.config[RUNNING]
        return running


class ReliableConsumer(Entrypoint):
    """Calls a method with what one queue has brought, several messages at a time, and acknowledges what is dealt with.

    While one batch is handled the next gathers. One worker a queue: the order in a queue is kept, HTTP has the others.
    """

    queue_consumer = RawQueueConsumer()

    def __init__(self, subscription: Subscription | Inlet, **options: Any) -> None:
        self.subscription = subscription
        self._gathered: deque[Any] = deque()
        self._at_work = False
        self._gather_s = GATHER_S[0]
        self._began_at = 0.0
        super().__init__(**options)

    def setup(self) -> None:
        """Have our queue read."""
        self.queue_consumer.register_provider(self)

    def start(self) -> None:
        """Begin, once the service is prepared."""
        self.queue_consumer.start()

    def stop(self) -> None:
        """Take no more; returns when what was held is settled."""
        self.queue_consumer.finish()

    def handle_message(self, message: Any) -> None:
        """Called in the consumer's thread, which must read on."""
        self.queue_consumer.take(message)
        self._gathered.append(message)
        if not self._at_work:
            self._at_work = True
            self.container.spawn_managed_thread(self._next_batch, identifier=self.subscription.queue)

    def _next_batch(self) -> None:
        if len(self._gathered) < BATCH and not self.queue_consumer.running.stopping.is_set():
            sleep(self._gather_s)
        messages = [self._gathered.popleft() for _ in range(min(len(self._gathered), BATCH))]
        if not messages:
            self._at_work = False
            return
        if self.queue_consumer.running.stopping.is_set():
            self._leave(messages)
            self._next_batch()
            return
        raws = [self.unpacked(message) for message in messages]
        self._began_at = time.monotonic()
        try:
            self.container.spawn_worker(self, (raws,), {}, handle_result=partial(self._handled, messages))
        except ContainerBeingKilled:
            self._leave(messages)

    def _handled(
        self, messages: list[Any], worker: Any, result: Any, exc_info: ExcInfo | None
    ) -> tuple[Any, ExcInfo | None]:
        del worker
        least, most = GATHER_S
        self._gather_s = min(most, max(least, GATHER_TO_WORK * (time.monotonic() - self._began_at)))
        if exc_info is not None:
            # A bug outside every handler: nameko ends the container, the process exits, the messages come back.
            raise exc_info[1].with_traceback(exc_info[2])
        kept = []
        for message, received in zip(messages, result, strict=True):
            if received.outcome is None:
                kept.append(message)
            else:
                self.queue_consumer.settle(message, acknowledge=True)
        self.queue_consumer.acknowledge()
        if kept:
            self.container.spawn_managed_thread(partial(self._hold, kept), identifier="hold")
        self.container.spawn_managed_thread(self._next_batch, identifier=self.subscription.queue)
        return result, exc_info

    def _hold(self, messages: list[Any]) -> None:
        """In a thread of its own, so that others of the queue go on. Sick leaves it and ends the process."""
        left = dict(enumerate(messages))

        def settled(place: int) -> None:
            self.queue_consumer.settle(left.pop(place), acknowledge=True)
            self.queue_consumer.acknowledge()

        try:
            self.try_again([self.unpacked(message) for message in messages], settled)
        except Abandoned as reason:
            log.info("messages left", extra={"reason": str(reason)})
            self._leave(left.values())

    def unpacked(self, message: Any) -> Any:
        """What the method gets of a message."""
        return _bytes_of(message)

    def try_again(self, raws: list[Any], settled: Callable[[int], None]) -> None:
        """Hold on to what could not be handled. Raises Sick or Abandoned."""
        self.queue_consumer.running.hold(raws, settled)

    def _leave(self, messages: Iterable[Any]) -> None:
        for message in messages:
            self.queue_consumer.settle(message, acknowledge=False)


class LetterConsumer(ReliableConsumer):
    """Calls a method with messages from outside. Who sent one is known from the exchange that the broker names."""

    def unpacked(self, message: Any) -> Letter:
        """The bytes, and where the broker took them."""
        return Letter(body=_bytes_of(message), exchange=str((message.delivery_info or {}).get("exchange", "")))

    def try_again(self, raws: list[Any], settled: Callable[[int], None]) -> None:
        """Hold on to what could not be handled. Raises Sick or Abandoned."""
        self.queue_consumer.running.hold_letters(raws, settled)


@dataclass(frozen=True)
class Inlet:
    """A queue by which messages from outside come in."""

    queue: str


def _bytes_of(message: Any) -> bytes:
    body = message.body
    return body if isinstance(body, bytes) else str(body).encode()


class Door(Entrypoint):
    """Calls a method with each request on one route."""

    server = DoorServer()

    def __init__(self, route: Route, **options: Any) -> None:
        self.route = route
        super().__init__(**options)

    def setup(self) -> None:
        """Have our route served."""
        self.server.register_provider(self)

    def stop(self) -> None:
        """Accept nobody any more."""
        self.server.close()

    def respond(self, request: Request, path: dict[str, Any]) -> Response:
        """Have a worker answer; whatever goes wrong, nothing internal leaks."""
        done = Event()

        def handled(worker: Any, result: Any, exc_info: ExcInfo | None) -> tuple[Any, ExcInfo | None]:
            del worker
            done.send((result, exc_info))
            return result, exc_info

        try:
            self.container.spawn_worker(self, (request, self.route, path), {}, handle_result=handled)
        except ContainerBeingKilled:
            return http.fitting(self.route, problems.unavailable("This process is being stopped."))
        response, exc_info = done.wait()
        if exc_info is not None or not isinstance(response, Response):
            return http.fitting(self.route, problems.internal(http.correlation_id(request)))
        return response


class Due(Timer):
    """Calls a method every few seconds, in every replica; the lease in the database picks the one that works."""

    def __init__(self, **options: Any) -> None:
        super().__init__(interval=None, eager=True, **options)

    def setup(self) -> None:
        """Take the interval from the settings."""
        self.interval = self.container.config[DUE_INTERVAL]


def consume(*subscriptions: Subscription) -> Callable[[Method], Method]:
    """Have a method called with the raw bytes of the messages of these queues; it returns a Received for each."""
    return _every(ReliableConsumer.decorator, subscriptions)


def take_letters(queue: str) -> Callable[[Method], Method]:
    """Have a method called with the letters of this queue; it returns a Received for each."""
    return _every(LetterConsumer.decorator, (Inlet(queue),))


def serve(*routes: Route) -> Callable[[Method], Method]:
    """Have a method called as `(request, route, path)` on these routes, and on those that every service has."""
    return _every(Door.decorator, (*routes, *COMMON_ROUTES))


def _every(decorator: Any, things: tuple[Any, ...]) -> Callable[[Method], Method]:
    def enter(method: Method) -> Method:
        for thing in things:
            decorator(thing)(method)
        return method

    return enter


#: Have a method called every `due_interval` seconds.
due = Due.decorator
