"""Deliberation's first tables.

Frozen: later changes are later revisions.
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

from shared.ledger.revisions import create_ledger_0001
from shared.ledger.types import Id, Instant

revision = "deliberation_0001"
down_revision = None
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Create the tables."""
    create_ledger_0001(op)
    op.create_table(
        "matters",
        sa.Column("id", Id, nullable=False),
        sa.Column("number", Id),
        sa.Column("unit", Id),
        sa.Column("title", sa.String(length=100), nullable=False),
        sa.Column("private", sa.Boolean()),
        sa.Column("state", sa.String(length=20), nullable=False),
        sa.PrimaryKeyConstraint("id"),
    )
    op.create_table(
        "topics",
        sa.Column("id", Id, nullable=False),
        sa.Column("matter_id", Id, nullable=False),
        sa.Column("title", sa.String(length=200), nullable=False),
        sa.Column("host_unit", Id, nullable=False),
        sa.Column("state", sa.String(length=20), nullable=False),
        sa.Column("submitted_by", Id, nullable=False),
        sa.Column("submitted_at", Instant, nullable=False),
        sa.Column("ended_at", Instant),
        sa.Column("reason", sa.Text()),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.ForeignKeyConstraint(["matter_id"], ["matters.id"]),
        sa.PrimaryKeyConstraint("id"),
    )
    op.create_index("ix_topics_host_unit", "topics", ["host_unit", "id"], unique=False)
    op.create_index("ix_topics_matter", "topics", ["matter_id"], unique=False)
    op.create_index(
        "ux_topics_open",
        "topics",
        ["matter_id"],
        unique=True,
        sqlite_where=sa.text("state NOT IN ('adopted', 'rejected')"),
        postgresql_where=sa.text("state NOT IN ('adopted', 'rejected')"),
    )
    op.create_table(
        "ballots",
        sa.Column("id", Id, nullable=False),
        sa.Column("topic_id", Id, nullable=False),
        sa.Column("question", sa.String(length=500), nullable=False),
        sa.Column("voters", sa.Integer(), nullable=False),
        sa.Column("quorum_share", sa.Float(), nullable=False),
        sa.Column("adopt_share", sa.Float(), nullable=False),
        sa.Column("policy_version", sa.String(length=64), nullable=False),
        sa.Column("opened_by", Id, nullable=False),
        sa.Column("opened_at", Instant, nullable=False),
        sa.Column("closes_at", Instant),
        sa.Column("closed_at", Instant),
        sa.Column("closed_by", Id),
        sa.Column("yes", sa.Integer()),
        sa.Column("no", sa.Integer()),
        sa.Column("abstain", sa.Integer()),
        sa.Column("outcome", sa.String(length=20)),
        sa.ForeignKeyConstraint(["topic_id"], ["topics.id"]),
        sa.PrimaryKeyConstraint("id"),
    )
    op.create_index(
        "ix_ballots_due",
        "ballots",
        ["closes_at"],
        unique=False,
        sqlite_where=sa.text("closed_at IS NULL"),
        postgresql_where=sa.text("closed_at IS NULL"),
    )
    op.create_index("ux_ballots_topic", "ballots", ["topic_id"], unique=True)
    op.create_table(
        "opinions",
        sa.Column("id", Id, nullable=False),
        sa.Column("topic_id", Id, nullable=False),
        sa.Column("author", Id, nullable=False),
        sa.Column("party_kind", sa.String(length=20), nullable=False),
        sa.Column("stance", sa.String(length=20), nullable=False),
        sa.Column("text", sa.Text(), nullable=False),
        sa.Column("given_at", Instant, nullable=False),
        sa.ForeignKeyConstraint(["topic_id"], ["topics.id"]),
        sa.PrimaryKeyConstraint("id"),
    )
    op.create_index("ux_opinions_author", "opinions", ["topic_id", "author"], unique=True)
    op.create_table(
        "resolutions",
        sa.Column("id", Id, nullable=False),
        sa.Column("topic_id", Id, nullable=False),
        sa.Column("text", sa.Text(), nullable=False),
        sa.Column("adopted_by", Id, nullable=False),
        sa.Column("adopted_at", Instant, nullable=False),
        sa.Column("filed_with", sa.Text(), nullable=False),
        sa.ForeignKeyConstraint(["topic_id"], ["topics.id"]),
        sa.PrimaryKeyConstraint("id"),
    )
    op.create_index("ux_resolutions_topic", "resolutions", ["topic_id"], unique=True)
    op.create_table(
        "topic_parties",
        sa.Column("topic_id", Id, nullable=False),
        sa.Column("party", Id, nullable=False),
        sa.Column("kind", sa.String(length=20), nullable=False),
        sa.ForeignKeyConstraint(["topic_id"], ["topics.id"]),
        sa.PrimaryKeyConstraint("topic_id", "party"),
    )
    op.create_index("ix_topic_parties_party", "topic_parties", ["party"], unique=False)
    op.create_table(
        "ballot_choices",
        sa.Column("ballot_id", Id, nullable=False),
        sa.Column("slip", sa.String(length=64), nullable=False),
        sa.Column("choice", sa.String(length=10), nullable=False),
        sa.ForeignKeyConstraint(["ballot_id"], ["ballots.id"]),
        sa.PrimaryKeyConstraint("ballot_id", "slip"),
        sqlite_with_rowid=False,
    )
    op.create_table(
        "ballot_receipts",
        sa.Column("ballot_id", Id, nullable=False),
        sa.Column("digest", sa.String(length=64), nullable=False),
        sa.ForeignKeyConstraint(["ballot_id"], ["ballots.id"]),
        sa.PrimaryKeyConstraint("ballot_id", "digest"),
        sqlite_with_rowid=False,
    )
    op.create_table(
        "ballot_voters",
        sa.Column("ballot_id", Id, nullable=False),
        sa.Column("person", Id, nullable=False),
        sa.Column("has_voted", sa.Boolean(), nullable=False),
        sa.ForeignKeyConstraint(["ballot_id"], ["ballots.id"]),
        sa.PrimaryKeyConstraint("ballot_id", "person"),
        sqlite_with_rowid=False,
    )
    op.create_table(
        "measures",
        sa.Column("id", Id, nullable=False),
        sa.Column("topic_id", Id, nullable=False),
        sa.Column("resolution_id", Id, nullable=False),
        sa.Column("matter_id", Id, nullable=False),
        sa.Column("place", sa.Integer(), nullable=False),
        sa.Column("unit", Id, nullable=False),
        sa.Column("action", sa.Text(), nullable=False),
        sa.Column("due_at", Instant),
        sa.Column("completed_at", Instant),
        sa.Column("completed_by", Id),
        sa.ForeignKeyConstraint(["resolution_id"], ["resolutions.id"]),
        sa.ForeignKeyConstraint(["topic_id"], ["topics.id"]),
        sa.PrimaryKeyConstraint("id"),
    )
    op.create_index(
        "ix_measures_open",
        "measures",
        ["matter_id"],
        unique=False,
        sqlite_where=sa.text("completed_at IS NULL"),
        postgresql_where=sa.text("completed_at IS NULL"),
    )
    op.create_index("ix_measures_topic", "measures", ["topic_id"], unique=False)
