"""Intake's first tables.

Frozen: later changes are later revisions.
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

from shared.ledger.revisions import create_ledger_0001
from shared.ledger.types import Document, Id, Instant, Position

revision = "intake_0001"
down_revision = None
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Create the tables."""
    create_ledger_0001(op)
    op.create_table(
        "contact_access",
        sa.Column("access_id", Id, nullable=False),
        sa.Column("demand_id", Id, nullable=False),
        sa.Column("actor", Id, nullable=False),
        sa.Column("reason", sa.Text(), nullable=False),
        sa.Column("at", Instant(27), nullable=False),
        sa.PrimaryKeyConstraint("access_id"),
    )
    op.create_index(("ix_contact_access_demand_id"), "contact_access", ["demand_id"], unique=False)
    op.create_table(
        "demands",
        sa.Column("serial", Position, autoincrement=True, nullable=False),
        sa.Column("demand_id", Id, nullable=False),
        sa.Column("matter_id", Id, nullable=False),
        sa.Column("registered_at", Instant(27), nullable=False),
        sa.Column("registered_by", Id, nullable=False),
        sa.Column("channel", sa.String(length=20), nullable=False),
        sa.Column("asker_kind", sa.String(length=20), nullable=False),
        sa.Column("anonymous", sa.Boolean(), nullable=False),
        sa.Column("private", sa.Boolean(), nullable=False),
        sa.Column("text", sa.Text(), nullable=False),
        sa.Column("place", Document, nullable=False),
        sa.Column("category", Id, nullable=True),
        sa.Column("occurred_at", Instant(27), nullable=True),
        sa.Column("sealed_asker", sa.Text(), nullable=False),
        sa.Column("code_digest", sa.String(length=64), nullable=False),
        sa.Column("source", Id, nullable=True),
        sa.Column("source_ref", Id, nullable=True),
        sa.Column("withdrawn_at", Instant(27), nullable=True),
        sa.PrimaryKeyConstraint("serial"),
        sa.UniqueConstraint("code_digest"),
        sa.UniqueConstraint("demand_id"),
    )
    op.create_index("ix_demands_matter", "demands", ["matter_id"], unique=False)
    op.create_index("ux_demands_source", "demands", ["source", "source_ref"], unique=True)
    op.create_table(
        "matters",
        sa.Column("serial", Position, autoincrement=True, nullable=False),
        sa.Column("matter_id", Id, nullable=False),
        sa.Column("opened_at", Instant(27), nullable=False),
        sa.Column("unit", Id, nullable=True),
        sa.Column("category", Id, nullable=True),
        sa.Column("private", sa.Boolean(), nullable=False),
        sa.Column("text_fingerprint", sa.String(length=64), nullable=True),
        sa.Column("place_key", sa.String(length=300), nullable=True),
        sa.Column("demands", sa.Integer(), nullable=False),
        sa.Column("standing", sa.String(length=20), nullable=False),
        sa.Column("standing_since", Instant(27), nullable=False),
        sa.Column("handled_by", Id, nullable=True),
        sa.Column("response_class", Id, nullable=True),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.PrimaryKeyConstraint("serial"),
        sa.UniqueConstraint("matter_id"),
    )
    op.create_index("ix_matters_sameness", "matters", ["text_fingerprint", "place_key"], unique=False)
    op.create_index(
        "ix_matters_unlocated",
        "matters",
        ["serial"],
        unique=False,
        sqlite_where=sa.text("unit IS NULL"),
        postgresql_where=sa.text("unit IS NULL"),
    )
    op.create_table(
        "milestones",
        sa.Column("position", Position, autoincrement=True, nullable=False),
        sa.Column("matter_id", Id, nullable=False),
        sa.Column("event", Id, nullable=False),
        sa.Column("unit", Id, nullable=True),
        sa.Column("at", Instant(27), nullable=False),
        sa.PrimaryKeyConstraint("position"),
    )
    op.create_index(("ix_milestones_matter_id"), "milestones", ["matter_id"], unique=False)
    op.create_table(
        "supplements",
        sa.Column("supplement_id", Id, nullable=False),
        sa.Column("demand_id", Id, nullable=False),
        sa.Column("text", sa.Text(), nullable=False),
        sa.Column("added_at", Instant(27), nullable=False),
        sa.PrimaryKeyConstraint("supplement_id"),
    )
    op.create_index(("ix_supplements_demand_id"), "supplements", ["demand_id"], unique=False)
