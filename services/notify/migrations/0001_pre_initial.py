"""Notify's first tables.

Frozen: later changes are later revisions.
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

from shared.ledger.revisions import create_ledger_0001
from shared.ledger.types import Id, Instant

revision = "notify_0001"
down_revision = None
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Create the tables."""
    create_ledger_0001(op)
    op.create_table(
        "addressees",
        sa.Column("demand_id", Id, nullable=False),
        sa.Column("matter_id", Id, nullable=False),
        sa.Column("number", Id, nullable=False),
        sa.Column("matter_number", Id, nullable=False),
        sa.Column("registered_at", Instant, nullable=False),
        sa.Column("joined", sa.Boolean(), nullable=False),
        sa.Column("sealed", sa.Text()),
        sa.Column("reachable", sa.Boolean(), nullable=False),
        sa.Column("withdrawn_at", Instant),
        sa.PrimaryKeyConstraint("demand_id"),
    )
    op.create_index("ix_addressees_matter", "addressees", ["matter_id"], unique=False)
    op.create_table(
        "contact_access",
        sa.Column("id", Id, nullable=False),
        sa.Column("demand_id", Id, nullable=False),
        sa.Column("message_id", Id, nullable=False),
        sa.Column("purpose", sa.String(length=60), nullable=False),
        sa.Column("actor", Id, nullable=False),
        sa.Column("at", Instant, nullable=False),
        sa.PrimaryKeyConstraint("id"),
    )
    op.create_index("ix_contact_access_demand", "contact_access", ["demand_id"], unique=False)
    op.create_table(
        "matters",
        sa.Column("id", Id, nullable=False),
        sa.Column("unit", Id),
        sa.Column("handled_by", Id),
        sa.Column("response_class", Id),
        sa.Column("due_at", Instant),
        sa.PrimaryKeyConstraint("id"),
    )
    op.create_table(
        "news",
        sa.Column("event_id", Id, nullable=False),
        sa.Column("template", Id, nullable=False),
        sa.Column("matter_id", Id, nullable=False),
        sa.Column("demand_id", Id),
        sa.Column("at", Instant, nullable=False),
        sa.Column("unit", Id),
        sa.Column("reason", Id),
        sa.Column("evaluation_id", Id),
        sa.PrimaryKeyConstraint("event_id", "template"),
    )
    op.create_index("ix_news_matter", "news", ["matter_id"], unique=False)
    op.create_table(
        "messages",
        sa.Column("id", Id, nullable=False),
        sa.Column("demand_id", Id, nullable=False),
        sa.Column("matter_id", Id, nullable=False),
        sa.Column("event_id", Id, nullable=False),
        sa.Column("template", Id, nullable=False),
        sa.Column("channel", Id),
        sa.Column("state", sa.String(length=20), nullable=False),
        sa.Column("attempts", sa.Integer(), nullable=False),
        sa.Column("tries", sa.Integer(), nullable=False),
        sa.Column("created_at", Instant, nullable=False),
        sa.Column("next_attempt_at", Instant),
        sa.Column("finished_at", Instant),
        sa.Column("provider_ref", Id),
        sa.Column("reason", sa.Text()),
        sa.Column("address", Id),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.ForeignKeyConstraint(["demand_id"], ["addressees.demand_id"]),
        sa.PrimaryKeyConstraint("id"),
    )
    op.create_index(
        "ix_messages_due",
        "messages",
        ["next_attempt_at", "id"],
        unique=False,
        sqlite_where=sa.text("next_attempt_at IS NOT NULL"),
        postgresql_where=sa.text("next_attempt_at IS NOT NULL"),
    )
    op.create_index("ix_messages_matter", "messages", ["matter_id"], unique=False)
    op.create_index("ix_messages_state", "messages", ["state", "id"], unique=False)
    op.create_index("ux_messages_news", "messages", ["demand_id", "event_id", "template"], unique=True)
    op.create_table(
        "attempts",
        sa.Column("message_id", Id, nullable=False),
        sa.Column("number", sa.Integer(), nullable=False),
        sa.Column("started_at", Instant, nullable=False),
        sa.Column("channel", Id),
        sa.Column("finished_at", Instant),
        sa.Column("result", sa.String(length=20)),
        sa.Column("detail", sa.Text()),
        sa.Column("provider_ref", Id),
        sa.Column("digest", sa.String(length=64)),
        sa.ForeignKeyConstraint(["message_id"], ["messages.id"]),
        sa.PrimaryKeyConstraint("message_id", "number"),
    )
