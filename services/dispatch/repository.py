"""All SQL of dispatch's matters and clocks. Whistle calls: `whistle_repository`; lists and gauges: `lists`.

What every command runs is built once, here at the top of its function: building a statement costs more than running it.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from functools import lru_cache
from typing import Any

from sqlalchemy import Connection, Integer, Row, bindparam, case, delete, exists, func, insert, literal, select, update

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
from shared.kernel.worktime import Pause, Target, parse_target
from shared.ledger.bulk import Inserting
from shared.ledger.dialects import upsert
from shared.ledger.fixed import Fixed
from shared.ledger.writes import Write, write

_MATTER_FIELDS = tuple(field.name for field in dataclasses.fields(Matter))
_CLOCK_FIELDS = tuple(field.name for field in dataclasses.fields(SlaClock))


# -- matters -------------------------------------------------------------------------------------------------------


_ONE = select(*(matters.c[name] for name in _MATTER_FIELDS)).where(matters.c.id == bindparam("of_id"))
_MATTER, _MATTER_LOCKED = Fixed(_ONE), Fixed(_ONE.with_for_update())


def matter(db: Connection, matter_id: str, *, lock: bool = False) -> Matter | None:
    """One matter, locked against concurrent steps when it is going to be changed."""
    row = (_MATTER_LOCKED if lock else _MATTER).first(db, {"of_id": matter_id})
    return None if row is None else _matter_of(row)


def matter_of(row: Row[Any]) -> Matter:
    """A row of a list as a matter; columns beyond the matter's own are left aside."""
    named = row._mapping  # noqa: SLF001 -- the public name of a row's mapping
    return _matter_of([named[name] for name in _MATTER_FIELDS])


def _matter_of(columns: Iterable[Any]) -> Matter:
    values = dict(zip(_MATTER_FIELDS, columns, strict=True))
    values["state"], values["flags"] = State(values["state"]), tuple(values["flags"])
    return Matter(**values)


_ADD_MATTER = Fixed(insert(matters).inline(), columns=_MATTER_FIELDS)


def add_matter(db: Connection, new: Matter) -> None:
    """Store a new matter."""
    _ADD_MATTER.later(db, {name: _column(getattr(new, name)) for name in _MATTER_FIELDS})


def save(
    db: Connection,
    old: Matter,
    new: Matter,
    moved: Iterable[tuple[SlaClock, SlaClock]],
    steps: Sequence[Mapping[str, Any]],
) -> None:
    """Write what changed of a matter, which the transaction has locked, of its clocks, and what was done.

    One statement on PostgreSQL when one thing was done, as by every command: steps have an order.
    """
    rows = [Write(clocks, changed, {"id": before.id}) for before, after in moved if (changed := _moved(before, after))]
    if len(steps) == 1:
        rows.append(Write(matter_steps, steps[0]))
    else:
        add_steps(db, steps)
    if changed := _changed(_MATTER_FIELDS, old, new):
        rows.append(Write(matters, changed, {"id": old.id}))
    write(db, rows)


def _changed(names: Iterable[str], old: Any, new: Any) -> dict[str, Any]:
    """The columns in which two matters or clocks differ."""
    pairs = ((name, getattr(old, name), getattr(new, name)) for name in names)
    return {name: _column(after) for name, before, after in pairs if after is not before and after != before}


def _column(value: Any) -> Any:
    """A field as its column takes it."""
    if isinstance(value, State | Status):
        return value.value
    if isinstance(value, tuple):
        return [[each.name, rfc3339(each.at)] if isinstance(each, Step) else each for each in value]
    return value.as_mapping() if isinstance(value, Target) else value


def count_demands(db: Connection, matter_id: str, demands: int) -> None:
    """Note how many demands a matter has; no step, no new version."""
    db.execute(update(matters).where(matters.c.id == matter_id).values(demands=demands))


_OPEN_TO = Inserting(table=matter_scopes, columns=("unit", "matter_id"), conflict="ON CONFLICT DO NOTHING")


def open_to(db: Connection, matter_id: str, units: Iterable[str]) -> None:
    """Let these units see the matter."""
    _OPEN_TO.run(db, [(unit, matter_id) for unit in units])


_SEES = Fixed(
    select(matter_scopes.c.unit).where(
        matter_scopes.c.matter_id == bindparam("of_matter"), matter_scopes.c.unit == bindparam("of_unit")
    )
)


def sees(db: Connection, matter_id: str, unit: str) -> bool:
    """Whether a unit may see the matter."""
    return _SEES.first(db, {"of_matter": matter_id, "of_unit": unit}) is not None


