"""Notify's HTTP routes."""

from __future__ import annotations

from services.notify.web import views
from shared.runtime.definition import Query, Route

ROUTES: tuple[Route, ...] = (
    Route(
        method="GET",
        path="/api/v1/messages",
        query=Query(name="notify.messages", run=views.messages, needs="handle-matter", about="Messages, newest first"),
    ),
    Route(
        method="GET",
        path="/api/v1/messages/<message>",
        query=Query(
            name="notify.message", run=views.message, needs="handle-matter", about="A message and its attempts"
        ),
    ),
    Route(method="POST", path="/api/v1/messages/<message>/retry", command="notify.retry-message"),
)
