"""All SQL of dispatch's matters and clocks. Whistle calls: `whistle_repository`; lists and gauges: `lists`."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, Row, bindparam, case, delete, func, insert, select, update
from sqlalchemy.dialects import postgresql, sqlite

from services.dispatch.domain.clocks import SlaClock, Status, Step
from services.dispatch.domain.matter import Matter
from services.dispatch.domain.states import State
from services.dispatch.tables import (
    clock_steps,
    clocks,
    early_events,
    matter_scopes,
    matter_steps,
    matters,
    measures,
    pauses,
)
from shared.kernel.clock import parse_instant, rfc3339
from shared.kernel.errors import Stale
from shared.kernel.worktime import Pause, parse_target

_MATTER_FIELDS = tuple(field.name for field in dataclasses.fields(Matter))
_CLOCK_FIELDS = tuple(field.name for field in dataclasses.fields(SlaClock))


# -- matters -------------------------------------------------------------------------------------------------------


def matter(db: Connection, matter_id: str, *, lock: bool = False) -> Matter | None:
    """One matter, locked against concurrent steps when it is going to be changed."""
    query = select(matters).where(matters.c.id == matter_id)
    row = db.execute(query.with_for_update() if lock else query).one_or_none()
    return None if row is None else matter_of(row)


def matter_of(row: Row[Any]) -> Matter:
    """A row as a matter; columns beyond the matter's own are left aside."""
    values = {name: row._mapping[name] for name in _MATTER_FIELDS}  # noqa: SLF001 -- the public name of a row's mapping
    return Matter(**values | {"state": State(values["state"]), "flags": tuple(values["flags"])})


def add_matter(db: Connection, new: Matter) -> None:
    """Store a new matter."""
    db.execute(insert(matters).values(**_matter_values(new)))


def save_matter(db: Connection, old: Matter, new: Matter) -> None:
    """Write what changed. Raises Stale when somebody was faster."""
    before = _matter_values(old)
    changed = {name: value for name, value in _matter_values(new).items() if value != before[name]}
    statement = update(matters).where(matters.c.id == old.id, matters.c.version == old.version).values(**changed)
    if changed and db.execute(statement).rowcount != 1:
        message = f"matter {old.id} is no longer at version {old.version}"
        raise Stale(message, where="matter", remedy="Read it again and decide anew.")


def _matter_values(value: Matter) -> dict[str, Any]:
    values = {name: getattr(value, name) for name in _MATTER_FIELDS}
    return values | {"state": value.state.value, "flags": list(value.flags)}


def count_demands(db: Connection, matter_id: str, demands: int) -> None:
    """Note how many demands a matter has; no step, no new version."""
    db.execute(update(matters).where(matters.c.id == matter_id).values(demands=demands))


def open_to(db: Connection, matter_id: str, units: Iterable[str]) -> None:
    """Let these units see the matter."""
    dialect = postgresql if db.dialect.name == "postgresql" else sqlite
    rows = [{"unit": unit, "matter_id": matter_id} for unit in units]
    db.execute(dialect.insert(matter_scopes).on_conflict_do_nothing(), rows)


def sees(db: Connection, matter_id: str, unit: str) -> bool:
    """Whether a unit may see the matter."""
    query = select(matter_scopes.c.unit).where(matter_scopes.c.matter_id == matter_id, matter_scopes.c.unit == unit)
    return db.execute(query).one_or_none() is not None


def add_steps(db: Connection, rows: Sequence[Mapping[str, Any]]) -> None:
    """Keep what was done."""
    if rows:
        db.execute(insert(matter_steps), list(rows))


def steps_of(db: Connection, matter_id: str) -> Sequence[Row[Any]]:
    """What was done to a matter, in order."""
    return db.execute(
        select(matter_steps).where(matter_steps.c.matter_id == matter_id).order_by(matter_steps.c.position)
    ).all()


# -- clocks --------------------------------------------------------------------------------------------------------


def clocks_of(db: Connection, matter_id: str) -> dict[str, SlaClock]:
    """A matter's clocks by id, in the order they were started."""
    query = (
        select(clocks)
        .where(clocks.c.matter_id == matter_id)
        .order_by(clocks.c.attempt, clocks.c.stage, clocks.c.started_at, clocks.c.kind)
    )
    return {row.id: _clock_of(row) for row in db.execute(query)}


def _clock_of(row: Row[Any]) -> SlaClock:
    values = {name: row._mapping[name] for name in _CLOCK_FIELDS}  # noqa: SLF001 -- the public name of a row's mapping
    steps = tuple(Step(name, parse_instant(at)) for name, at in values["steps"])
    return SlaClock(
        **values | {"target": parse_target(values["target"]), "steps": steps, "status": Status(values["status"])}
    )


def _clock_values(value: SlaClock) -> dict[str, Any]:
    values = {name: getattr(value, name) for name in _CLOCK_FIELDS}
    return values | {
        "target": value.target.as_mapping(),
        "steps": [[step.name, rfc3339(step.at)] for step in value.steps],
        "status": value.status.value,
        "soon_at": value.soon_at,
        "gross_at": value.gross_at,
        "next_step_at": value.next_step_at,
    }


def add_clocks(db: Connection, new: Sequence[SlaClock]) -> None:
    """Store new clocks."""
    if new:
        db.execute(insert(clocks), [_clock_values(clock) for clock in new])


