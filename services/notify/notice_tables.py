"""Notify's table of letters to people at work: about claims and rectification orders, never to askers.

No contact data stands here: an office's address is the pack's, and who left none reads the notice on their list.
"""

from __future__ import annotations

from sqlalchemy import Column, Index, Integer, String, Table, Text, text

from services.notify.tables import metadata
from shared.ledger.types import Document, Id, Instant

#: One row per event and template of the pack; it is on somebody's list whether or not it also leaves by a channel.
notices = Table(
    "notices",
    metadata,
    Column("id", Id, primary_key=True),
    Column("event_id", Id, nullable=False),
    Column("template", Id, nullable=False),
    Column("event", String(60), nullable=False),
    Column("audience", String(20), nullable=False),
    #: Whose desk reads it, and which of its people it is about; one of the two at least.
    Column("unit", Id),
    Column("person", Id),
    #: The claim or order.
    Column("subject", Id, nullable=False),
    Column("matter_id", Id),
    #: services.notify.recipients.Matter, without what stands in columns.
    Column("facts", Document, nullable=False),
    Column("at", Instant, nullable=False),
    #: listed | pending | delivered | failed
    Column("state", String(10), nullable=False),
    Column("attempts", Integer, nullable=False),
    Column("created_at", Instant, nullable=False),
    #: When to try to send it, or when a claimed attempt runs out; null when nothing is left to send.
    Column("next_attempt_at", Instant),
    Column("finished_at", Instant),
    Column("channel", Id),
    Column("provider_ref", Id),
    Column("reason", Text),
    Column("read_at", Instant),
    Column("read_by", Id),
    Column("version", Integer, nullable=False),
    Index("ux_notices_news", "event_id", "template", unique=True),
    Index(
        "ix_notices_due", "next_attempt_at", "id",
        sqlite_where=text("next_attempt_at IS NOT NULL"), postgresql_where=text("next_attempt_at IS NOT NULL"),
    ),
    #: Lists: of a desk, of a person; newest first.
    Index("ix_notices_unit", "unit", "id"),
    Index("ix_notices_person", "person", "id"),
    Index(
        "ix_notices_failed", "finished_at",
        sqlite_where=text("state = 'failed'"), postgresql_where=text("state = 'failed'"),
    ),
)  # fmt: skip
