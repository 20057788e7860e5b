"""`python -m deploy.launcher.embedded_process`: all five services serving in one process, with no broker.

The same nameko classes as in full mode, without the queue: the loopback relay hands each event straight to those who
hear it. Settings come from the environment. Killed at any instant and started again, nothing is lost or done twice.
"""

from __future__ import annotations

import shared.runtime.green  # noqa: F401 -- must be first in a serving process

# isort: split

import argparse
import logging
import sys
from importlib import import_module
from pathlib import Path
from typing import Any

from deploy.launcher import services
from shared import jurisdiction as packs
from shared.contracts.topology import SERVICES
from shared.kernel.errors import Misconfigured
from shared.kernel.wording import say
from shared.ledger.migrate import migrate
from shared.runtime import embedded, logs
from shared.runtime.settings import Settings, read
from shared.runtime.setup import application_of, clock_of

log = logging.getLogger(__name__)

#: Exit code when the configuration is wrong, as of the processes of full mode.
MISCONFIGURED = 2


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
    except (Misconfigured, OSError) as error:  # an invalid pack is Misconfigured; OSError: a port is taken
        log.critical("cannot start: %s", error)
        print(f"gridwhistle: cannot start: {error} [misconfigured]", file=sys.stderr)  # noqa: T201 -- for who started it
        return MISCONFIGURED


def _serve(settings: Settings) -> int:
    clock = clock_of(settings)
    pack = packs.load(Path(settings.jurisdiction))
    applications = {
        name: application_of(services.definition(name), settings, clock=clock, jurisdiction=pack) for name in SERVICES
    }
    for application in applications.values():
        migrate(application.at_hand.engine, application.definition)
    classes = {
        name: getattr(import_module(f"services.{name}.service"), f"{name.capitalize()}Service") for name in SERVICES
    }
    code = embedded.serve(applications, classes, settings, order=SERVICES, ready=lambda: _tell("demo.serving"))
    _tell("demo.stopped")
    return code


def _tell(key: str) -> None:
    print(f"{say(key)} {say(key, 'en')}", flush=True)  # noqa: T201 -- for who started it


if __name__ == "__main__":
    sys.exit(main())
