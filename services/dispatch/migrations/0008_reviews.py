"""Reviews of fulfilled claims; warnings of claims and rectification orders that are nearly over.

Frozen: later changes are later revisions. Expand-only: the release before runs on it.
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

from shared.ledger.types import Id, Instant

revision = "dispatch_0008"
down_revision = "dispatch_0007"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Add what this part of the release adds."""
    op.add_column("claims", sa.Column("fulfilled_by", Id))
    op.add_column("claims", sa.Column("fulfilled_at", Instant))
    op.add_column("claims", sa.Column("warned_at", Instant))
    op.add_column("orders", sa.Column("warned_at", Instant))
