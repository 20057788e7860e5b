"""Intake as data, for whichever way the suite is started."""

from __future__ import annotations

from pathlib import Path

from services.intake import commands, handlers, metrics, recovery, tables
from services.intake.read_model import READ_MODEL
from services.intake.subscriptions import SUBSCRIPTIONS
from services.intake.web.routes import ROUTES
from shared.runtime.definition import ServiceDefinition, commands_of

DEFINITION = ServiceDefinition(
    name="intake",
    commands=commands_of(commands, handlers),
    subscriptions=SUBSCRIPTIONS,
    routes=ROUTES,
    tables=tables.metadata,
    migrations=Path(__file__).parent / "migrations",
    observe=metrics.observe,
    retell=recovery.retell,
    recovered=recovery.settle,
    read_model=READ_MODEL,
)
