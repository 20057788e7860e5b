"""Which calendar the deadlines of whistle calls were counted on, and how.

Frozen: later changes are later revisions. Expand-only: the release before runs on it. The calls that it blows keep
their deadlines when a year is taken in, as they did.
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

from shared.ledger.revisions import create_index_live
from shared.ledger.types import Document

revision = "dispatch_0007"
down_revision = "dispatch_0006"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Create what this part of the release adds."""
    # Committed together with what making the index ends; where that was broken off, the columns are there already.
    again = op.get_context().dialect.name == "postgresql" or None
    op.add_column("whistles", sa.Column("calendar_revision", sa.Integer()), if_not_exists=again)
    op.add_column("whistle_seats", sa.Column("counted", Document), if_not_exists=again)
    counted = sa.text("calendar_revision IS NOT NULL")
    create_index_live(
        op, "ix_whistles_calendar", "whistles", ["calendar_revision", "id"], sqlite_where=counted,
        postgresql_where=counted,
    )  # fmt: skip
