"""Intake's HTTP routes."""

from __future__ import annotations

from services.intake.web import views
from shared.runtime.definition import Query, Route

ROUTES: tuple[Route, ...] = (
    Route(method="POST", path="/api/v1/demands", command="intake.register-demand", creates=True),
    Route(method="POST", path="/api/v1/demands/import", command="intake.import-demands"),
    Route(method="POST", path="/api/v1/demands/supplement", command="intake.supplement-demand", creates=True),
    Route(method="POST", path="/api/v1/demands/withdraw", command="intake.withdraw-demand"),
    Route(method="POST", path="/api/v1/demands/<demand>/contact", command="intake.reveal-contact"),
    Route(method="POST", path="/api/v1/matters/<matter>/location", command="intake.locate-matter"),
    Route(method="POST", path="/api/v1/matters/<matter>/parts", command="intake.split-matter", creates=True),
    Route(method="POST", path="/api/v1/resources", command="intake.list-resource", creates=True),
    Route(method="POST", path="/api/v1/resources/<resource>/withdraw", command="intake.withdraw-resource"),
    Route(
        method="GET",
        path="/api/v1/resources",
        query=Query(
            name="intake.resources", run=views.resources, needs="list-resource",
            about="The resource list 资源清单 of a unit and below; unit, kind, cursor, limit",
        ),
    ),
    Route(
        method="GET",
        path="/api/v1/status/<code>",
        query=Query(
            name="intake.status", run=views.status, needs=None, about="Where a demand stands, by tracking code"
        ),
    ),
    Route(
        method="GET", path="/status", page=views.status_page, people="status", about="Where a demand stands, for people"
    ),
    Route(
        method="GET", path="/status/<code>", page=views.status_page, people="status",
        about="The same, as a link in a message",
    ),
    Route(
        method="GET",
        path="/api/v1/unlocated",
        query=Query(
            name="intake.unlocated", run=views.unlocated, needs="locate-demand", about="Matters in no grid yet"
        ),
    ),
)  # fmt: skip
