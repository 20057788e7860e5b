"""Dispatch's tables."""

from __future__ import annotations

from sqlalchemy import Boolean, Column, Index, Integer, MetaData, String, Table, Text, text

from shared.ledger.types import Document, Id, Instant, Position

metadata = MetaData()

#: services.dispatch.domain.matter.Matter, column by field.
matters = Table(
    "matters",
    metadata,
    Column("id", Id, primary_key=True),
    Column("number", Id, nullable=False),
    Column("state", String(20), nullable=False),
    Column("version", Integer, nullable=False),
    Column("attempt", Integer, nullable=False),
    Column("response_class", Id, nullable=False),
    Column("category", Id),
    Column("rule", Id, nullable=False),
    Column("inputs", Document, nullable=False),
    Column("policy_version", Id, nullable=False),
    Column("decided_by", Id, nullable=False),
    Column("private", Boolean, nullable=False),
    Column("text", Text, nullable=False),
    Column("channel", String(20), nullable=False),
    Column("asker_kind", String(20), nullable=False),
    Column("place", Document, nullable=False),
    Column("demands", Integer, nullable=False),
    Column("located_unit", Id),
    Column("unit", Id, nullable=False),
    Column("level", Id, nullable=False),
    Column("street", Id, nullable=False),
    Column("person", Id),
    Column("stage", Integer, nullable=False),
    Column("returns", Integer, nullable=False),
    Column("hops", Integer, nullable=False),
    Column("pauses", Integer, nullable=False),
    Column("flags", Document, nullable=False),
    Column("opened_at", Instant, nullable=False),
    Column("attempt_at", Instant, nullable=False),
    Column("resolved_at", Instant),
    Column("resolved_by", Id),
    Column("outcome", Text),
    Column("closed_at", Instant),
    Column("first_outcome", Text),
    Column("first_on_time", Boolean),
    Column("due_at", Instant, nullable=False),
    Column("soon_at", Instant, nullable=False),
    Column("gross_at", Instant, nullable=False),
    #: Lists are sorted by the next due time.
    Index("ix_matters_due", "due_at", "id"),
    #: Lists of one state, of which there may be none among a million closed ones.
    Index(
        "ix_matters_state", "state", "due_at", "id",
        sqlite_where=text("state <> 'closed'"), postgresql_where=text("state <> 'closed'"),
    ),
)  # fmt: skip

#: Units that may see a matter: those concerned by it and all above them. A private one: its handlers and theirs alone.
matter_scopes = Table(
    "matter_scopes",
    metadata,
    Column("unit", Id, primary_key=True),
    Column("matter_id", Id, primary_key=True),
    Index("ix_matter_scopes_matter", "matter_id"),
)

#: What was done, in order; the trace proper is oversight's.
matter_steps = Table(
    "matter_steps",
    metadata,
    Column("position", Position, primary_key=True, autoincrement=True),
    Column("matter_id", Id, nullable=False),
    Column("at", Instant, nullable=False),
    Column("action", Id, nullable=False),
    Column("actor", Id, nullable=False),
    Column("unit", Id),
    Column("attempt", Integer, nullable=False),
    Column("detail", Document, nullable=False),
    Index("ix_matter_steps_matter", "matter_id", "position"),
)

#: Approved suspensions 挂账.
pauses = Table(
    "pauses",
    metadata,
    Column("matter_id", Id, primary_key=True),
    Column("begun_at", Instant, primary_key=True),
    Column("ended_at", Instant),
    Column("until", Instant),
    Column("reason", Text, nullable=False),
    Column("approved_by", Id, nullable=False),
    Index(
        "ix_pauses_until", "until",
        sqlite_where=text("ended_at IS NULL AND until IS NOT NULL"),
        postgresql_where=text("ended_at IS NULL AND until IS NOT NULL"),
    ),
)  # fmt: skip

