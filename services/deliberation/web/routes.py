"""Deliberation's HTTP routes."""

from __future__ import annotations

from services.deliberation.web import views
from shared.runtime.definition import Query, Route

ROUTES: tuple[Route, ...] = (
    Route(method="POST", path="/api/v1/topics", command="deliberation.open-topic", creates=True),
    Route(
        method="GET",
        path="/api/v1/topics",
        query=Query(name="deliberation.topics", run=views.topics, needs=None, about="Topics one may see, newest first"),
    ),
    Route(
        method="GET",
        path="/api/v1/topics/<topic>",
        query=Query(
            name="deliberation.topic", run=views.topic, needs=None, about="A topic with all that belongs to it"
        ),
    ),
    Route(method="POST", path="/api/v1/topics/<topic>/opinions", command="deliberation.give-opinion", creates=True),
    Route(method="POST", path="/api/v1/topics/<topic>/ballot", command="deliberation.open-ballot", creates=True),
    Route(
        method="POST", path="/api/v1/topics/<topic>/resolution", command="deliberation.adopt-resolution", creates=True
    ),
    Route(method="POST", path="/api/v1/topics/<topic>/rejection", command="deliberation.reject-resolution"),
    Route(
        method="POST",
        path="/api/v1/topics/<topic>/measures/<measure>/completion",
        command="deliberation.complete-measure",
    ),
    Route(
        method="GET",
        path="/api/v1/ballots/<ballot>",
        query=Query(
            name="deliberation.ballot", run=views.ballot, needs=None, about="A ballot; figures only once closed"
        ),
    ),
    # PUT, because a POST may carry an Idempotency-Key, and what is kept under it would pair the voter with the choice.
    Route(method="PUT", path="/api/v1/ballots/<ballot>/vote", command="deliberation.cast-vote"),
    Route(method="POST", path="/api/v1/ballots/<ballot>/close", command="deliberation.close-ballot"),
    Route(
        method="GET",
        path="/api/v1/ballots/<ballot>/receipts/<code>",
        query=Query(
            name="deliberation.receipt", run=views.receipt, needs=None, about="Whether the vote of a receipt is counted"
        ),
    ),
)
