"""SQL of dispatch's lists and gauges: reads only.

A band is a comparison of instants, so no scan is needed to keep it right.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, Row, Select, case, func, literal, select

from services.dispatch.domain.clocks import Band, Status
from services.dispatch.tables import clocks, matter_scopes, matters
from services.dispatch.whistle_tables import whistle_seats, whistles


def calls(
    db: Connection,
    *,
    department: str | None,
    scope: str | None,
    private: bool,
    open_only: bool,
    contested_at: str | None = None,
    after: str | None,
    limit: int,
) -> Sequence[Row[Any]]:
    """Whistle calls of a department, or about matters that a unit may see, newest last; `private`: those too.

    `contested_at`: only those with a dispute that this unit has to decide.
    """
    query: Select[Any] = (
        select(whistles, matters.c.number, matters.c.response_class, matters.c.located_unit, matters.c.state)
        .join(matters, matters.c.id == whistles.c.matter_id)
        .order_by(whistles.c.id)
        .limit(limit)
    )
    if department is not None:
        query = query.join(whistle_seats, whistle_seats.c.whistle_id == whistles.c.id).where(
            whistle_seats.c.department == department
        )
    if scope is not None:
        query = query.join(matter_scopes, matter_scopes.c.matter_id == matters.c.id).where(
            matter_scopes.c.unit == scope
        )
    if not private:
        query = query.where(matters.c.private.is_(False))
    if open_only:
        query = query.where(whistles.c.ended_at.is_(None))
    if contested_at is not None:
        disputed = select(whistle_seats.c.whistle_id).where(whistle_seats.c.contest_unit == contested_at)
        query = query.where(whistles.c.ended_at.is_(None), whistles.c.id.in_(disputed))
    if after is not None:
        query = query.where(whistles.c.id > after)
    return db.execute(query).all()


def called_for(db: Connection, matter_id: str, department: str) -> bool:
    """Whether a department was ever whistled for a matter."""
    query = (
        select(literal(1))
        .select_from(whistles.join(whistle_seats, whistle_seats.c.whistle_id == whistles.c.id))
        .where(whistles.c.matter_id == matter_id, whistle_seats.c.department == department)
        .limit(1)
    )
    return db.execute(query).one_or_none() is not None


def open_clocks(db: Connection, now: datetime) -> dict[tuple[str, str], int]:
    """How many clocks stand in each (band, street); costs what is open, read at scrapes only."""
    band = case(
        (clocks.c.status == Status.PAUSED.value, Band.PAUSED.value),
        (clocks.c.gross_at <= now, Band.GROSSLY_OVERDUE.value),
        (clocks.c.due_at < now, Band.OVERDUE.value),
        (clocks.c.soon_at <= now, Band.DUE_SOON.value),
        else_=Band.OK.value,
    ).label("band")
    # A street per open clock by the matter's key; a join would have PostgreSQL read all matters, closed ones too.
    street = select(matters.c.street).where(matters.c.id == clocks.c.matter_id).scalar_subquery().label("street")
    # The state as a literal, not a parameter: only so does SQLite see that ix_clocks_open fits.
    stopped = literal(Status.STOPPED.value, literal_execute=True)
    standing = select(band, street).where(clocks.c.status != stopped).subquery("standing")
    query = select(standing.c.band, standing.c.street, func.count().label("count")).group_by(
        standing.c.band, standing.c.street
    )
    return {(row.band, row.street): row.count for row in db.execute(query)}  # type: ignore[misc]


def oldest_due_step(db: Connection) -> datetime | None:
    """The earliest instant at which a clock has a step to do: how far the scan is behind."""
    found: datetime | None = db.execute(
        select(func.min(clocks.c.next_step_at)).where(clocks.c.next_step_at.is_not(None))
    ).scalar_one()
    return found
