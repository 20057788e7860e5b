"""The inbox: which messages have had their effect, and how far each stream has been applied."""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import Connection, insert, select, update
from sqlalchemy.dialects import postgresql, sqlite

from shared.ledger.tables import inbox, stream_positions


def lock_position(db: Connection, handler: str, stream: str) -> int:
    """The version applied last (0: none), with its row locked until the transaction ends.

    One statement that inserts or touches the row: two workers holding neighbouring versions of one stream cannot both
    decide on what they saw before the other committed.
    """
    dialect = postgresql if db.dialect.name == "postgresql" else sqlite
    statement = dialect.insert(stream_positions).values(handler=handler, stream=stream, version=0)
    statement = statement.on_conflict_do_update(
        index_elements=[stream_positions.c.handler, stream_positions.c.stream],
        set_={"version": stream_positions.c.version},
    ).returning(stream_positions.c.version)
    version: int = db.execute(statement).scalar_one()
    return version


def advance(db: Connection, handler: str, stream: str, version: int) -> None:
    """Note that `version` is applied."""
    db.execute(
        update(stream_positions)
        .where(stream_positions.c.handler == handler, stream_positions.c.stream == stream)
        .values(version=version)
    )


def seen(db: Connection, handler: str, message_id: str) -> bool:
    """Whether the handler's effects of this message are committed."""
    query = select(inbox.c.handler).where(inbox.c.handler == handler, inbox.c.message_id == message_id)
    return db.execute(query).first() is not None


def record(db: Connection, handler: str, message_id: str, at: datetime) -> None:
    """Enter the message; commits together with its effects, never apart from them."""
    db.execute(insert(inbox).values(handler=handler, message_id=message_id, handled_at=at))
