"""The resource list, and matters that are parts of others, as release 0.2.0 has them.

Frozen: later changes are later revisions. Expand-only: the release before runs on it.
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

from shared.ledger.types import Document, Id, Instant

revision = "intake_0003"
down_revision = "intake_0002"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Create the tables and the column."""
    op.add_column("matters", sa.Column("parent", Id))
    op.create_table(
        "resources",
        sa.Column("resource_id", Id, nullable=False),
        sa.Column("owner", sa.Text(), nullable=False),
        sa.Column("kind", sa.String(length=20), nullable=False),
        sa.Column("title", sa.Text(), nullable=False),
        sa.Column("text", sa.Text(), nullable=False),
        sa.Column("serves", Document, nullable=False),
        sa.Column("units", Document, nullable=False),
        sa.Column("capacity", sa.Integer(), nullable=False),
        sa.Column("measure", sa.Text(), nullable=False),
        sa.Column("available_from", Instant),
        sa.Column("available_until", Instant),
        sa.Column("listed_at", Instant, nullable=False),
        sa.Column("listed_by", Id, nullable=False),
        sa.Column("withdrawn_at", Instant),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.PrimaryKeyConstraint("resource_id"),
    )
    op.create_table(
        "resource_scopes",
        sa.Column("unit", Id, nullable=False),
        sa.Column("resource_id", Id, nullable=False),
        sa.PrimaryKeyConstraint("unit", "resource_id"),
    )
    op.create_index("ix_resource_scopes_resource", "resource_scopes", ["resource_id"])
