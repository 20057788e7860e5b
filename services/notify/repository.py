"""All SQL of notify, but for the three steps of sending (`post`)."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from datetime import datetime
from functools import lru_cache
from typing import Any

from sqlalchemy import Connection, Row, and_, func, or_, select, update

from services.notify.domain import State
from services.notify.tables import addressees, attempts, matters, messages, news
from shared.kernel.errors import NotFound, Stale
from shared.ledger import fixed
from shared.ledger.bulk import Inserting, updating
from shared.ledger.dialects import among
from shared.ledger.fixed import Fixed

# -- what is known


def note_matters(db: Connection, known: Mapping[str, Mapping[str, Any]]) -> None:
    """Keep what events tell of matters (id -> columns), whichever event of a matter comes first."""
    groups: dict[tuple[str, ...], list[tuple[Any, ...]]] = {}
    for matter_id in sorted(known):
        told = known[matter_id]
        groups.setdefault(tuple(told), []).append((matter_id, *told.values()))
    for columns, rows in groups.items():
        _noting(columns).run(db, rows)


@lru_cache(maxsize=100)
def _noting(columns: tuple[str, ...]) -> Inserting:
    return Inserting(
        table=matters, columns=("id", *columns), conflict=f"ON CONFLICT (id) DO UPDATE SET {updating(columns)}"
    )


def hold(db: Connection, matter_ids: Collection[str]) -> None:
    """Let one transaction at a time match these matters' askers with their news, until it ends.

    Askers and news come by different queues and are handled side by side: without this, of two transactions neither
    would see what the other has not committed yet, and the asker would never be told. Always in the same order, so that
    two cannot wait for each other.
    """
    if db.dialect.name == "postgresql":  # SQLite has one writer at a time
        fixed.run_later(db, _HOLD, {"matters": list(matter_ids)})


_HOLD = (
    "SELECT pg_advisory_xact_lock(sorted.key) FROM ("
    "SELECT DISTINCT hashtextextended(given.id, 0) AS key FROM unnest(%(matters)s::text[]) AS given(id) ORDER BY key"
    ") AS sorted"
)
_ADDRESSEE = tuple(column.name for column in addressees.c)
_NEWS = tuple(column.name for column in news.c)
_MESSAGE = (
    "id", "demand_id", "matter_id", "event_id", "template", "state", "created_at", "next_attempt_at", "finished_at",
    "reason", "attempts", "tries", "version",
)  # fmt: skip
_ADD_ADDRESSEES = Inserting(table=addressees, columns=_ADDRESSEE)
_ADD_NEWS = Inserting(table=news, columns=_NEWS)
_ADD_MESSAGES = Inserting(table=messages, columns=_MESSAGE, conflict="ON CONFLICT DO NOTHING")


def add_addressees(db: Connection, rows: Iterable[Mapping[str, Any]]) -> None:
    """Store whom to tell about demands."""
    _ADD_ADDRESSEES.run(db, [tuple(row[name] for name in _ADDRESSEE) for row in rows])


def add_news(db: Connection, rows: Iterable[Mapping[str, Any]]) -> None:
    """Store pieces of news."""
    _ADD_NEWS.run(db, [tuple(row[name] for name in _NEWS) for row in rows])


def add_messages(db: Connection, rows: Iterable[Mapping[str, Any]]) -> None:
    """Store messages, but for those that repeat what an asker was told already."""
    fresh = {"attempts": 0, "tries": 0, "version": 1}
    _ADD_MESSAGES.run(db, [tuple({**fresh, **row}[name] for name in _MESSAGE) for row in rows])


def addressee(db: Connection, demand_id: str) -> Row[Any] | None:
    """Whom to tell about a demand; None while its registration has not arrived."""
    return db.execute(select(addressees).where(addressees.c.demand_id == demand_id)).one_or_none()


_ADDRESSEES_OF = Fixed(
    lambda dialect: (
        select(addressees).where(among(dialect, addressees.c.matter_id, "matters")).order_by(addressees.c.demand_id)
    )
)
_NEWS_OF = Fixed(
    lambda dialect: select(news).where(among(dialect, news.c.matter_id, "matters")).order_by(news.c.at, news.c.event_id)
)


def addressees_of(db: Connection, matter_ids: Collection[str]) -> list[dict[str, Any]]:
    """These matters' askers in order of registration."""
    return _rows(db, _ADDRESSEES_OF, matter_ids)


def news_of(db: Connection, matter_ids: Collection[str]) -> list[dict[str, Any]]:
    """News of these matters, oldest first."""
    return _rows(db, _NEWS_OF, matter_ids)


def _rows(db: Connection, query: Fixed, matter_ids: Collection[str]) -> list[dict[str, Any]]:
    if not matter_ids:
        return []
    return [row._asdict() for row in query.all(db, {"matters": list(matter_ids)})]


def withdraw(db: Connection, demand_id: str, *, told_at: datetime, at: datetime) -> None:
    """Tell this asker nothing more: what still waits is skipped. `told_at`: when the demand was taken back."""
    db.execute(update(addressees).where(addressees.c.demand_id == demand_id).values(withdrawn_at=told_at))
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
