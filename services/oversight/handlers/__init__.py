"""oversight's use cases: keep every event, ask the askers, take their answers, publish the figures."""

from __future__ import annotations

from services.oversight.handlers.evaluations import evaluate, on_demand_registered, on_matter_ended
from services.oversight.handlers.inspections import record_inspection
from services.oversight.handlers.rectifications import order_rectification, withdraw_rectification
from services.oversight.handlers.reports import prepare, publish_report, report
from services.oversight.handlers.tracing import observe, project

__all__ = [
    "evaluate",
    "observe",
    "on_demand_registered",
    "on_matter_ended",
    "order_rectification",
    "prepare",
    "project",
    "publish_report",
    "record_inspection",
    "report",
    "withdraw_rectification",
]
