"""Whistle calls in depth and the record of climbs, as release 0.2.0 has them.

Frozen: later changes are later revisions. Expand-only: the release before runs on it, so what is new in its tables is
nullable.
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

from shared.ledger.types import Document, Id, Instant, Position

revision = "dispatch_0004"
down_revision = "dispatch_0003"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Create what this part of the release adds."""
    op.add_column("matters", sa.Column("cost_yuan", sa.BigInteger))
    op.add_column("whistles", sa.Column("complete_by", Instant))
    op.add_column("whistles", sa.Column("ended_reason", sa.Text))
    op.add_column("whistles", sa.Column("ended_by", Id))
    for name in ("report_in_by", "complete_by", "absent_at", "unfinished_at", "contest_by"):
        op.add_column("whistle_seats", sa.Column(name, Instant))
    op.add_column("whistle_seats", sa.Column("hop", sa.Integer))
    op.add_column("whistle_seats", sa.Column("contest_unit", Id))
    op.add_column("whistle_seats", sa.Column("final", sa.Boolean))
    op.add_column("whistle_answers", sa.Column("ground", sa.Text))
    op.add_column("whistle_answers", sa.Column("until", Instant))
    _contests_and_scores()
    _climbs()
    contested = sa.text("contest_unit IS NOT NULL")
    op.create_index(
        "ix_whistle_seats_contest", "whistle_seats", ["contest_unit", "whistle_id"], sqlite_where=contested,
        postgresql_where=contested,
    )  # fmt: skip
    op.create_index("ix_clock_steps_done", "clock_steps", ["done_at"])


def _contests_and_scores() -> None:
    op.create_table(
        "whistle_contests",
        sa.Column("whistle_id", Id, primary_key=True),
        sa.Column("department", Id, primary_key=True),
        sa.Column("hop", sa.Integer, primary_key=True),
        sa.Column("ground", sa.Text, nullable=False),
        sa.Column("unit", Id, nullable=False),
        sa.Column("contested_at", Instant, nullable=False),
        sa.Column("decide_by", Instant, nullable=False),
        sa.Column("final", sa.Boolean, nullable=False),
        sa.Column("decision", sa.String(10)),
        sa.Column("reason", sa.Text),
        sa.Column("decided_by", Id),
        sa.Column("decided_at", Instant),
    )
    op.create_table(
        "whistle_extensions",
        sa.Column("whistle_id", Id, primary_key=True),
        sa.Column("department", Id, primary_key=True),
        sa.Column("asked_at", Instant, primary_key=True),
        sa.Column("until", Instant),
        sa.Column("note", sa.Text, nullable=False),
        sa.Column("granted", sa.Boolean),
        sa.Column("granted_until", Instant),
        sa.Column("reason", sa.Text),
        sa.Column("decided_by", Id),
        sa.Column("decided_at", Instant),
    )
    op.create_table(
        "whistle_scores",
        sa.Column("whistle_id", Id, primary_key=True),
        sa.Column("department", Id, primary_key=True),
        sa.Column("arrival", sa.Integer, nullable=False),
        sa.Column("quality", sa.Integer, nullable=False),
        sa.Column("result", sa.Integer, nullable=False),
        sa.Column("note", sa.Text),
        sa.Column("scored_by", Id, nullable=False),
        sa.Column("at", Instant, nullable=False),
    )


def _climbs() -> None:
    op.create_table(
        "climbs",
        sa.Column("position", Position, primary_key=True, autoincrement=True),
        sa.Column("matter_id", Id, nullable=False),
        sa.Column("at", Instant, nullable=False),
        sa.Column("cause", sa.String(10), nullable=False),
        sa.Column("reason", sa.Text, nullable=False),
        sa.Column("from_unit", Id, nullable=False),
        sa.Column("to_unit", Id),
        sa.Column("result", sa.String(10), nullable=False),
        sa.Column("because", Id),
        sa.Column("skipped", Document, nullable=False),
        sa.Column("clock_id", Id),
        sa.Column("promise", sa.Integer),
        sa.Column("step", sa.String(20)),
    )
    op.create_index("ix_climbs_matter", "climbs", ["matter_id", "position"])
    caused = sa.text("clock_id IS NOT NULL")
    op.create_index(
        "ux_climbs_step", "climbs", ["clock_id", "promise", "step", "cause", "reason"], unique=True,
        sqlite_where=caused, postgresql_where=caused,
    )  # fmt: skip
