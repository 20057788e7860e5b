"""All SQL of sending: claiming messages, and recording what became of them."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, Integer, Row, bindparam, insert, select, update

from services.notify.domain import BACK_OFF, Result, State, Verdict
from services.notify.tables import addressees, attempts, contact_access, matters, messages, news
from shared.ledger.bulk import Changing, Inserting, updating
from shared.ledger.dialects import among
from shared.ledger.fixed import Fixed

_PENDING = messages.c.state == State.PENDING.value
_MISDATED = _PENDING & (
    (messages.c.tries == 0) | (messages.c.next_attempt_at > bindparam("longest", type_=messages.c.next_attempt_at.type))
)
_DUE = Fixed(
    select(messages)
    .where(
        messages.c.next_attempt_at.is_not(None),
        (messages.c.next_attempt_at <= bindparam("now")) | _MISDATED,
    )
    .order_by(messages.c.next_attempt_at, messages.c.id)
    .limit(bindparam("most", type_=Integer()))
    .with_for_update(skip_locked=True)
)


def due(db: Connection, now: datetime, limit: int) -> Sequence[Any]:
    """Messages whose time has come, claimed ones whose claim ran out among them; longest due first, locked for us.

    Also those whose instant was written by a clock that has been set back since: a first attempt needs no clock, and no
    pause is longer than the longest. What is being sent is left to its sender until the claim runs out.
    """
    return _DUE.all(db, {"now": now, "longest": now + BACK_OFF[-1], "most": limit})


def next_due(db: Connection) -> datetime | None:
    """When there will be something to send."""
    query = select(messages.c.next_attempt_at).where(messages.c.next_attempt_at.is_not(None))
    return db.execute(query.order_by(messages.c.next_attempt_at).limit(1)).scalar_one_or_none()


_CLAIM = Changing(
    table=messages, key="id", columns=("attempts", "next_attempt_at"),
    also=f"state = '{State.SENDING}', tries = messages.tries + 1, version = messages.version + 1",
)  # fmt: skip
_BEGIN = Inserting(table=attempts, columns=("message_id", "number", "started_at"))
_OPENED = ("id", "demand_id", "message_id", "purpose", "actor", "at")
_LOG_ACCESS = Inserting(table=contact_access, columns=_OPENED)


def claim(db: Connection, rows: Sequence[Any], at: datetime, until: datetime) -> None:
    """Claim locked messages, and write down that an attempt at each begins."""
    _CLAIM.run(db, [(row.id, row.attempts + 1, until) for row in rows])
    _BEGIN.run(db, [(row.id, row.attempts + 1, at) for row in rows])


def log_accesses(db: Connection, opened: Iterable[Mapping[str, Any]]) -> None:
    """Keep that contact data is about to be opened, for each letter."""
    _LOG_ACCESS.run(db, [tuple(one[name] for name in _OPENED) for one in opened])


def log_access(db: Connection, **values: Any) -> None:
    """Keep that contact data is about to be opened."""
    db.execute(insert(contact_access).values(**values))


_PARTICULARS = Fixed(
    lambda dialect: select(
        messages.c.id,
        addressees.c.number, addressees.c.matter_number, addressees.c.sealed, addressees.c.reachable,
        news.c.unit, news.c.reason, news.c.evaluation_id,
        matters.c.handled_by, matters.c.response_class, matters.c.due_at, matters.c.due_provisional,
        matters.c.unit.label("lies_in"),
    )
    .join(addressees, addressees.c.demand_id == messages.c.demand_id)
    .join(news, (news.c.event_id == messages.c.event_id) & (news.c.template == messages.c.template))
    .outerjoin(matters, matters.c.id == addressees.c.matter_id)
    .where(among(dialect, messages.c.id, "ids"))
)  # fmt: skip


def particulars(db: Connection, rows: Sequence[Any]) -> dict[str, Any]:
    """What messages need to be written, by id: addressee, news and what is known of the matter."""
    return {row.id: row for row in _PARTICULARS.all(db, {"ids": [row.id for row in rows]})} if rows else {}


def take_up(db: Connection, message_id: str, *, demand_id: str, template: str, number: int, at: datetime) -> bool:
    """Give the oldest letter of that kind that waits the id under which it went out then; False when none waits.

    For recovery: `number` is how many attempts there had been; the last of them is entered.
    """
    mine = (messages.c.demand_id == demand_id, messages.c.template == template)
    query = (
        select(messages.c.id)
        .where(*mine, messages.c.state.in_([State.PENDING, State.SENDING]))
        .order_by(messages.c.id != message_id, messages.c.created_at, messages.c.id)
        .limit(1)
    )
    found = db.execute(query).scalar_one_or_none()
    if found is None:
        return False
    db.execute(
        update(messages)
        .where(messages.c.id == found)
        .values(id=message_id, state=State.SENDING, attempts=number, tries=number)
    )
    db.execute(insert(attempts).values(message_id=message_id, number=number, started_at=at))
    return True


def finish_attempt(db: Connection, message_id: str, number: int, **values: Any) -> None:
    """Complete an attempt's row."""
    db.execute(
        update(attempts).where(attempts.c.message_id == message_id, attempts.c.number == number).values(**values)
    )


