"""Letters to people at work, about claims and rectification orders.

Frozen: later changes are later revisions. Expand-only: the release before runs on it.
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

from shared.ledger.types import Document, Id, Instant

revision = "notify_0004"
down_revision = "notify_0003"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Create the table."""
    op.create_table(
        "notices",
        sa.Column("id", Id, nullable=False),
        sa.Column("event_id", Id, nullable=False),
        sa.Column("template", Id, nullable=False),
        sa.Column("event", sa.String(length=60), nullable=False),
        sa.Column("audience", sa.String(length=20), nullable=False),
        sa.Column("unit", Id),
        sa.Column("person", Id),
        sa.Column("subject", Id, nullable=False),
        sa.Column("matter_id", Id),
        sa.Column("facts", Document, nullable=False),
        sa.Column("at", Instant, nullable=False),
        sa.Column("state", sa.String(length=10), nullable=False),
        sa.Column("attempts", sa.Integer(), nullable=False),
        sa.Column("created_at", Instant, nullable=False),
        sa.Column("next_attempt_at", Instant),
        sa.Column("finished_at", Instant),
        sa.Column("channel", Id),
        sa.Column("provider_ref", Id),
        sa.Column("reason", sa.Text()),
        sa.Column("read_at", Instant),
        sa.Column("read_by", Id),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.PrimaryKeyConstraint("id"),
    )
    op.create_index("ux_notices_news", "notices", ["event_id", "template"], unique=True)
    due = sa.text("next_attempt_at IS NOT NULL")
    op.create_index("ix_notices_due", "notices", ["next_attempt_at", "id"], sqlite_where=due, postgresql_where=due)
    op.create_index("ix_notices_unit", "notices", ["unit", "id"])
    op.create_index("ix_notices_person", "notices", ["person", "id"])
    failed = sa.text("state = 'failed'")
    op.create_index("ix_notices_failed", "notices", ["finished_at"], sqlite_where=failed, postgresql_where=failed)
