"""`python -m deploy.launcher.process serve|relay SERVICE --port N`: one process of the suite in full mode.

What the supervisor, systemd or Kubernetes start. For `serve` the green import comes before everything else.
"""

from __future__ import annotations

import sys

if __name__ == "__main__" and sys.argv[1:2] == ["serve"]:
    import shared.runtime.green  # noqa: F401 -- must be first in a serving process

import argparse
import ctypes
import logging
import os
import signal
from importlib import import_module
from threading import Event, Thread

from deploy.launcher import services
from shared.contracts.topology import SERVICES
from shared.jurisdiction.faults import InvalidPack
from shared.kernel.errors import Misconfigured
from shared.runtime import logs
from shared.runtime.settings import Settings, read

#: prctl(2): signal sent to a process when its parent ends.
_PR_SET_PDEATHSIG = 1
#: Seconds after the signal at which a relay ends in any case.
_GONE_WITHIN_S = 12
#: Exit codes: told to stop; sick, start another; the configuration is wrong, starting again is no use before a change.
STOPPED, SICK, MISCONFIGURED = 0, 1, 2


def main(arguments: list[str] | None = None) -> int:
    """Run the process until a signal ends it; returns the exit code."""
    options = _parse(arguments)
    if options.parent is not None and not _end_with(options.parent):
        return STOPPED
    logs.configure(options.name or f"{options.kind}-{options.service}")
    try:
        settings = read()
        logs.configure(options.name or f"{options.kind}-{options.service}", settings.log_level)
        if options.kind == "serve":
            return _serve(options.service, settings, options.port)
        return _relay(options.service, settings, options.port)
    except (Misconfigured, InvalidPack) as error:
        logging.getLogger(__name__).critical("cannot start: %s", error)
        return MISCONFIGURED


def _parse(arguments: list[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(description="One process of the suite in full mode.")
    parser.add_argument("kind", choices=("serve", "relay"))
    parser.add_argument("service", choices=SERVICES)
    parser.add_argument("--port", type=int, required=True, help="where HTTP is served; for a relay, its metrics")
    parser.add_argument("--name", help="name in the logs")
    parser.add_argument("--parent", type=int, help="end when this process, our parent, ends")
    return parser.parse_args(arguments)


def _end_with(parent: int) -> bool:
    """Be told by the kernel when the parent ends; False when it has ended already."""
    ctypes.CDLL(None, use_errno=True).prctl(_PR_SET_PDEATHSIG, int(signal.SIGTERM), 0, 0, 0)
    return os.getppid() == parent


def _serve(name: str, settings: Settings, port: int) -> int:
    from shared.runtime.process import serve  # noqa: PLC0415 -- only a serving process may load nameko

    service_class = getattr(import_module(f"services.{name}.service"), f"{name.capitalize()}Service")
    return serve(service_class, services.definition(name), settings, port=port)


def _relay(name: str, settings: Settings, port: int) -> int:
    from prometheus_client import start_http_server  # noqa: PLC0415 -- only a relay needs these

    from shared.kernel.ids import RandomIds  # noqa: PLC0415
    from shared.ledger import deadline  # noqa: PLC0415
    from shared.ledger.engines import open_engine  # noqa: PLC0415
    from shared.runtime.preparation import prepare  # noqa: PLC0415
    from shared.runtime.setup import clock_of  # noqa: PLC0415
    from shared.wire.metrics import RelayMetrics  # noqa: PLC0415
    from shared.wire.publisher import Publisher  # noqa: PLC0415
    from shared.wire.relay import Relay  # noqa: PLC0415

    broker_url = settings.broker_url
    if broker_url is None:
        message = "GRIDWHISTLE_BROKER_URL is not set; `gridwhistle demo` is the mode without a broker"
        raise Misconfigured(message)
    stop = _stop_at_signal()
    metrics = RelayMetrics(name)
    start_http_server(port, addr=settings.host, registry=metrics.registry)
    deadline.keep()
    engine = open_engine(settings.database_for(name), pool_size=2, answer_within_s=settings.database_deadline)
    relay = Relay(
        name,
        engine=engine,
        clock=clock_of(settings),
        holder=f"relay:{os.uname().nodename}:{os.getpid()}:{RandomIds().new()}",
        connect=lambda: Publisher(
            broker_url,
            f"gridwhistle relay of {name}",
            deadline_s=settings.confirm_deadline,
            heartbeat_s=settings.broker_heartbeat,
        ),
        metrics=metrics,
    )
    if prepare(engine, services.definition(name), broker_url, stop):
        relay.run(stop)
    engine.dispose()
    return STOPPED


def _stop_at_signal() -> Event:
    """An event set by SIGTERM or SIGINT; a thread waits for them, so that no handler runs in the middle of anything."""
    stop = Event()
    awaited = {signal.SIGTERM, signal.SIGINT}
    signal.pthread_sigmask(signal.SIG_BLOCK, awaited)

    def wait() -> None:
        signal.sigwait(awaited)
        signal.alarm(_GONE_WITHIN_S)  # its default is to end the process
        stop.set()

    Thread(target=wait, name="signals", daemon=True).start()
    return stop


if __name__ == "__main__":
    sys.exit(main())
