"""One process that serves one service: starts the nameko container, waits for a signal, stops within seconds.

Exit code 0 after a clean stop, 1 when the process is sick (the supervisor starts another). `shared.runtime.green` must
have been imported first of all.
"""

from __future__ import annotations

import gc
import logging
from typing import Any

from shared.kernel.errors import Misconfigured
from shared.runtime import containers
from shared.runtime.definition import ServiceDefinition
from shared.runtime.health import Health
from shared.runtime.running import RunningService
from shared.runtime.settings import Settings
from shared.runtime.setup import application_of, gatekeeper_of

log = logging.getLogger(__name__)

#: Objects made before Python looks for circles among them, instead of 700: hardly anything here is a circle, and the
#: looking cost about a millisecond of CPU a life (docs/performance.md).
_MADE_BETWEEN_LOOKS = 20_000


def serve(service_class: type[Any], definition: ServiceDefinition, settings: Settings, *, port: int) -> int:
    """Serve until a signal comes or the process is sick; returns the exit code. Raises Misconfigured."""
    if settings.broker_url is None:
        message = "GRIDWHISTLE_BROKER_URL is not set; `gridwhistle demo` is the mode without a broker"
        raise Misconfigured(message)
    application = application_of(definition, settings)
    running = RunningService(
        application=application,
        gatekeeper=gatekeeper_of(settings, application.at_hand.clock),
        health=Health(application=application),
        broker_url=settings.broker_url,
        heartbeat_s=settings.broker_heartbeat,
    )
    gc.freeze()  # packs, tables, routes: there for good
    gc.set_threshold(_MADE_BETWEEN_LOOKS)
    told = containers.listen_for_signals()
    container = containers.container_of(service_class, running, settings, port=port)
    container.start()
    log.info("serving", extra={"service": definition.name, "address": f"http://{settings.host}:{port}"})
    preparation = container.spawn_managed_thread(running.prepare, identifier="preparation")
    try:
        code = containers.until_told_or_dead([container], told)
    finally:
        running.stopping.set()
    preparation.kill()
    if code == containers.STOPPED:
        containers.stop([container])
    application.at_hand.engine.dispose()
    log.info("stopped", extra={"service": definition.name, "exit_code": code})
    return code
