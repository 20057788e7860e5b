"""The ledger of release 0.2.0: interventions, and indexes for purging.

Frozen: later changes are later revisions. Expand-only: release 0.1.0 runs on it.
"""

from __future__ import annotations

from alembic import op

from shared.ledger.revisions import create_ledger_0002

revision = "oversight_0002"
down_revision = "oversight_0001"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Create the table and the indexes."""
    create_ledger_0002(op)
