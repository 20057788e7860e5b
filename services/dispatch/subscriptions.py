"""What dispatch hears, and who deals with it."""

from __future__ import annotations

from services.dispatch import handlers
from shared.ledger.reception import EventHandler

SUBSCRIPTIONS: dict[str, EventHandler] = {
    "intake.matter-opened": handlers.on_matter_opened,
    "intake.matter-located": handlers.on_matter_located,
    "intake.matter-split": handlers.on_matter_split,
    "intake.resource-listed": handlers.on_resource_listed,
    "intake.resource-withdrawn": handlers.on_resource_withdrawn,
    "intake.demand-joined-matter": handlers.on_demand_joined,
    "intake.demand-supplemented": handlers.on_demand_supplemented,
    "intake.demand-withdrawn": handlers.on_demand_withdrawn,
    "deliberation.measure-assigned": handlers.on_measure_assigned,
    "deliberation.measure-completed": handlers.on_measure_completed,
    "deliberation.resolution-adopted": handlers.on_resolution_adopted,
    "oversight.evaluation-received": handlers.on_evaluation_received,
    "oversight.rectification-ordered": handlers.on_rectification_ordered,
    "oversight.rectification-withdrawn": handlers.on_rectification_withdrawn,
}