_STEP_FIELDS = ("matter_id", "at", "action", "actor", "unit", "attempt", "detail")
_ADD_STEPS = Inserting(table=matter_steps, columns=_STEP_FIELDS)


def add_steps(db: Connection, rows: Sequence[Mapping[str, Any]]) -> None:
    """Keep what was done."""
    if rows:
        _ADD_STEPS.run(db, [[row[name] for name in _STEP_FIELDS] for row in rows])


_STEPS = Fixed(
    select(matter_steps).where(matter_steps.c.matter_id == bindparam("of_matter")).order_by(matter_steps.c.position)
)


def steps_of(db: Connection, matter_id: str) -> Sequence[Any]:
    """What was done to a matter, in order."""
    return _STEPS.all(db, {"of_matter": matter_id})


# -- clocks --------------------------------------------------------------------------------------------------------


_CLOCKS = Fixed(
    select(*(clocks.c[name] for name in _CLOCK_FIELDS))
    .where(clocks.c.matter_id == bindparam("of_matter"))
    .order_by(clocks.c.attempt, clocks.c.stage, clocks.c.started_at, clocks.c.kind)
)


def clocks_of(db: Connection, matter_id: str) -> dict[str, SlaClock]:
    """A matter's clocks by id, in the order they were started."""
    return {row.id: _clock_of(row) for row in _CLOCKS.all(db, {"of_matter": matter_id})}


def _clock_of(row: Sequence[Any]) -> SlaClock:
    values = dict(zip(_CLOCK_FIELDS, row, strict=True))
    values["target"] = _target(*next(iter(values["target"].items())))
    values["steps"] = tuple(Step(name, parse_instant(at)) for name, at in values["steps"])
    values["status"] = Status(values["status"])
    return SlaClock(**values)


def _target(kind: str, value: Any) -> Target:
    return _known_target(kind, tuple(value.items()) if isinstance(value, dict) else value)


@lru_cache(maxsize=1_024)
def _known_target(kind: str, value: Any) -> Target:
    """Packs have few targets, and every clock carries one."""
    return parse_target({kind: dict(value) if isinstance(value, tuple) else value})


#: What lists and scans look for.
_DERIVED = ("soon_at", "gross_at", "next_step_at")
_ADD_CLOCKS = Inserting(table=clocks, columns=(*_CLOCK_FIELDS, *_DERIVED))


def add_clocks(db: Connection, new: Sequence[SlaClock]) -> None:
    """Store new clocks."""
    if new:
        _ADD_CLOCKS.run(db, [[_column(getattr(clock, name)) for name in _ADD_CLOCKS.columns] for clock in new])


def _moved(old: SlaClock, new: SlaClock) -> dict[str, Any]:
    """The columns in which a clock differs now."""
    changed = _changed(_CLOCK_FIELDS, old, new)
    return changed | _changed(_DERIVED, old, new) if changed else {}


_MARK_STEP = Fixed(
    lambda dialect: upsert(dialect, clock_steps).on_conflict_do_nothing(),
    columns=("clock_id", "promise", "step", "due_at", "done_at"),
)


def mark_step(db: Connection, clock: SlaClock, step: Step, now: datetime) -> bool:
    """Mark a step of the present promise as done; False when it was."""
    row = {"clock_id": clock.id, "promise": clock.promise, "step": step.name, "due_at": step.at, "done_at": now}
    return _MARK_STEP.count(db, row) == 1


_DUE_CLOCKS = Fixed(
    select(clocks.c.id, clocks.c.matter_id)
    .where(clocks.c.next_step_at <= bindparam("now"))
    .order_by(clocks.c.next_step_at, clocks.c.id)
    .limit(bindparam("most", type_=Integer()))
)


def due_clocks(db: Connection, now: datetime, limit: int) -> Sequence[tuple[str, str]]:
    """(clock, matter) with a step to do, the oldest first."""
    return [(row.id, row.matter_id) for row in _DUE_CLOCKS.all(db, {"now": now, "most": limit})]


def next_clock_step(db: Connection) -> datetime | None:
    """When a clock next has a step to do."""
    found: datetime | None = db.execute(
        select(func.min(clocks.c.next_step_at)).where(clocks.c.next_step_at.is_not(None))
    ).scalar_one()
    return found


# -- suspensions ---------------------------------------------------------------------------------------------------


def begin_pause(db: Connection, **values: Any) -> None:
    """Keep an approved suspension; one that ended in the very instant in which this one begins took no time."""
    fresh = {"ended_at": None, **values}
    key = [pauses.c.matter_id, pauses.c.begun_at]
    db.execute(upsert(db.dialect.name, pauses).values(**fresh).on_conflict_do_update(index_elements=key, set_=fresh))


