"""All SQL of whistle calls. Disputes, extensions and scores: `whistle_records`."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, Integer, Row, bindparam, func, insert, select, update

from services.dispatch.domain.deadlines import Counted
from services.dispatch.domain.states import Part
from services.dispatch.domain.whistle import Seat, Whistle
from services.dispatch.whistle_tables import whistle_answers, whistle_seats, whistles
from shared.kernel.clock import parse_instant, rfc3339
from shared.kernel.errors import Stale
from shared.kernel.worktime import parse_target
from shared.ledger.fixed import Fixed

_FIELDS = tuple(field.name for field in dataclasses.fields(Whistle) if field.name != "seats")
_SEAT_FIELDS = tuple(field.name for field in dataclasses.fields(Seat))


def whistle(db: Connection, whistle_id: str) -> Whistle | None:
    """One call. Lock its matter first."""
    row = db.execute(select(whistles).where(whistles.c.id == whistle_id)).one_or_none()
    return None if row is None else whole(db, [row])[0]


def matter_of_whistle(db: Connection, whistle_id: str) -> str | None:
    """The matter a call is about."""
    return db.execute(select(whistles.c.matter_id).where(whistles.c.id == whistle_id)).scalar_one_or_none()


_QUERY = (
    select(whistles).where(whistles.c.matter_id == bindparam("of_matter")).order_by(whistles.c.blown_at, whistles.c.id)
)
_OF_MATTER, _RUNNING = Fixed(_QUERY), Fixed(_QUERY.where(whistles.c.ended_at.is_(None)))


def of_matter(db: Connection, matter_id: str, *, running: bool = False) -> tuple[Whistle, ...]:
    """A matter's calls, oldest first."""
    return whole(db, (_RUNNING if running else _OF_MATTER).all(db, {"of_matter": matter_id}))


def whole(db: Connection, rows: Sequence[Any]) -> tuple[Whistle, ...]:
    """Rows of `whistles` as calls, with their seats; two statements at most."""
    if not rows:
        return ()
    calls = {row.id: row for row in rows}
    taken: dict[str, list[Seat]] = {}
    query = (
        select(whistle_seats)
        .where(whistle_seats.c.whistle_id.in_(list(calls)))
        .order_by(whistle_seats.c.lead.desc(), whistle_seats.c.department)
    )
    for row in db.execute(query):
        taken.setdefault(row.whistle_id, []).append(_seat(row, calls[row.whistle_id]))
    return tuple(
        Whistle(**{name: getattr(row, name) for name in _FIELDS}, seats=tuple(taken.get(row.id, ()))) for row in rows
    )


def _seat(row: Row[Any], call: Row[Any]) -> Seat:
    values: dict[str, Any] = {name: getattr(row, name) for name in _SEAT_FIELDS}
    if values["report_in_by"] is None:
        # Written by release 0.1: one deadline for all, and its passing was told for all at once.
        values |= {"report_in_by": call.report_in_by, "absent_at": call.overdue_at}
    values |= {"part": Part(row.part), "hop": row.hop or 0, "final": bool(row.final)}
    values["counted"] = tuple(_counted(each) for each in row.counted or ())
    return Seat(**values)


def _columns(seat: Seat) -> dict[str, Any]:
    counted = [_written(one) for one in seat.counted]
    return {name: getattr(seat, name) for name in _SEAT_FIELDS} | {"part": seat.part.value, "counted": counted}


def _written(one: Counted) -> dict[str, Any]:
    return {
        "stage": one.stage, "start": rfc3339(one.start), "target": one.target.as_mapping(), "at": rfc3339(one.at),
        "provisional": one.provisional, "revision": one.revision,
    }  # fmt: skip


def _counted(written: Mapping[str, Any]) -> Counted:
    return Counted(
        stage=written["stage"], start=parse_instant(written["start"]), target=parse_target(written["target"]),
        at=parse_instant(written["at"]), provisional=written["provisional"], revision=written["revision"],
    )  # fmt: skip


def add(db: Connection, new: Whistle) -> None:
    """Store a new call with its seats."""
    db.execute(insert(whistles).values(**{name: getattr(new, name) for name in _FIELDS}))
    db.execute(insert(whistle_seats), [{"whistle_id": new.id} | _columns(seat) for seat in new.seats])


def save(db: Connection, old: Whistle, new: Whistle) -> None:
    """Write what changed. Raises Stale when somebody was faster."""
    changed = {name: getattr(new, name) for name in _FIELDS if getattr(new, name) != getattr(old, name)}
    statement = update(whistles).where(whistles.c.id == old.id, whistles.c.version == old.version).values(**changed)
    if changed and db.execute(statement).rowcount != 1:
        message = f"whistle {old.id} is no longer at version {old.version}"
        raise Stale(message, where="whistle", remedy="Read it again and decide anew.")
    before = {seat.department: seat for seat in old.seats}
    for seat in new.seats:
        if seat != before[seat.department]:
            key = (whistle_seats.c.whistle_id == new.id, whistle_seats.c.department == seat.department)
            db.execute(update(whistle_seats).where(*key).values(**_columns(seat)))


def add_answer(db: Connection, **values: Any) -> None:
    """Keep an answer."""
    db.execute(insert(whistle_answers).values(**values))


def answers_of(db: Connection, whistle_ids: Sequence[str]) -> Sequence[Row[Any]]:
    """The answers to these calls, in order."""
    if not whistle_ids:
        return ()
    return db.execute(
        select(whistle_answers)
        .where(whistle_answers.c.whistle_id.in_(whistle_ids))
        .order_by(whistle_answers.c.position)
    ).all()


_DUE = Fixed(
    select(whistles.c.id, whistles.c.matter_id)
    .where(whistles.c.next_step_at <= bindparam("now"))
    .order_by(whistles.c.next_step_at, whistles.c.id)
    .limit(bindparam("most", type_=Integer()))
)


def due(db: Connection, now: datetime, limit: int) -> Sequence[tuple[str, str]]:
    """(call, matter) with a deadline that has passed, the oldest first."""
    return [(row.id, row.matter_id) for row in _DUE.all(db, {"now": now, "most": limit})]


def next_due(db: Connection) -> datetime | None:
    """When a deadline of a call next passes."""
    found: datetime | None = db.execute(
        select(func.min(whistles.c.next_step_at)).where(whistles.c.next_step_at.is_not(None))
    ).scalar_one()
    return found


_BEHIND = (
    select(whistles.c.id, whistles.c.matter_id)
    .where(whistles.c.calendar_revision < bindparam("revision"), whistles.c.ended_at.is_(None))
    .order_by(whistles.c.calendar_revision, whistles.c.id)
    .limit(bindparam("most"))
)


def behind(db: Connection, revision: int, limit: int) -> Sequence[tuple[str, str]]:
    """(call, matter) of open calls with a deadline that was counted before that calendar was taken in."""
    return [(row.id, row.matter_id) for row in db.execute(_BEHIND, {"revision": revision, "most": limit})]
