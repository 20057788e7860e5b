"""`python -m deploy.launcher.embedded_process`: all five services serving in one process, with no broker.

What `gridwhistle demo` becomes after its week. Settings come from the environment; databases are SQLite files.
"""

from __future__ import annotations

import shared.runtime.green  # noqa: F401 -- must be first in a serving process

# isort: split

import argparse
import logging
import sys
from importlib import import_module
from pathlib import Path
from typing import TextIO

from deploy.launcher import services
from deploy.launcher.process import MISCONFIGURED
from shared import jurisdiction as packs
from shared.contracts.topology import SERVICES
from shared.kernel.errors import Misconfigured
from shared.kernel.wording import say
from shared.runtime import embedded, logs
from shared.runtime.settings import Settings, read
from shared.runtime.setup import application_of, clock_of

log = logging.getLogger(__name__)


def main(arguments: list[str] | None = None) -> int:
    """Serve until a signal comes; returns the exit code."""
    parser = argparse.ArgumentParser(description="All five services in one process, with no broker.")
    parser.add_argument("--log", type=Path, help="log into this file instead of standard error")
    options = parser.parse_args(arguments)
    if options.log is None:
        return _run(None)
    with options.log.open("a", encoding="utf-8") as stream:
        return _run(stream)


def _run(stream: TextIO | None) -> int:
    logs.configure("embedded", stream=stream)
    try:
        settings = read()
        logs.configure("embedded", settings.log_level, stream)
        code = _serve(settings)
    except (Misconfigured, OSError) as error:  # an invalid pack, or a port that is taken
        log.critical("cannot start: %s", error)
        print(f"gridwhistle: cannot start: {error}", file=sys.stderr)  # noqa: T201 -- for who started it
        return MISCONFIGURED
    _tell("demo.stopped")
    return code


def _serve(settings: Settings) -> int:
    clock = clock_of(settings)
    pack = packs.load(Path(settings.jurisdiction))
    applications = {
        name: application_of(services.definition(name), settings, clock=clock, jurisdiction=pack) for name in SERVICES
    }
    classes = {
        name: getattr(import_module(f"services.{name}.service"), f"{name.capitalize()}Service") for name in SERVICES
    }
    return embedded.serve(applications, classes, settings, serving=lambda: _tell("demo.serving"))


def _tell(key: str) -> None:
    print(f"{say(key)} {say(key, 'en')}", flush=True)  # noqa: T201 -- for who started it


if __name__ == "__main__":
    sys.exit(main())
