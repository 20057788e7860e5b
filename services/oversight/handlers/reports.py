"""The transparency report: calculated from the read tables, published with its digest in the trace (J6, J7 公开)."""

from __future__ import annotations

import json
from datetime import datetime
from typing import Any

from services.oversight import commands
from services.oversight.domain.figures import Period
from services.oversight.domain.publication import check_whitelist
from services.oversight.domain.report import Frame, build
from services.oversight.repository import figures, trace
from services.oversight.repository import reports as repository
from services.oversight.repository.reports import PublishedReport
from shared.contracts.oversight import ReportPublished
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
    if period_from >= period_to:
        fault = "period_to must come after period_from."
        raise Invalid(fault, fields={"period_to": [fault]})
    if period_to > work.now:
        raise PeriodNotOver("The period is not over yet.", where="period_to", remedy="Let it end now or earlier.")
    units = None
    if unit is not None:
        work.jurisdiction.unit(unit)
        units = [one for one in work.jurisdiction.units if work.jurisdiction.is_within(one, unit)]
    period = Period(start=period_from, end=period_to)
    end = trace.head(work.db)
    frame = Frame(
        period=period, unit=unit, calculated_at=work.now, trace_position=end.position, trace_hash=end.hash
    )  # fmt: skip
    return build(figures.facts(work.db, period, units), frame, work.jurisdiction)


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
