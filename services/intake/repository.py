"""All SQL of intake. What every demand and every step runs is built once: building costs more than running."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from functools import lru_cache
from typing import Any

from sqlalchemy import Connection, Row, Table, bindparam, func, insert, or_, select, update

from services.intake.domain import OPEN, Sameness
from services.intake.tables import contact_access, demands, matters, milestones, supplements
from shared.kernel.errors import NotFound
from shared.ledger.fixed import Fixed
from shared.ledger.writes import Write, write


def add_matter(db: Connection, **values: Any) -> int:
    """Store a matter; returns its serial."""
    return _added(db, matters, {"version": 1} | values)


def add_demand(db: Connection, **values: Any) -> int:
    """Store a demand; returns its serial."""
    return _added(db, demands, values)


def _added(db: Connection, table: Table, values: dict[str, Any]) -> int:
    (serial,) = _adding(table, tuple(values)).first(db, values)
    return int(serial)


@lru_cache(maxsize=20)
def _adding(table: Table, columns: tuple[str, ...]) -> Fixed:
    return Fixed(insert(table).returning(table.c.serial), columns=columns)


_OPEN_TWIN = Fixed(
    select(matters)
    .where(
        matters.c.text_fingerprint == bindparam("words"),
        matters.c.place_key == bindparam("place"),
        matters.c.private.is_(False),
        or_(*(matters.c.standing == standing.value for standing in OPEN)),
        matters.c.opened_at >= bindparam("since"),
    )
    .order_by(matters.c.serial)
    .limit(1)
    .with_for_update()
)


def open_twin(db: Connection, same: Sameness, since: datetime) -> Any:
    """The oldest open matter with the same words and place, locked against closing while a demand joins it."""
    wanted = {"words": same.text_fingerprint, "place": same.place_key, "since": since}
    return _OPEN_TWIN.first(db, wanted)


def count_in(db: Connection, matter_id: str) -> int:
    """Add one demand to a matter; returns how many it has now."""
    count: int = db.execute(
        update(matters)
        .where(matters.c.matter_id == matter_id)
        .values(demands=matters.c.demands + 1, version=matters.c.version + 1)
        .returning(matters.c.demands)
    ).scalar_one()
    return count


def from_source(db: Connection, source: str, source_ref: str) -> Row[Any] | None:
    """The demand that an outside system's id stands for."""
    return db.execute(
        select(demands).where(demands.c.source == source, demands.c.source_ref == source_ref)
    ).one_or_none()


def demand(db: Connection, demand_id: str) -> Row[Any]:
    """One demand. Raises NotFound."""
    row = db.execute(select(demands).where(demands.c.demand_id == demand_id)).one_or_none()
    if row is None:
        message = f"There is no demand {demand_id}."
        raise NotFound(message, code="unknown-demand", where="demand", remedy="Check the id.")
    return row


def demand_by_code(db: Connection, code_digest: str) -> Row[Any]:
    """The demand of a tracking code. Raises NotFound, the same for every wrong code."""
    row = db.execute(select(demands).where(demands.c.code_digest == code_digest)).one_or_none()
    if row is None:
        message = "No demand has this tracking code."
        raise NotFound(
            message, code="unknown-tracking-code", where="tracking_code",
            remedy="Check the code on your slip or message; it has sixteen signs.",
        )  # fmt: skip
    return row


def matter(db: Connection, matter_id: str, *, lock: bool = False) -> Row[Any]:
    """One matter. Raises NotFound."""
    query = select(matters).where(matters.c.matter_id == matter_id)
    row = db.execute(query.with_for_update() if lock else query).one_or_none()
    if row is None:
        raise unknown_matter(matter_id)
    return row


def unknown_matter(matter_id: str) -> NotFound:
    """The refusal for a matter that does not exist or may not be seen."""
    message = f"There is no matter {matter_id}."
    return NotFound(message, code="unknown-matter", where="matter", remedy="Check the id.")


