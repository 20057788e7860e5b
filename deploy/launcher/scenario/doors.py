"""The public doors of the suite as the player uses them: which route asks what, and as whom the player looks.

Both stages use the same routes, one over HTTP and one in the process. It must never name a door that is not mounted.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import datetime
from typing import Any

from deploy.launcher.scenario.stage import ClockView, Happening, MatterView
from shared.contracts import registry
from shared.contracts.envelope import Envelope
from shared.jurisdiction import Jurisdiction
from shared.kernel.actor import Actor
from shared.kernel.clock import parse_instant
from shared.runtime.definition import Command, Route, ServiceDefinition

#: Where a matter is seen, and the report.
MATTER = "/api/v1/matters/<matter>"
REPORT = "/api/v1/reports/preview"
TIMELINE = "/api/v1/matters/<matter>/timeline"
EVALUATIONS = "/api/v1/matters/<matter>/evaluations"
OPERATIONS = "/api/v1/operations"


class NoSuchDoor(Exception):
    """A service does not mount a route that the player needs: player and services are of different releases."""


def observer(jurisdiction: Jurisdiction) -> Actor:
    """As whom the player looks at what happened: a supervisor of the whole pack, who may change nothing."""
    top = next(unit.id for unit in jurisdiction.units.values() if unit.level == jurisdiction.levels[-1])
    return Actor(id="scenario-player", roles=frozenset({"supervisor", "system-admin"}), unit=top)


def commands(definitions: Iterable[ServiceDefinition]) -> dict[str, Command]:
    """Every command there is, by name."""
    return {name: command for definition in definitions for name, command in definition.commands.items()}


def route_of(definition: ServiceDefinition, *, path: str = "", command: str | None = None) -> Route:
    """The GET route of a path, or the route of a command. Raises NoSuchDoor."""
    for route in definition.routes:
        if (command is not None and route.command == command) or (
            command is None and route.method == "GET" and route.path == path
        ):
            return route
    message = f"{definition.name} mounts no route for {command or path}"
    raise NoSuchDoor(message)


def happening(position: int, envelope: Envelope) -> Happening:
    """An event of the trace as the player sees it; one of a newer release keeps its wire name."""
    return Happening(
        position=position, name=registry.label_of(envelope.type), subject=envelope.subject, time=envelope.time,
        data=envelope.data,
    )  # fmt: skip


def from_timeline(row: Mapping[str, Any], matter: str) -> Happening:
    """An event as oversight's timeline of a matter shows it; what is withheld is empty."""
    return Happening(
        position=row["position"], name=row["event"], subject=matter, time=parse_instant(row["time"]),
        data=row["data"] or {},
    )  # fmt: skip


def matter_view(body: Mapping[str, Any]) -> MatterView:
    """A matter from dispatch's answer."""
    clocks = tuple(
        ClockView(kind=clock["kind"], outcome=clock.get("outcome") or "running", due_at=_instant(clock.get("due_at")))
        for clock in body.get("clocks", ())
    )
    return MatterView(state=body["state"], unit=_id(body.get("unit")), level=body.get("level"), clocks=clocks)


def figures(report: Mapping[str, Any]) -> dict[str, Any]:
    """A report's figures by name."""
    return {figure["figure"]: figure for figure in report["figures"]}


def _id(unit: Any) -> str | None:
    return unit.get("id") if isinstance(unit, Mapping) else unit


def _instant(text: str | None) -> datetime | None:
    return None if text is None else parse_instant(text)
