"""What notify hears, and who deals with it."""

from __future__ import annotations

from services.notify import handlers
from shared.ledger.reception import EventHandler

SUBSCRIPTIONS: dict[str, EventHandler] = {
    "intake.demand-registered": handlers.on_demand_registered,
    "intake.demand-withdrawn": handlers.on_demand_withdrawn,
    "intake.demand-joined-matter": handlers.on_demand_joined,
    "intake.matter-opened": handlers.on_matter_placed,
    "intake.matter-located": handlers.on_matter_placed,
    "dispatch.matter-classified": handlers.on_matter_classified,
    "dispatch.clock-started": handlers.on_clock_set,
    "dispatch.clock-moved": handlers.on_clock_set,
    "dispatch.clock-recounted": handlers.on_clock_set,
    "dispatch.matter-assigned": handlers.on_matter_handed_over,
    "dispatch.matter-returned": handlers.on_matter_handed_over,
    "dispatch.matter-escalated": handlers.on_matter_handed_over,
    "dispatch.matter-accepted": handlers.on_matter_moved,
    "dispatch.matter-progressed": handlers.on_matter_moved,
    "dispatch.matter-suspended": handlers.on_matter_moved,
    "dispatch.matter-resumed": handlers.on_matter_moved,
    "dispatch.matter-resolved": handlers.on_matter_moved,
    "dispatch.matter-verified": handlers.on_matter_moved,
    "dispatch.matter-reworked": handlers.on_matter_moved,
    "dispatch.matter-closed": handlers.on_matter_moved,
    "dispatch.matter-reopened": handlers.on_matter_moved,
    "oversight.evaluation-requested": handlers.on_evaluation_requested,
    "oversight.rectification-withdrawn": handlers.on_work_news,
    "dispatch.claim-taken": handlers.on_work_news,
    "dispatch.claim-released": handlers.on_work_news,
    "dispatch.claim-warned": handlers.on_work_news,
    "dispatch.claim-expired": handlers.on_work_news,
    "dispatch.claim-fulfilled": handlers.on_work_news,
    "dispatch.claim-reviewed": handlers.on_work_news,
    "dispatch.claim-withdrawn": handlers.on_work_news,
    "dispatch.rectification-assigned": handlers.on_work_news,
    "dispatch.rectification-warned": handlers.on_work_news,
    "dispatch.rectification-overdue": handlers.on_work_news,
    "dispatch.rectification-reported": handlers.on_work_news,
    "dispatch.rectification-reworked": handlers.on_work_news,
    "dispatch.rectification-closed": handlers.on_work_news,
}
