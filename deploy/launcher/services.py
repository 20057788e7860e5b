"""The five service definitions by name, in the order in which ports are given out.

Imported late: a process loads only its own.
"""

from __future__ import annotations

from importlib import import_module

from shared.contracts.topology import SERVICES
from shared.kernel.errors import Misconfigured
from shared.runtime.definition import ServiceDefinition


def definition(name: str) -> ServiceDefinition:
    """The definition of one service. Raises Misconfigured for an unknown name."""
    if name not in SERVICES:
        message = f"there is no service {name!r}; services are {', '.join(SERVICES)}"
        raise Misconfigured(message)
    found: ServiceDefinition = import_module(f"services.{name}.definition").DEFINITION
    return found


def definitions() -> dict[str, ServiceDefinition]:
    """All five."""
    return {name: definition(name) for name in SERVICES}
