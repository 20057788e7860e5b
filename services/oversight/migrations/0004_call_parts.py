"""Departments' parts in whistle calls, and disputes about them.

Frozen: later changes are later revisions. Expand-only: the release before runs on it. Calls blown before it are filled
in by `gridwhistle rebuild oversight`.
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

from shared.ledger.types import Id, Instant

revision = "oversight_0004"
down_revision = "oversight_0003"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Create the tables."""
    op.create_table(
        "call_parts",
        sa.Column("whistle_id", Id, nullable=False),
        sa.Column("department", Id, nullable=False),
        sa.Column("matter_id", Id, nullable=False),
        sa.Column("led", sa.Boolean()),
        sa.Column("blown_at", Instant),
        sa.Column("report_in_by", Instant),
        sa.Column("reported_at", Instant),
        sa.Column("late", sa.Boolean()),
        sa.Column("scored_at", Instant),
        sa.Column("arrival", sa.Integer()),
        sa.Column("quality", sa.Integer()),
        sa.Column("result", sa.Integer()),
        sa.PrimaryKeyConstraint("whistle_id", "department"),
    )
    op.create_index("ix_call_parts_matter", "call_parts", ["matter_id"])
    op.create_index("ix_call_parts_blown_at", "call_parts", ["blown_at"])
    op.create_table(
        "disputes",
        sa.Column("whistle_id", Id, nullable=False),
        sa.Column("department", Id, nullable=False),
        sa.Column("hop", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("matter_id", Id, nullable=False),
        sa.Column("to_level", sa.String(length=40)),
        sa.Column("contested_at", Instant),
        sa.Column("decided_at", Instant),
        sa.Column("decision", sa.String(length=20)),
        sa.PrimaryKeyConstraint("whistle_id", "department", "hop"),
    )
    op.create_index("ix_disputes_matter", "disputes", ["matter_id"])
