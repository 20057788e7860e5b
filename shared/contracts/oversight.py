"""Events of oversight 督事·评事: the asker is asked, the answer is kept, reports are published (J6, J7)."""

from __future__ import annotations

from datetime import datetime

from shared.contracts.registry import event
from shared.contracts.shapes import choice, flag, ident, instant, text, whole


@event("oversight.evaluation-requested", stream="evaluation", key="evaluation_id")
class EvaluationRequested:
    """An asker of a closed matter is asked how it went 一事一评."""

    evaluation_id: str = ident()
    matter_id: str = ident()
    demand_id: str = ident()
    attempt: int = whole(minimum=1)
    expires_at: datetime = instant()


@event("oversight.evaluation-received", stream="evaluation", key="evaluation_id", classification="personal")
class EvaluationReceived:
    """The asker's answer 群众评价; an unsatisfied one may reopen the matter, gated by the pack."""

    evaluation_id: str = ident()
    matter_id: str = ident()
    demand_id: str = ident()
    satisfied: bool = flag()
    resolved: bool | None = flag(default=None, about="Whether the asker holds it resolved")
    comment: str | None = text(default=None, maximum=4_000)
    wants_reopening: bool = flag(default=False)
    channel: str = choice("web", "hotline", "visit", "system", default="web")


@event("oversight.report-published", stream="report", key="report_id", classification="public")
class ReportPublished:
    """A transparency report was published 公开."""

    report_id: str = ident()
    period_from: datetime = instant()
    period_to: datetime = instant()
    digest: str = ident(about="SHA-256 of the report's JSON")
    published_by: str = ident()


@event("oversight.inspection-recorded", stream="inspection", key="inspection_id")
class InspectionRecorded:
    """Somebody looked, on site or through a camera, and wrote down what they found 巡查 (J6)."""

    inspection_id: str = ident()
    matter_id: str = ident()
    kind: str = choice("on-site", "cloud")
    finding: str = text(maximum=4_000)
    passed: bool = flag(about="What was found is as it should be")
    inspected_by: str = ident()


@event("oversight.rectification-ordered", stream="order", key="order_id", since="0.2.0")
class RectificationOrdered:
    """From above, to a unit, to put something right by a deadline 限期整改 (C3)."""

    order_id: str = ident()
    matter_id: str | None = ident(default=None, about="The matter it is about; null: none")
    inspection_id: str | None = ident(default=None, about="The inspection that found it")
    unit: str = ident()
    request: str = text(maximum=4_000, about="What is to be put right; never who asked")
    legal_basis: str | None = text(default=None, maximum=1_000)
    deadline: datetime = instant()
    ordered_by: str = ident()


@event("oversight.rectification-withdrawn", stream="order", key="order_id", since="0.2.0")
class RectificationWithdrawn:
    """The order was a mistake or is needed no more 撤销整改."""

    order_id: str = ident()
    matter_id: str | None = ident(default=None)
    reason: str = text(maximum=1_000)
    withdrawn_by: str = ident()
    unit: str | None = ident(default=None, about="The unit that had it in hand")
