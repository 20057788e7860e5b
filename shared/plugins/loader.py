"""Finding and loading plugins by entry points, and calling them without being harmed.

One of the three places (beside the consumer and the HTTP boundary) that catch everything: a plugin is somebody else's
code, and whatever it raises must end as a count and a line for the operator, never as a stopped service.
"""

from __future__ import annotations

import logging
from collections import Counter
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from importlib.metadata import EntryPoint, entry_points
from typing import Any, TypeVar

from shared.plugins.settings import PluginSettings

log = logging.getLogger(__name__)

#: Every group of entry points that the suite looks at (design section 8).
GROUPS = (
    "gridwhistle.channels",
    "gridwhistle.connectors",
    "gridwhistle.detectors",
    "gridwhistle.identity",
    "gridwhistle.notifiers",
    "gridwhistle.reports",
    "gridwhistle.routing",
    "gridwhistle.triage",
)
Result = TypeVar("Result")


class PluginBroken(Exception):
    """A plugin raised what its contract does not name. It is counted; treat the call as failed for now."""


@dataclass(frozen=True, kw_only=True)
class Plugin:
    """One entry point and what became of it."""

    group: str
    name: str
    #: `distribution version` that brought it.
    origin: str
    #: loaded | not-configured | failed
    state: str
    #: What the factory gave; None unless loaded.
    made: Any = None
    #: Why it failed, one line.
    error: str | None = None


@dataclass(frozen=True)
class Plugins:
    """The plugins of a process."""

    every: tuple[Plugin, ...] = ()
    #: (group, name) -> how often it raised what it may not.
    raised: Counter[tuple[str, str]] = field(default_factory=Counter, compare=False)

    def of(self, group: str) -> tuple[Plugin, ...]:
        """Those of a group that work, by name."""
        return tuple(plugin for plugin in self.every if plugin.group == group and plugin.state == "loaded")

    def failed(self) -> tuple[Plugin, ...]:
        """Those that could not be loaded, for `doctor`."""
        return tuple(plugin for plugin in self.every if plugin.state == "failed")

    def call(
        self, plugin: Plugin, what: Callable[..., Result], *given: Any, expected: tuple[type[Exception], ...] = ()
    ) -> Result:
        """Call into a plugin. Lets the exceptions of its contract through and raises PluginBroken for all others."""
        try:
            return what(*given)
        except expected:
            raise
        except Exception as error:
            self.raised[plugin.group, plugin.name] += 1
            # The type alone: a plugin's message may hold an address.
            log.warning(
                "plugin raised", extra={"plugin": plugin.name, "group": plugin.group, "error": type(error).__name__}
            )
            message = f"plugin {plugin.name} raised {type(error).__name__}"
            raise PluginBroken(message) from error


def load(groups: Iterable[str], settings: PluginSettings) -> Plugins:
    """Load the plugins of some groups; one that fails is kept with its reason and the others load."""
    found = [_load(point, settings) for group in groups for point in sorted(_points(group), key=_by_name)]
    return Plugins(_without_doubles(found))


def _points(group: str) -> Iterable[EntryPoint]:
    return entry_points(group=group)


def _by_name(point: EntryPoint) -> tuple[str, str]:
    return point.name, point.value


def _load(point: EntryPoint, settings: PluginSettings) -> Plugin:
    origin = f"{point.dist.name} {point.dist.version}" if point.dist is not None else "unknown"
    about = {"group": point.group, "name": point.name, "origin": origin}
    try:
        made = point.load()(settings)
    except Exception as error:  # noqa: BLE001 -- somebody else's code, see the module's docstring
        reason = f"{type(error).__name__}: {error}".splitlines()[0]
        log.warning("plugin failed to load", extra={"plugin": point.name, "group": point.group, "error": reason})
        return Plugin(**about, state="failed", error=reason)
    return Plugin(**about, state="not-configured" if made is None else "loaded", made=made)


def _without_doubles(found: list[Plugin]) -> tuple[Plugin, ...]:
    """Of two plugins with one name the first stays; the other is shown as failed, so that neither wins in silence."""
    seen: set[tuple[str, str]] = set()
    kept = []
    for plugin in found:
        key = (plugin.group, plugin.name)
        if key in seen and plugin.state != "failed":
            error = f"another plugin of {plugin.group} is called {plugin.name}"
            kept.append(Plugin(group=plugin.group, name=plugin.name, origin=plugin.origin, state="failed", error=error))
        else:
            seen.add(key)
            kept.append(plugin)
    return tuple(kept)
