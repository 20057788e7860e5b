"""The ledger of release 0.2.0: interventions, and indexes for purging; and indexes for what is open.

Frozen: later changes are later revisions. Expand-only: release 0.1.0 runs on it.
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

from shared.ledger.revisions import create_index_live, create_ledger_0002

revision = "dispatch_0002"
down_revision = "dispatch_0001"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Create the table and the indexes."""
    # First of all: see create_index_live.
    open_ = sa.text("status <> 'stopped'")
    create_index_live(op, "ix_clocks_open", "clocks", ["matter_id"], sqlite_where=open_, postgresql_where=open_)
    unclosed = sa.text("state <> 'closed'")
    create_index_live(
        op, "ix_matters_state", "matters", ["state", "due_at", "id"],
        sqlite_where=unclosed, postgresql_where=unclosed,
    )  # fmt: skip
    create_ledger_0002(op)
