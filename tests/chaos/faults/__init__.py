"""Every kind of fault there is: each module of this package has a tuple `FAULTS`."""

from __future__ import annotations

from importlib import import_module
from pkgutil import iter_modules

from tests.chaos.faults.fault import Fault


def every() -> dict[str, Fault]:
    """Kind -> fault, of all modules. Raises ValueError when two share a kind."""
    found: dict[str, Fault] = {}
    for module in sorted(info.name for info in iter_modules(__path__)):
        for fault in getattr(import_module(f"{__name__}.{module}"), "FAULTS", ()):
            if fault.kind in found:
                message = f"two faults are called {fault.kind!r}"
                raise ValueError(message)
            found[fault.kind] = fault
    return found
