"""What intake counts beyond what every service counts."""

from __future__ import annotations

from typing import Any

from shared.contracts import intake
from shared.runtime.metrics import ServiceMetrics


def observe(event: Any, metrics: ServiceMetrics) -> None:
    """Count demands by channel and asker, once they are committed."""
    if isinstance(event, intake.DemandRegistered):
        demands = metrics.counter("demands_registered_total", "Demands by channel", ("channel", "asker", "joined"))
        demands.labels(metrics.service, event.channel, event.asker_kind, str(event.joined).lower()).inc()
