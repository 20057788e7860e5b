"""When a matter is next due, beside each unit that sees it, so that a unit's list is read in its order (ADR 0015).

Frozen: later changes are later revisions. Expand-only: the release before runs on it; triggers keep the copy right
whichever release writes.
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

from services.dispatch.scope_triggers import STATEMENTS
from shared.ledger.revisions import create_index_live, waiting_for_all
from shared.ledger.types import Instant

revision = "dispatch_0009"
down_revision = "dispatch_0008"
branch_labels = None
depends_on = None

#: Matters whose scopes are filled at a time, each time committed.
_AT_A_TIME = 5_000

# What a trigger has filled meanwhile is newer than what is seen here.
_FILL = """
    UPDATE matter_scopes SET due_at = (SELECT due_at FROM matters WHERE matters.id = matter_scopes.matter_id)
    WHERE due_at IS NULL AND matter_id > :after AND matter_id <= :last
"""


def upgrade() -> None:
    """Add the column, keep it right from now on, fill it, and make the index."""
    context = op.get_context()
    on_postgresql = context.dialect.name == "postgresql"
    op.add_column("matter_scopes", sa.Column("due_at", Instant), if_not_exists=on_postgresql or None)
    for statement in STATEMENTS[context.dialect.name]:
        op.execute(statement)
    with waiting_for_all(op):  # bit by bit: others write meanwhile
        _fill()
    create_index_live(op, "ix_matter_scopes_due", "matter_scopes", ["unit", "due_at", "matter_id"])


def _fill() -> None:
    db = op.get_bind()
    following = sa.text(
        "SELECT max(id) FROM (SELECT id FROM matters WHERE id > :after ORDER BY id LIMIT :most) AS next"
    )
    after = ""
    while (last := db.execute(following, {"after": after, "most": _AT_A_TIME}).scalar_one()) is not None:
        db.execute(sa.text(_FILL), {"after": after, "last": last})
        after = last
