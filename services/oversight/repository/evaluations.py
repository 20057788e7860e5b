"""SQL of the evaluations, and of the few things oversight needs to know of a matter."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from functools import lru_cache
from typing import Any

from sqlalchemy import Connection, bindparam, func, insert, select, update

from services.oversight.domain.evaluation import Evaluation
from services.oversight.tables import demands, evaluations, inspections, matters, milestones
from shared.ledger.bulk import Inserting
from shared.ledger.dialects import among
from shared.ledger.fixed import Fixed


@dataclass(frozen=True, kw_only=True)
class MatterSeen:
    """What oversight knows of a matter."""

    matter_id: str
    number: str | None
    #: Unknown counts as private.
    private: bool
    #: Where it lies, and who is responsible.
    territory: str | None
    unit: str | None
    outcome: str | None
    closed_at: datetime | None


_PRIVATE_DEMANDS = (
    select(func.count())
    .where(demands.c.matter_id == matters.c.matter_id, demands.c.private.is_(True))
    .correlate(matters)
    .scalar_subquery()
    .label("private_demands")
)
_MATTER = Fixed(select(matters, _PRIVATE_DEMANDS).where(matters.c.matter_id == bindparam("of_matter")))


def matter(db: Connection, matter_id: str) -> MatterSeen | None:
    """A matter, or None while no event of it has come; private too when one of its demands is."""
    row = _MATTER.first(db, {"of_matter": matter_id})
    if row is None:
        return None
    return MatterSeen(
        matter_id=row.matter_id, number=row.number, private=row.private is not False or row.private_demands > 0,
        territory=row.territory, unit=row.unit, outcome=row.outcome, closed_at=row.closed_at,
    )  # fmt: skip


def handlers_of(db: Connection, matter_id: str) -> frozenset[str]:
    """Every unit that was ever responsible for the matter or whistled for it."""
    query = select(milestones.c.unit).where(milestones.c.matter_id == matter_id, milestones.c.unit.is_not(None))
    return frozenset(db.execute(query).scalars())


def _to_ask(dialect: str) -> Any:
    asked = (evaluations.c.demand_id == demands.c.demand_id) & (evaluations.c.attempt == matters.c.attempt)
    return (
        select(demands.c.matter_id, demands.c.demand_id, matters.c.attempt)
        .join(matters, matters.c.matter_id == demands.c.matter_id)
        .outerjoin(evaluations, asked)
        .where(
            among(dialect, demands.c.matter_id, "matters"),
            demands.c.withdrawn_at.is_(None),
            among(dialect, matters.c.state, "states"),
            evaluations.c.evaluation_id.is_(None),
        )
        .order_by(demands.c.registered_at, demands.c.demand_id)
    )


_TO_ASK = Fixed(_to_ask)


def to_ask(db: Connection, matter_ids: Sequence[str], states: Sequence[str]) -> dict[str, list[tuple[str, int]]]:
    """Matter -> (demand id, attempt) of those askers who were not asked yet, of matters in one of these states."""
    found: dict[str, list[tuple[str, int]]] = {}
    if matter_ids:
        for row in _TO_ASK.all(db, {"matters": list(matter_ids), "states": list(states)}):
            found.setdefault(row.matter_id, []).append((row.demand_id, row.attempt))
    return found


_QUESTION = ("evaluation_id", "matter_id", "demand_id", "attempt", "version", "requested_at", "expires_at")
_ADD = Inserting(table=evaluations, columns=_QUESTION)


def add(db: Connection, asked: Sequence[Evaluation]) -> None:
    """Store new questions."""
    _ADD.run(db, [tuple(getattr(one, name) for name in _QUESTION) for one in asked])


_FIND = Fixed(select(evaluations).where(evaluations.c.evaluation_id == bindparam("of_id")))


def find(db: Connection, evaluation_id: str) -> Evaluation | None:
    """One question, or None."""
    row = _FIND.first(db, {"of_id": evaluation_id})
    if row is None:
        return None
    return Evaluation(
        evaluation_id=row.evaluation_id, matter_id=row.matter_id, demand_id=row.demand_id, attempt=row.attempt,
        version=row.version, requested_at=row.requested_at, expires_at=row.expires_at, answered_at=row.answered_at,
    )  # fmt: skip


def answer(db: Connection, evaluation: Evaluation, at: datetime, **given: Any) -> bool:
    """Store the answer; False when another answer came between."""
    values = {"answered_at": at, "version": evaluation.version + 1, **given}
    which = {"of_id": evaluation.evaluation_id, "of_version": evaluation.version}
    return _answering(tuple(values)).count(db, values | which) == 1


@lru_cache(maxsize=20)
def _answering(columns: tuple[str, ...]) -> Fixed:
    mine = (
        evaluations.c.evaluation_id == bindparam("of_id"),
        evaluations.c.version == bindparam("of_version", type_=evaluations.c.version.type),
    )
    return Fixed(update(evaluations).where(*mine), columns=columns)


def of_matter(db: Connection, matter_id: str) -> Sequence[dict[str, Any]]:
    """The questions about a matter and their answers, as asked."""
    query = (
        select(evaluations)
        .where(evaluations.c.matter_id == matter_id)
        .order_by(evaluations.c.requested_at, evaluations.c.evaluation_id)
    )
    return [dict(row) for row in db.execute(query).mappings()]


def since(db: Connection, instant: datetime) -> dict[str, int]:
    """How many were asked for, and answered satisfied or unsatisfied, since an instant."""
    asked = select(func.count()).where(evaluations.c.requested_at >= instant)
    answered = select(func.count()).where(evaluations.c.answered_at >= instant)
    return {
        "asked": db.execute(asked).scalar_one(),
        "satisfied": db.execute(answered.where(evaluations.c.satisfied.is_(True))).scalar_one(),
        "unsatisfied": db.execute(answered.where(evaluations.c.satisfied.is_(False))).scalar_one(),
    }


def add_inspection(db: Connection, **values: Any) -> None:
    """Store an inspection."""
    db.execute(insert(inspections).values(values))