def save_clock(db: Connection, old: SlaClock, new: SlaClock) -> None:
    """Write what changed; the matter's row lock orders writers."""
    before = _clock_values(old)
    changed = {name: value for name, value in _clock_values(new).items() if value != before[name]}
    if changed:
        db.execute(update(clocks).where(clocks.c.id == old.id).values(**changed))


def mark_step(db: Connection, clock: SlaClock, step: Step, now: datetime) -> bool:
    """Mark a step of the present promise as done; False when it was."""
    dialect = postgresql if db.dialect.name == "postgresql" else sqlite
    statement = (
        dialect.insert(clock_steps)
        .values(clock_id=clock.id, promise=clock.promise, step=step.name, due_at=step.at, done_at=now)
        .on_conflict_do_nothing()
    )
    return db.execute(statement).rowcount == 1


def due_clocks(db: Connection, now: datetime, limit: int) -> Sequence[tuple[str, str]]:
    """(clock, matter) with a step to do, the oldest first."""
    query = (
        select(clocks.c.id, clocks.c.matter_id)
        .where(clocks.c.next_step_at <= now)
        .order_by(clocks.c.next_step_at, clocks.c.id)
        .limit(limit)
    )
    return [(row.id, row.matter_id) for row in db.execute(query)]


def next_clock_step(db: Connection) -> datetime | None:
    """When a clock next has a step to do."""
    found: datetime | None = db.execute(
        select(func.min(clocks.c.next_step_at)).where(clocks.c.next_step_at.is_not(None))
    ).scalar_one()
    return found


# -- suspensions ---------------------------------------------------------------------------------------------------


def begin_pause(db: Connection, **values: Any) -> None:
    """Keep an approved suspension; one that ended in the very instant in which this one begins took no time."""
    dialect = postgresql if db.dialect.name == "postgresql" else sqlite
    fresh = {"ended_at": None, **values}
    key = [pauses.c.matter_id, pauses.c.begun_at]
    db.execute(dialect.insert(pauses).values(**fresh).on_conflict_do_update(index_elements=key, set_=fresh))


def end_pause(db: Connection, matter_id: str, at: datetime) -> None:
    """End the suspension that runs; never before it began, though another machine's clock may be behind."""
    ended = case((pauses.c.begun_at > at, pauses.c.begun_at), else_=bindparam("at", at, type_=pauses.c.ended_at.type))
    running = (pauses.c.matter_id == matter_id, pauses.c.ended_at.is_(None))
    db.execute(update(pauses).where(*running).values(ended_at=ended))


def pauses_of(db: Connection, matter_id: str) -> Sequence[Row[Any]]:
    """A matter's suspensions, in order."""
    return db.execute(select(pauses).where(pauses.c.matter_id == matter_id).order_by(pauses.c.begun_at)).all()


def ended_pauses(db: Connection, matter_id: str) -> tuple[Pause, ...]:
    """Suspensions that are over, as the calendar wants them."""
    return tuple((row.begun_at, row.ended_at) for row in pauses_of(db, matter_id) if row.ended_at is not None)


def pauses_over(db: Connection, now: datetime, limit: int) -> Sequence[str]:
    """Matters whose suspension was approved up to an instant that has come, the oldest first."""
    query = (
        select(pauses.c.matter_id)
        .where(pauses.c.ended_at.is_(None), pauses.c.until.is_not(None), pauses.c.until <= now)
        .order_by(pauses.c.until)
        .limit(limit)
    )
    return list(db.execute(query).scalars())


def next_pause_end(db: Connection) -> datetime | None:
    """When a suspension next ends by itself."""
    found: datetime | None = db.execute(
        select(func.min(pauses.c.until)).where(pauses.c.ended_at.is_(None), pauses.c.until.is_not(None))
    ).scalar_one()
    return found


# -- measures and early events -------------------------------------------------------------------------------------


def add_measure(db: Connection, **values: Any) -> None:
    """Keep a measure; known ones stay as they are."""
    dialect = postgresql if db.dialect.name == "postgresql" else sqlite
    db.execute(dialect.insert(measures).values(completed_at=None, **values).on_conflict_do_nothing())


def complete_measure(db: Connection, measure_id: str, at: datetime) -> None:
    """Note that a measure was carried out."""
    db.execute(
        update(measures)
        .where(measures.c.measure_id == measure_id, measures.c.completed_at.is_(None))
        .values(completed_at=at)
    )


def measures_of(db: Connection, matter_id: str) -> Sequence[Row[Any]]:
    """A matter's measures, in order."""
    return db.execute(
        select(measures)
        .where(measures.c.matter_id == matter_id)
        .order_by(measures.c.assigned_at, measures.c.measure_id)
    ).all()


def lock_arrival(db: Connection, matter_id: str) -> None:
    """Let one transaction at a time decide whether a matter is here (SQLite has one writer anyway)."""
    if db.dialect.name == "postgresql":
        db.execute(select(func.pg_advisory_xact_lock(func.hashtextextended(matter_id, 0))))


def keep_early(db: Connection, **values: Any) -> None:
    """Keep an event that came before its matter."""
    db.execute(insert(early_events).values(**values))


def take_early(db: Connection, matter_id: str) -> Sequence[tuple[str, dict[str, Any]]]:
    """Take (event name, payload) of what came before the matter, in order."""
    rows = db.execute(
        select(early_events).where(early_events.c.matter_id == matter_id).order_by(early_events.c.position)
    ).all()
    if rows:
        db.execute(delete(early_events).where(early_events.c.matter_id == matter_id))
    return [(row.event, row.payload) for row in rows]
