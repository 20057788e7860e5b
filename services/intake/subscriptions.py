"""What intake hears, and who deals with it."""

from __future__ import annotations

from services.intake import handlers
from services.intake.domain import STANDING_AFTER
from shared.ledger.reception import EventHandler

SUBSCRIPTIONS: dict[str, EventHandler] = {
    "dispatch.matter-classified": handlers.on_classified,
    **dict.fromkeys(STANDING_AFTER, handlers.on_step),
}
