"""Dispatch's first tables.

Frozen: later changes are later revisions.
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

from shared.ledger.revisions import create_ledger_0001
from shared.ledger.types import Document, Id, Instant, Position

revision = "dispatch_0001"
down_revision = None
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Create the tables."""
    create_ledger_0001(op)
    op.create_table(
        "clock_steps",
        sa.Column("clock_id", Id, nullable=False),
        sa.Column("promise", sa.Integer(), nullable=False),
        sa.Column("step", sa.String(length=20), nullable=False),
        sa.Column("due_at", Instant, nullable=False),
        sa.Column("done_at", Instant, nullable=False),
        sa.PrimaryKeyConstraint("clock_id", "promise", "step"),
    )
    op.create_table(
        "clocks",
        sa.Column("id", Id, nullable=False),
        sa.Column("matter_id", Id, nullable=False),
        sa.Column("kind", sa.String(length=30), nullable=False),
        sa.Column("attempt", sa.Integer(), nullable=False),
        sa.Column("stage", sa.Integer(), nullable=False),
        sa.Column("response_class", Id, nullable=False),
        sa.Column("unit", Id, nullable=False),
        sa.Column("target", Document, nullable=False),
        sa.Column("words", sa.Text(), nullable=False),
        sa.Column("started_at", Instant, nullable=False),
        sa.Column("original_due_at", Instant, nullable=False),
        sa.Column("due_at", Instant, nullable=False),
        sa.Column("soon_at", Instant, nullable=False),
        sa.Column("gross_at", Instant, nullable=False),
        sa.Column("provisional", sa.Boolean(), nullable=False),
        sa.Column("steps", Document, nullable=False),
        sa.Column("fired", sa.Integer(), nullable=False),
        sa.Column("promise", sa.Integer(), nullable=False),
        sa.Column("status", sa.String(length=10), nullable=False),
        sa.Column("breached_at", Instant),
        sa.Column("stopped_at", Instant),
        sa.Column("outcome", sa.String(length=10)),
        sa.Column("next_step_at", Instant),
        sa.PrimaryKeyConstraint("id"),
    )
    op.create_index(
        "ix_clocks_next_step",
        "clocks",
        ["next_step_at"],
        unique=False,
        sqlite_where=sa.text("next_step_at IS NOT NULL"),
        postgresql_where=sa.text("next_step_at IS NOT NULL"),
    )
    op.create_index("ux_clocks_matter", "clocks", ["matter_id", "kind", "attempt", "stage"], unique=True)
    op.create_table(
        "early_events",
        sa.Column("position", Position, autoincrement=True, nullable=False),
        sa.Column("matter_id", Id, nullable=False),
        sa.Column("event", Id, nullable=False),
        sa.Column("payload", Document, nullable=False),
        sa.Column("received_at", Instant, nullable=False),
        sa.PrimaryKeyConstraint("position"),
    )
    op.create_index("ix_early_events_matter", "early_events", ["matter_id"], unique=False)
    op.create_table(
        "matter_scopes",
        sa.Column("unit", Id, nullable=False),
        sa.Column("matter_id", Id, nullable=False),
        sa.PrimaryKeyConstraint("unit", "matter_id"),
    )
    op.create_index("ix_matter_scopes_matter", "matter_scopes", ["matter_id"], unique=False)
    op.create_table(
        "matter_steps",
        sa.Column("position", Position, autoincrement=True, nullable=False),
        sa.Column("matter_id", Id, nullable=False),
        sa.Column("at", Instant, nullable=False),
        sa.Column("action", Id, nullable=False),
        sa.Column("actor", Id, nullable=False),
        sa.Column("unit", Id),
        sa.Column("attempt", sa.Integer(), nullable=False),
        sa.Column("detail", Document, nullable=False),
        sa.PrimaryKeyConstraint("position"),
    )
    op.create_index("ix_matter_steps_matter", "matter_steps", ["matter_id", "position"], unique=False)
    op.create_table(
        "matters",
        sa.Column("id", Id, nullable=False),
        sa.Column("number", Id, nullable=False),
        sa.Column("state", sa.String(length=20), nullable=False),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.Column("attempt", sa.Integer(), nullable=False),
        sa.Column("response_class", Id, nullable=False),
        sa.Column("category", Id),
        sa.Column("rule", Id, nullable=False),
        sa.Column("inputs", Document, nullable=False),
        sa.Column("policy_version", Id, nullable=False),
        sa.Column("decided_by", Id, nullable=False),
        sa.Column("private", sa.Boolean(), nullable=False),
        sa.Column("text", sa.Text(), nullable=False),
        sa.Column("channel", sa.String(length=20), nullable=False),
        sa.Column("asker_kind", sa.String(length=20), nullable=False),
        sa.Column("place", Document, nullable=False),
        sa.Column("demands", sa.Integer(), nullable=False),
        sa.Column("located_unit", Id),
        sa.Column("unit", Id, nullable=False),
        sa.Column("level", Id, nullable=False),
        sa.Column("street", Id, nullable=False),
        sa.Column("person", Id),
        sa.Column("stage", sa.Integer(), nullable=False),
        sa.Column("returns", sa.Integer(), nullable=False),
        sa.Column("hops", sa.Integer(), nullable=False),
        sa.Column("pauses", sa.Integer(), nullable=False),
        sa.Column("flags", Document, nullable=False),
        sa.Column("opened_at", Instant, nullable=False),
        sa.Column("attempt_at", Instant, nullable=False),
        sa.Column("resolved_at", Instant),
        sa.Column("resolved_by", Id),
        sa.Column("outcome", sa.Text()),
        sa.Column("closed_at", Instant),
        sa.Column("first_outcome", sa.Text()),
        sa.Column("first_on_time", sa.Boolean()),
        sa.Column("due_at", Instant, nullable=False),
        sa.Column("soon_at", Instant, nullable=False),
        sa.Column("gross_at", Instant, nullable=False),
        sa.PrimaryKeyConstraint("id"),
    )
    op.create_index("ix_matters_due", "matters", ["due_at", "id"], unique=False)
    op.create_table(
        "measures",
        sa.Column("measure_id", Id, nullable=False),
        sa.Column("matter_id", Id, nullable=False),
        sa.Column("topic_id", Id, nullable=False),
        sa.Column("resolution_id", Id, nullable=False),
        sa.Column("unit", Id, nullable=False),
        sa.Column("action", sa.Text(), nullable=False),
        sa.Column("due_at", Instant),
        sa.Column("assigned_at", Instant, nullable=False),
        sa.Column("completed_at", Instant),
        sa.PrimaryKeyConstraint("measure_id"),
    )
    op.create_index("ix_measures_matter", "measures", ["matter_id"], unique=False)
    op.create_table(
        "pauses",
        sa.Column("matter_id", Id, nullable=False),
        sa.Column("begun_at", Instant, nullable=False),
        sa.Column("ended_at", Instant),
        sa.Column("until", Instant),
        sa.Column("reason", sa.Text(), nullable=False),
        sa.Column("approved_by", Id, nullable=False),
        sa.PrimaryKeyConstraint("matter_id", "begun_at"),
    )
    op.create_index(
        "ix_pauses_until",
        "pauses",
        ["until"],
        unique=False,
        sqlite_where=sa.text("ended_at IS NULL AND until IS NOT NULL"),
        postgresql_where=sa.text("ended_at IS NULL AND until IS NOT NULL"),
    )
    op.create_table(
        "whistle_answers",
        sa.Column("position", Position, autoincrement=True, nullable=False),
        sa.Column("whistle_id", Id, nullable=False),
        sa.Column("department", Id, nullable=False),
        sa.Column("answer", sa.String(length=30), nullable=False),
        sa.Column("note", sa.Text(), nullable=False),
        sa.Column("late", sa.Boolean(), nullable=False),
        sa.Column("answered_by", Id, nullable=False),
        sa.Column("at", Instant, nullable=False),
        sa.PrimaryKeyConstraint("position"),
    )
    op.create_index("ix_whistle_answers_whistle", "whistle_answers", ["whistle_id", "position"], unique=False)
    op.create_table(
        "whistle_seats",
        sa.Column("whistle_id", Id, nullable=False),
        sa.Column("department", Id, nullable=False),
        sa.Column("lead", sa.Boolean(), nullable=False),
        sa.Column("part", sa.String(length=10), nullable=False),
        sa.Column("reported_at", Instant),
        sa.Column("late", sa.Boolean(), nullable=False),
        sa.PrimaryKeyConstraint("whistle_id", "department"),
    )
    op.create_index("ix_whistle_seats_department", "whistle_seats", ["department", "whistle_id"], unique=False)
    op.create_table(
        "whistles",
        sa.Column("id", Id, nullable=False),
        sa.Column("matter_id", Id, nullable=False),
        sa.Column("whistler", Id, nullable=False),
        sa.Column("request", sa.Text(), nullable=False),
        sa.Column("legal_basis", sa.Text()),
        sa.Column("blown_at", Instant, nullable=False),
        sa.Column("blown_by", Id, nullable=False),
        sa.Column("report_in_by", Instant, nullable=False),
        sa.Column("next_step_at", Instant),
        sa.Column("overdue_at", Instant),
        sa.Column("ended_at", Instant),
        sa.Column("outcome", sa.String(length=10)),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.PrimaryKeyConstraint("id"),
    )
    op.create_index("ix_whistles_matter", "whistles", ["matter_id"], unique=False)
    op.create_index(
        "ix_whistles_next_step",
        "whistles",
        ["next_step_at"],
        unique=False,
        sqlite_where=sa.text("next_step_at IS NOT NULL"),
        postgresql_where=sa.text("next_step_at IS NOT NULL"),
    )


def downgrade() -> None:
    """Refuse: what dispatch keeps is never dropped by a script."""
    raise NotImplementedError("restore a backup instead")
