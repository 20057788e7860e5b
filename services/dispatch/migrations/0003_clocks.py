"""Extensions, suspensions and calendars, as release 0.2.0 has them.

Frozen: later changes are later revisions. Expand-only: the release before runs on it; the clocks it starts count as
counted on the pack's calendar, and are counted anew where a year was taken in since.
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

from shared.ledger.revisions import create_index_live
from shared.ledger.types import Document, Id, Instant

revision = "dispatch_0003"
down_revision = "dispatch_0002"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Create what this part of the release adds."""
    # Committed together with what making the index ends; where that was broken off, the columns are there already.
    again = op.get_context().dialect.name == "postgresql" or None
    for name in ("extended_days", "calendar_revision"):
        column = sa.Column(name, sa.Integer(), nullable=False, server_default="0")
        op.add_column("clocks", column, if_not_exists=again)
    stands = sa.text("status <> 'stopped'")
    create_index_live(
        op, "ix_clocks_calendar", "clocks", ["calendar_revision", "id"], sqlite_where=stands, postgresql_where=stands
    )
    op.create_table(
        "time_requests",
        sa.Column("id", Id, nullable=False),
        sa.Column("matter_id", Id, nullable=False),
        sa.Column("kind", sa.String(length=10), nullable=False),
        sa.Column("attempt", sa.Integer(), nullable=False),
        sa.Column("unit", Id, nullable=False),
        sa.Column("reason", sa.Text(), nullable=False),
        sa.Column("days", sa.Integer(), nullable=True),
        sa.Column("until", Instant, nullable=True),
        sa.Column("requested_by", Id, nullable=False),
        sa.Column("requested_at", Instant, nullable=False),
        sa.Column("decided_by", Id, nullable=True),
        sa.Column("decided_at", Instant, nullable=True),
        sa.Column("granted", sa.Boolean(), nullable=True),
        sa.Column("granted_days", sa.Integer(), nullable=True),
        sa.Column("granted_until", Instant, nullable=True),
        sa.Column("note", sa.Text(), nullable=True),
        sa.PrimaryKeyConstraint("id"),
    )
    op.create_index("ix_time_requests_matter", "time_requests", ["matter_id", "kind"])
    undecided = sa.text("decided_at IS NULL")
    op.create_index(
        "ix_time_requests_undecided", "time_requests", ["requested_at", "id"],
        sqlite_where=undecided, postgresql_where=undecided,
    )  # fmt: skip
    op.create_table(
        "calendar_years",
        sa.Column("revision", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("calendar", Id, nullable=False),
        sa.Column("year", sa.Integer(), nullable=False),
        sa.Column("days_off", Document, nullable=False),
        sa.Column("makeup_days", Document, nullable=False),
        sa.Column("source", sa.Text(), nullable=False),
        sa.Column("imported_by", Id, nullable=False),
        sa.Column("imported_at", Instant, nullable=False),
        sa.PrimaryKeyConstraint("revision"),
    )
