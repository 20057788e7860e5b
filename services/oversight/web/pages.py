"""The pages that everybody may read: published reports, and the form by which an asker evaluates.

HTML is made by templates that escape everything: no scripts, nothing loaded from elsewhere.
Chinese first, English beside it.
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import lru_cache
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

from jinja2 import Environment, FileSystemLoader, StrictUndefined

from services.oversight import commands, handlers
from services.oversight.handlers.evaluations import token_fits
from services.oversight.repository import evaluations, reports
from services.oversight.repository.reports import PublishedReport
from services.oversight.web.table import as_csv, parsed
from shared.contracts import shapes
from shared.kernel.errors import NotFound, Refusal
from shared.kernel.wording import say
from shared.ledger.unit_of_work import UnitOfWork, unit_of_work

Page = tuple[str, bytes]

#: Reports that the public list shows; older ones are in the API's pages.
_LISTED = 100
_HTML = "text/html; charset=utf-8"
_ANSWERS = {"yes": True, "no": False}


@lru_cache(maxsize=1)
def _templates() -> Environment:
    made = Environment(
        loader=FileSystemLoader(Path(__file__).parent / "templates"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    made.globals["say"] = say
    return made


def _html(template: str, **values: object) -> Page:
    return _HTML, _templates().get_template(template).render(values).encode()


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
    return "application/json", _report(work, parameters).document


def report_csv(work: UnitOfWork, parameters: Mapping[str, str]) -> Page:
    """The same figures for a spreadsheet. Raises NotFound."""
    return "text/csv; charset=utf-8", as_csv(parsed(_report(work, parameters).document))


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
    """The form behind the link that an asker gets; works without a script."""
    evaluation_id, token = parameters["evaluation"], parameters.get("t", "")
    asked = evaluations.find(work.db, evaluation_id)
    if asked is None or not token_fits(token, evaluation_id, work):
        return _refused("invalid-link")
    if asked.answered_at is not None:
        return _refused("already-evaluated")
    if work.now >= asked.expires_at:
        return _refused("evaluation-expired")
    seen = evaluations.matter(work.db, asked.matter_id)
    return _html(
        "evaluate.html", evaluation=evaluation_id, token=token, number=seen.number if seen else None,
        outcome=seen.outcome if seen else None, expires=_local(asked.expires_at, work),
    )  # fmt: skip


def evaluation_answer(work: UnitOfWork, parameters: Mapping[str, str]) -> Page:
    """Take the posted form and thank, or say in plain words why not."""
    content: dict[str, Any] = {
        "evaluation": parameters["evaluation"],
        "token": parameters.get("t", ""),
        "satisfied": _ANSWERS.get(parameters.get("satisfied", "")),
        "resolved": _ANSWERS.get(parameters.get("resolved", "")),
        "comment": parameters.get("comment", "").strip() or None,
        "wants_reopening": parameters.get("wants_reopening") == "yes",
    }
    try:
        # A page gets a work that only looks; `work.db` has not been used yet, so this one may write.
        with unit_of_work(work.at_hand, actor=work.actor, correlation_id=work.new_id()) as writing:
            handlers.evaluate(shapes.load(commands.Evaluate, content), writing)
            writing.commit()
    except Refusal as refusal:
        return _refused(refusal.code)
    return _html("thanks.html")


#: Refusals with words of their own; whatever else it is, the link is not one of ours.
_TOLD = frozenset({"already-evaluated", "evaluation-expired", "contradictory-answer", "invalid-input"})


def _refused(code: str) -> Page:
    return _html("refused.html", reason=f"evaluate.refused.{code if code in _TOLD else 'invalid-link'}")
