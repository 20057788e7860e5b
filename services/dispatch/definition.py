"""Dispatch as data, for whichever way the suite is started."""

from __future__ import annotations

from pathlib import Path

from services.dispatch import (
    claim_commands,
    claim_repository,
    commands,
    connecting,
    departments,
    handlers,
    metrics,
    order_repository,
    recovery,
    repository,
    tables,
    time_repository,
    whistle_repository,
)
from services.dispatch.domain.circles import check_circles
from services.dispatch.subscriptions import SUBSCRIPTIONS
from services.dispatch.web.routes import ROUTES
from shared.ledger.unit_of_work import Surroundings
from shared.runtime.definition import DueWork, OutwardWork, ServiceDefinition, commands_of


def prepare(at_hand: Surroundings) -> None:
    """Check at start that every ladder has a top. Raises CyclicUnits."""
    check_circles(at_hand.jurisdiction)


DEFINITION = ServiceDefinition(
    name="dispatch",
    commands=commands_of(commands, handlers) | commands_of(claim_commands, handlers),
    subscriptions=SUBSCRIPTIONS,
    routes=ROUTES,
    tables=tables.metadata,
    migrations=Path(__file__).parent / "migrations",
    # Suspensions first: a clock that runs again today must not wait for the next scan.
    due_work=(
        DueWork(name="suspensions", run=handlers.run_suspensions, next_due=repository.next_pause_end),
        # Before the clocks: what the new year puts off is not breached meanwhile.
        DueWork(name="calendars", run=handlers.run_calendars, next_due=time_repository.next_recount),
        DueWork(name="clocks", run=handlers.run_clocks, next_due=repository.next_clock_step),
        DueWork(name="whistles", run=handlers.run_whistles, next_due=whistle_repository.next_due),
        DueWork(name="claims", run=handlers.run_claims, next_due=claim_repository.next_due),
        DueWork(name="orders", run=handlers.run_orders, next_due=order_repository.next_due),
    ),
    outward_work=(
        OutwardWork(
            name="connectors",
            claim=connecting.claim,
            carry_out=connecting.carry_out,
            record=connecting.record,
            next_due=connecting.next_due,
        ),
    ),
    plugin_groups=(connecting.GROUP,),
    prepare=prepare,
    letters=departments.CORRESPONDENCE,
    tell=departments.tell,
    deliver=connecting.note,
    observe=metrics.observe,
    refresh=metrics.refresh,
    retell=recovery.retell,
)
