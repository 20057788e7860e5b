"""SQL of the published reports."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, insert, or_, select

from services.oversight.tables import reports


@dataclass(frozen=True, kw_only=True)
class PublishedReport:
    """A report as it was published."""

    report_id: str
    period_from: datetime
    period_to: datetime
    unit: str | None
    #: SHA-256 of `document`; the event report-published carries it into the trace.
    digest: str
    #: The JSON, byte for byte.
    document: bytes
    published_at: datetime
    published_by: str


def add(db: Connection, report: PublishedReport) -> None:
    """Store a report; nothing ever changes it."""
    values = {name: getattr(report, name) for name in PublishedReport.__dataclass_fields__}
    db.execute(insert(reports).values(values))


def find(db: Connection, report_id: str) -> PublishedReport | None:
    """One report, or None."""
    row = db.execute(select(reports).where(reports.c.report_id == report_id)).mappings().one_or_none()
    return None if row is None else PublishedReport(**{**row, "document": bytes(row["document"])})


def listed(db: Connection, *, before: str | None, limit: int) -> Sequence[dict[str, Any]]:
    """Reports without their documents, the newest first; `before` is the id of the last one seen."""
    columns = [column for column in reports.c if column.name != "document"]
    query = select(*columns).order_by(reports.c.published_at.desc(), reports.c.report_id.desc()).limit(limit)
    if before is not None:
        seen = select(reports.c.published_at).where(reports.c.report_id == before).scalar_subquery()
        same_instant = (reports.c.published_at == seen) & (reports.c.report_id < before)
        query = query.where(or_(reports.c.published_at < seen, same_instant))
    return [dict(row) for row in db.execute(query).mappings()]
