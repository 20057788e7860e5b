"""SQL of dispatch's lists and gauges: reads only.

A band is a comparison of instants, so no scan is needed to keep it right.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import ColumnElement, Connection, Row, Select, and_, case, func, literal, or_, select

from services.dispatch.domain.clocks import Band, Status
from services.dispatch.domain.states import OPEN, State
from services.dispatch.tables import clocks, matter_scopes, matters, whistle_seats, whistles

#: Matters of a unit that are rather sorted for its list than looked for among all; four pages are read for each.
_FEW = 10_000


@dataclass(frozen=True, slots=True, kw_only=True)
class MatterFilter:
    """Which matters a list shows; None: any."""

    #: Whose matters: of this unit and all below it.
    unit: str
    state: str | None = None
    response_class: str | None = None
    band: str | None = None
    #: Whether private matters are shown too.
    private: bool = False


def matters_by_due(
    db: Connection, which: MatterFilter, now: datetime, after: tuple[datetime, str] | None, limit: int
) -> Sequence[Row[Any]]:
    """Matters sorted by their next due instant; the page after (due instant, id)."""
    query: Select[Any] = _of_unit(db, which.unit).order_by(matters.c.due_at, matters.c.id).limit(limit)
    if which.state is not None:
        query = query.where(matters.c.state == which.state)
    if which.response_class is not None:
        query = query.where(matters.c.response_class == which.response_class)
    if which.band is not None:
        query = query.where(_in_band(which.band, now))
    if not which.private:
        query = query.where(matters.c.private.is_(False))
    if after is not None:
        due_at, matter_id = after
        query = query.where(or_(matters.c.due_at > due_at, and_(matters.c.due_at == due_at, matters.c.id > matter_id)))
    return db.execute(query).all()


def _of_unit(db: Connection, unit: str) -> Select[Any]:
    # PostgreSQL walks the matters by their due instant until the page is full: a few pages for a street that sees
    # them all, every matter there ever was for a grid that sees few. Of few, theirs are taken first and then sorted.
    mine = select(matter_scopes.c.matter_id).where(matter_scopes.c.unit == unit)
    counted = select(func.count()).select_from(mine.limit(_FEW + 1).subquery())
    if db.execute(counted).scalar_one() > _FEW:
        joined = select(matters).join(matter_scopes, matter_scopes.c.matter_id == matters.c.id)
        return joined.where(matter_scopes.c.unit == unit)
    few = mine.cte("mine").prefix_with("MATERIALIZED", dialect="postgresql")
    return select(matters).join(few, few.c.matter_id == matters.c.id)


def _in_band(band: str, now: datetime) -> ColumnElement[bool]:
    if band == Band.PAUSED:
        return matters.c.state == State.SUSPENDED.value
    open_ = and_(matters.c.state.in_([state.value for state in OPEN]), matters.c.state != State.SUSPENDED.value)
    if band == Band.GROSSLY_OVERDUE:
        return and_(open_, matters.c.gross_at <= now)
    if band == Band.OVERDUE:
        return and_(open_, matters.c.gross_at > now, matters.c.due_at < now)
    if band == Band.DUE_SOON:
        return and_(open_, matters.c.due_at >= now, matters.c.soon_at <= now)
    return and_(open_, matters.c.due_at >= now, matters.c.soon_at > now)


def calls(
    db: Connection,
    *,
    department: str | None,
    scope: str | None,
    private: bool,
    open_only: bool,
    after: str | None,
    limit: int,
) -> Sequence[Row[Any]]:
    """Whistle calls of a department, or about matters that a unit may see, newest last; `private`: those too."""
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
