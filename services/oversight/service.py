"""Oversight 督事·评事 as a nameko service: one line per entrypoint, no logic."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from werkzeug import Request, Response

from services.oversight.web.routes import ROUTES
from shared.contracts.topology import subscriptions_of
from shared.ledger.reception import Received
from shared.runtime.definition import Route
from shared.runtime.entrypoints import Running, consume, due, serve
from shared.runtime.running import RunningService


class OversightService:
    """督事·评事: keeps the trace, asks for satisfaction, reports."""

    name = "oversight"
    running: RunningService = Running()

    @consume(*subscriptions_of(name))
    def hear(self, raws: Sequence[bytes]) -> Sequence[Received]:
        """Handle events."""
        return self.running.receive(raws)

    @serve(*ROUTES)
    def answer(self, request: Request, route: Route, path: Mapping[str, Any]) -> Response:
        """Answer one request."""
        return self.running.answer(request, route, path)

    @due
    def do_what_is_due(self) -> None:
        """Do what time demands, if this process leads."""
        self.running.run_due()
