"""All services in one process, with no broker: the same nameko classes as in full mode, without the queue.

The loopback relay hands each event straight to those who hear it, and due work is scanned as everywhere. Killed at any
instant and started again, nothing is lost or done twice. `shared.runtime.green` must have been imported first of all.
"""

from __future__ import annotations

import logging
import signal
from collections.abc import Callable, Mapping
from types import FrameType
from typing import Any

import eventlet
from nameko.containers import ServiceContainer
from nameko.extensions import ENTRYPOINT_EXTENSIONS_ATTR

from shared.contracts.topology import SERVICES
from shared.ledger.errors import HandlerFailed, Transient
from shared.ledger.migrate import migrate
from shared.runtime.application import Application
from shared.runtime.entrypoints import DUE_INTERVAL, ReliableConsumer
from shared.runtime.health import Health
from shared.runtime.loopback import LoopbackRelay
from shared.runtime.queues import RUNNING
from shared.runtime.running import RunningService
from shared.runtime.settings import Settings
from shared.runtime.setup import gatekeeper_of

log = logging.getLogger(__name__)

#: Seconds between two looks into the outboxes, and at whether the process was told to stop.
_RELAY_EVERY_S, _LOOK_EVERY_S = 0.2, 0.1
#: Seconds that a clean stop may take.
_STOP_WITHIN_S = 8.0


def serve(
    applications: Mapping[str, Application],
    service_classes: Mapping[str, type[Any]],
    settings: Settings,
    *,
    serving: Callable[[], None] = lambda: None,
) -> int:
    """Serve until SIGINT or SIGTERM; 0 after a clean stop, 1 when a part died. `serving` is called once all listen.

    Raises OSError when a port is taken, Misconfigured when a database cannot be brought up to date.
    """
    told: list[int] = []

    def note(number: int, _frame: FrameType | None) -> None:
        told.append(number)  # only a note: this runs in the middle of any green thread

    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, note)
    for application in applications.values():
        migrate(application.at_hand.engine, application.definition)
    containers = [
        _container(application, service_classes[name], settings) for name, application in applications.items()
    ]
    for container in containers:
        container.start()
    relay = eventlet.spawn(_relay_on, LoopbackRelay(applications))
    watched = [relay, *(eventlet.spawn(container.wait) for container in containers)]
    serving()
    code = _until_told_or_dead(watched, told)
    relay.kill()
    _stop(containers)
    for application in applications.values():
        application.at_hand.engine.dispose()
    return code


def _container(application: Application, service_class: type[Any], settings: Settings) -> ServiceContainer:
    running = RunningService(
        application=application,
        gatekeeper=gatekeeper_of(settings, application.at_hand.clock),
        health=Health(application=application, database_fault=None),
        broker_url="",
    )
    running.prepared.set()
    return ServiceContainer(
        without_queue(service_class),
        {
            "max_workers": settings.workers,
            "WEB_SERVER_ADDRESS": f"{settings.host}:{settings.port_for(application.name, SERVICES)}",
            DUE_INTERVAL: settings.due_interval,
            RUNNING: running,
        },
    )


def without_queue(service_class: type[Any]) -> type[Any]:
    """The same service class, whose methods that read queues read none; nothing then connects to a broker."""

    def mute(_self: Any, _raw: bytes) -> None:
        """Reads nothing here: the loopback relay delivers."""

    muted = {
        name: mute
        for name, method in vars(service_class).items()
        if any(isinstance(entry, ReliableConsumer) for entry in getattr(method, ENTRYPOINT_EXTENSIONS_ATTR, ()))
    }
    return type(service_class.__name__, (service_class,), muted)


def _relay_on(relay: LoopbackRelay) -> None:
    """Deliver for ever; what cannot be delivered now waits in its outbox."""
    while True:
        try:
            relay.settle()
        except (Transient, HandlerFailed) as error:
            log.warning("delivery has to wait", extra={"error": str(error)})
        eventlet.sleep(_RELAY_EVERY_S)


def _until_told_or_dead(watched: list[Any], told: list[int]) -> int:
    while not told:
        for thread in watched:
            if thread.dead:
                try:
                    thread.wait()
                except Exception as error:  # whatever killed it: log it, end with 1
                    log.critical("a part of the suite died", exc_info=error)
                return 1
        eventlet.sleep(_LOOK_EVERY_S)
    return 0


def _stop(containers: list[ServiceContainer]) -> None:
    try:
        with eventlet.Timeout(_STOP_WITHIN_S):
            for stopping in [eventlet.spawn(container.stop) for container in containers]:
                stopping.wait()
    except eventlet.Timeout:
        log.warning("work under way was dropped; nothing of it was stored", extra={"after_s": _STOP_WITHIN_S})
