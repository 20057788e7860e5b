"""Notify's HTTP routes."""

from __future__ import annotations

from services.notify.web import notice_views, views
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
    Route(
        method="GET",
        path="/api/v1/notices",
        query=Query(
            name="notify.notices", run=notice_views.notices, needs="read-notices",
            about="Notices 工作通知 for oneself and one's desk about claims and orders, newest first; "
            "unread, cursor, limit",
        ),
    ),
    Route(method="POST", path="/api/v1/notices/<notice>/read", command="notify.mark-notice-read"),
)  # fmt: skip
