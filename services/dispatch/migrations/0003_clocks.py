"""Extensions, suspensions and calendars, as release 0.2.0 has them.

Frozen: later changes are later revisions. Expand-only: the release before runs on it.
"""

from __future__ import annotations

revision = "dispatch_0003"
down_revision = "dispatch_0002"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Create what this part of the release adds."""
