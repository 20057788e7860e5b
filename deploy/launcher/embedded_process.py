"""`python -m deploy.launcher.embedded_process`: all five services serving in one process, with no broker.

The same nameko classes as in full mode, without the queue: the loopback relay hands each event straight to those who
hear it. Settings come from the environment. Killed at any instant and started again, nothing is lost or done twice.
"""

from __future__ import annotations

import shared.runtime.green  # noqa: F401 -- must be first in a serving process

# isort: split

import argparse
import logging
import signal
import sys
from importlib import import_module
from pathlib import Path
from types import FrameType
from typing import Any

import eventlet
from nameko.containers import ServiceContainer
from nameko.extensions import ENTRYPOINT_EXTENSIONS_ATTR

from deploy.launcher import services
from shared import jurisdiction as packs
from shared.contracts.topology import SERVICES
from shared.jurisdiction.faults import InvalidPack
from shared.kernel.errors import Misconfigured
from shared.kernel.wording import say
from shared.ledger.errors import HandlerFailed, Transient
from shared.ledger.migrate import migrate
from shared.runtime import logs
from shared.runtime.application import Application
from shared.runtime.entrypoints import DUE_INTERVAL, ReliableConsumer
from shared.runtime.health import Health
from shared.runtime.loopback import LoopbackRelay
from shared.runtime.queues import RUNNING
from shared.runtime.running import RunningService
from shared.runtime.settings import Settings, read
from shared.runtime.setup import application_of, clock_of, gatekeeper_of

log = logging.getLogger(__name__)

#: Seconds between two looks into the outboxes, and at whether the process was told to stop.
_RELAY_EVERY_S, _LOOK_EVERY_S = 0.2, 0.1
#: Seconds that a clean stop may take.
_STOP_WITHIN_S = 8.0
#: Exit codes, as those of the processes of full mode.
STOPPED, SICK, MISCONFIGURED = 0, 1, 2


def main(arguments: list[str] | None = None) -> int:
    """Serve until a signal comes; returns the exit code."""
    parser = argparse.ArgumentParser(description="All five services in one process, with no broker.")
    parser.add_argument("--log", type=Path, help="log into this file instead of standard error")
    options = parser.parse_args(arguments)
    if options.log is None:
        return _run(None)
    with options.log.open("a", encoding="utf-8") as stream:
        return _run(stream)


def _run(stream: Any) -> int:
    logs.configure("embedded", stream=stream)
    try:
        settings = read()
        logs.configure("embedded", settings.log_level, stream)
        return _serve(settings)
    except (Misconfigured, InvalidPack) as error:
        log.critical("cannot start: %s", error)
        print(f"gridwhistle: {error} [misconfigured]", file=sys.stderr)  # noqa: T201 -- for who started it
        return MISCONFIGURED


def _serve(settings: Settings) -> int:
    told: list[int] = []

    def note(number: int, _frame: FrameType | None) -> None:
        told.append(number)  # only a note: this runs in the middle of any green thread

    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, note)
    clock = clock_of(settings)
    pack = packs.load(Path(settings.jurisdiction))
    applications = {
        name: application_of(services.definition(name), settings, clock=clock, jurisdiction=pack) for name in SERVICES
    }
    for application in applications.values():
        migrate(application.at_hand.engine, application.definition)
    containers = [_container(application, settings) for application in applications.values()]
    for container in containers:
        container.start()
    relay = eventlet.spawn(_relay_on, LoopbackRelay(applications))
    watched = [relay, *(eventlet.spawn(container.wait) for container in containers)]
    print(f"{say('demo.serving')} {say('demo.serving', 'en')}", flush=True)  # noqa: T201 -- for who started it
    code = _until_told_or_dead(watched, told)
    relay.kill()
    _stop(containers)
    for application in applications.values():
        application.at_hand.engine.dispose()
    print(f"{say('demo.stopped')} {say('demo.stopped', 'en')}", flush=True)  # noqa: T201 -- for who started it
    return code


def _container(application: Application, settings: Settings) -> ServiceContainer:
    name = application.name
    running = RunningService(
        application=application,
        gatekeeper=gatekeeper_of(settings, application.at_hand.clock),
        health=Health(application=application, database_fault=None),
        broker_url="",
    )
    running.prepared.set()
    service_class = getattr(import_module(f"services.{name}.service"), f"{name.capitalize()}Service")
    return ServiceContainer(
        without_queue(service_class),
        {
            "max_workers": settings.workers,
            "WEB_SERVER_ADDRESS": f"{settings.host}:{settings.port_for(name, SERVICES)}",
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
                return SICK
        eventlet.sleep(_LOOK_EVERY_S)
    return STOPPED


def _stop(containers: list[ServiceContainer]) -> None:
    try:
        with eventlet.Timeout(_STOP_WITHIN_S):
            for stopping in [eventlet.spawn(container.stop) for container in containers]:
                stopping.wait()
    except eventlet.Timeout:
        log.warning("work under way was dropped; nothing of it was stored", extra={"after_s": _STOP_WITHIN_S})


if __name__ == "__main__":
    sys.exit(main())
