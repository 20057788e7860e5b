"""The SQL behind departments' figures: one row for each part in a call blown in a period."""

from __future__ import annotations

from collections.abc import Collection, Iterator

from sqlalchemy import Connection, and_, case, func, select

from services.oversight.domain.departments import PartFact
from services.oversight.domain.figures import Period
from services.oversight.tables import call_parts, disputes, matters

#: Rows fetched at once.
_BATCH = 500


def parts(db: Connection, period: Period, units: Collection[str] | None) -> Iterator[PartFact]:
    """Every part in a call blown in the period, as of its end; only matters lying in `units` unless that is None."""
    decided = disputes.c.decided_at < period.end
    taken = (
        select(
            disputes.c.whistle_id,
            disputes.c.department,
            func.count().label("hops"),
            func.sum(case((and_(decided, disputes.c.decision == "upheld"), 1), else_=0)).label("upheld"),
            func.sum(case((and_(decided, disputes.c.decision == "released"), 1), else_=0)).label("released"),
        )
        .join(
            call_parts,
            and_(
                call_parts.c.whistle_id == disputes.c.whistle_id, call_parts.c.department == disputes.c.department
            ),
        )
        .where(
            call_parts.c.blown_at >= period.start, call_parts.c.blown_at < period.end,
            disputes.c.contested_at < period.end,
        )
        .group_by(disputes.c.whistle_id, disputes.c.department)
        .subquery("taken")
    )  # fmt: skip
    query = (
        select(call_parts, taken.c.hops, taken.c.upheld, taken.c.released)
        .outerjoin(
            taken,
            and_(taken.c.whistle_id == call_parts.c.whistle_id, taken.c.department == call_parts.c.department),
        )
        .where(call_parts.c.blown_at >= period.start, call_parts.c.blown_at < period.end)
        .order_by(call_parts.c.blown_at, call_parts.c.whistle_id, call_parts.c.department)
    )
    if units is not None:
        query = query.join(matters, matters.c.matter_id == call_parts.c.matter_id).where(matters.c.territory.in_(units))
    for row in db.execute(query, execution_options={"yield_per": _BATCH}):
        reported = row.reported_at is not None and row.reported_at < period.end
        scored = row.scored_at is not None and row.scored_at < period.end
        yield PartFact(
            department=row.department, led=bool(row.led), late=bool(row.late) if reported else None,
            due=row.report_in_by is not None and row.report_in_by < period.end, hops=row.hops or 0,
            upheld=row.upheld or 0, released=row.released or 0, arrival=row.arrival if scored else None,
            quality=row.quality if scored else None, result=row.result if scored else None,
        )  # fmt: skip
