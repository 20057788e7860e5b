"""Intake's tables."""

from __future__ import annotations

from sqlalchemy import Boolean, Column, Index, Integer, MetaData, String, Table, Text, text

from shared.ledger.types import Document, Id, Instant, Position

metadata = MetaData()

matters = Table(
    "matters",
    metadata,
    Column("serial", Position, primary_key=True, autoincrement=True),
    Column("matter_id", Id, nullable=False, unique=True),
    Column("opened_at", Instant, nullable=False),
    Column("unit", Id),
    Column("category", Id),
    Column("private", Boolean, nullable=False),
    Column("text_fingerprint", String(64)),
    Column("place_key", String(300)),
    Column("demands", Integer, nullable=False),
    #: As far as the askers are told: services.intake.domain.Standing.
    Column("standing", String(20), nullable=False),
    Column("standing_since", Instant, nullable=False),
    #: Unit that has it in hand, and its response class.
    Column("handled_by", Id),
    Column("response_class", Id),
    Column("version", Integer, nullable=False),
    #: The matter that it is a part of.
    Column("parent", Id),
    Index("ix_matters_sameness", "text_fingerprint", "place_key"),
    Index("ix_matters_unlocated", "serial", sqlite_where=text("unit IS NULL"), postgresql_where=text("unit IS NULL")),
)

demands = Table(
    "demands",
    metadata,
    Column("serial", Position, primary_key=True, autoincrement=True),
    Column("demand_id", Id, nullable=False, unique=True),
    Column("matter_id", Id, nullable=False),
    Column("registered_at", Instant, nullable=False),
    Column("registered_by", Id, nullable=False),
    Column("channel", String(20), nullable=False),
    Column("asker_kind", String(20), nullable=False),
    Column("anonymous", Boolean, nullable=False),
    Column("private", Boolean, nullable=False),
    Column("text", Text, nullable=False),
    Column("place", Document, nullable=False),
    Column("category", Id),
    Column("occurred_at", Instant),
    #: Sealed {name, phone, mail, tracking_code}.
    Column("sealed_asker", Text, nullable=False),
    #: SHA-256 of the tracking code; the code itself is known to the asker alone.
    Column("code_digest", String(64), nullable=False, unique=True),
    Column("source", Id),
    Column("source_ref", Id),
    Column("withdrawn_at", Instant),
    Index("ux_demands_source", "source", "source_ref", unique=True),
    Index("ix_demands_matter", "matter_id"),
)

supplements = Table(
    "supplements",
    metadata,
    Column("supplement_id", Id, primary_key=True),
    Column("demand_id", Id, nullable=False, index=True),
    Column("text", Text, nullable=False),
    Column("added_at", Instant, nullable=False),
)

#: What the asker may read about the way of the matter.
milestones = Table(
    "milestones",
    metadata,
    Column("position", Position, primary_key=True, autoincrement=True),
    Column("matter_id", Id, nullable=False, index=True),
    Column("event", Id, nullable=False),
    Column("unit", Id),
    Column("at", Instant, nullable=False),
)

#: Every look at an asker's contact data (GB/T 35273 7.1; kept 3 years).
contact_access = Table(
    "contact_access",
    metadata,
    Column("access_id", Id, primary_key=True),
    Column("demand_id", Id, nullable=False, index=True),
    Column("actor", Id, nullable=False),
    Column("reason", Text, nullable=False),
    Column("at", Instant, nullable=False),
)

#: What is offered to help with matters 资源清单.
resources = Table(
    "resources",
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
    Column("available_from", Instant),
    Column("available_until", Instant),
    Column("listed_at", Instant, nullable=False),
    Column("listed_by", Id, nullable=False),
    Column("withdrawn_at", Instant),
    Column("version", Integer, nullable=False),
)

#: Units that see a resource: those it is for, and all above them.
resource_scopes = Table(
    "resource_scopes",
    metadata,
    Column("unit", Id, primary_key=True),
    Column("resource_id", Id, primary_key=True),
    Index("ix_resource_scopes_resource", "resource_id"),
)
