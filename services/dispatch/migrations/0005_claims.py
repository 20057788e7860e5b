"""Claims, offers, rectification orders and joint handling, as release 0.2.0 has them; and indexes of work lists.

Frozen: later changes are later revisions. Expand-only: the release before runs on it.
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

from shared.ledger.revisions import create_index_live
from shared.ledger.types import Document, Id, Instant, Position

revision = "dispatch_0005"
down_revision = "dispatch_0004"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Create what this part of the release adds."""
    # First of all: see create_index_live.
    open_ = sa.text("state <> 'closed' AND state <> 'withdrawn'")
    create_index_live(op, "ix_matters_open", "matters", ["due_at", "id"], sqlite_where=open_, postgresql_where=open_)
    create_index_live(op, "ix_matters_unit", "matters", ["unit", "due_at", "id"])
    person = sa.text("person IS NOT NULL")
    create_index_live(
        op, "ix_matters_person", "matters", ["person", "due_at", "id"], sqlite_where=person, postgresql_where=person
    )
    op.create_table(
        "claims",
        sa.Column("id", Id, nullable=False),
        sa.Column("matter_id", Id),
        sa.Column("private", sa.Boolean(), nullable=False),
        sa.Column("unit", Id, nullable=False),
        sa.Column("kind", sa.String(length=20), nullable=False),
        sa.Column("title", sa.Text(), nullable=False),
        sa.Column("text", sa.Text(), nullable=False),
        sa.Column("takers", Document, nullable=False),
        sa.Column("emergency", sa.Boolean(), nullable=False),
        sa.Column("open_until", Instant),
        sa.Column("hold_hours", sa.Integer(), nullable=False),
        sa.Column("posted_by", Id, nullable=False),
        sa.Column("posted_at", Instant, nullable=False),
        sa.Column("state", sa.String(length=20), nullable=False),
        sa.Column("taker", Id),
        sa.Column("taker_unit", Id),
        sa.Column("taken_as", sa.String(length=20)),
        sa.Column("taken_at", Instant),
        sa.Column("expires_at", Instant),
        sa.Column("appointed_by", Id),
        sa.Column("takes", sa.Integer(), nullable=False),
        sa.Column("ended_at", Instant),
        sa.Column("outcome", sa.Text()),
        sa.Column("next_step_at", Instant),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.PrimaryKeyConstraint("id"),
    )
    op.create_index("ix_claims_matter", "claims", ["matter_id"])
    op.create_index(
        "ix_claims_next_step", "claims", ["next_step_at"], sqlite_where=sa.text("next_step_at IS NOT NULL"),
        postgresql_where=sa.text("next_step_at IS NOT NULL"),
    )  # fmt: skip
    op.create_index(
        "ix_claims_taker", "claims", ["taker", "id"], sqlite_where=sa.text("taker IS NOT NULL"),
        postgresql_where=sa.text("taker IS NOT NULL"),
    )  # fmt: skip
    op.create_index("ix_claims_unit", "claims", ["unit", "state", "id"])
    op.create_table(
        "claim_scopes",
        sa.Column("unit", Id, nullable=False),
        sa.Column("state", sa.String(length=20), nullable=False),
        sa.Column("claim_id", Id, nullable=False),
        sa.PrimaryKeyConstraint("unit", "claim_id"),
    )
    op.create_index("ix_claim_scopes_claim", "claim_scopes", ["claim_id"])
    op.create_index("ix_claim_scopes_state", "claim_scopes", ["unit", "state", "claim_id"])
    op.create_table(
        "claim_steps",
        sa.Column("position", Position, autoincrement=True, nullable=False),
        sa.Column("claim_id", Id, nullable=False),
        sa.Column("at", Instant, nullable=False),
        sa.Column("action", sa.String(length=20), nullable=False),
        sa.Column("actor", Id, nullable=False),
        sa.Column("detail", Document, nullable=False),
        sa.PrimaryKeyConstraint("position"),
    )
    op.create_index("ix_claim_steps_claim", "claim_steps", ["claim_id", "position"])
    op.create_table(
        "offers",
        sa.Column("resource_id", Id, nullable=False),
        sa.Column("owner", sa.Text(), nullable=False),
        sa.Column("kind", sa.String(length=20), nullable=False),
        sa.Column("title", sa.Text(), nullable=False),
        sa.Column("text", sa.Text(), nullable=False),
        sa.Column("serves", Document, nullable=False),
        sa.Column("units", Document, nullable=False),
        sa.Column("capacity", sa.Integer(), nullable=False),
        sa.Column("measure", sa.Text(), nullable=False),
        sa.Column("reserved", sa.Integer(), nullable=False),
        sa.Column("available_from", Instant),
        sa.Column("available_until", Instant),
        sa.Column("listed_at", Instant, nullable=False),
        sa.Column("withdrawn_at", Instant),
        sa.PrimaryKeyConstraint("resource_id"),
    )
    op.create_table(
        "offer_places",
        sa.Column("unit", Id, nullable=False),
        sa.Column("category", Id, nullable=False),
        sa.Column("resource_id", Id, nullable=False),
        sa.PrimaryKeyConstraint("unit", "category", "resource_id"),
    )
    op.create_index("ix_offer_places_resource", "offer_places", ["resource_id"])
    op.create_table(
        "matches",
        sa.Column("id", Id, nullable=False),
        sa.Column("matter_id", Id, nullable=False),
        sa.Column("resource_id", Id, nullable=False),
        sa.Column("amount", sa.Integer(), nullable=False),
        sa.Column("reasons", Document, nullable=False),
        sa.Column("note", sa.Text()),
        sa.Column("matched_by", Id, nullable=False),
        sa.Column("matched_at", Instant, nullable=False),
        sa.Column("landed", sa.Boolean()),
        sa.Column("settled_at", Instant),
        sa.Column("settled_by", Id),
        sa.Column("outcome", sa.Text()),
        sa.Column("evidence", Document, nullable=False),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.PrimaryKeyConstraint("id"),
    )
    op.create_index("ix_matches_matter", "matches", ["matter_id", "id"])
    op.create_index("ix_matches_resource", "matches", ["resource_id", "id"])
    op.create_table(
        "orders",
        sa.Column("id", Id, nullable=False),
        sa.Column("matter_id", Id),
        sa.Column("inspection_id", Id),
        sa.Column("ordered_unit", Id, nullable=False),
        sa.Column("unit", Id, nullable=False),
        sa.Column("level", Id, nullable=False),
        sa.Column("request", sa.Text(), nullable=False),
        sa.Column("legal_basis", sa.Text()),
        sa.Column("ordered_by", Id, nullable=False),
        sa.Column("ordered_at", Instant, nullable=False),
        sa.Column("deadline", Instant, nullable=False),
        sa.Column("state", sa.String(length=20), nullable=False),
        sa.Column("overdue_times", sa.Integer(), nullable=False),
        sa.Column("reported_at", Instant),
        sa.Column("reported_by", Id),
        sa.Column("outcome", sa.Text()),
        sa.Column("ended_at", Instant),
        sa.Column("due_at", Instant, nullable=False),
        sa.Column("next_step_at", Instant),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.PrimaryKeyConstraint("id"),
    )
    op.create_index("ix_orders_matter", "orders", ["matter_id"])
    op.create_index(
        "ix_orders_next_step", "orders", ["next_step_at"], sqlite_where=sa.text("next_step_at IS NOT NULL"),
        postgresql_where=sa.text("next_step_at IS NOT NULL"),
    )  # fmt: skip
    op.create_table(
        "order_scopes",
        sa.Column("unit", Id, nullable=False),
        sa.Column("order_id", Id, nullable=False),
        sa.Column("state", sa.String(length=20), nullable=False),
        sa.Column("due_at", Instant, nullable=False),
        sa.PrimaryKeyConstraint("unit", "order_id"),
    )
    op.create_index("ix_order_scopes_due", "order_scopes", ["unit", "state", "due_at", "order_id"])
    op.create_index("ix_order_scopes_order", "order_scopes", ["order_id"])
    op.create_table(
        "order_steps",
        sa.Column("position", Position, autoincrement=True, nullable=False),
        sa.Column("order_id", Id, nullable=False),
        sa.Column("at", Instant, nullable=False),
        sa.Column("action", sa.String(length=20), nullable=False),
        sa.Column("actor", Id, nullable=False),
        sa.Column("detail", Document, nullable=False),
        sa.PrimaryKeyConstraint("position"),
    )
    op.create_index("ix_order_steps_order", "order_steps", ["order_id", "position"])
    op.create_table(
        "parts",
        sa.Column("part_id", Id, nullable=False),
        sa.Column("whole_id", Id, nullable=False),
        sa.PrimaryKeyConstraint("part_id"),
    )
    op.create_index("ix_parts_whole", "parts", ["whole_id", "part_id"])
