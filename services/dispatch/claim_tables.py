"""Dispatch's tables of claims, offers and their matches, rectification orders, and parts of split matters."""

from __future__ import annotations

from sqlalchemy import Boolean, Column, Index, Integer, String, Table, Text, text

from services.dispatch.tables import metadata
from shared.ledger.types import Document, Id, Instant, Position

#: services.dispatch.domain.claims.Claim, column by field.
claims = Table(
    "claims",
    metadata,
    Column("id", Id, primary_key=True),
    Column("matter_id", Id),
    Column("private", Boolean, nullable=False),
    Column("unit", Id, nullable=False),
    Column("kind", String(20), nullable=False),
    Column("title", Text, nullable=False),
    Column("text", Text, nullable=False),
    Column("takers", Document, nullable=False),
    Column("emergency", Boolean, nullable=False),
    Column("open_until", Instant),
    Column("hold_hours", Integer, nullable=False),
    Column("posted_by", Id, nullable=False),
    Column("posted_at", Instant, nullable=False),
    Column("state", String(20), nullable=False),
    Column("taker", Id),
    Column("taker_unit", Id),
    Column("taken_as", String(20)),
    Column("taken_at", Instant),
    Column("expires_at", Instant),
    Column("appointed_by", Id),
    Column("takes", Integer, nullable=False),
    Column("ended_at", Instant),
    Column("outcome", Text),
    Column("fulfilled_by", Id),
    Column("fulfilled_at", Instant),
    Column("warned_at", Instant),
    Column("next_step_at", Instant),
    Column("version", Integer, nullable=False),
    Index("ix_claims_matter", "matter_id"),
    #: Lists of one unit's postings in one state.
    Index("ix_claims_unit", "unit", "state", "id"),
    #: What somebody has taken.
    Index(
        "ix_claims_taker", "taker", "id",
        sqlite_where=text("taker IS NOT NULL"), postgresql_where=text("taker IS NOT NULL"),
    ),
    Index(
        "ix_claims_next_step", "next_step_at",
        sqlite_where=text("next_step_at IS NOT NULL"), postgresql_where=text("next_step_at IS NOT NULL"),
    ),
)  # fmt: skip

#: Units in whose territory a claim was posted: the posting unit and all above it; with the state, for their lists.
claim_scopes = Table(
    "claim_scopes",
    metadata,
    Column("unit", Id, primary_key=True),
    Column("state", String(20), nullable=False),
    Column("claim_id", Id, primary_key=True),
    Index("ix_claim_scopes_state", "unit", "state", "claim_id"),
    Index("ix_claim_scopes_claim", "claim_id"),
)

#: Everything that was done to a claim, with what its fulfilment showed.
claim_steps = Table(
    "claim_steps",
    metadata,
    Column("position", Position, primary_key=True, autoincrement=True),
    Column("claim_id", Id, nullable=False),
    Column("at", Instant, nullable=False),
    Column("action", String(20), nullable=False),
    Column("actor", Id, nullable=False),
    Column("detail", Document, nullable=False),
    Index("ix_claim_steps_claim", "claim_id", "position"),
)

#: services.dispatch.domain.offers.Offer: intake's resource list, and what of it is taken up.
offers = Table(
    "offers",
    metadata,
    Column("resource_id", Id, primary_key=True),
    Column("owner", Text, nullable=False),
    Column("kind", String(20), nullable=False),
    Column("title", Text, nullable=False),
    Column("text", Text, nullable=False),
    Column("serves", Document, nullable=False),
    Column("units", Document, nullable=False),
    Column("capacity", Integer, nullable=False),
    Column("measure", Text, nullable=False),
    Column("reserved", Integer, nullable=False),
    Column("available_from", Instant),
    Column("available_until", Instant),
    Column("listed_at", Instant, nullable=False),
    Column("withdrawn_at", Instant),
)

#: Where and for which category an offer can be had ("*": any); of those withdrawn, none.
offer_places = Table(
    "offer_places",
    metadata,
    Column("unit", Id, primary_key=True),
    Column("category", Id, primary_key=True),
    Column("resource_id", Id, primary_key=True),
    Index("ix_offer_places_resource", "resource_id"),
)

#: Offers reserved for matters.
matches = Table(
    "matches",
    metadata,
    Column("id", Id, primary_key=True),
    Column("matter_id", Id, nullable=False),
    Column("resource_id", Id, nullable=False),
    Column("amount", Integer, nullable=False),
    Column("reasons", Document, nullable=False),
    Column("note", Text),
    Column("matched_by", Id, nullable=False),
    Column("matched_at", Instant, nullable=False),
    #: None: not yet; else whether it came about.
    Column("landed", Boolean),
    Column("settled_at", Instant),
    Column("settled_by", Id),
    Column("outcome", Text),
    Column("evidence", Document, nullable=False),
    Column("version", Integer, nullable=False),
    Index("ix_matches_matter", "matter_id", "id"),
    Index("ix_matches_resource", "resource_id", "id"),
)

#: services.dispatch.domain.orders.Order.
orders = Table(
    "orders",
    metadata,
    Column("id", Id, primary_key=True),
    Column("matter_id", Id),
    Column("inspection_id", Id),
    Column("ordered_unit", Id, nullable=False),
    Column("unit", Id, nullable=False),
    Column("level", Id, nullable=False),
    Column("request", Text, nullable=False),
    Column("legal_basis", Text),
    Column("ordered_by", Id, nullable=False),
    Column("ordered_at", Instant, nullable=False),
    Column("deadline", Instant, nullable=False),
    Column("state", String(20), nullable=False),
    Column("overdue_times", Integer, nullable=False),
    Column("reported_at", Instant),
    Column("reported_by", Id),
    Column("outcome", Text),
    Column("ended_at", Instant),
    Column("due_at", Instant, nullable=False),
    Column("warned_at", Instant),
    Column("next_step_at", Instant),
    Column("version", Integer, nullable=False),
    Index("ix_orders_matter", "matter_id"),
    Index(
        "ix_orders_next_step", "next_step_at",
        sqlite_where=text("next_step_at IS NOT NULL"), postgresql_where=text("next_step_at IS NOT NULL"),
    ),
)  # fmt: skip

#: Units that see an order, with what their lists go by: those that had it, and all above them.
order_scopes = Table(
    "order_scopes",
    metadata,
    Column("unit", Id, primary_key=True),
    Column("order_id", Id, primary_key=True),
    Column("state", String(20), nullable=False),
    Column("due_at", Instant, nullable=False),
    Index("ix_order_scopes_due", "unit", "state", "due_at", "order_id"),
    Index("ix_order_scopes_order", "order_id"),
)

#: Everything that was done to an order, with the evidence given.
order_steps = Table(
    "order_steps",
    metadata,
    Column("position", Position, primary_key=True, autoincrement=True),
    Column("order_id", Id, nullable=False),
    Column("at", Instant, nullable=False),
    Column("action", String(20), nullable=False),
    Column("actor", Id, nullable=False),
    Column("detail", Document, nullable=False),
    Index("ix_order_steps_order", "order_id", "position"),
)

#: Parts of split matters.
parts = Table(
    "parts",
    metadata,
    Column("part_id", Id, primary_key=True),
    Column("whole_id", Id, nullable=False),
    Index("ix_parts_whole", "whole_id", "part_id"),
)