def end_pause(db: Connection, matter_id: str, at: datetime) -> None:
    """End the suspension that runs; never before it began, though another machine's clock may be behind."""
    ended = case((pauses.c.begun_at > at, pauses.c.begun_at), else_=bindparam("at", at, type_=pauses.c.ended_at.type))
    running = (pauses.c.matter_id == matter_id, pauses.c.ended_at.is_(None))
    db.execute(update(pauses).where(*running).values(ended_at=ended))


_PAUSES = Fixed(select(pauses).where(pauses.c.matter_id == bindparam("of_matter")).order_by(pauses.c.begun_at))


def pauses_of(db: Connection, matter_id: str) -> Sequence[Any]:
    """A matter's suspensions, in order."""
    return _PAUSES.all(db, {"of_matter": matter_id})


def rests(db: Connection, matter_id: str, *, until: datetime | None = None) -> tuple[Pause, ...]:
    """Suspensions that are over, as the calendar wants them; with `until` one that goes on counts up to then."""
    found = ((row.begun_at, row.ended_at or until) for row in pauses_of(db, matter_id))
    return tuple((begun, max(begun, ended)) for begun, ended in found if ended is not None)


_PAUSES_OVER = Fixed(
    select(pauses.c.matter_id)
    .where(pauses.c.ended_at.is_(None), pauses.c.until.is_not(None), pauses.c.until <= bindparam("now"))
    .order_by(pauses.c.until)
    .limit(bindparam("most", type_=Integer()))
)


def pauses_over(db: Connection, now: datetime, limit: int) -> Sequence[str]:
    """Matters whose suspension was approved up to an instant that has come, the oldest first."""
    return [row.matter_id for row in _PAUSES_OVER.all(db, {"now": now, "most": limit})]


def next_pause_end(db: Connection) -> datetime | None:
    """When a suspension next ends by itself."""
    found: datetime | None = db.execute(
        select(func.min(pauses.c.until)).where(pauses.c.ended_at.is_(None), pauses.c.until.is_not(None))
    ).scalar_one()
    return found


# -- measures and early events -------------------------------------------------------------------------------------


def add_measure(db: Connection, **values: Any) -> None:
    """Keep a measure; known ones stay as they are."""
    db.execute(upsert(db.dialect.name, measures).values(completed_at=None, **values).on_conflict_do_nothing())


def complete_measure(db: Connection, measure_id: str, at: datetime) -> None:
    """Note that a measure was carried out."""
    db.execute(
        update(measures)
        .where(measures.c.measure_id == measure_id, measures.c.completed_at.is_(None))
        .values(completed_at=at)
    )


_MEASURES = Fixed(
    select(measures)
    .where(measures.c.matter_id == bindparam("of_matter"))
    .order_by(measures.c.assigned_at, measures.c.measure_id)
)


def measures_of(db: Connection, matter_id: str) -> Sequence[Any]:
    """A matter's measures, in order."""
    return _MEASURES.all(db, {"of_matter": matter_id})


def _lock_arrival(dialect: str) -> Any:
    of_id = bindparam("of_id", type_=matters.c.id.type)
    known = exists().where(matters.c.id == of_id)
    if dialect != "postgresql":
        return select(literal(None), known)  # SQLite has one writer anyway
    return select(func.pg_advisory_xact_lock(func.hashtextextended(of_id, 0)), known)


_LOCK_ARRIVAL = Fixed(_lock_arrival)


def lock_arrival(db: Connection, matter_id: str) -> bool:
    """Let one transaction at a time decide whether a matter is here; returns whether it was before one had to wait."""
    _, known = _LOCK_ARRIVAL.first(db, {"of_id": matter_id})
    return bool(known)


def keep_early(db: Connection, **values: Any) -> None:
    """Keep an event that came before its matter."""
    db.execute(insert(early_events).values(**values))


_EARLY = Fixed(
    select(early_events.c.event, early_events.c.payload)
    .where(early_events.c.matter_id == bindparam("of_matter"))
    .order_by(early_events.c.position)
)


def take_early(db: Connection, matter_id: str) -> Sequence[tuple[str, dict[str, Any]]]:
    """Take (event name, payload) of what came before the matter, in order."""
    rows = _EARLY.all(db, {"of_matter": matter_id})
    if rows:
        db.execute(delete(early_events).where(early_events.c.matter_id == matter_id))
    return [(row.event, row.payload) for row in rows]
