"""Delivering to departments by connectors: noted with the call itself, handed over later, tried again with back-off.

claim, commit -> carry out, with no transaction open -> record, commit. A process that dies in between delivers again
under the same id. It must never hold a call up: the bus, the web desk and HTTP have it anyway.
"""

from __future__ import annotations

import logging
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import Connection, func, insert, select, text, update

from services.dispatch.delivery_tables import department_deliveries as deliveries
from shared.contracts import whistles
from shared.contracts.envelope import Envelope
from shared.ledger.unit_of_work import Surroundings, UnitOfWork
from shared.plugins import PermanentFailure, Plugin, PluginBroken, TemporaryFailure
from shared.plugins.connectors import Delivery
from shared.runtime.definition import Taken

log = logging.getLogger(__name__)

#: Entry points that are connectors.
GROUP = "gridwhistle.connectors"
#: Pause after the first failure; doubles up to the second figure. After the third it is given up.
FIRST_PAUSE, LONGEST_PAUSE, GIVEN_UP_AFTER = timedelta(seconds=30), timedelta(hours=1), timedelta(days=3)
#: For how long a claim keeps others away: longer than an attempt may take.
CLAIM = timedelta(minutes=2)


@dataclass(frozen=True, kw_only=True)
class Claimed:
    """One delivery at work."""

    message_id: str
    department: str
    created_at: datetime
    tries: int
    body: bytes = field(repr=False)


def note(letters: Sequence[Envelope], work: UnitOfWork) -> None:
    """Note those messages that a connector is configured for, in the transaction that tells them."""
    rows = []
    for letter in letters:
        department = whistles.addressee(letter.stream)
        if department is not None and _connector(work.at_hand, department) is not None:
            rows.append(
                {
                    "message_id": letter.id, "department": department, "body": letter.to_bytes(), "state": "pending",
                    "tries": 0, "created_at": work.now, "next_attempt_at": work.now,
                }
            )  # fmt: skip
    if rows:
        work.db.execute(insert(deliveries), rows)


def _connector(at_hand: Surroundings, department: str) -> Plugin | None:
    for plugin in at_hand.plugins.of(GROUP):
        try:
            if at_hand.plugins.call(plugin, plugin.made.reaches, department):
                return plugin
        except PluginBroken:
            continue
    return None


def claim(work: UnitOfWork, limit: int) -> Taken:
    """Take deliveries whose time has come, the oldest first."""
    query = (
        select(deliveries)
        .where(deliveries.c.next_attempt_at <= work.now)
        .order_by(deliveries.c.next_attempt_at, deliveries.c.message_id)
        .limit(limit)
        .with_for_update(skip_locked=True)
    )
    rows = work.db.execute(query).all()
    for row in rows:
        work.db.execute(
            update(deliveries)
            .where(deliveries.c.message_id == row.message_id)
            .values(tries=row.tries + 1, next_attempt_at=work.now + CLAIM)
        )
    claimed = [
        Claimed(
            message_id=row.message_id, department=row.department, created_at=row.created_at, tries=row.tries + 1,
            body=bytes(row.body),
        )
        for row in rows
    ]  # fmt: skip
    return Taken(items=claimed, due=len(rows))


def carry_out(at_hand: Surroundings, claimed: Claimed) -> Exception | None:
    """Hand one over; None when it was taken. Raises nothing: a failure is a result."""
    plugin = _connector(at_hand, claimed.department)
    if plugin is None:
        return PermanentFailure("no connector is configured for the department any more")
    delivery = Delivery(id=claimed.message_id, department=claimed.department, body=claimed.body, at=at_hand.clock.now())
    try:
        at_hand.plugins.call(plugin, plugin.made.deliver, delivery, expected=(TemporaryFailure, PermanentFailure))
    except (TemporaryFailure, PermanentFailure, PluginBroken) as error:
        return error
    return None


def record(work: UnitOfWork, done: Sequence[tuple[Claimed, Exception | None]]) -> None:
    """Write down what became of attempts; one that outlived its claim leaves the later one's word."""
    for claimed, error in done:
        mine = (deliveries.c.message_id == claimed.message_id, deliveries.c.tries == claimed.tries)
        work.db.execute(update(deliveries).where(*mine).values(_after(claimed, error, work.now)))


def _after(claimed: Claimed, error: Exception | None, now: datetime) -> dict[str, Any]:
    if error is None:
        return {"state": "delivered", "body": None, "next_attempt_at": None, "finished_at": now, "reason": None}
    about = {"department": claimed.department, "message_id": claimed.message_id, "tries": claimed.tries}
    if isinstance(error, PermanentFailure) or now - claimed.created_at >= GIVEN_UP_AFTER:
        log.error("a department was not reached; its calls wait in the web desk", extra={**about, "reason": str(error)})
        return {"state": "failed", "next_attempt_at": None, "finished_at": now, "reason": str(error)}
    pause = min(FIRST_PAUSE * 2 ** min(claimed.tries - 1, 12), LONGEST_PAUSE)
    log.warning("a department did not take a message", extra={**about, "reason": str(error)})
    return {"next_attempt_at": now + pause, "reason": str(error)}


def given_up(db: Connection, since: datetime) -> int:
    """How many messages were given up since then."""
    # Word for word the condition of ix_department_deliveries_failed: only so do both databases see that it fits.
    query = select(func.count()).select_from(deliveries).where(text("state = 'failed'"))
    return db.execute(query.where(deliveries.c.finished_at >= since)).scalar_one()


def next_due(db: Connection) -> datetime | None:
    """When there will be something to deliver."""
    query = select(deliveries.c.next_attempt_at).where(deliveries.c.next_attempt_at.is_not(None))
    return db.execute(query.order_by(deliveries.c.next_attempt_at).limit(1)).scalar_one_or_none()
