"""Dispatch 办事 as a nameko service: one line per entrypoint, no logic."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from werkzeug import Request, Response

from services.dispatch.web.routes import ROUTES
from shared.contracts.topology import ANSWERS_QUEUE, subscriptions_of
from shared.ledger.letters import Letter
from shared.ledger.reception import Received
from shared.runtime.definition import Route
from shared.runtime.entrypoints import Running, consume, due, serve, take_letters
from shared.runtime.running import RunningService


class DispatchService:
    """办事: handles matters: classes, clocks, assignments, whistles, closure."""

    name = "dispatch"
    running: RunningService = Running()

    @consume(*subscriptions_of(name))
    def hear(self, raws: Sequence[bytes]) -> Sequence[Received]:
        """Handle events."""
        return self.running.receive(raws)

    @take_letters(ANSWERS_QUEUE)
    def hear_departments(self, letters: Sequence[Letter]) -> Sequence[Received]:
        """Take departments' answers."""
        return self.running.receive_letters(letters)

    @serve(*ROUTES)
    def answer(self, request: Request, route: Route, path: Mapping[str, Any]) -> Response:
        """Answer one request."""
        return self.running.answer(request, route, path)

    @due
    def do_what_is_due(self) -> None:
        """Do what time demands, if this process leads."""
        self.running.run_due()
