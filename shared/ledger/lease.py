"""Leases: one leader per job, fenced. A leader proves inside its own transaction that it still leads.

A takeover hands out a growing token; `fence` locks the lease row and raises LeaseLost when the token is not the
newest, so a leader that was paused (SIGSTOP, a long garbage collection) and wakes up after a takeover cannot
commit anything.

Who waits for a lease does not have to trust anybody's clock: it takes over when the lease has run out by its own clock
(at once then, even at the first look), or when it has seen it stay the same for the whole duration, by a clock that
nobody can set. So a dead leader whose clock was a day ahead keeps nobody waiting for a day. A takeover from a leader
that lives, because clocks differ, is harmless: the token decides who may commit.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any

from sqlalchemy import Connection, bindparam, select, update

from shared.ledger.dialects import upsert
from shared.ledger.errors import LeaseLost
from shared.ledger.fixed import Fixed
from shared.ledger.tables import leases

#: How long a lease lasts without renewal. A successor that looks every second leads at most a second later.
DURATION = timedelta(seconds=6)
#: Seconds between two renewals by a leader that has nothing else to do: two may be missed.
RENEW_EVERY_S = 2.0
#: What a lease that was given up expires at: long ago by any clock.
_GIVEN_UP = datetime(1970, 1, 1, tzinfo=UTC)
_TICK = timedelta(microseconds=1)


@dataclass(frozen=True, kw_only=True)
class _Sighting:
    """A lease of somebody else's as it was seen, and when (monotonic seconds) it was first seen like that."""

    token: int
    expires_at: datetime
    since: float


@dataclass(frozen=True, kw_only=True)
class Candidate:
    """One process as a holder of leases, and what it has seen of others'."""

    #: Names the process; no two are alike, and a restart is another one.
    holder: str
    #: Seconds that only go forward, at the pace of time.
    monotonic: Callable[[], float] = time.monotonic
    _seen: dict[str, _Sighting] = field(default_factory=dict)

    def watched(self, name: str, token: int, expires_at: datetime) -> bool:
        """Whether the lease has been like this, and unchanged, for its whole duration."""
        now, before = self.monotonic(), self._seen.get(name)
        if before is None or (before.token, before.expires_at) != (token, expires_at):
            before = self._seen[name] = _Sighting(token=token, expires_at=expires_at, since=now)
        return now - before.since >= DURATION.total_seconds()

    def forget(self, name: str) -> None:
        """Nothing needs to be watched: the lease is ours."""
        self._seen.pop(name, None)


_NAMED = leases.c.name == bindparam("name")
_OF_TOKEN = leases.c.token == bindparam("of_token", type_=leases.c.token.type)
_STANDS = Fixed(select(leases).where(_NAMED))
_RENEW = Fixed(update(leases).where(_NAMED, _OF_TOKEN).values(expires_at=bindparam("until")).returning(leases.c.token))
_FENCE = Fixed(select(leases.c.token).where(_NAMED).with_for_update())


def take(db: Connection, name: str, candidate: Candidate, now: datetime) -> int | None:
    """Take or renew the lease; returns the token, or None while another holder's lease runs. The caller commits."""
    row = _STANDS.first(db, {"name": name})
    if row is None:
        token = _first(db, name, candidate, now)
    elif row.holder == candidate.holder:
        token = _renewed(db, row, now)
    elif row.expires_at <= now or candidate.watched(name, row.token, row.expires_at):
        token = _taken_over(db, row, candidate, now)
    else:
        return None
    if token is not None:
        candidate.forget(name)
    return token


def _first(db: Connection, name: str, candidate: Candidate, now: datetime) -> int | None:
    statement = upsert(db.dialect.name, leases).values(
        name=name, holder=candidate.holder, token=1, expires_at=now + DURATION
    )
    return db.execute(statement.on_conflict_do_nothing().returning(leases.c.token)).scalar_one_or_none()


def _renewed(db: Connection, row: Any, now: datetime) -> int | None:
    # A holder renews whatever the row says: a clock that was set back must not put the leader to sleep. And it always
    # changes the row, even by a clock that stands still: those who watch must see a sign of life.
    until = now + DURATION if now + DURATION != row.expires_at else row.expires_at + _TICK
    renewed = _RENEW.first(db, {"name": row.name, "of_token": row.token, "until": until})
    return None if renewed is None else renewed.token


def _taken_over(db: Connection, row: Any, candidate: Candidate, now: datetime) -> int | None:
    as_seen = (leases.c.name == row.name, leases.c.token == row.token, leases.c.expires_at == row.expires_at)
    # Never wait for the row: whoever has it locked is in the middle of a transaction that renews or fences, so lives;
    # one that stopped in there is thrown out by the server (engines.IDLE_MS), and the next look finds the row free.
    free = select(leases.c.token).where(*as_seen).with_for_update(skip_locked=True)
    if db.execute(free).scalar_one_or_none() is None:
        return None
    taken = (
        update(leases)
        .where(*as_seen)
        .values(holder=candidate.holder, token=leases.c.token + 1, expires_at=now + DURATION)
    )
    return db.execute(taken.returning(leases.c.token)).scalar_one_or_none()


def fence(db: Connection, name: str, token: int) -> None:
    """Lock the lease row until the transaction ends; raises LeaseLost unless `token` is the newest."""
    found = _FENCE.first(db, {"name": name})
    if found is None or found.token != token:
        message = f"the lease {name!r} has passed to another process"
        raise LeaseLost(message)


def release(db: Connection, name: str, token: int) -> None:
    """Let the lease end at once (clean stop); the caller commits."""
    db.execute(update(leases).where(leases.c.name == name, leases.c.token == token).values(expires_at=_GIVEN_UP))
