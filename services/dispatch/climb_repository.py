"""All SQL of climbs: what went up, what should have, and the comparison of the two."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, fields
from datetime import datetime
from typing import Any

from sqlalchemy import ColumnElement, Connection, and_, bindparam, func, insert, select

from services.dispatch.domain.ladder import Expecting
from services.dispatch.tables import clock_steps, clocks
from services.dispatch.whistle_tables import climbs
from shared.ledger.fixed import Fixed

#: What became of something that should make a matter climb.
CLIMBED, NEEDLESS, STAYED = "climbed", "needless", "stayed"


@dataclass(frozen=True, slots=True, kw_only=True)
class Climb:
    """A climb, or why there was none; the fields are the columns of `whistle_tables.climbs`."""

    matter_id: str
    at: datetime
    cause: str
    reason: str
    from_unit: str
    result: str
    to_unit: str | None = None
    because: str | None = None
    skipped: Mapping[str, str] = field(default_factory=dict)
    #: The clock's step that caused it; the same is kept once.
    clock_id: str | None = None
    promise: int | None = None
    step: str | None = None


def add_climb(db: Connection, climb: Climb) -> None:
    """Keep it."""
    values = {name: getattr(climb, name) for name in _CLIMB_FIELDS} | {"skipped": dict(climb.skipped)}
    db.execute(insert(climbs).values(**values))


_CLIMB_FIELDS = tuple(each.name for each in fields(Climb))


_CLIMBS = Fixed(select(climbs).where(climbs.c.matter_id == bindparam("of_matter")).order_by(climbs.c.position))


def climbs_of(db: Connection, matter_id: str) -> Sequence[Any]:
    """A matter's climbs, in order."""
    return _CLIMBS.all(db, {"of_matter": matter_id})


def came_from(db: Connection, matter_id: str, unit: str) -> str | None:
    """The unit from which the matter last climbed to `unit`."""
    query = (
        select(climbs.c.from_unit)
        .where(climbs.c.matter_id == matter_id, climbs.c.to_unit == unit, climbs.c.result == CLIMBED)
        .order_by(climbs.c.position.desc())
        .limit(1)
    )
    return db.execute(query).scalar_one_or_none()


def climbed_from(db: Connection, matter_id: str) -> Sequence[str]:
    """The units that the matter climbed from, whoever is responsible now."""
    query = select(climbs.c.from_unit).where(climbs.c.matter_id == matter_id, climbs.c.result == CLIMBED).distinct()
    return sorted(db.execute(query).scalars())


# -- expected and fired ------------------------------------------------------------------------------------------------


def unaccounted(db: Connection, expecting: Expecting, since: datetime) -> tuple[int, int]:
    """(expected, of them without any record of a climb or of why there was none), done since an instant.

    Two books that different code writes: what the clocks did, and what became of the matters.
    """
    wanted: list[ColumnElement[bool]] = [
        clock_steps.c.done_at >= since,
        clock_steps.c.step == expecting.step,
        clocks.c.kind.in_(expecting.kinds),
    ]
    if expecting.classes:
        wanted.append(clocks.c.response_class.in_(expecting.classes))
    kept = and_(
        climbs.c.clock_id == clock_steps.c.clock_id, climbs.c.promise == clock_steps.c.promise,
        climbs.c.step == clock_steps.c.step, climbs.c.cause == expecting.cause,
        climbs.c.reason == expecting.reason,
    )  # fmt: skip
    query = (
        select(func.count(), func.count().filter(climbs.c.position.is_(None)))
        .select_from(clock_steps.join(clocks, clocks.c.id == clock_steps.c.clock_id).outerjoin(climbs, kept))
        .where(*wanted)
    )
    expected, missing = db.execute(query).one()
    return int(expected), int(missing)


def overdue_steps(db: Connection, before: datetime) -> int:
    """Clocks whose step was due before an instant and is not done: nobody looked."""
    query = select(func.count()).select_from(clocks).where(clocks.c.next_step_at < before)
    return int(db.execute(query).scalar_one())
