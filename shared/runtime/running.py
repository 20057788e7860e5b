"""A service as one running process sees it: the application, and what stands between it and the outside. No nameko.

The nameko class of a service (services/*/service.py) gets this as its only dependency and passes everything on to it.
"""

from __future__ import annotations

import json
import logging
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from threading import Event
from typing import Any

from werkzeug import Request, Response

from shared.ledger.errors import Transient
from shared.ledger.letters import Letter
from shared.ledger.reception import Received
from shared.runtime import http, problems
from shared.runtime.application import Application
from shared.runtime.auth import Gatekeeper
from shared.runtime.definition import Route
from shared.runtime.health import Health
from shared.runtime.logs import correlating
from shared.runtime.patience import hold
from shared.runtime.preparation import prepare
from shared.wire.connection import HEARTBEAT_S

log = logging.getLogger(__name__)


@dataclass(kw_only=True)
class RunningService:
    """One process's service."""

    application: Application
    gatekeeper: Gatekeeper
    health: Health
    broker_url: str
    #: Seconds between two signs of life on the connection to the broker.
    heartbeat_s: int = HEARTBEAT_S
    #: Set once, when the process is told to stop.
    stopping: Event = field(default_factory=Event)
    #: Set when database and topology are ready and messages may be taken.
    prepared: Event = field(default_factory=Event)

    def prepare(self) -> None:
        """Wait for the database and the broker; messages are taken from then on. Raises Misconfigured."""

        def note(fault: str | None) -> None:
            self.health.database_fault = fault

        application = self.application
        departments: tuple[str, ...] = ()
        if application.definition.letters is not None:
            departments = tuple(unit.id for unit in application.at_hand.jurisdiction.departments())
        engine, definition = application.at_hand.engine, application.definition
        if prepare(engine, definition, self.broker_url, self.stopping, note, departments):
            log.info("ready for messages", extra={"service": application.name})
            self.prepared.set()

    def receive(self, raws: Sequence[bytes]) -> Sequence[Received]:
        """Handle messages, together if all goes well. Those without an outcome are to be held."""
        with correlating(_correlation_of(raws[0]) if len(raws) == 1 else ""):
            return self.application.receive_many(raws)

    def receive_letters(self, letters: Sequence[Letter]) -> Sequence[Received]:
        """Take messages from outside. Those without an outcome are to be held."""
        return self.application.receive_letters(letters)

    def hold_letters(self, letters: Sequence[Letter], settled: Callable[[int], None]) -> None:
        """As `hold`, for messages from outside. Raises Sick or Abandoned."""
        hold(self.receive_letters, letters, settled, stopping=self.stopping)

    def hold(self, raws: Sequence[bytes], settled: Callable[[int], None]) -> None:
        """Hold on to messages that could not be handled, and try them again. Raises Sick or Abandoned."""
        hold(self.receive, raws, settled, stopping=self.stopping)

    def run_due(self) -> None:
        """Do what is due, if this process leads and the database is there."""
        if self.health.database_fault is not None:
            return
        try:
            self.application.run_due()
        except Transient as error:
            log.warning("due work has to wait", extra={"reason": str(error)})

    def answer(self, request: Request, route: Route, path: Mapping[str, Any]) -> Response:
        """Answer one request; never raises."""
        correlation = http.correlation_id(request)
        request.environ["HTTP_X_CORRELATION_ID"] = correlation
        if self.health.database_fault is not None:
            response = http.fitting(route, problems.unavailable(f"{self.application.name} waits for its database."))
            response.headers["X-Correlation-ID"] = correlation
            return response
        with correlating(correlation):
            return http.answer(self.application, self.gatekeeper, route, request, path)


def _correlation_of(raw: bytes) -> str:
    """The correlation id, for logs only; rubbish has none and is dealt with by the reception."""
    try:
        found = json.loads(raw)["correlationid"]
    except (ValueError, KeyError, TypeError, RecursionError):
        return ""
    return found if isinstance(found, str) else ""
