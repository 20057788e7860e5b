"""The ledger's tables as each release shipped them: frozen DDL that every service's first migration calls.

Never edited once released; a change to shared/ledger/tables.py adds a new function here and a revision in each service.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any

from sqlalchemy import Column, Integer, String, Text, text

from shared.ledger.types import Bytes, Document, Id, Instant, Position

#: Milliseconds for which a revision asks for a table that services use (shared.ledger.migrate asks again).
ASKS_FOR_MS = 2_000


def create_ledger_0001(op: Any) -> None:
    """Outbox, inbox, parking, quarantine, leases, idempotency (release 0.1.0). `op` is `alembic.op`."""
    op.create_table(
        "outbox",
        Column("position", Position, primary_key=True, autoincrement=True),
        Column("message_id", Id, nullable=False, unique=True),
        Column("stream", String(300), nullable=False),
        Column("stream_version", Integer, nullable=False),
        Column("type", Id, nullable=False),
        Column("envelope", Bytes, nullable=False),
        Column("created_at", Instant, nullable=False),
        Column("published_at", Instant),
    )
    pending = text("published_at IS NULL")
    op.create_index("ix_outbox_pending", "outbox", ["position"], sqlite_where=pending, postgresql_where=pending)
    op.create_index("ux_outbox_stream", "outbox", ["stream", "stream_version"], unique=True)
    op.create_table(
        "stream_heads",
        Column("stream", String(300), primary_key=True),
        Column("version", Integer, nullable=False),
    )
    op.create_table(
        "inbox",
        Column("handler", String(100), primary_key=True),
        Column("message_id", Id, primary_key=True),
        Column("handled_at", Instant, nullable=False),
    )
    op.create_index("ix_inbox_handled_at", "inbox", ["handled_at"])
    op.create_table(
        "stream_positions",
        Column("handler", String(100), primary_key=True),
        Column("stream", String(300), primary_key=True),
        Column("version", Integer, nullable=False),
        Column("waiting", Integer, nullable=False),
    )
    op.create_table(
        "parked",
        Column("handler", String(100), primary_key=True),
        Column("stream", String(300), primary_key=True),
        Column("stream_version", Integer, primary_key=True),
        Column("message_id", Id, nullable=False),
        Column("envelope", Bytes, nullable=False),
        Column("parked_at", Instant, nullable=False),
    )
    op.create_table(
        "failures",
        Column("handler", String(100), primary_key=True),
        Column("message_id", Id, primary_key=True),
        Column("attempts", Integer, nullable=False),
        Column("last_error", Text, nullable=False),
        Column("last_at", Instant, nullable=False),
    )
    op.create_table(
        "quarantine",
        Column("id", Id, primary_key=True),
        Column("handler", String(100), nullable=False),
        Column("message_id", Id),
        Column("reason", String(60), nullable=False),
        Column("detail", Text, nullable=False),
        Column("body", Bytes, nullable=False),
        Column("held_at", Instant, nullable=False),
        Column("state", String(20), nullable=False),
        Column("decided_by", Id),
        Column("decided_why", Text),
        Column("decided_at", Instant),
    )
    op.create_index("ux_quarantine_message", "quarantine", ["handler", "message_id"], unique=True)
    op.create_table(
        "leases",
        Column("name", String(100), primary_key=True),
        Column("holder", Id, nullable=False),
        Column("token", Integer, nullable=False),
        Column("expires_at", Instant, nullable=False),
    )
    op.create_table(
        "idempotency",
        Column("actor", Id, primary_key=True),
        Column("command", String(100), primary_key=True),
        Column("key", Id, primary_key=True),
        Column("fingerprint", String(64), nullable=False),
        Column("reply", Document, nullable=False),
        Column("created_at", Instant, nullable=False),
    )
    op.create_index("ix_idempotency_created_at", "idempotency", ["created_at"])


def create_ledger_0002(op: Any) -> None:
    """Interventions, and what purging looks for (release 0.2.0); release 0.1.0 runs on it. `op` is `alembic.op`.

    Outbox and inbox get nothing: the outbox is purged along its primary key, and each index on it would be paid for
    by every event.
    """
    held = text("state = 'held'")
    create_index_live(
        op, "ix_quarantine_held", "quarantine", ["held_at", "id"], sqlite_where=held, postgresql_where=held
    )
    create_index_live(op, "ix_quarantine_decided_at", "quarantine", ["decided_at"])
    create_index_live(op, "ix_failures_last_at", "failures", ["last_at"])
    op.create_table(
        "interventions",
        Column("id", Id, primary_key=True),
        Column("kind", String(20), nullable=False),
        Column("by", Id, nullable=False),
        Column("why", Text, nullable=False),
        Column("at", Instant, nullable=False),
        Column("detail", Document, nullable=False),
    )
    op.create_index("ix_interventions_at", "interventions", ["at"])
    if op.get_bind().dialect.name == "postgresql":
        # Every event leaves a dead row and a dead entry of ix_outbox_pending behind. By default PostgreSQL cleans up
        # when a fifth of a table is dead; of a table that is kept for 35 days that would be days of dead rows.
        op.execute("ALTER TABLE outbox SET (autovacuum_vacuum_scale_factor = 0, autovacuum_vacuum_threshold = 20000)")


@contextmanager
def waiting_for_all(op: Any) -> Iterator[None]:
    """PostgreSQL, outside of transactions: statements that wait for others, while nobody waits for them.

    What a revision did before is committed; it may have to be done again. Nothing on SQLite.
    """
    context = op.get_context()
    if context.dialect.name != "postgresql":
        yield
        return
    with context.autocommit_block():
        op.execute("SET lock_timeout = 0")
        try:
            yield
        finally:
            op.execute(f"SET lock_timeout = {ASKS_FOR_MS}")


def create_index_live(op: Any, name: str, table: str, columns: Sequence[str], **options: Any) -> None:
    """An index on a table that is being written to: in a revision of its own, or before anything else that it does.

    PostgreSQL: CONCURRENTLY, which lets writers go on (a plain CREATE INDEX would hold up every command and event of
    the service for as long as a big table takes) and which cannot run in a transaction. What the revision did before is
    therefore committed. A try that was broken off leaves an invalid index, which is dropped first, so that the revision
    may run again. SQLite: in the migration's transaction; nobody else writes then.
    """
    with waiting_for_all(op):
        if op.get_context().dialect.name == "postgresql":
            op.drop_index(name, table_name=table, if_exists=True, postgresql_concurrently=True)
            options["postgresql_concurrently"] = True
        op.create_index(name, table, list(columns), **options)
