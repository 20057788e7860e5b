"""Intake's handlers by subject: one function per command and per event; they decide and write, and never commit."""

from __future__ import annotations

from services.intake.handlers.demands import (
    import_demands,
    locate_matter,
    on_classified,
    on_step,
    register_demand,
    reveal_contact,
    supplement_demand,
    withdraw_demand,
)
from services.intake.handlers.resources import list_resource, withdraw_resource
from services.intake.handlers.splitting import split_matter

__all__ = [
    "import_demands",
    "list_resource",
    "locate_matter",
    "on_classified",
    "on_step",
    "register_demand",
    "reveal_contact",
    "split_matter",
    "supplement_demand",
    "withdraw_demand",
    "withdraw_resource",
]
