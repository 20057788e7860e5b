"""The transparency report: calculated from the read tables, published with its digest in the trace (J6, J7 公开)."""

from __future__ import annotations

import json
from datetime import datetime
from typing import Any

from services.oversight import commands
from services.oversight.domain import departments
from services.oversight.domain.figures import SMALL, Period
from services.oversight.domain.labels import both
from services.oversight.domain.publication import check_whitelist
from services.oversight.domain.report import Frame, build
from services.oversight.repository import departments as parts
from services.oversight.repository import figures, trace
from services.oversight.repository import reports as repository
from services.oversight.repository.reports import PublishedReport
from shared.contracts.oversight import ReportPublished
from shared.kernel.clock import rfc3339
from shared.kernel.errors import Invalid, Refusal
from shared.kernel.hashing import sha256_hex
from shared.ledger.unit_of_work import Surroundings, UnitOfWork
from shared.runtime.definition import Reply


class PeriodNotOver(Refusal):
    """What has not happened yet cannot be counted. Publish when the period is over, or a shorter one now."""

    code = "period-not-over"


def prepare(at_hand: Surroundings) -> None:
    """Check at start that the pack's whitelist can be shown. Raises Misconfigured."""
    check_whitelist(at_hand.jurisdiction)


def report(work: UnitOfWork, period_from: datetime, period_to: datetime, unit: str | None = None) -> dict[str, Any]:
    """The report of a period (from, inclusive, to, exclusive) and a unit's territory as a JSON-ready document.

    Raises Invalid (no period), PeriodNotOver, UnknownUnit.
    """
    period = checked_period(work, period_from, period_to)
    units = territory(work, unit)
    end = trace.head(work.db)
    frame = Frame(
        period=period, unit=unit, calculated_at=work.now, trace_position=end.position, trace_hash=end.hash
    )  # fmt: skip
    return build(figures.facts(work.db, period, units), frame, work.jurisdiction)


def checked_period(work: UnitOfWork, period_from: datetime, period_to: datetime) -> Period:
    """A period that is over. Raises Invalid, PeriodNotOver."""
    if period_from >= period_to:
        fault = "period_to must come after period_from."
        raise Invalid(fault, fields={"period_to": [fault]})
    if period_to > work.now:
        raise PeriodNotOver("The period is not over yet.", where="period_to", remedy="Let it end now or earlier.")
    return Period(start=period_from, end=period_to)


def territory(work: UnitOfWork, unit: str | None) -> list[str] | None:
    """The units that a unit's figures count; None: all. Raises UnknownUnit."""
    if unit is None:
        return None
    work.jurisdiction.unit(unit)
    return [one for one in work.jurisdiction.units if work.jurisdiction.is_within(one, unit)]


def department_figures(
    work: UnitOfWork, period_from: datetime, period_to: datetime, unit: str | None = None
) -> dict[str, Any]:
    """How departments answered the calls blown in a period. Raises Invalid, PeriodNotOver, UnknownUnit."""
    period = checked_period(work, period_from, period_to)
    rows = departments.figures(parts.parts(work.db, period, territory(work, unit)), work.jurisdiction)
    return {
        "period": {"from": rfc3339(period_from), "to": rfc3339(period_to)},
        "unit": unit,
        "calculated_at": rfc3339(work.now),
        "items": rows,
        "formulas": departments.formulas(),
        "notes": [both("departments.note.period"), both("departments.note.small", size=SMALL)],
        "next": None,
    }


def publish_report(command: commands.PublishReport, work: UnitOfWork) -> Reply:
    """Publish what `report` gives. Raises what it raises, and Forbidden (out of scope)."""
    if command.unit is not None:
        work.jurisdiction.unit(command.unit)
    work.require_scope(command.unit)
    document = report(work, command.period_from, command.period_to, command.unit)
    text = json.dumps(document, ensure_ascii=False, separators=(",", ":")).encode()
    published = PublishedReport(
        report_id=work.new_id(), period_from=command.period_from, period_to=command.period_to, unit=command.unit,
        digest=sha256_hex(text), document=text, published_at=work.now, published_by=work.actor.id,
    )  # fmt: skip
    repository.add(work.db, published)
    work.emit(
        ReportPublished(
            report_id=published.report_id, period_from=command.period_from, period_to=command.period_to,
            digest=published.digest, published_by=published.published_by,
        )
    )  # fmt: skip
    address = f"{work.at_hand.public_url}/reports/{published.report_id}"
    body = {"report": published.report_id, "digest": published.digest, "html": f"{address}.html"}
    return Reply(body={**body, "csv": f"{address}.csv", "json": f"{address}.json"}, version=1)
