"""The SQL behind the figures: one row per matter that has anything to do with a period, streamed."""

from __future__ import annotations

from collections.abc import Collection, Iterator
from typing import Any

from sqlalchemy import ColumnElement, Connection, Subquery, and_, case, exists, func, or_, select

from services.oversight.domain.figures import MatterFact, Period
from services.oversight.tables import attempts, clocks, demands, evaluations, matters, milestones

#: Rows fetched at once.
_BATCH = 500


def facts(db: Connection, period: Period, units: Collection[str] | None) -> Iterator[MatterFact]:
    """Every matter opened, closed, alive or touched in the period; only those lying in `units` unless that is None."""
    counted, merged, asked = _milestones(period), _merged(period), _answers(period)
    alive = _alive(period)
    withdrawn = exists().where(
        attempts.c.matter_id == matters.c.matter_id,
        attempts.c.ended_as == "withdrawn",
        _within(attempts.c.ended_at, period),
    )
    private_demand = exists().where(demands.c.matter_id == matters.c.matter_id, demands.c.private.is_(True))
    query = (
        select(
            matters.c.matter_id,
            matters.c.number,
            or_(matters.c.private.is_not(False), private_demand).label("private"),
            func.coalesce(matters.c.category, matters.c.asked_category).label("category"),
            matters.c.response_class,
            matters.c.level,
            matters.c.territory,
            matters.c.opened_at,
            matters.c.first_closed_at,
            matters.c.first_on_time,
            alive.label("open_at_end"),
            _overdue(period).label("overdue_at_end"),
            _suspended(period).label("suspended_at_end"),
            withdrawn.label("withdrawn"),
            *(func.coalesce(column, 0).label(column.name) for column in _counts(counted, merged, asked)),
        )
        .outerjoin(counted, counted.c.matter_id == matters.c.matter_id)
        .outerjoin(merged, merged.c.matter_id == matters.c.matter_id)
        .outerjoin(asked, asked.c.matter_id == matters.c.matter_id)
        .where(
            matters.c.opened_at < period.end,
            or_(
                matters.c.opened_at >= period.start,
                _within(matters.c.first_closed_at, period),
                alive,
                withdrawn,
                counted.c.matter_id.is_not(None),
                merged.c.matter_id.is_not(None),
                asked.c.matter_id.is_not(None),
            ),
        )
        .order_by(matters.c.opened_at, matters.c.matter_id)
    )
    if units is not None:
        query = query.where(matters.c.territory.in_(units))
    for row in db.execute(query, execution_options={"yield_per": _BATCH}).mappings():
        yield _fact(dict(row))


def _fact(row: dict[str, Any]) -> MatterFact:
    flags = ("private", "open_at_end", "overdue_at_end", "suspended_at_end", "withdrawn")
    return MatterFact(**row | {name: bool(row[name]) for name in flags})


def _counts(*tables: Subquery) -> Iterator[ColumnElement[int]]:
    for table in tables:
        yield from (column for column in table.c if column.name != "matter_id")


def _within(column: ColumnElement[Any], period: Period) -> ColumnElement[bool]:
    return and_(column >= period.start, column < period.end)


def _sum(condition: ColumnElement[bool]) -> ColumnElement[int]:
    return func.sum(case((condition, 1), else_=0))


def _milestones(period: Period) -> Subquery:
    kinds = {
        "escalations": "escalated", "whistles": "whistled", "deliberations": "deliberated", "reopenings": "reopened",
    }  # fmt: skip
    return (
        select(milestones.c.matter_id, *(_sum(milestones.c.kind == kind).label(name) for name, kind in kinds.items()))
        .where(_within(milestones.c.at, period), milestones.c.kind.in_(kinds.values()))
        .group_by(milestones.c.matter_id)
        .subquery("counted")
    )


def _merged(period: Period) -> Subquery:
    return (
        select(demands.c.matter_id, func.count().label("merged"))
        .where(demands.c.joined.is_(True), _within(demands.c.registered_at, period))
        .group_by(demands.c.matter_id)
        .subquery("merges")
    )


def _answers(period: Period) -> Subquery:
    requested = _within(evaluations.c.requested_at, period)
    answered = _within(evaluations.c.answered_at, period)
    return (
        select(
            evaluations.c.matter_id,
            _sum(requested).label("asked"),
            _sum(and_(requested, evaluations.c.answered_at < period.end)).label("asked_answered"),
            _sum(answered).label("answers"),
            _sum(and_(answered, evaluations.c.satisfied.is_(True))).label("satisfied"),
            _sum(and_(answered, evaluations.c.resolved.is_not(None))).label("resolved_said"),
            _sum(and_(answered, evaluations.c.resolved.is_(True))).label("resolved"),
        )
        .where(or_(requested, answered))
        .group_by(evaluations.c.matter_id)
        .subquery("asked")
    )


def _living(period: Period) -> ColumnElement[bool]:
    """An attempt that is alive at the period's end."""
    return and_(
        attempts.c.matter_id == matters.c.matter_id,
        attempts.c.started_at < period.end,
        or_(attempts.c.ended_at.is_(None), attempts.c.ended_at >= period.end),
    )


def _alive(period: Period) -> ColumnElement[bool]:
    return exists().where(_living(period))


def _overdue(period: Period) -> ColumnElement[bool]:
    """A resolve clock of the living attempt was due before the end and was not kept; called-off ones do not count.

    A clock that stopped late (the matter climbed and got a new one) was not kept either.
    """
    same_attempt = and_(attempts.c.matter_id == clocks.c.matter_id, attempts.c.attempt == clocks.c.attempt)
    return (
        exists()
        .select_from(clocks.join(attempts, same_attempt))
        .where(
            _living(period),
            clocks.c.matter_id == matters.c.matter_id,
            clocks.c.kind == "resolve",
            clocks.c.started_at < period.end,
            clocks.c.due_at < period.end,
            or_(clocks.c.stopped_at.is_(None), clocks.c.stopped_at > clocks.c.due_at),
            or_(clocks.c.outcome.is_(None), clocks.c.outcome != "cancelled"),
        )
    )


def _suspended(period: Period) -> ColumnElement[Any]:
    """Whether the last word before the period's end was "suspended"."""
    last = (
        select(milestones.c.kind)
        .where(
            milestones.c.matter_id == matters.c.matter_id,
            milestones.c.kind.in_(("suspended", "resumed")),
            milestones.c.at < period.end,
        )
        .order_by(milestones.c.at.desc(), milestones.c.message_id.desc())
        .limit(1)
        .correlate(matters)
        .scalar_subquery()
    )
    return func.coalesce(last == "suspended", False)
