"""What oversight measures beyond what every service measures: answers, inspections, and how long the trace is."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

from services.oversight.repository import evaluations, trace
from shared.contracts.oversight import InspectionRecorded
from shared.ledger.unit_of_work import UnitOfWork
from shared.runtime.metrics import ServiceMetrics

#: Evaluations are read from the database by index: answers come by API and by page, at any replica.
_WINDOW = timedelta(days=1)
_KINDS = ("on-site", "cloud")


def observe(event: Any, metrics: ServiceMetrics) -> None:
    """Count an inspection, once it is committed."""
    if isinstance(event, InspectionRecorded):
        _inspections(metrics, event.kind, 1)


def refresh(work: UnitOfWork, metrics: ServiceMetrics) -> None:
    """Set the gauges at a scrape, and have every label set there from the start."""
    for kind in _KINDS:
        _inspections(metrics, kind, 0)
    length = metrics.gauge("trace_position", "Position of the trace's last row")
    length.labels(metrics.service).set(trace.head(work.db).position)
    lately = metrics.gauge(
        "evaluations_last_day", "Evaluations asked for and answered in the last 24 hours", ("result",)
    )
    for result, number in evaluations.since(work.db, work.now - _WINDOW).items():
        lately.labels(metrics.service, result).set(number)


def _inspections(metrics: ServiceMetrics, kind: str, by: int) -> None:
    counter = metrics.counter("inspections_total", "Inspections by kind", ("kind",))
    counter.labels(metrics.service, kind).inc(by)
