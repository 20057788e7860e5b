"""Whether a process lives, whether it can work, and what it measures: `/health/live`, `/health/ready`, `/metrics`.

Answers while database and broker are away, and says which one is: these routes never wait for a worker.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime

from sqlalchemy import text
from sqlalchemy.exc import DBAPIError
from sqlalchemy.exc import TimeoutError as PoolExhausted
from werkzeug import Response

from shared.ledger import interventions, outbox, parking, quarantine
from shared.ledger.engines import reading
from shared.ledger.unit_of_work import look_only
from shared.runtime.application import Application

_METRICS_TYPE = "application/openmetrics-text; version=1.0.0; charset=utf-8"

#: What is missing before the first try.
STARTING = "starting"


@dataclass(kw_only=True)
class Health:
    """The state of one process, kept up to date by those who know."""

    application: Application
    #: Why the database cannot be used yet (away, not migrated), or None.
    database_fault: str | None = STARTING
    #: Why the broker cannot be used yet, or None. None from the start where there is no broker (embedded mode).
    broker_fault: Callable[[], str | None] = field(default=lambda: None)

    def live(self) -> Response:
        """The process runs."""
        return _json(200, {"status": "alive", "service": self.application.name})

    def ready(self) -> Response:
        """Whether requests and messages can be handled; 503 names what is missing."""
        missing = {}
        if (fault := self.database_fault or self._database_away()) is not None:
            missing["database"] = fault
        if (fault := self.broker_fault()) is not None:
            missing["broker"] = fault
        status = "unavailable" if missing else "ready"
        return _json(
            503 if missing else 200,
            {"status": status, "service": self.application.name} | ({"missing": missing} if missing else {}),
        )

    def metrics(self) -> Response:
        """What is measured; gauges from the database keep their last value while it is away."""
        application = self.application
        if self.database_fault is None:
            try:
                self._refresh()
            except (DBAPIError, PoolExhausted):
                application.metrics.gauge("database_up", "1 while the database answers").labels(application.name).set(0)
        return Response(application.metrics.render(), content_type=_METRICS_TYPE)

    def _refresh(self) -> None:
        application = self.application
        metrics, name = application.metrics, application.name
        with look_only(application.at_hand) as work:
            waiting, oldest = outbox.backlog(work.db)
            metrics.outbox_pending.labels(name).set(waiting)
            metrics.outbox_age.labels(name).set(_age_s(oldest, work.now))
            parked, longest = parking.backlog(work.db)
            metrics.parked.labels(name).set(parked)
            metrics.parked_age.labels(name).set(_age_s(longest, work.now))
            metrics.quarantined.labels(name).set(quarantine.held_count(work.db))
            for kind, number in interventions.counts(work.db).items():
                metrics.interventions.labels(name, kind).set(number)
            if application.definition.refresh is not None:
                application.definition.refresh(work, metrics)
        metrics.gauge("database_up", "1 while the database answers").labels(name).set(1)

    def _database_away(self) -> str | None:
        try:
            with reading(self.application.at_hand.engine) as db:
                db.execute(text("SELECT 1"))
        except (DBAPIError, PoolExhausted) as error:
            return _first_line(error)
        return None


def _age_s(since: datetime | None, now: datetime) -> float:
    return 0.0 if since is None else max(0.0, (now - since).total_seconds())


def _first_line(error: Exception) -> str:
    # The driver's own words ("connection refused"): they name host and port, never a password.
    return str(getattr(error, "orig", error)).strip().splitlines()[0][:200]


def _json(status: int, body: dict[str, object]) -> Response:
    response = Response(json.dumps(body, ensure_ascii=False), status=status, content_type="application/json")
    response.headers["Cache-Control"] = "no-store"
    return response
