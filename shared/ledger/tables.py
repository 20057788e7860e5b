"""The ledger's tables.

Every service's database has them beside its own, so that state, inbox and outbox commit together.
"""

from __future__ import annotations

from sqlalchemy import Column, Index, Integer, MetaData, String, Table, Text, text

from shared.ledger.types import Bytes, Document, Id, Instant, Position

metadata = MetaData()

#: Events on their way out. `position` orders work; it is never used as a cursor (a lower one may commit later).
outbox = Table(
    "outbox",
    metadata,
    Column("position", Position, primary_key=True, autoincrement=True),
    Column("message_id", Id, nullable=False, unique=True),
    Column("stream", String(300), nullable=False),
    Column("stream_version", Integer, nullable=False),
    Column("type", Id, nullable=False),
    Column("envelope", Bytes, nullable=False),
    Column("created_at", Instant, nullable=False),
    Column("published_at", Instant),
    Index(
        "ix_outbox_pending",
        "position",
        sqlite_where=text("published_at IS NULL"),
        postgresql_where=text("published_at IS NULL"),
    ),
    Index("ux_outbox_stream", "stream", "stream_version", unique=True),
)

#: Last version given out per stream; the row lock orders concurrent writers of one aggregate.
stream_heads = Table(
    "stream_heads",
    metadata,
    Column("stream", String(300), primary_key=True),
    Column("version", Integer, nullable=False),
)

#: Messages whose effects are committed. The key is (handler, message id): one event may serve two handlers.
inbox = Table(
    "inbox",
    metadata,
    Column("handler", String(100), primary_key=True),
    Column("message_id", Id, primary_key=True),
    Column("handled_at", Instant, nullable=False),
    Index("ix_inbox_handled_at", "handled_at"),
)

#: Last version applied per handler and stream.
stream_positions = Table(
    "stream_positions",
    metadata,
    Column("handler", String(100), primary_key=True),
    Column("stream", String(300), primary_key=True),
    Column("version", Integer, nullable=False),
    #: How many events of the stream are parked; saves looking for successors after every message.
    Column("waiting", Integer, nullable=False),
)

#: Events that came before their predecessor; applied as soon as the hole is filled.
parked = Table(
    "parked",
    metadata,
    Column("handler", String(100), primary_key=True),
    Column("stream", String(300), primary_key=True),
    Column("stream_version", Integer, primary_key=True),
    Column("message_id", Id, nullable=False),
    Column("envelope", Bytes, nullable=False),
    Column("parked_at", Instant, nullable=False),
)

#: How often a message's handler has failed by a bug.
failures = Table(
    "failures",
    metadata,
    Column("handler", String(100), primary_key=True),
    Column("message_id", Id, primary_key=True),
    Column("attempts", Integer, nullable=False),
    Column("last_error", Text, nullable=False),
    Column("last_at", Instant, nullable=False),
    Index("ix_failures_last_at", "last_at"),
)

#: What could not be handled, with its bytes and the reason, until an operator releases or discards it.
quarantine = Table(
    "quarantine",
    metadata,
    Column("id", Id, primary_key=True),
    Column("handler", String(100), nullable=False),
    Column("message_id", Id),
    Column("reason", String(60), nullable=False),
    Column("detail", Text, nullable=False),
    Column("body", Bytes, nullable=False),
    Column("held_at", Instant, nullable=False),
    #: held | released | discarded
    Column("state", String(20), nullable=False),
    Column("decided_by", Id),
    Column("decided_why", Text),
    Column("decided_at", Instant),
    Index("ux_quarantine_message", "handler", "message_id", unique=True),
    Index(
        "ix_quarantine_held",
        "held_at",
        "id",
        sqlite_where=text("state = 'held'"),
        postgresql_where=text("state = 'held'"),
    ),
    Index("ix_quarantine_decided_at", "decided_at"),
)

#: One leader per job. `token` only grows: a paused leader that wakes up holds an old one and can commit nothing.
leases = Table(
    "leases",
    metadata,
    Column("name", String(100), primary_key=True),
    Column("holder", Id, nullable=False),
    Column("token", Integer, nullable=False),
    Column("expires_at", Instant, nullable=False),
)

#: Answers already given, so that a repeated POST changes nothing and gets the same answer.
idempotency = Table(
    "idempotency",
    metadata,
    Column("actor", Id, primary_key=True),
    Column("command", String(100), primary_key=True),
    Column("key", Id, primary_key=True),
    Column("fingerprint", String(64), nullable=False),
    Column("reply", Document, nullable=False),
    Column("created_at", Instant, nullable=False),
    Index("ix_idempotency_created_at", "created_at"),
)

#: What people did to the flow of events by hand, and why: never purged, like every other audit trail.
interventions = Table(
    "interventions",
    metadata,
    Column("id", Id, primary_key=True),
    #: release | discard | replay | rebuild | recover
    Column("kind", String(20), nullable=False),
    Column("by", Id, nullable=False),
    Column("why", Text, nullable=False),
    Column("at", Instant, nullable=False),
    Column("detail", Document, nullable=False),
    Index("ix_interventions_at", "at"),
)
