"""Deliberation as data, for whichever way the suite is started."""

from __future__ import annotations

from pathlib import Path

from services.deliberation import ballot_box, commands, handlers, recovery, tables
from services.deliberation.read_model import READ_MODEL
from services.deliberation.subscriptions import SUBSCRIPTIONS
from services.deliberation.web.routes import ROUTES
from shared.runtime.definition import DueWork, ServiceDefinition, commands_of

DEFINITION = ServiceDefinition(
    name="deliberation",
    commands=commands_of(commands, handlers),
    subscriptions=SUBSCRIPTIONS,
    routes=ROUTES,
    tables=tables.metadata,
    migrations=Path(__file__).parent / "migrations",
    due_work=(DueWork(name="ballots", run=handlers.close_due_ballots, next_due=ballot_box.next_due),),
    retell=recovery.retell,
    read_model=READ_MODEL,
)
