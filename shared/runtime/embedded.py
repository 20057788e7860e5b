"""All services in one process, without a broker: the same nameko classes, their queues left out, the loopback inside.

`shared.runtime.green` must have been imported first of all.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import eventlet
from nameko.extensions import ENTRYPOINT_EXTENSIONS_ATTR

from shared.ledger.errors import HandlerFailed, Transient
from shared.runtime import containers
from shared.runtime.application import Application
from shared.runtime.entrypoints import ReliableConsumer
from shared.runtime.health import Health
from shared.runtime.loopback import LoopbackRelay
from shared.runtime.running import RunningService
from shared.runtime.settings import Settings
from shared.runtime.setup import gatekeeper_of

log = logging.getLogger(__name__)

#: Seconds between two looks into the outboxes.
_RELAY_EVERY_S = 0.2


def serve(
    applications: Mapping[str, Application],
    classes: Mapping[str, type[Any]],
    settings: Settings,
    *,
    order: Sequence[str],
    ready: Callable[[], None],
) -> int:
    """Serve migrated applications by name until a signal comes; returns the exit code. `ready` hears when it serves."""
    told = containers.listen_for_signals()
    serving = [
        containers.container_of(
            without_queue(classes[name]),
            _running(applications[name], settings),
            settings,
            port=settings.port_for(name, tuple(order)),
        )
        for name in applications
    ]
    for container in serving:
        container.start()
    relay = eventlet.spawn(_relay_on, LoopbackRelay(applications))
    ready()
    code = containers.until_told_or_dead(serving, told, relay)
    relay.kill()
    containers.stop(serving)
    for application in applications.values():
        application.at_hand.engine.dispose()
    return code


def _running(application: Application, settings: Settings) -> RunningService:
    running = RunningService(
        application=application,
        gatekeeper=gatekeeper_of(settings, application.at_hand.clock),
        health=Health(application=application, database_fault=None),
        broker_url="",
    )
    running.prepared.set()
    return running


def without_queue(service_class: type[Any]) -> type[Any]:
    """The same service class, whose methods that read queues read none; nothing then connects to a broker."""

    def mute(_self: Any, _raws: Sequence[bytes]) -> None:
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
