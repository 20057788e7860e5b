"""Dispatch's handlers by subject: one function per command and per event; they decide and write, and never commit."""

from __future__ import annotations

from services.dispatch.handlers.closing import close, on_evaluation_received, reopen, resolve, verify
from services.dispatch.handlers.handing import assign, escalate, return_matter
from services.dispatch.handlers.listening import (
    on_demand_joined,
    on_demand_supplemented,
    on_demand_withdrawn,
    on_measure_assigned,
    on_measure_completed,
    on_resolution_adopted,
)
from services.dispatch.handlers.opening import on_matter_located, on_matter_opened
from services.dispatch.handlers.scans import run_clocks, run_suspensions, run_whistles
from services.dispatch.handlers.whistling import answer_whistle, blow_whistle
from services.dispatch.handlers.working import accept, progress, reclassify, resume, suspend

__all__ = [
    "accept",
    "answer_whistle",
    "assign",
    "blow_whistle",
    "close",
    "escalate",
    "on_demand_joined",
    "on_demand_supplemented",
    "on_demand_withdrawn",
    "on_evaluation_received",
    "on_matter_located",
    "on_matter_opened",
    "on_measure_assigned",
    "on_measure_completed",
    "on_resolution_adopted",
    "progress",
    "reclassify",
    "reopen",
    "resolve",
    "resume",
    "return_matter",
    "run_clocks",
    "run_suspensions",
    "run_whistles",
    "suspend",
    "verify",
]
