"""oversight's first tables.

Frozen: later changes are later revisions.
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

from shared.ledger.revisions import create_ledger_0001
from shared.ledger.types import Bytes, Document, Id, Instant, Position

revision = "oversight_0001"
down_revision = None
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Create the tables."""
    create_ledger_0001(op)
    op.create_table(
        "trace",
        sa.Column("position", Position, autoincrement=False, nullable=False),
        sa.Column("message_id", Id, nullable=False),
        sa.Column("type", Id, nullable=False),
        sa.Column("stream", sa.String(length=300), nullable=False),
        sa.Column("stream_version", sa.Integer(), nullable=False),
        sa.Column("subject", Id, nullable=False),
        sa.Column("time", Instant(27), nullable=False),
        sa.Column("recorded_at", Instant(27), nullable=False),
        sa.Column("envelope", Bytes, nullable=False),
        sa.Column("previous_hash", sa.String(length=64), nullable=False),
        sa.Column("hash", sa.String(length=64), nullable=False),
        sa.PrimaryKeyConstraint("position"),
        sa.UniqueConstraint("message_id"),
    )
    op.create_index("ix_trace_subject", "trace", ["subject", "position"], unique=False)
    op.create_table(
        "trace_head",
        sa.Column("id", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("position", Position, nullable=False),
        sa.Column("hash", sa.String(length=64), nullable=False),
        sa.PrimaryKeyConstraint("id"),
    )
    op.create_table(
        "matters",
        sa.Column("matter_id", Id, nullable=False),
        sa.Column("number", Id, nullable=True),
        sa.Column("private", sa.Boolean(), nullable=True),
        sa.Column("channel", sa.String(length=40), nullable=True),
        sa.Column("asker_kind", sa.String(length=40), nullable=True),
        sa.Column("asked_category", Id, nullable=True),
        sa.Column("territory", Id, nullable=True),
        sa.Column("opened_at", Instant(27), nullable=True),
        sa.Column("category", Id, nullable=True),
        sa.Column("response_class", Id, nullable=True),
        sa.Column("unit", Id, nullable=True),
        sa.Column("level", sa.String(length=40), nullable=True),
        sa.Column("state", sa.String(length=40), nullable=False),
        sa.Column("suspended", sa.Boolean(), nullable=False),
        sa.Column("attempt", sa.Integer(), nullable=False),
        sa.Column("outcome", sa.Text(), nullable=True),
        sa.Column("closed_at", Instant(27), nullable=True),
        sa.Column("first_closed_at", Instant(27), nullable=True),
        sa.Column("first_on_time", sa.Boolean(), nullable=True),
        sa.PrimaryKeyConstraint("matter_id"),
    )
    op.create_index("ix_matters_first_closed_at", "matters", ["first_closed_at"], unique=False)
    op.create_index("ix_matters_opened_at", "matters", ["opened_at"], unique=False)
    op.create_table(
        "attempts",
        sa.Column("matter_id", Id, nullable=False),
        sa.Column("attempt", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("started_at", Instant(27), nullable=True),
        sa.Column("ended_at", Instant(27), nullable=True),
        sa.Column("ended_as", sa.String(length=20), nullable=True),
        sa.Column("on_time", sa.Boolean(), nullable=True),
        sa.PrimaryKeyConstraint("matter_id", "attempt"),
    )
    op.create_index("ix_attempts_ended_at", "attempts", ["ended_at"], unique=False)
    op.create_table(
        "milestones",
        sa.Column("message_id", Id, nullable=False),
        sa.Column("matter_id", Id, nullable=False),
        sa.Column("kind", sa.String(length=20), nullable=False),
        sa.Column("at", Instant(27), nullable=False),
        sa.Column("unit", Id, nullable=True),
        sa.Column("level", sa.String(length=40), nullable=True),
        sa.Column("detail", sa.Text(), nullable=True),
        sa.PrimaryKeyConstraint("message_id"),
    )
    op.create_index("ix_milestones_at", "milestones", ["at", "kind"], unique=False)
    op.create_index("ix_milestones_matter", "milestones", ["matter_id", "kind", "at"], unique=False)
    op.create_table(
        "demands",
        sa.Column("demand_id", Id, nullable=False),
        sa.Column("matter_id", Id, nullable=False),
        sa.Column("number", Id, nullable=True),
        sa.Column("channel", sa.String(length=40), nullable=True),
        sa.Column("asker_kind", sa.String(length=40), nullable=True),
        sa.Column("private", sa.Boolean(), nullable=True),
        sa.Column("joined", sa.Boolean(), nullable=True),
        sa.Column("registered_at", Instant(27), nullable=True),
        sa.Column("withdrawn_at", Instant(27), nullable=True),
        sa.PrimaryKeyConstraint("demand_id"),
    )
    op.create_index("ix_demands_matter", "demands", ["matter_id"], unique=False)
    op.create_index("ix_demands_registered_at", "demands", ["registered_at"], unique=False)
    op.create_table(
        "clocks",
        sa.Column("clock_id", Id, nullable=False),
        sa.Column("matter_id", Id, nullable=False),
        sa.Column("kind", sa.String(length=40), nullable=False),
        sa.Column("unit", Id, nullable=False),
        sa.Column("response_class", Id, nullable=True),
        sa.Column("attempt", sa.Integer(), nullable=True),
        sa.Column("started_at", Instant(27), nullable=True),
        sa.Column("due_at", Instant(27), nullable=True),
        sa.Column("original_due_at", Instant(27), nullable=True),
        sa.Column("provisional", sa.Boolean(), nullable=True),
        sa.Column("paused_at", Instant(27), nullable=True),
        sa.Column("warned_percent", sa.Integer(), nullable=True),
        sa.Column("breached", sa.Boolean(), nullable=False),
        sa.Column("stopped_at", Instant(27), nullable=True),
        sa.Column("outcome", sa.String(length=20), nullable=True),
        sa.PrimaryKeyConstraint("clock_id"),
    )
    op.create_index("ix_clocks_matter", "clocks", ["matter_id", "kind"], unique=False)
    op.create_table(
        "whistles",
        sa.Column("whistle_id", Id, nullable=False),
        sa.Column("matter_id", Id, nullable=False),
        sa.Column("whistler", Id, nullable=True),
        sa.Column("lead", Id, nullable=True),
        sa.Column("departments", Document, nullable=True),
        sa.Column("blown_at", Instant(27), nullable=True),
        sa.Column("report_in_by", Instant(27), nullable=True),
        sa.Column("last_answer", sa.String(length=40), nullable=True),
        sa.Column("late", sa.Boolean(), nullable=False),
        sa.Column("ended_at", Instant(27), nullable=True),
        sa.Column("outcome", sa.String(length=20), nullable=True),
        sa.PrimaryKeyConstraint("whistle_id"),
    )
    op.create_index("ix_whistles_matter", "whistles", ["matter_id"], unique=False)
    op.create_table(
        "resolutions",
        sa.Column("topic_id", Id, nullable=False),
        sa.Column("matter_id", Id, nullable=False),
        sa.Column("title", sa.Text(), nullable=True),
        sa.Column("host_unit", Id, nullable=True),
        sa.Column("state", sa.String(length=20), nullable=False),
        sa.Column("resolution_id", Id, nullable=True),
        sa.Column("measures", sa.Integer(), nullable=True),
        sa.Column("submitted_at", Instant(27), nullable=True),
        sa.Column("decided_at", Instant(27), nullable=True),
        sa.PrimaryKeyConstraint("topic_id"),
    )
    op.create_index("ix_resolutions_matter", "resolutions", ["matter_id"], unique=False)
    op.create_table(
        "evaluations",
        sa.Column("evaluation_id", Id, nullable=False),
        sa.Column("matter_id", Id, nullable=False),
        sa.Column("demand_id", Id, nullable=False),
        sa.Column("attempt", sa.Integer(), nullable=False),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.Column("requested_at", Instant(27), nullable=False),
        sa.Column("expires_at", Instant(27), nullable=False),
        sa.Column("answered_at", Instant(27), nullable=True),
        sa.Column("satisfied", sa.Boolean(), nullable=True),
        sa.Column("resolved", sa.Boolean(), nullable=True),
        sa.Column("comment", sa.Text(), nullable=True),
        sa.Column("wants_reopening", sa.Boolean(), nullable=True),
        sa.Column("channel", sa.String(length=40), nullable=True),
        sa.PrimaryKeyConstraint("evaluation_id"),
    )
    op.create_index("ix_evaluations_answered_at", "evaluations", ["answered_at"], unique=False)
    op.create_index("ix_evaluations_matter", "evaluations", ["matter_id"], unique=False)
    op.create_index("ix_evaluations_requested_at", "evaluations", ["requested_at"], unique=False)
    op.create_index("ux_evaluations_demand", "evaluations", ["demand_id", "attempt"], unique=True)
    op.create_table(
        "inspections",
        sa.Column("inspection_id", Id, nullable=False),
        sa.Column("matter_id", Id, nullable=False),
        sa.Column("kind", sa.String(length=20), nullable=False),
        sa.Column("finding", sa.Text(), nullable=False),
        sa.Column("passed", sa.Boolean(), nullable=False),
        sa.Column("inspected_by", Id, nullable=False),
        sa.Column("at", Instant(27), nullable=False),
        sa.PrimaryKeyConstraint("inspection_id"),
    )
    op.create_index("ix_inspections_matter", "inspections", ["matter_id"], unique=False)
    op.create_table(
        "reports",
        sa.Column("report_id", Id, nullable=False),
        sa.Column("period_from", Instant(27), nullable=False),
        sa.Column("period_to", Instant(27), nullable=False),
        sa.Column("unit", Id, nullable=True),
        sa.Column("digest", sa.String(length=64), nullable=False),
        sa.Column("document", Bytes, nullable=False),
        sa.Column("published_at", Instant(27), nullable=False),
        sa.Column("published_by", Id, nullable=False),
        sa.PrimaryKeyConstraint("report_id"),
    )
    op.create_index("ix_reports_published_at", "reports", ["published_at", "report_id"], unique=False)


def downgrade() -> None:
    """Remove them: only for a development database."""
    op.drop_table("reports")
    op.drop_table("inspections")
    op.drop_table("evaluations")
    op.drop_table("resolutions")
    op.drop_table("whistles")
    op.drop_table("clocks")
    op.drop_table("demands")
    op.drop_table("milestones")
    op.drop_table("attempts")
    op.drop_table("matters")
    op.drop_table("trace_head")
    op.drop_table("trace")
