"""Leases: one leader per job, fenced. A leader proves inside its own transaction that it still leads.

`take` hands out a growing token; `fence` locks the lease row and raises LeaseLost when the token is not the
newest, so a leader that was paused (SIGSTOP, a long garbage collection) and wakes up after a takeover cannot
commit anything.
"""

from __future__ import annotations

from datetime import datetime, timedelta

from sqlalchemy import Connection, and_, select, update

from shared.ledger.dialects import upsert
from shared.ledger.errors import LeaseLost
from shared.ledger.tables import leases

#: How long a lease lasts without renewal; takeover after a leader's death takes at most this long.
DURATION = timedelta(seconds=10)


def take(db: Connection, name: str, holder: str, now: datetime) -> int | None:
    """Take or renew the lease; returns the token, or None while another holder's lease runs. The caller commits."""
    statement = upsert(db.dialect.name, leases).values(name=name, holder=holder, token=1, expires_at=now + DURATION)
    statement = statement.on_conflict_do_update(
        index_elements=[leases.c.name],
        set_={
            "token": leases.c.token + 1,
            "holder": holder,
            "expires_at": now + DURATION,
        },
        where=and_(leases.c.holder != holder, leases.c.expires_at <= now),
    ).returning(leases.c.token)
    token: int | None = db.execute(statement).scalar_one_or_none()
    if token is not None:
        return token
    # Its holder renews it whatever the row says: a clock that was set back must not put the leader to sleep.
    renewed = (
        update(leases)
        .where(leases.c.name == name, leases.c.holder == holder)
        .values(expires_at=now + DURATION)
        .returning(leases.c.token)
    )
    return db.execute(renewed).scalar_one_or_none()


def fence(db: Connection, name: str, token: int) -> None:
    """Lock the lease row until the transaction ends; raises LeaseLost unless `token` is the newest."""
    query = select(leases.c.token).where(leases.c.name == name)
    if db.dialect.name == "postgresql":
        query = query.with_for_update()
    if db.execute(query).scalar_one_or_none() != token:
        message = f"the lease {name!r} has passed to another process"
        raise LeaseLost(message)


def release(db: Connection, name: str, token: int, now: datetime) -> None:
    """Let the lease end at once (clean stop); the caller commits."""
    db.execute(update(leases).where(leases.c.name == name, leases.c.token == token).values(expires_at=now))
