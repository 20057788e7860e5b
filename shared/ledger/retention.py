"""How long the ledger keeps what has done its work, and taking away the rest a batch at a time.

Purged: published events, entries of the inbox, kept replies, notes about failures that were overcome, quarantined
messages that were decided about. Never purged: an unpublished event, whatever its age; heads and positions of streams,
which keep order and tell a repeat of an event whose inbox row is long gone; leases; interventions.

Every batch is one short transaction of its own along an index, so that relay, handlers and commands never wait for it.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import Column, ColumnElement, Connection, Table, delete, exists, func, or_, select, tuple_

from shared.ledger.tables import failures, idempotency, inbox, outbox, quarantine

#: Rows looked at in one transaction: tens of milliseconds.
BATCH = 1_000
_OVERCOME = or_(
    exists().where(inbox.c.handler == failures.c.handler, inbox.c.message_id == failures.c.message_id),
    exists().where(
        quarantine.c.handler == failures.c.handler,
        quarantine.c.message_id == failures.c.message_id,
        quarantine.c.state != "held",
    ),
)


@dataclass(frozen=True, kw_only=True)
class Retention:
    """For how long what is kept; the reasons are in docs/operations.md."""

    #: Published events: as far back as views can be rebuilt from them.
    outbox: timedelta = timedelta(days=35)
    #: Ids of handled messages.
    inbox: timedelta = timedelta(days=400)
    #: Answers under an Idempotency-Key.
    replies: timedelta = timedelta(days=35)
    #: Notes about failed attempts at a message that was handled in the end, or decided about.
    failures: timedelta = timedelta(days=35)
    #: Released and discarded messages, with the decision.
    quarantine: timedelta = timedelta(days=400)


@dataclass(frozen=True, kw_only=True)
class Batch:
    """What one step did."""

    purged: int
    #: Where the next step begins; None: nothing more to do.
    next: int | None


#: (connection, older than this, where the step before ended) -> what was done. The caller commits.
Purge = Callable[[Connection, datetime, int], Batch]


def cutoffs(retention: Retention, now: datetime) -> Mapping[str, datetime]:
    """Table -> what is older than this may go."""
    return {
        "outbox": now - retention.outbox,
        "inbox": now - retention.inbox,
        "idempotency": now - retention.replies,
        "failures": now - retention.failures,
        "quarantine": now - retention.quarantine,
    }


def _outbox(db: Connection, before: datetime, after: int) -> Batch:
    # Along the primary key, window by window: an index on published_at would be paid for by every event. Positions
    # grow with time, so a window without an old row is the end. Unpublished rows in a window are passed over.
    window = (
        select(outbox.c.position, outbox.c.created_at)
        .where(outbox.c.position > after)
        .order_by(outbox.c.position)
        .limit(BATCH)
        .subquery()
    )
    query = select(func.count(), func.max(window.c.position), func.min(window.c.created_at)).select_from(window)
    count, last, oldest = db.execute(query).one()
    if not count or oldest >= before:
        return Batch(purged=0, next=None)
    done = db.execute(
        delete(outbox).where(
            outbox.c.position > after, outbox.c.position <= last, outbox.c.published_at.is_not(None),
            outbox.c.published_at < before,
        )
    )  # fmt: skip
    return Batch(purged=done.rowcount, next=last if count == BATCH else None)


def _oldest(table: Table, at: Column[Any], *more: ColumnElement[bool]) -> Purge:
    key = tuple_(*table.primary_key.columns)
    columns = tuple(table.primary_key.columns)

    def purge(db: Connection, before: datetime, _after: int) -> Batch:
        # Rows that somebody else purges at the same time (by hand) are left to them.
        old = select(*columns).where(at < before, *more).order_by(at).limit(BATCH)
        old = old.with_for_update(skip_locked=True, of=table)
        done = db.execute(delete(table).where(key.in_(old)))
        return Batch(purged=done.rowcount, next=0 if done.rowcount == BATCH else None)

    return purge


#: What is purged, in this order.
PURGES: Mapping[str, Purge] = {
    "outbox": _outbox,
    "inbox": _oldest(inbox, inbox.c.handled_at),
    "idempotency": _oldest(idempotency, idempotency.c.created_at),
    "failures": _oldest(failures, failures.c.last_at, _OVERCOME),
    "quarantine": _oldest(quarantine, quarantine.c.decided_at, quarantine.c.state != "held"),
}


def purgeable(db: Connection, table: str, before: datetime) -> int:
    """How many rows of a table may go. Reads the whole of a big table: for people who ask, never for a scan."""
    old: Mapping[str, tuple[ColumnElement[bool], ...]] = {
        "outbox": (outbox.c.published_at < before,),
        "inbox": (inbox.c.handled_at < before,),
        "idempotency": (idempotency.c.created_at < before,),
        "failures": (failures.c.last_at < before, _OVERCOME),
        "quarantine": (quarantine.c.decided_at < before, quarantine.c.state != "held"),
    }
    source = {each.name: each for each in (outbox, inbox, idempotency, failures, quarantine)}[table]
    count: int = db.execute(select(func.count()).select_from(source).where(*old[table])).scalar_one()
    return count
