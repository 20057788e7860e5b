"""Messages that go to departments by a connector.

Frozen: later changes are later revisions. Expand-only: the release before runs on it.
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

from shared.ledger.types import Bytes, Id, Instant

revision = "dispatch_0006"
down_revision = "dispatch_0005"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Create what this part of the release adds."""
    op.create_table(
        "department_deliveries",
        sa.Column("message_id", Id, nullable=False),
        sa.Column("department", Id, nullable=False),
        sa.Column("body", Bytes),
        sa.Column("state", sa.String(10), nullable=False),
        sa.Column("tries", sa.Integer(), nullable=False),
        sa.Column("created_at", Instant, nullable=False),
        sa.Column("next_attempt_at", Instant),
        sa.Column("finished_at", Instant),
        sa.Column("reason", sa.Text()),
        sa.PrimaryKeyConstraint("message_id"),
    )
    op.create_index(
        "ix_department_deliveries_next", "department_deliveries", ["next_attempt_at"],
        sqlite_where=sa.text("next_attempt_at IS NOT NULL"), postgresql_where=sa.text("next_attempt_at IS NOT NULL"),
    )  # fmt: skip
    failed = sa.text("state = 'failed'")
    op.create_index(
        "ix_department_deliveries_failed", "department_deliveries", ["finished_at"],
        sqlite_where=failed, postgresql_where=failed,
    )  # fmt: skip
