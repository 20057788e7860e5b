"""What deliberation hears, and who deals with it."""

from __future__ import annotations

from services.deliberation import handlers
from shared.ledger.reception import EventHandler

SUBSCRIPTIONS: dict[str, EventHandler] = {
    "intake.matter-opened": handlers.on_matter_opened,
    "intake.matter-located": handlers.on_matter_located,
    "dispatch.matter-resolved": handlers.on_matter_resolved,
    "dispatch.matter-reworked": handlers.on_matter_going_on,
    "dispatch.matter-reopened": handlers.on_matter_going_on,
    "dispatch.matter-closed": handlers.on_matter_at_rest,
    "dispatch.matter-withdrawn": handlers.on_matter_withdrawn,
}
