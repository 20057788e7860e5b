"""Messages that go to departments by a connector, beside the bus."""

from __future__ import annotations

from sqlalchemy import Column, Index, Integer, String, Table, Text, text

from services.dispatch.tables import metadata
from shared.ledger.types import Bytes, Id, Instant

#: One row per message and department; what is delivered keeps no body.
department_deliveries = Table(
    "department_deliveries",
    metadata,
    Column("message_id", Id, primary_key=True),
    Column("department", Id, nullable=False),
    Column("body", Bytes),
    #: pending | delivered | failed
    Column("state", String(10), nullable=False),
    Column("tries", Integer, nullable=False),
    Column("created_at", Instant, nullable=False),
    #: The one column the scan looks at; null when nothing is left to do.
    Column("next_attempt_at", Instant),
    Column("finished_at", Instant),
    Column("reason", Text),
    Index(
        "ix_department_deliveries_next", "next_attempt_at",
        sqlite_where=text("next_attempt_at IS NOT NULL"), postgresql_where=text("next_attempt_at IS NOT NULL"),
    ),
    Index(
        "ix_department_deliveries_failed", "finished_at",
        sqlite_where=text("state = 'failed'"), postgresql_where=text("state = 'failed'"),
    ),
)  # fmt: skip