def first_demand(db: Connection, matter_id: str) -> Row[Any]:
    """The demand that a matter was opened for."""
    query = select(demands).where(demands.c.matter_id == matter_id).order_by(demands.c.serial).limit(1)
    return db.execute(query).one()


def raise_version(db: Connection, matter_id: str) -> None:
    """The matter is another than it was read."""
    db.execute(update(matters).where(matters.c.matter_id == matter_id).values(version=matters.c.version + 1))


def locate(db: Connection, matter_id: str, unit: str) -> None:
    """Put a matter into a grid."""
    db.execute(update(matters).where(matters.c.matter_id == matter_id).values(unit=unit, version=matters.c.version + 1))


def withdraw(db: Connection, demand_id: str, at: datetime) -> int:
    """Mark a demand withdrawn; returns how many of its matter's demands still stand.

    A matter without any takes in no duplicates from this moment on, though dispatch has yet to hear of it: whoever
    joined it would be withdrawn with it.
    """
    matter_id: str = db.execute(
        update(demands).where(demands.c.demand_id == demand_id).values(withdrawn_at=at).returning(demands.c.matter_id)
    ).scalar_one()
    left: int = db.execute(
        select(func.count()).where(demands.c.matter_id == matter_id, demands.c.withdrawn_at.is_(None))
    ).scalar_one()
    if left == 0:
        db.execute(update(matters).where(matters.c.matter_id == matter_id).values(text_fingerprint=None))
    return left


def add_supplement(db: Connection, **values: Any) -> None:
    """Store words added to a demand."""
    db.execute(insert(supplements).values(**values))


def supplements_of(db: Connection, demand_id: str) -> Sequence[Row[Any]]:
    """Words added to a demand, oldest first."""
    return db.execute(
        select(supplements).where(supplements.c.demand_id == demand_id).order_by(supplements.c.added_at)
    ).all()


def set_standing(db: Connection, matter_id: str, standing: str, at: datetime, unit: str | None, event: str) -> None:
    """Note where a matter stands now, and the step that brought it there."""
    values = {"standing": standing, "standing_since": at} | ({} if unit is None else {"handled_by": unit})
    milestone = Write(milestones, {"matter_id": matter_id, "event": event, "unit": unit, "at": at})
    write(db, [milestone, Write(matters, values, of={"matter_id": matter_id}, raised=("version",))])


_SET_CLASS = Fixed(
    update(matters)
    .where(matters.c.matter_id == bindparam("of_matter"))
    .values(
        response_class=bindparam("to_class"),
        category=func.coalesce(bindparam("of_category", type_=matters.c.category.type), matters.c.category),
    )
)


def set_class(db: Connection, matter_id: str, response_class: str, category: str | None) -> None:
    """Note the class that dispatch decided on."""
    _SET_CLASS.later(db, {"of_matter": matter_id, "to_class": response_class, "of_category": category})


def milestones_of(db: Connection, matter_id: str) -> Sequence[Row[Any]]:
    """The steps an asker may read, oldest first."""
    return db.execute(
        select(milestones).where(milestones.c.matter_id == matter_id).order_by(milestones.c.position)
    ).all()


def unlocated(db: Connection, after: int, limit: int) -> Sequence[Row[Any]]:
    """The street's unlocated list, oldest first, with the first demand's words."""
    # The first demand of each matter shown, by index; grouping would read all demands there ever were.
    first = (
        select(func.min(demands.c.serial))
        .where(demands.c.matter_id == matters.c.matter_id)
        .correlate(matters)
        .scalar_subquery()
    )
    # Another name for the same table, so that the subquery's own is not taken for it.
    told = demands.alias("told")
    return db.execute(
        select(matters, told.c.text, told.c.place)
        .select_from(matters.join(told, told.c.serial == first))
        .where(matters.c.unit.is_(None), matters.c.serial > after)
        .where(or_(*[matters.c.standing == standing.value for standing in OPEN]))
        .order_by(matters.c.serial)
        .limit(limit)
    ).all()


def log_access(db: Connection, **values: Any) -> None:
    """Keep who looked at contact data and why."""
    db.execute(insert(contact_access).values(**values))
