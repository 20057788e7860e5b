"""oversight as data: commands, subscriptions, routes, tables, and the observer that sees every event."""

from __future__ import annotations

from pathlib import Path

from services.oversight import commands, handlers, metrics, tables
from services.oversight.read_model import READ_MODEL
from services.oversight.subscriptions import SUBSCRIPTIONS
from services.oversight.web.routes import ROUTES
from shared.runtime.definition import ServiceDefinition, commands_of

DEFINITION = ServiceDefinition(
    name="oversight",
    commands=commands_of(commands, handlers),
    subscriptions=SUBSCRIPTIONS,
    routes=ROUTES,
    tables=tables.metadata,
    migrations=Path(__file__).parent / "migrations",
    observer=handlers.observe,
    prepare=handlers.prepare,
    observe=metrics.observe,
    refresh=metrics.refresh,
    read_model=READ_MODEL,
)