#: services.dispatch.domain.clocks.SlaClock; one row per (matter, kind, attempt), accept: and hand-over.
clocks = Table(
    "clocks",
    metadata,
    Column("id", Id, primary_key=True),
    Column("matter_id", Id, nullable=False),
    Column("kind", String(30), nullable=False),
    Column("attempt", Integer, nullable=False),
    Column("stage", Integer, nullable=False),
    Column("response_class", Id, nullable=False),
    Column("unit", Id, nullable=False),
    Column("target", Document, nullable=False),
    Column("words", Text, nullable=False),
    Column("started_at", Instant, nullable=False),
    Column("original_due_at", Instant, nullable=False),
    Column("due_at", Instant, nullable=False),
    Column("soon_at", Instant, nullable=False),
    Column("gross_at", Instant, nullable=False),
    Column("provisional", Boolean, nullable=False),
    Column("steps", Document, nullable=False),
    Column("fired", Integer, nullable=False),
    Column("promise", Integer, nullable=False),
    Column("status", String(10), nullable=False),
    Column("breached_at", Instant),
    Column("stopped_at", Instant),
    Column("outcome", String(10)),
    #: The one column the scan looks at; null unless the clock runs and has a step left.
    Column("next_step_at", Instant),
    Index("ux_clocks_matter", "matter_id", "kind", "attempt", "stage", unique=True),
    Index(
        "ix_clocks_next_step", "next_step_at",
        sqlite_where=text("next_step_at IS NOT NULL"), postgresql_where=text("next_step_at IS NOT NULL"),
    ),
    #: For the gauge of open clocks: of all clocks there ever were, those that have not stopped.
    Index(
        "ix_clocks_open", "matter_id",
        sqlite_where=text("status <> 'stopped'"), postgresql_where=text("status <> 'stopped'"),
    ),
)  # fmt: skip

#: Steps that clocks have done: the key is why none is done twice.
clock_steps = Table(
    "clock_steps",
    metadata,
    Column("clock_id", Id, primary_key=True),
    Column("promise", Integer, primary_key=True),
    Column("step", String(20), primary_key=True),
    Column("due_at", Instant, nullable=False),
    Column("done_at", Instant, nullable=False),
)

#: services.dispatch.domain.whistle.Whistle.
whistles = Table(
    "whistles",
    metadata,
    Column("id", Id, primary_key=True),
    Column("matter_id", Id, nullable=False),
    Column("whistler", Id, nullable=False),
    Column("request", Text, nullable=False),
    Column("legal_basis", Text),
    Column("blown_at", Instant, nullable=False),
    Column("blown_by", Id, nullable=False),
    Column("report_in_by", Instant, nullable=False),
    Column("next_step_at", Instant),
    Column("overdue_at", Instant),
    Column("ended_at", Instant),
    Column("outcome", String(10)),
    Column("version", Integer, nullable=False),
    Index("ix_whistles_matter", "matter_id"),
    Index(
        "ix_whistles_next_step", "next_step_at",
        sqlite_where=text("next_step_at IS NOT NULL"), postgresql_where=text("next_step_at IS NOT NULL"),
    ),
)  # fmt: skip

#: One row per department called.
whistle_seats = Table(
    "whistle_seats",
    metadata,
    Column("whistle_id", Id, primary_key=True),
    Column("department", Id, primary_key=True),
    Column("lead", Boolean, nullable=False),
    Column("part", String(10), nullable=False),
    Column("reported_at", Instant),
    Column("late", Boolean, nullable=False),
    Index("ix_whistle_seats_department", "department", "whistle_id"),
)

#: Every answer, in order.
whistle_answers = Table(
    "whistle_answers",
    metadata,
    Column("position", Position, primary_key=True, autoincrement=True),
    Column("whistle_id", Id, nullable=False),
    Column("department", Id, nullable=False),
    Column("answer", String(30), nullable=False),
    Column("note", Text, nullable=False),
    Column("late", Boolean, nullable=False),
    Column("answered_by", Id, nullable=False),
    Column("at", Instant, nullable=False),
    Index("ix_whistle_answers_whistle", "whistle_id", "position"),
)

#: Measures of resolutions that serve a matter (J4).
measures = Table(
    "measures",
    metadata,
    Column("measure_id", Id, primary_key=True),
    Column("matter_id", Id, nullable=False),
    Column("topic_id", Id, nullable=False),
    Column("resolution_id", Id, nullable=False),
    Column("unit", Id, nullable=False),
    Column("action", Text, nullable=False),
    Column("due_at", Instant),
    Column("assigned_at", Instant, nullable=False),
    Column("completed_at", Instant),
    Index("ix_measures_matter", "matter_id"),
)

#: Events about a matter that came, by another stream, before the matter itself.
early_events = Table(
    "early_events",
    metadata,
    Column("position", Position, primary_key=True, autoincrement=True),
    Column("matter_id", Id, nullable=False),
    Column("event", Id, nullable=False),
    Column("payload", Document, nullable=False),
    Column("received_at", Instant, nullable=False),
    Index("ix_early_events_matter", "matter_id"),
)
