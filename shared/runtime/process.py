"""One process that serves one service: starts the nameko container, waits for a signal, stops within seconds.

Exit code 0 after a clean stop, 1 when the process is sick (the supervisor starts another). `shared.runtime.green` must
have been imported first of all.
"""

from __future__ import annotations

import logging
import os
import signal
from types import FrameType
from typing import Any

import eventlet
from nameko.containers import ServiceContainer

from shared.kernel.errors import Misconfigured
from shared.runtime.entrypoints import DUE_INTERVAL
from shared.runtime.health import Health
from shared.runtime.queues import RUNNING
from shared.runtime.running import RunningService
from shared.runtime.settings import Settings
from shared.runtime.setup import application_of, gatekeeper_of

log = logging.getLogger(__name__)

#: Seconds a clean stop may take before what is under way is dropped (nothing is lost: it was not committed).
STOP_WITHIN_S = 8.0
#: Seconds after the signal at which the process ends in any case.
GONE_WITHIN_S = 12
_LOOK_EVERY_S = 0.1


def serve(service_class: type[Any], definition: Any, settings: Settings, *, port: int) -> int:
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
    )
    told = _listen_for_signals()
    # One worker a queue and one for due work (entrypoints.py); the others are there for requests.
    container = ServiceContainer(
        service_class,
        {
            "max_workers": settings.workers * 2,
            "WEB_SERVER_ADDRESS": f"{settings.host}:{port}",
            DUE_INTERVAL: settings.due_interval,
            RUNNING: running,
        },
    )
    container.start()
    log.info("serving", extra={"service": definition.name, "address": f"http://{settings.host}:{port}"})
    preparation = container.spawn_managed_thread(running.prepare, identifier="preparation")
    try:
        code = _until_told_or_dead(container, told)
    finally:
        running.stopping.set()
    preparation.kill()
    if code == 0:
        _stop(container)
    application.at_hand.engine.dispose()
    log.info("stopped", extra={"service": definition.name, "exit_code": code})
    return code


def _listen_for_signals() -> list[int]:
    """The list that a signal's number is put into."""
    told: list[int] = []

    def told_to_stop(number: int, _frame: FrameType | None) -> None:
        # Only a note: this runs between two bytecodes of any green thread, which may hold any lock.
        told.append(number)
        signal.alarm(GONE_WITHIN_S)

    signal.signal(signal.SIGALRM, _go)
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, told_to_stop)
    return told


def _go(_number: int, _frame: FrameType | None) -> None:
    os._exit(1)


def _until_told_or_dead(container: ServiceContainer, told: list[int]) -> int:
    died = eventlet.spawn(container.wait)
    while not told:
        if died.dead:
            try:
                died.wait()
            except Exception as error:  # whatever killed the container: log it, end with 1
                log.critical("the service died", exc_info=error)
            return 1
        eventlet.sleep(_LOOK_EVERY_S)
    return 0


def _stop(container: ServiceContainer) -> None:
    try:
        with eventlet.Timeout(STOP_WITHIN_S):
            container.stop()
    except eventlet.Timeout:
        log.warning("work under way was dropped; it comes back", extra={"after_s": STOP_WITHIN_S})
        with eventlet.Timeout(1, False):  # noqa: FBT003 -- eventlet's own way to say "silently"
            container.kill()
