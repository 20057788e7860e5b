"""oversight's addresses."""

from __future__ import annotations

from services.oversight.web import pages, views
from shared.runtime.definition import Query, Route

TRACE_HEAD = Query(
    name="oversight.trace-head", run=views.trace_head, needs=None, about="End of the hash chain 存证链头"
)
TIMELINE = Query(
    name="oversight.timeline", run=views.timeline, needs=None, about="Every event of a matter 全程留痕; staff in scope"
)
EVALUATIONS = Query(
    name="oversight.evaluations", run=views.matter_evaluations, needs="inspect", about="Evaluations of a matter 评价"
)
PREVIEW = Query(
    name="oversight.report-preview", run=views.report_preview, needs="read-reports", about="A report, unpublished 预览"
)
DEPARTMENTS = Query(
    name="oversight.departments", run=views.departments, needs="read-reports",
    about="How departments answered calls 部门响应与双考核: in time, scores, disputes; period_from, period_to, unit",
)  # fmt: skip
PUBLISHED = Query(name="oversight.reports", run=views.published, needs=None, about="Published reports 公开报告")

ROUTES: tuple[Route, ...] = (
    Route(method="GET", path="/api/v1/trace/head", query=TRACE_HEAD, about=TRACE_HEAD.about),
    Route(method="GET", path="/api/v1/matters/<matter>/timeline", query=TIMELINE, about=TIMELINE.about),
    Route(method="GET", path="/api/v1/departments/figures", query=DEPARTMENTS, about=DEPARTMENTS.about),
    Route(method="GET", path="/api/v1/matters/<matter>/evaluations", query=EVALUATIONS, about=EVALUATIONS.about),
    Route(
        method="POST", path="/api/v1/matters/<matter>/inspections", command="oversight.record-inspection", creates=True,
        about="Record an inspection 巡查",
    ),
    Route(
        method="POST", path="/api/v1/rectifications", command="oversight.order-rectification", creates=True,
        about="Order something to be put right 限期整改",
    ),
    Route(
        method="POST", path="/api/v1/rectifications/<order>/withdraw", command="oversight.withdraw-rectification",
        about="Take an order back 撤销整改",
    ),
    Route(
        method="POST", path="/api/v1/evaluations/<evaluation>/answer", command="oversight.evaluate",
        about="Answer an evaluation 评价",
    ),
    Route(method="GET", path="/api/v1/reports", query=PUBLISHED, about=PUBLISHED.about),
    Route(method="GET", path="/api/v1/reports/preview", query=PREVIEW, needs="read-reports", about=PREVIEW.about),
    Route(
        method="POST", path="/api/v1/reports", command="oversight.publish-report", creates=True,
        about="Publish a report 公开",
    ),
    Route(method="GET", path="/", page=pages.home, people="report", about="Published reports, for everybody 公开首页"),
    Route(method="GET", path="/reports", page=pages.home, people="report", about="Published reports 公开报告"),
    Route(
        method="GET", path="/reports/<report>.html", page=pages.report_html, people="report",
        about="A report to read and print",
    ),
    Route(method="GET", path="/reports/<report>.csv", page=pages.report_csv, about="A report for a spreadsheet"),
    Route(method="GET", path="/reports/<report>.json", page=pages.report_json, about="What the digest is over"),
    Route(
        method="GET", path="/evaluate/<evaluation>", page=pages.evaluation_form, people="evaluate",
        about="The asker's form 群众评价",
    ),
    Route(
        method="POST", path="/evaluate/<evaluation>", command="oversight.evaluate", form=pages.EVALUATION,
        people="evaluate", about="Answer an evaluation with the form 提交评价",
    ),
)  # fmt: skip
