"""The ballot box: all SQL of ballots. Who voted and what was chosen never stand in one row or one query here."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, Row, func, insert, select, update

from services.deliberation.domain import Tally
from services.deliberation.tables import ballot_choices, ballot_receipts, ballot_voters, ballots
from shared.kernel.errors import NotFound
from shared.ledger.dialects import upsert


def open_ballot(db: Connection, *, ballot_id: str, voters: Collection[str], **values: Any) -> None:
    """Store a ballot and its list of voters."""
    db.execute(insert(ballots).values(id=ballot_id, voters=len(voters), **values))
    db.execute(
        insert(ballot_voters),
        [{"ballot_id": ballot_id, "person": person, "has_voted": False} for person in sorted(voters)],
    )


def ballot(db: Connection, ballot_id: str) -> Row[Any]:
    """One ballot. Raises NotFound."""
    row = db.execute(select(ballots).where(ballots.c.id == ballot_id)).one_or_none()
    if row is None:
        message = f"There is no ballot {ballot_id}."
        raise NotFound(message, code="unknown-ballot", where="ballot", remedy="Read the topic for its ballot.")
    return row


def ballot_of(db: Connection, topic_id: str) -> Row[Any] | None:
    """The topic's ballot."""
    return db.execute(select(ballots).where(ballots.c.topic_id == topic_id)).one_or_none()


def standing_of(db: Connection, ballot_id: str, person: str) -> bool | None:
    """Whether a person has voted; None when not on the list."""
    query = select(ballot_voters.c.has_voted).where(
        ballot_voters.c.ballot_id == ballot_id, ballot_voters.c.person == person
    )
    return db.execute(query).scalar_one_or_none()


def drop_in(db: Connection, ballot_id: str, person: str, choice: str, *, slip: str, receipt: str) -> bool:
    """Mark the voter and store choice and receipt apart; False, with nothing stored, for one who has voted."""
    marked = db.execute(
        update(ballot_voters)
        .where(
            ballot_voters.c.ballot_id == ballot_id,
            ballot_voters.c.person == person,
            ballot_voters.c.has_voted.is_(False),
        )
        .values(has_voted=True)
    ).rowcount
    if not marked:
        return False
    db.execute(insert(ballot_choices).values(ballot_id=ballot_id, slip=slip, choice=choice))
    db.execute(insert(ballot_receipts).values(ballot_id=ballot_id, digest=receipt))
    return True


def count(db: Connection, ballot_id: str, voters: int) -> Tally:
    """Count the choices."""
    query = (
        select(ballot_choices.c.choice, func.count().label("number"))
        .where(ballot_choices.c.ballot_id == ballot_id)
        .group_by(ballot_choices.c.choice)
    )
    found: dict[str, int] = {row.choice: row.number for row in db.execute(query)}
    return Tally(voters=voters, yes=found.get("yes", 0), no=found.get("no", 0), abstain=found.get("abstain", 0))


def marked(db: Connection, ballot_id: str) -> int:
    """How many voters are marked as having voted."""
    query = select(func.count()).where(ballot_voters.c.ballot_id == ballot_id, ballot_voters.c.has_voted.is_(True))
    number: int = db.execute(query).scalar_one()
    return number


def receipts(db: Connection, ballot_id: str) -> int:
    """How many receipts were handed out."""
    number: int = db.execute(select(func.count()).where(ballot_receipts.c.ballot_id == ballot_id)).scalar_one()
    return number


def has_receipt(db: Connection, ballot_id: str, digest: str) -> bool:
    """Whether a receipt belongs to the ballot."""
    query = select(ballot_receipts.c.digest).where(
        ballot_receipts.c.ballot_id == ballot_id, ballot_receipts.c.digest == digest
    )
    return db.execute(query).first() is not None


def was_handed_out(db: Connection, *, ballot_id: str, digest: str) -> bool:
    """Whether the transaction that stored this receipt has committed; waits until it has ended. The caller rolls back.

    Stores the receipt itself, as `outbox.was_stored` does with an event's id.
    """
    row = {"ballot_id": ballot_id, "digest": digest}
    return db.execute(upsert(db.dialect.name, ballot_receipts).values(row).on_conflict_do_nothing()).rowcount == 0


def close(db: Connection, ballot_id: str, **values: Any) -> None:
    """Store the end of a ballot."""
    db.execute(update(ballots).where(ballots.c.id == ballot_id, ballots.c.closed_at.is_(None)).values(**values))


def stop_timer(db: Connection, ballot_id: str) -> None:
    """Let a ballot not close by itself any more."""
    db.execute(update(ballots).where(ballots.c.id == ballot_id).values(closes_at=None))


def due(db: Connection, now: datetime, limit: int) -> Sequence[str]:
    """Ids of ballots whose time is over, the longest over first."""
    query = (
        select(ballots.c.id)
        .where(ballots.c.closed_at.is_(None), ballots.c.closes_at <= now)
        .order_by(ballots.c.closes_at, ballots.c.id)
        .limit(limit)
    )
    return db.execute(query).scalars().all()


def next_due(db: Connection) -> datetime | None:
    """When the next ballot closes by itself."""
    query = select(ballots.c.closes_at).where(ballots.c.closed_at.is_(None), ballots.c.closes_at.is_not(None))
    return db.execute(query.order_by(ballots.c.closes_at).limit(1)).scalar_one_or_none()