def finish(db: Connection, message_id: str, verdict: Verdict, *, attempt: int | None, **values: Any) -> Row[Any] | None:
    """Store what follows from an attempt; returns the message, or None when it is no longer this attempt's to decide.

    An attempt that outlived its claim decides nothing any more, except that a delivery is a delivery (`attempt` None).
    """
    statement = update(messages).where(messages.c.id == message_id, messages.c.state != State.DELIVERED)
    if attempt is not None:
        statement = statement.where(messages.c.state == State.SENDING, messages.c.attempts == attempt)
    changed = statement.values(
        state=verdict.state, next_attempt_at=verdict.next_attempt_at, version=messages.c.version + 1, **values
    )
    return db.execute(changed.returning(messages)).one_or_none()


_DELIVERED = Changing(
    table=messages, key="id", columns=("channel", "provider_ref", "address", "finished_at"),
    also=(
        f"state = '{State.DELIVERED}', reason = NULL, next_attempt_at = NULL, version = messages.version + 1"
    ),
    where=f"messages.state <> '{State.DELIVERED}'",
    returning=("id", "matter_id", "demand_id", "template", "attempts"),
)  # fmt: skip
_FINISHED = (
    "message_id", "number", "started_at", "channel", "finished_at", "result", "detail", "provider_ref", "digest",
)  # fmt: skip
_FINISH = Inserting(
    table=attempts, columns=_FINISHED,
    conflict=f"ON CONFLICT (message_id, number) DO UPDATE SET {updating(_FINISHED[3:])}",
)  # fmt: skip


def finish_attempts(db: Connection, ended: Iterable[Mapping[str, Any]]) -> None:
    """Complete attempts' rows."""
    _FINISH.run(db, [tuple(one[name] for name in _FINISHED) for one in ended])


def delivered(db: Connection, letters: Sequence[tuple[str, str, str | None, str | None]], at: datetime) -> list[Any]:
    """Store that letters (id, channel, provider's reference, masked address) were delivered.

    Returns the messages of which nobody had said so before: however late it is known, a delivery is a delivery.
    """
    return _DELIVERED.run(db, [(*letter, at) for letter in letters])


def skip(db: Connection, message_id: str, reason: str, at: datetime) -> None:
    """End a message without an attempt."""
    _SKIP.later(db, {"of_id": message_id, "because": reason, "at": at})


_SKIP = Fixed(
    update(messages)
    .where(messages.c.id == bindparam("of_id"))
    .values(
        state=State.SKIPPED.value, reason=bindparam("because"), next_attempt_at=None, finished_at=bindparam("at"),
        version=messages.c.version + 1,
    )
)  # fmt: skip


def mark_unreachable(db: Connection, demand_id: str) -> None:
    """The contact holds no address: it need not be opened again."""
    db.execute(update(addressees).where(addressees.c.demand_id == demand_id).values(reachable=False))


def close_unknown(db: Connection, message_id: str, number: int, at: datetime) -> None:
    """An attempt whose end nobody recorded."""
    db.execute(
        update(attempts)
        .where(attempts.c.message_id == message_id, attempts.c.number == number, attempts.c.result.is_(None))
        .values(result=Result.UNKNOWN, finished_at=at, detail="the process ended before it recorded the result")
    )
