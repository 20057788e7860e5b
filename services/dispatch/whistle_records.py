"""All SQL of what is kept beside a whistle call: disputes, wishes for more time, scores."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, Row, Table, func, insert, select, update

from services.dispatch.whistle_tables import whistle_contests, whistle_extensions, whistle_scores

# -- disputes ----------------------------------------------------------------------------------------------------------


def add_contest(db: Connection, **values: Any) -> None:
    """Keep that a department's part was taken to a level."""
    db.execute(insert(whistle_contests).values(**values))


def end_contest(db: Connection, whistle_id: str, department: str, hop: int, **values: Any) -> None:
    """Keep how it came out there."""
    table = whistle_contests.c
    key = (table.whistle_id == whistle_id, table.department == department, table.hop == hop)
    db.execute(update(whistle_contests).where(*key, table.decided_at.is_(None)).values(**values))


def move_contest(db: Connection, whistle_id: str, department: str, hop: int, decide_by: datetime) -> None:
    """Keep that a dispute is to be decided by another instant."""
    table = whistle_contests.c
    key = (table.whistle_id == whistle_id, table.department == department, table.hop == hop)
    db.execute(update(whistle_contests).where(*key, table.decided_at.is_(None)).values(decide_by=decide_by))


def contest_unit(db: Connection, whistle_id: str, department: str, hop: int) -> str | None:
    """The level that a department's part was taken to at that hop; None at the first, hop 0."""
    table = whistle_contests.c
    key = (table.whistle_id == whistle_id, table.department == department, table.hop == hop)
    return db.execute(select(table.unit).where(*key)).scalar_one_or_none()


def ground_of(db: Connection, whistle_id: str, department: str, hop: int) -> str:
    """With which ground a department declined."""
    table = whistle_contests.c
    key = (table.whistle_id == whistle_id, table.department == department, table.hop == hop)
    return str(db.execute(select(table.ground).where(*key)).scalar_one())


# -- more time ---------------------------------------------------------------------------------------------------------


def ask_extension(db: Connection, *, whistle_id: str, department: str, asked_at: datetime, **values: Any) -> None:
    """Keep a wish for more time; the one asked last in an instant counts."""
    key = {"whistle_id": whistle_id, "department": department, "asked_at": asked_at}
    table = whistle_extensions
    changed = db.execute(update(table).where(*(table.c[name] == value for name, value in key.items())).values(**values))
    if changed.rowcount == 0:
        db.execute(insert(table).values(**key, **values))


def asked_extension(db: Connection, whistle_id: str, department: str) -> Row[Any] | None:
    """A department's latest wish for more time, decided or not."""
    table = whistle_extensions.c
    query = (
        select(whistle_extensions)
        .where(table.whistle_id == whistle_id, table.department == department)
        .order_by(table.asked_at.desc())
        .limit(1)
    )
    return db.execute(query).one_or_none()


def granted_extensions(db: Connection, whistle_id: str, department: str) -> int:
    """How often a department was granted more time."""
    table = whistle_extensions.c
    key = (table.whistle_id == whistle_id, table.department == department, table.granted.is_(True))
    return int(db.execute(select(func.count()).select_from(whistle_extensions).where(*key)).scalar_one())


def decide_extension(db: Connection, wish: Row[Any], **values: Any) -> None:
    """Keep what the whistler decided."""
    table = whistle_extensions.c
    key = (
        table.whistle_id == wish.whistle_id, table.department == wish.department, table.asked_at == wish.asked_at,
    )  # fmt: skip
    db.execute(update(whistle_extensions).where(*key).values(**values))


# -- scores ------------------------------------------------------------------------------------------------------------


def add_score(db: Connection, **values: Any) -> None:
    """Keep a score. Ask `is_scored` first, under the matter's lock."""
    db.execute(insert(whistle_scores).values(**values))


def is_scored(db: Connection, whistle_id: str, department: str) -> bool:
    """Whether a department was scored for the call."""
    table = whistle_scores.c
    query = select(table.department).where(table.whistle_id == whistle_id, table.department == department)
    return db.execute(query).one_or_none() is not None


# -- all of it, for views ----------------------------------------------------------------------------------------------


def contests_of(db: Connection, whistle_ids: Sequence[str]) -> Sequence[Row[Any]]:
    """The disputes of these calls, in order."""
    return _of(db, whistle_contests, whistle_ids, "department", "hop")


def extensions_of(db: Connection, whistle_ids: Sequence[str]) -> Sequence[Row[Any]]:
    """The wishes for more time in these calls, in order."""
    return _of(db, whistle_extensions, whistle_ids, "department", "asked_at")


def scores_of(db: Connection, whistle_ids: Sequence[str]) -> Sequence[Row[Any]]:
    """The scores of these calls."""
    return _of(db, whistle_scores, whistle_ids, "department")


def _of(db: Connection, table: Table, whistle_ids: Sequence[str], *order: str) -> Sequence[Row[Any]]:
    if not whistle_ids:
        return ()
    query = select(table).where(table.c.whistle_id.in_(whistle_ids))
    return db.execute(query.order_by(table.c.whistle_id, *(table.c[name] for name in order))).all()
