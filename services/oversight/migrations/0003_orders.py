"""Rectification orders, as release 0.2.0 has them.

Frozen: later changes are later revisions. Expand-only: the release before runs on it.
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

from shared.ledger.types import Id, Instant

revision = "oversight_0003"
down_revision = "oversight_0002"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Create the table."""
    op.create_table(
        "orders",
        sa.Column("order_id", Id, nullable=False),
        sa.Column("subject", Id, nullable=False),
        sa.Column("matter_id", Id),
        sa.Column("inspection_id", Id),
        sa.Column("unit", Id),
        sa.Column("request", sa.Text()),
        sa.Column("deadline", Instant),
        sa.Column("ordered_by", Id),
        sa.Column("ordered_at", Instant),
        sa.Column("withdrawn_at", Instant),
        sa.Column("held_by", Id),
        sa.Column("overdue_times", sa.Integer()),
        sa.Column("reported_at", Instant),
        sa.Column("closed_at", Instant),
        sa.Column("on_time", sa.Boolean()),
        sa.PrimaryKeyConstraint("order_id"),
    )
    op.create_index("ix_orders_subject", "orders", ["subject"])
    op.create_index("ix_orders_ordered_at", "orders", ["ordered_at", "order_id"])
