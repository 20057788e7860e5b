"""Dispatch's HTTP routes. `<matter>` and `<whistle>` become fields of the command or parameters of the query."""

from __future__ import annotations

from services.dispatch.web import claim_views, time_views, views, whistle_views
from shared.runtime.definition import Query, Route

_MATTER = "/api/v1/matters/<matter>"
_WHISTLE = "/api/v1/whistles/<whistle>"

ROUTES: tuple[Route, ...] = (
    Route(method="POST", path=f"{_MATTER}/accept", command="dispatch.accept"),
    Route(method="POST", path=f"{_MATTER}/progress", command="dispatch.progress"),
    Route(method="POST", path=f"{_MATTER}/return", command="dispatch.return"),
    Route(method="POST", path=f"{_MATTER}/escalate", command="dispatch.escalate"),
    Route(method="POST", path=f"{_MATTER}/hand-back", command="dispatch.hand-back"),
    Route(method="POST", path=f"{_MATTER}/cost", command="dispatch.estimate-cost"),
    Route(method="POST", path=f"{_MATTER}/assign", command="dispatch.assign"),
    Route(method="POST", path=f"{_MATTER}/reclassify", command="dispatch.reclassify"),
    Route(method="POST", path=f"{_MATTER}/suspend", command="dispatch.suspend"),
    Route(method="POST", path=f"{_MATTER}/resume", command="dispatch.resume"),
    Route(method="POST", path=f"{_MATTER}/extensions", command="dispatch.request-extension", creates=True),
    Route(method="POST", path=f"{_MATTER}/extensions/decision", command="dispatch.decide-extension"),
    Route(method="POST", path=f"{_MATTER}/suspensions", command="dispatch.request-suspension", creates=True),
    Route(method="POST", path=f"{_MATTER}/suspensions/decision", command="dispatch.decide-suspension"),
    Route(method="POST", path="/api/v1/calendar/years", command="dispatch.import-calendar", creates=True),
    Route(method="POST", path=f"{_MATTER}/whistles", command="dispatch.blow-whistle", creates=True),
    Route(method="POST", path=f"{_MATTER}/resolve", command="dispatch.resolve"),
    Route(method="POST", path=f"{_MATTER}/verify", command="dispatch.verify"),
    Route(method="POST", path=f"{_MATTER}/close", command="dispatch.close"),
    Route(method="POST", path=f"{_MATTER}/reopen", command="dispatch.reopen"),
    Route(method="POST", path=f"{_WHISTLE}/answers", command="dispatch.answer-whistle", creates=True),
    Route(method="POST", path=f"{_WHISTLE}/contests/<department>/decision", command="dispatch.decide-contest"),
    Route(
        method="POST", path=f"{_WHISTLE}/extensions/<department>/decision", command="dispatch.decide-whistle-extension"
    ),
    Route(method="POST", path=f"{_WHISTLE}/scores", command="dispatch.score-whistle", creates=True),
    Route(method="POST", path=f"{_WHISTLE}/end", command="dispatch.end-whistle"),
    Route(
        method="GET",
        path=_WHISTLE,
        query=Query(
            name="dispatch.whistle", run=whistle_views.whistle, needs=None,
            about="One whistle call 哨单: who was called, who came, disputes, wishes for more time, scores",
        ),
    ),
    Route(method="POST", path="/api/v1/bulk/accept", command="dispatch.accept-many"),
    Route(method="POST", path="/api/v1/bulk/assign", command="dispatch.assign-many"),
    Route(method="POST", path="/api/v1/claims", command="dispatch.post-claim", creates=True),
    Route(method="POST", path="/api/v1/claims/<claim>/take", command="dispatch.take-claim"),
    Route(method="POST", path="/api/v1/claims/<claim>/release", command="dispatch.release-claim"),
    Route(method="POST", path="/api/v1/claims/<claim>/fulfil", command="dispatch.fulfil-claim"),
    Route(method="POST", path="/api/v1/claims/<claim>/review", command="dispatch.review-claim"),
    Route(method="POST", path="/api/v1/claims/<claim>/lead", command="dispatch.appoint-lead"),
    Route(method="POST", path="/api/v1/claims/<claim>/withdraw", command="dispatch.withdraw-claim"),
    Route(method="POST", path=f"{_MATTER}/matches", command="dispatch.match-resource", creates=True),
    Route(method="POST", path="/api/v1/matches/<match>/settle", command="dispatch.settle-match"),
    Route(method="POST", path="/api/v1/orders/<order>/report", command="dispatch.report-rectification"),
    Route(method="POST", path="/api/v1/orders/<order>/verify", command="dispatch.verify-rectification"),
    Route(
        method="GET",
        path="/api/v1/claims",
        query=Query(
            name="dispatch.claims", run=claim_views.claims, needs="take-claim",
            about="Claims 认领清单 for one's territory and in it; state, kind, mine, cursor, limit",
        ),
    ),
    Route(
        method="GET",
        path="/api/v1/claims/<claim>",
        query=Query(name="dispatch.claim", run=claim_views.claim, needs="take-claim", about="One claim 认领事项"),
    ),
    Route(
        method="GET",
        path=f"{_MATTER}/suggestions",
        query=Query(
            name="dispatch.suggestions", run=claim_views.suggested, needs="read-matters",
            about="Resources that would help a matter 资源推荐, each with its reasons",
        ),
    ),
    Route(
        method="GET",
        path="/api/v1/orders",
        query=Query(
            name="dispatch.orders", run=claim_views.orders, needs="read-matters",
            about="Rectification orders 限期整改单 of a unit and below, next due first; unit, state, overdue, "
            "cursor, limit",
        ),
    ),
    Route(
        method="GET",
        path="/api/v1/orders/<order>",
        query=Query(name="dispatch.order", run=claim_views.order, needs="read-matters", about="One order 整改单"),
    ),
    Route(
        method="GET",
        path=_MATTER,
        query=Query(
            name="dispatch.matter", run=views.matter, needs=None,
            about="One matter 事项: class and why, unit, ladder, clocks, steps, calls, measures",
        ),
    ),
    Route(
        method="GET",
        path="/api/v1/matters",
        query=Query(
            name="dispatch.matters", run=views.matters, needs="read-matters",
            about="Matters of one's territory by next due time 待办列表; unit, responsible, level, person, state, "
            "open, class, category, band, due_before, cursor, limit",
        ),
    ),
    Route(
        method="GET",
        path=f"{_MATTER}/clocks/<clock>",
        query=Query(
            name="dispatch.clock", run=time_views.clock, needs="read-matters",
            about="One clock 计时, and step by step why it is due then",
        ),
    ),
    Route(
        method="GET",
        path="/api/v1/time-requests",
        query=Query(
            name="dispatch.time-requests", run=time_views.requests, needs="read-matters",
            about="Requests for more time 延期 and rest 挂账 that wait for a decision; kind, cursor, limit",
        ),
    ),
    Route(
        method="GET",
        path="/api/v1/calendar",
        query=Query(
            name="dispatch.calendar", run=time_views.calendar, needs=None,
            about="The working calendars in force 工作日历, and the years taken in",
        ),
    ),
    Route(
        method="GET",
        path="/api/v1/calendar/due",
        query=Query(
            name="dispatch.due", run=time_views.due, needs=None,
            about="When a promise is due 到期时间, step by step; class, kind, start, strict",
        ),
    ),
    Route(
        method="GET",
        path="/api/v1/whistles",
        query=Query(
            name="dispatch.whistles", run=whistle_views.whistles, needs=None,
            about="Whistle calls 哨单, a department's or one's territory's; department, open, to_decide, cursor, limit",
        ),
    ),
)  # fmt: skip
