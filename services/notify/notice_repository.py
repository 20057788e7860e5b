"""All SQL of letters to people at work."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, Row, func, select, text, update

from services.notify.domain import State
from services.notify.notice_tables import notices
from shared.kernel.errors import Stale
from shared.ledger.dialects import upsert

#: Not to be sent by any channel: it is read on its reader's list.
LISTED = "listed"


def add(db: Connection, rows: Sequence[Mapping[str, Any]]) -> None:
    """Store notices, but for those that repeat what was stored."""
    if rows:
        fresh = {"attempts": 0, "version": 1}
        db.execute(upsert(db.dialect.name, notices).on_conflict_do_nothing(), [{**fresh, **row} for row in rows])


def due(db: Connection, now: datetime, limit: int) -> Sequence[Row[Any]]:
    """Notices whose time has come, claimed ones whose claim ran out among them; longest due first, locked for us."""
    query = (
        select(notices)
        .where(notices.c.next_attempt_at <= now)
        .order_by(notices.c.next_attempt_at, notices.c.id)
        .limit(limit)
        .with_for_update(skip_locked=True)
    )
    return db.execute(query).all()


def next_due(db: Connection) -> datetime | None:
    """When there will be something to send."""
    query = select(notices.c.next_attempt_at).where(notices.c.next_attempt_at.is_not(None))
    return db.execute(query.order_by(notices.c.next_attempt_at).limit(1)).scalar_one_or_none()


def claim(db: Connection, row: Row[Any], until: datetime) -> None:
    """Claim a locked notice for one attempt."""
    db.execute(update(notices).where(notices.c.id == row.id).values(attempts=row.attempts + 1, next_attempt_at=until))


def finish(db: Connection, notice_id: str, attempt: int, **values: Any) -> Row[Any] | None:
    """Store what follows from an attempt; None when it outlived its claim and a later one decides."""
    changed = (
        update(notices)
        .where(notices.c.id == notice_id, notices.c.attempts == attempt, notices.c.state == State.PENDING)
        .values(version=notices.c.version + 1, **values)
    )
    return db.execute(changed.returning(notices)).one_or_none()


def take_up(db: Connection, event_id: str, template: str, **values: Any) -> bool:
    """Settle a notice as it was settled then, under the id it had; False when none waits. For recovery."""
    mine = (notices.c.event_id == event_id, notices.c.template == template, notices.c.state == State.PENDING)
    return db.execute(update(notices).where(*mine).values(version=notices.c.version + 1, **values)).rowcount == 1


def notice(db: Connection, notice_id: str) -> Row[Any] | None:
    """One notice."""
    return db.execute(select(notices).where(notices.c.id == notice_id)).one_or_none()


def mark_read(db: Connection, notice_id: str, version: int, *, by: str, at: datetime) -> None:
    """Somebody has read it. Raises Stale when somebody was faster."""
    changed = update(notices).where(notices.c.id == notice_id, notices.c.version == version)
    if db.execute(changed.values(read_at=at, read_by=by, version=version + 1)).rowcount != 1:
        message = "The notice changed at the same moment."
        raise Stale(message, where="notice", remedy="Read it again.")


def listed(
    db: Connection, *, person: str, units: Collection[str], unread: bool, before: str | None, limit: int
) -> Sequence[Row[Any]]:
    """Notices for a person or for one of these desks, newest first."""
    # One walk along an index for the person and one for each desk: an OR of both would sort all that either has.
    found: dict[str, Row[Any]] = {}
    for mine in (notices.c.person == person, *(notices.c.unit == unit for unit in units)):
        query = select(notices).where(mine)
        if unread:
            query = query.where(notices.c.read_at.is_(None))
        if before is not None:
            query = query.where(notices.c.id < before)
        found |= {row.id: row for row in db.execute(query.order_by(notices.c.id.desc()).limit(limit))}
    return [found[notice_id] for notice_id in sorted(found, reverse=True)[:limit]]


def failed_since(db: Connection, since: datetime) -> int:
    """How many notices were given up since then."""
    # Word for word the condition of ix_notices_failed: only so do both databases see that it fits.
    query = select(func.count()).select_from(notices).where(text("state = 'failed'"))
    return db.execute(query.where(notices.c.finished_at >= since)).scalar_one()
