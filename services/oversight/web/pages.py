"""The pages that everybody may read: published reports, and the form by which an asker evaluates.

HTML is made by templates that escape everything: no scripts, nothing loaded from elsewhere.
Chinese first, English beside it.
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import partial
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

from services.oversight.domain.evaluation import may_answer
from services.oversight.handlers.evaluations import check_link, find_evaluation
from services.oversight.repository import evaluations, reports
from services.oversight.repository.reports import PublishedReport
from services.oversight.web.table import as_csv, parsed
from shared.kernel.errors import NotFound
from shared.ledger.unit_of_work import UnitOfWork
from shared.runtime import pages
from shared.runtime.definition import Form, Page, Reply

#: Reports that the public list shows; older ones are in the API's pages.
_LISTED = 100
#: What the form's fields say -> what the command wants; whatever else is sent, the command refuses.
_ANSWERS = {"yes": True, "no": False}

_html = partial(pages.html, Path(__file__).parent / "templates")


# -- reports


def home(work: UnitOfWork, parameters: Mapping[str, str]) -> Page:
    """The public list of reports."""
    del parameters
    rows = reports.listed(work.db, before=None, limit=_LISTED)
    return _html("home.html", title=work.jurisdiction.title, reports=[_heading(row, work) for row in rows])


def _heading(row: Mapping[str, Any], work: UnitOfWork) -> dict[str, Any]:
    unit = work.jurisdiction.units.get(row["unit"] or "")
    return {
        "id": row["report_id"],
        "unit": unit.name if unit else None,
        "from": _local(row["period_from"], work),
        "to": _local(row["period_to"], work),
        "published": _local(row["published_at"], work),
        "digest": row["digest"],
    }


def _local(instant: Any, work: UnitOfWork) -> str:
    return str(instant.astimezone(ZoneInfo(work.jurisdiction.timezone)).strftime("%Y-%m-%d %H:%M"))


def report_html(work: UnitOfWork, parameters: Mapping[str, str]) -> Page:
    """A published report to read and print. Raises NotFound."""
    found = _report(work, parameters)
    return _html(
        "report.html", report=parsed(found.document), digest=found.digest, published=_local(found.published_at, work),
        report_id=found.report_id,
    )  # fmt: skip


def report_json(work: UnitOfWork, parameters: Mapping[str, str]) -> Page:
    """Byte for byte what the digest is over. Raises NotFound."""
    return Page(body=_report(work, parameters).document, content_type="application/json")


def report_csv(work: UnitOfWork, parameters: Mapping[str, str]) -> Page:
    """The same figures for a spreadsheet. Raises NotFound."""
    document = _report(work, parameters).document
    return Page(body=as_csv(parsed(document)), content_type="text/csv; charset=utf-8")


def _report(work: UnitOfWork, parameters: Mapping[str, str]) -> PublishedReport:
    found = reports.find(work.db, parameters["report"])
    if found is None:
        raise NotFound(
            "There is no such report.",
            code="unknown-report",
            where="report",
            remedy="Choose one of the list at /reports.",
        )
    return found


# -- evaluation


def evaluation_form(work: UnitOfWork, parameters: Mapping[str, str]) -> Page:
    """The form behind the link that an asker gets; works without a script.

    Raises NotFound, Forbidden (another link), Conflict (answered), Expired.
    """
    token = parameters.get("t", "")
    asked = find_evaluation(work, parameters["evaluation"])
    check_link(token, asked, work)
    may_answer(asked, work.now)
    seen = evaluations.matter(work.db, asked.matter_id)
    return _html(
        "evaluate.html", evaluation=asked.evaluation_id, token=token, number=seen.number if seen else None,
        outcome=seen.outcome if seen else None, expires=_local(asked.expires_at, work), key=work.new_id(),
    )  # fmt: skip


def _answer_content(fields: Mapping[str, str]) -> dict[str, Any]:
    content: dict[str, Any] = {name: value for name, value in fields.items() if name != "t"}
    content["token"] = fields.get("t", "")
    content["comment"] = fields.get("comment", "").strip() or None
    for name in ("satisfied", "resolved", "wants_reopening"):
        if name in fields:
            content[name] = _ANSWERS.get(fields[name], fields[name])
    return content


def _thanks(reply: Reply) -> Page:
    return _html("thanks.html", reopening=reply.body["wants_reopening"])


#: The evaluation form as it is posted.
EVALUATION = Form(content=_answer_content, done=_thanks)
