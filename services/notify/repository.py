"""All SQL of notify, but for the three steps of sending (`post`)."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, Row, String, and_, bindparam, func, insert, or_, select, update
from sqlalchemy.dialects import postgresql, sqlite

from services.notify.domain import State
from services.notify.tables import addressees, attempts, matters, messages, news
from shared.kernel.errors import NotFound, Stale


def _dialect(db: Connection) -> Any:
    return postgresql if db.dialect.name == "postgresql" else sqlite


# -- what is known


def note_matter(db: Connection, matter_id: str, **values: Any) -> None:
    """Keep what an event tells of a matter, whichever event of it comes first."""
    statement = _dialect(db).insert(matters).values(id=matter_id, **values)
    db.execute(statement.on_conflict_do_update(index_elements=[matters.c.id], set_=values))


def hold(db: Connection, matter_id: str) -> None:
    """Let one transaction at a time match a matter's askers with its news, until it ends.

    Askers and news come by different queues and are handled side by side: without this, of two transactions neither
    would see what the other has not committed yet, and the asker would never be told.
    """
    if db.dialect.name == "postgresql":  # SQLite has one writer at a time
        db.execute(_HOLD, {"matter": matter_id})


_HOLD = select(func.pg_advisory_xact_lock(func.hashtextextended(bindparam("matter", type_=String), 0)))


def add_addressee(db: Connection, **values: Any) -> Row[Any]:
    """Store whom to tell about a demand; returns the row."""
    return db.execute(insert(addressees).values(**values).returning(addressees)).one()


def addressee(db: Connection, demand_id: str) -> Row[Any] | None:
    """Whom to tell about a demand; None while its registration has not arrived."""
    return db.execute(select(addressees).where(addressees.c.demand_id == demand_id)).one_or_none()


def addressees_of(db: Connection, matter_id: str, demand_id: str | None) -> Sequence[Row[Any]]:
    """A matter's askers in order of registration, or the one named."""
    query = select(addressees).where(addressees.c.matter_id == matter_id).order_by(addressees.c.demand_id)
    if demand_id is not None:
        query = query.where(addressees.c.demand_id == demand_id)
    return db.execute(query).all()


def withdraw(db: Connection, demand_id: str, at: datetime) -> None:
    """Tell this asker nothing more: what still waits is skipped."""
    db.execute(update(addressees).where(addressees.c.demand_id == demand_id).values(withdrawn_at=at))
    db.execute(
        update(messages)
        .where(messages.c.demand_id == demand_id, messages.c.state == State.PENDING)
        .values(
            state=State.SKIPPED,
            reason="withdrawn",
            next_attempt_at=None,
            finished_at=at,
            version=messages.c.version + 1,
        )
    )


def add_news(db: Connection, **values: Any) -> Row[Any]:
    """Store a piece of news; returns the row."""
    return db.execute(insert(news).values(**values).returning(news)).one()


def news_of(db: Connection, matter_id: str, demand_id: str) -> Sequence[Row[Any]]:
    """News of a matter for all its askers or for this one, oldest first."""
    mine = or_(news.c.demand_id.is_(None), news.c.demand_id == demand_id)
    return db.execute(
        select(news).where(news.c.matter_id == matter_id, mine).order_by(news.c.at, news.c.event_id)
    ).all()


def add_message(db: Connection, **values: Any) -> None:
    """Store a message, unless this asker has the same news already."""
    db.execute(_dialect(db).insert(messages).values(attempts=0, tries=0, version=1, **values).on_conflict_do_nothing())


# -- what desks see


def message(db: Connection, message_id: str, *, lock: bool = False) -> Row[Any]:
    """One message with its matter's units. Raises NotFound."""
    query = (
        select(messages, matters.c.unit, matters.c.handled_by)
        .outerjoin(matters, matters.c.id == messages.c.matter_id)
        .where(messages.c.id == message_id)
    )
    row = db.execute(query.with_for_update(of=messages) if lock else query).one_or_none()
    if row is None:
        text = f"There is no message {message_id}."
        raise NotFound(text, code="unknown-message", where="message", remedy="Check the id.")
    return row


def retry(db: Connection, message_id: str, version: int, at: datetime) -> None:
    """Have a message tried again now, with a fresh count. Raises Stale when somebody was faster."""
    done = db.execute(
        update(messages)
        .where(messages.c.id == message_id, messages.c.version == version)
        .values(state=State.PENDING, tries=0, reason=None, next_attempt_at=at, finished_at=None, version=version + 1)
    ).rowcount
    if not done:
        text = "Somebody changed the message at the same moment."
        raise Stale(text, where="message", remedy="Read it again and decide anew.")


def list_messages(
    db: Connection,
    *,
    units: Collection[str],
    unlocated: bool,
    demand_id: str | None,
    state: str | None,
    before: str | None,
    limit: int,
) -> Sequence[Row[Any]]:
    """Messages about matters that lie in or are handled by one of `units`, newest first."""
    seen = or_(matters.c.unit.in_(units), matters.c.handled_by.in_(units))
    if unlocated:
        seen = or_(seen, and_(matters.c.unit.is_(None), matters.c.handled_by.is_(None)))
    query = (
        select(messages)
        .outerjoin(matters, matters.c.id == messages.c.matter_id)
        .where(seen)
        .order_by(messages.c.id.desc())
        .limit(limit)
    )
    if demand_id is not None:
        query = query.where(messages.c.demand_id == demand_id)
    if state is not None:
        query = query.where(messages.c.state == state)
    if before is not None:
        query = query.where(messages.c.id < before)
    return db.execute(query).all()


def attempts_of(db: Connection, message_id: str) -> Sequence[Row[Any]]:
    """A message's attempts, first first."""
    return db.execute(select(attempts).where(attempts.c.message_id == message_id).order_by(attempts.c.number)).all()


def unfinished(db: Connection) -> dict[str, int]:
    """How many messages are in each state that is not an end, and how many have failed."""
    states = (State.PENDING, State.SENDING, State.FAILED)
    found = dict.fromkeys((state.value for state in states), 0)
    query = select(messages.c.state, func.count().label("number")).where(messages.c.state.in_(found))
    for row in db.execute(query.group_by(messages.c.state)):
        found[row.state] = row.number
    return found
