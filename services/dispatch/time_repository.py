"""SQL of requests for more time and rest, of calendars taken in, and of clocks counted before the newest of them."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable, Sequence
from datetime import date, datetime
from typing import Any

from sqlalchemy import ColumnElement, Connection, Row, and_, bindparam, func, insert, literal, or_, select, update

from services.dispatch import whistle_repository
from services.dispatch.domain.clocks import Status
from services.dispatch.domain.states import State
from services.dispatch.domain.time_requests import Kind, TimeRequest
from services.dispatch.tables import calendar_years, clocks, matter_scopes, matters, time_requests
from shared.kernel.worktime import PublishedYear
from shared.ledger.fixed import Fixed

_FIELDS = tuple(field.name for field in dataclasses.fields(TimeRequest))
#: Where a request may still be decided.
_DECIDABLE = (State.ASSIGNED.value, State.IN_PROGRESS.value)
#: Key of the lock under which calendars are taken in, one after the other.
_CALENDAR_LOCK = 0x6361_6C65


# -- requests ------------------------------------------------------------------------------------------------------


def add_request(db: Connection, new: TimeRequest) -> None:
    """Store a new request."""
    db.execute(insert(time_requests).values(**{name: getattr(new, name) for name in _FIELDS}))


def decide(db: Connection, decided: TimeRequest) -> None:
    """Store what became of a request; the matter's lock keeps others away."""
    names = ("decided_by", "decided_at", "granted", "granted_days", "granted_until", "note")
    values = {name: getattr(decided, name) for name in names}
    db.execute(update(time_requests).where(time_requests.c.id == decided.id).values(**values))


_REQUESTS = Fixed(
    select(time_requests)
    .where(time_requests.c.matter_id == bindparam("of_matter"))
    .order_by(time_requests.c.requested_at, time_requests.c.id)
)


def requests_of(db: Connection, matter_id: str) -> tuple[TimeRequest, ...]:
    """All requests about a matter, in the order they were made."""
    return tuple(request_of(row) for row in _REQUESTS.all(db, {"of_matter": matter_id}))


def request_of(row: Any) -> TimeRequest:
    """A row as a request; columns of other tables are left aside."""
    values = {name: getattr(row, name) for name in _FIELDS}
    return TimeRequest(**values | {"kind": Kind(values["kind"])})


def undecided(
    db: Connection, scope: str, *, kind: str | None, private: bool, after: tuple[datetime, str] | None, limit: int
) -> Sequence[Row[Any]]:
    """Requests that somebody has to decide about matters a unit may see, the oldest first, with the matter's number."""
    stands = and_(
        time_requests.c.decided_at.is_(None),
        matters.c.unit == time_requests.c.unit,
        matters.c.attempt == time_requests.c.attempt,
        matters.c.state.in_(_DECIDABLE),
    )
    query = (
        select(time_requests, matters.c.number, matters.c.response_class, matters.c.due_at, matters.c.level)
        .join(matters, matters.c.id == time_requests.c.matter_id)
        .join(matter_scopes, matter_scopes.c.matter_id == time_requests.c.matter_id)
        .where(stands, matter_scopes.c.unit == scope)
        .order_by(time_requests.c.requested_at, time_requests.c.id)
        .limit(limit)
    )
    if kind is not None:
        query = query.where(time_requests.c.kind == kind)
    if not private:
        query = query.where(matters.c.private.is_(False))
    if after is not None:
        query = query.where(_beyond(*after))
    return db.execute(query).all()


def _beyond(at: datetime, request_id: str) -> ColumnElement[bool]:
    requested = time_requests.c.requested_at
    return or_(requested > at, and_(requested == at, time_requests.c.id > request_id))


# -- calendars -----------------------------------------------------------------------------------------------------


def lock_calendars(db: Connection) -> None:
    """Let one transaction at a time take a calendar in."""
    if db.dialect.name == "postgresql":  # SQLite has one writer anyway
        db.execute(select(func.pg_advisory_xact_lock(_CALENDAR_LOCK)))


_NEWEST = select(func.coalesce(func.max(calendar_years.c.revision), 0))


def newest_revision(db: Connection) -> int:
    """How often a calendar was taken in; 0: never."""
    found: int = db.execute(_NEWEST).scalar_one()
    return found


def years(db: Connection) -> Sequence[Row[Any]]:
    """What was taken in, in order."""
    return db.execute(select(calendar_years).order_by(calendar_years.c.revision)).all()


def published(rows: Iterable[Row[Any]], calendar: str) -> tuple[PublishedYear, ...]:
    """The years of one national table among what was taken in, in order."""
    return tuple(
        PublishedYear(
            row.year,
            frozenset(map(date.fromisoformat, row.days_off)),
            frozenset(map(date.fromisoformat, row.makeup_days)),
            row.revision,
        )
        for row in rows
        if row.calendar == calendar
    )


def add_year(db: Connection, **values: Any) -> None:
    """Keep a year that was taken in."""
    db.execute(insert(calendar_years).values(**values))


def _stale(revision: ColumnElement[int] | int) -> ColumnElement[bool]:
    # The state as a literal, not a parameter: only so does SQLite see that ix_clocks_calendar fits.
    stopped = literal(Status.STOPPED.value, literal_execute=True)
    return and_(clocks.c.status != stopped, clocks.c.calendar_revision < revision)


_STALE = (
    select(clocks.c.id, clocks.c.matter_id)
    .where(_stale(bindparam("revision")))
    .order_by(clocks.c.calendar_revision, clocks.c.id)
    .limit(bindparam("most"))
)


def stale_clocks(db: Connection, revision: int, limit: int) -> Sequence[tuple[str, str]]:
    """(clock, matter) of open clocks that were counted before that revision."""
    return [(row.id, row.matter_id) for row in db.execute(_STALE, {"revision": revision, "most": limit})]


def provisional_among(db: Connection, matter_ids: Sequence[str]) -> frozenset[tuple[str, datetime]]:
    """(matter, due instant) of the running clocks of these matters whose due instant is not certain."""
    query = select(clocks.c.matter_id, clocks.c.due_at).where(
        clocks.c.matter_id.in_(matter_ids), clocks.c.status == Status.RUNNING.value, clocks.c.provisional.is_(True)
    )
    return frozenset((row.matter_id, row.due_at) for row in db.execute(query))


def next_recount(db: Connection) -> datetime | None:
    """When open clocks or calls fell behind the newest calendar; None: none is behind."""
    newest = db.execute(
        select(calendar_years.c.revision, calendar_years.c.imported_at)
        .order_by(calendar_years.c.revision.desc())
        .limit(1)
    ).one_or_none()
    if newest is None:
        return None
    if not stale_clocks(db, newest.revision, 1) and not whistle_repository.behind(db, newest.revision, 1):
        return None
    found: datetime = newest.imported_at
    return found
