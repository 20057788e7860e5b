"""`docs/states.md`: the state machines of the services as diagrams, from the very tables that the rules look into.

A machine is a module-level table of `(state, step) -> state` in services/*/domain. Nothing is drawn by hand.
"""

from __future__ import annotations

import enum
import importlib
import inspect
import pkgutil
from collections.abc import Iterator, Mapping
from types import ModuleType
from typing import Any

from deploy.launcher.documents import HEAD

_INTRODUCTION = """\
# States 状态机

A step that is not drawn is refused (409 `illegal-transition`, or a code that says more). Who may take a step, and what
it needs, is in `docs/commands.md`.
"""


def text(services: tuple[str, ...]) -> str:
    """The page."""
    parts = [HEAD, _INTRODUCTION]
    for service in services:
        for module, name, table in _machines(service):
            parts.append(_section(service, module, name, table))
    return "\n".join(parts)


def _domain_modules(service: str) -> Iterator[ModuleType]:
    package = importlib.import_module(f"services.{service}.domain")
    yield package
    for found in pkgutil.iter_modules(getattr(package, "__path__", ()), f"{package.__name__}."):
        yield importlib.import_module(found.name)


def _machines(service: str) -> Iterator[tuple[ModuleType, str, Mapping[tuple[enum.Enum, Any], enum.Enum]]]:
    seen: set[int] = set()
    for module in _domain_modules(service):
        for name, value in vars(module).items():
            if isinstance(value, Mapping) and value and id(value) not in seen and _is_machine(value):
                seen.add(id(value))
                yield module, name, value


def _is_machine(table: Mapping[Any, Any]) -> bool:
    """Whether a table maps (state, step) to a state of the same kind."""
    return all(
        isinstance(key, tuple) and len(key) == 2 and isinstance(key[0], enum.Enum) and type(key[0]) is type(after)  # noqa: PLR2004 -- (state, step)
        for key, after in table.items()
    )


def _section(service: str, module: ModuleType, name: str, table: Mapping[tuple[enum.Enum, Any], enum.Enum]) -> str:
    states = type(next(iter(table.values())))
    about = inspect.getdoc(states) or ""
    entered = {after for (before, _), after in table.items() if before is not after}
    left = {before for (before, _), after in table.items() if before is not after}
    begins = vars(module).get("BEGINNINGS", [state for state in states if state not in entered])
    lines = [f"    [*] --> {_node(state)}" for state in states if state in begins]
    merged: dict[tuple[enum.Enum, enum.Enum], list[str]] = {}
    for (before, step), after in table.items():
        merged.setdefault((before, after), []).append(str(getattr(step, "value", step)))
    lines += [f"    {_node(a)} --> {_node(b)}: {', '.join(steps)}" for (a, b), steps in merged.items()]
    lines += [f"    {_node(state)} --> [*]" for state in states if state in entered and state not in left]
    words = [f"- `{state.value}`: {note}" for state, note in _notes(states).items()]
    title = f"## {service}: {states.__name__} (`{module.__name__.removeprefix('services.')}.{name}`)\n\n{about}\n"
    listing = "\n".join(words) + "\n" if words else ""
    return f"{title}\n```mermaid\nstateDiagram-v2\n" + "\n".join(lines) + f"\n```\n\n{listing}"


def _notes(states: type[enum.Enum]) -> dict[enum.Enum, str]:
    """The `#:` comments above the members."""
    notes: dict[enum.Enum, str] = {}
    waiting: list[str] = []
    for line in inspect.getsource(states).splitlines():
        stripped = line.strip()
        if stripped.startswith("#:"):
            waiting.append(stripped.removeprefix("#:").strip())
            continue
        name = stripped.split(" ", 1)[0]
        if waiting and name in states.__members__:
            notes[states[name]] = " ".join(waiting)
        waiting = []
    return notes


def _node(state: enum.Enum) -> str:
    return str(state.value).replace("-", "_")
