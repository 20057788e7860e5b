"""Which handler hears which event. Every event, these and all others, is in the trace before its handler runs."""

from __future__ import annotations

from collections.abc import Mapping

from services.oversight import handlers
from services.oversight.repository.projection import PROJECTIONS
from shared.ledger.reception import EventHandler

SUBSCRIPTIONS: Mapping[str, EventHandler] = {
    **dict.fromkeys(PROJECTIONS, handlers.project),
    "intake.demand-registered": handlers.on_demand_registered,
    "dispatch.matter-resolved": handlers.on_matter_ended,
    "dispatch.matter-closed": handlers.on_matter_ended,
}
