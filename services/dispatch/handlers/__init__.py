"""Dispatch's handlers by subject: one function per command and per event; they decide and write, and never commit."""

from __future__ import annotations

from services.dispatch.handlers.calendars import import_calendar, recount, run_calendars
from services.dispatch.handlers.claiming import (
    appoint_lead,
    fulfil_claim,
    post_claim,
    release_claim,
    review_claim,
    run_claims,
    take_claim,
    withdraw_claim,
)
from services.dispatch.handlers.closing import close, on_evaluation_received, reopen, resolve, verify
from services.dispatch.handlers.contesting import decide_contest, decide_whistle_extension
from services.dispatch.handlers.extending import decide_extension, request_extension
from services.dispatch.handlers.handing import assign, escalate, estimate_cost, hand_back, return_matter
from services.dispatch.handlers.joining import on_matter_split
from services.dispatch.handlers.listening import (
    on_demand_joined,
    on_demand_supplemented,
    on_demand_withdrawn,
    on_measure_assigned,
    on_measure_completed,
    on_resolution_adopted,
)
from services.dispatch.handlers.many import accept_many, assign_many
from services.dispatch.handlers.matching import (
    match_resource,
    on_resource_listed,
    on_resource_withdrawn,
    settle_match,
)
from services.dispatch.handlers.opening import on_matter_located, on_matter_opened
from services.dispatch.handlers.rectifying import (
    on_rectification_ordered,
    on_rectification_withdrawn,
    report_rectification,
    run_orders,
    verify_rectification,
)
from services.dispatch.handlers.scans import run_clocks, run_suspensions, run_whistles
from services.dispatch.handlers.suspending import decide_suspension, request_suspension, resume, suspend
from services.dispatch.handlers.whistling import answer_whistle, blow_whistle, end_whistle, score_whistle, take_answer
from services.dispatch.handlers.working import accept, progress, reclassify

__all__ = [
    "accept",
    "accept_many",
    "answer_whistle",
    "appoint_lead",
    "assign",
    "assign_many",
    "blow_whistle",
    "close",
    "decide_contest",
    "decide_extension",
    "decide_suspension",
    "decide_whistle_extension",
    "end_whistle",
    "escalate",
    "estimate_cost",
    "fulfil_claim",
    "hand_back",
    "import_calendar",
    "match_resource",
    "on_demand_joined",
    "on_demand_supplemented",
    "on_demand_withdrawn",
    "on_evaluation_received",
    "on_matter_located",
    "on_matter_opened",
    "on_matter_split",
    "on_measure_assigned",
    "on_measure_completed",
    "on_rectification_ordered",
    "on_rectification_withdrawn",
    "on_resolution_adopted",
    "on_resource_listed",
    "on_resource_withdrawn",
    "post_claim",
    "progress",
    "reclassify",
    "recount",
    "release_claim",
    "reopen",
    "report_rectification",
    "request_extension",
    "request_suspension",
    "resolve",
    "resume",
    "return_matter",
    "review_claim",
    "run_calendars",
    "run_claims",
    "run_clocks",
    "run_orders",
    "run_suspensions",
    "run_whistles",
    "score_whistle",
    "settle_match",
    "suspend",
    "take_answer",
    "take_claim",
    "verify",
    "verify_rectification",
    "withdraw_claim",
]
