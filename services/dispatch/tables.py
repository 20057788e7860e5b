"""Dispatch's tables."""

from __future__ import annotations

from collections.abc import Sequence

from sqlalchemy import (
    BigInteger,
    Boolean,
    Column,
    Connection,
    Index,
    Integer,
    MetaData,
    String,
    Table,
    Text,
    event,
    text,
)

from services.dispatch.scope_triggers import STATEMENTS
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
    #: What handling was estimated to cost; null: nobody said.
    Column("cost_yuan", BigInteger),
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
    #: Lists of what is worked on, however much has ended.
    Index(
        "ix_matters_open", "due_at", "id", sqlite_where=text("state <> 'closed' AND state <> 'withdrawn'"),
        postgresql_where=text("state <> 'closed' AND state <> 'withdrawn'"),
    ),
    #: A unit's own work, and a person's.
    Index("ix_matters_unit", "unit", "due_at", "id"),
    Index(
        "ix_matters_person", "person", "due_at", "id",
        sqlite_where=text("person IS NOT NULL"), postgresql_where=text("person IS NOT NULL"),
    ),
)  # fmt: skip

#: Units that may see a matter: those concerned by it and all above them. A private one: its handlers and theirs alone.
matter_scopes = Table(
    "matter_scopes",
    metadata,
    Column("unit", Id, primary_key=True),
    Column("matter_id", Id, primary_key=True),
    #: The matter's, kept by triggers (revision 0009): nobody writes it.
    Column("due_at", Instant),
    Index("ix_matter_scopes_matter", "matter_id"),
    Index("ix_matter_scopes_due", "unit", "due_at", "matter_id"),
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

#: services.dispatch.domain.time_requests.TimeRequest: more time 延期 or rest 挂账 asked for.
time_requests = Table(
    "time_requests",
    metadata,
    Column("id", Id, primary_key=True),
    Column("matter_id", Id, nullable=False),
    Column("kind", String(10), nullable=False),
    Column("attempt", Integer, nullable=False),
    Column("unit", Id, nullable=False),
    Column("reason", Text, nullable=False),
    Column("days", Integer),
    Column("until", Instant),
    Column("requested_by", Id, nullable=False),
    Column("requested_at", Instant, nullable=False),
    Column("decided_by", Id),
    Column("decided_at", Instant),
    Column("granted", Boolean),
    Column("granted_days", Integer),
    Column("granted_until", Instant),
    Column("note", Text),
    Index("ix_time_requests_matter", "matter_id", "kind"),
    Index(
        "ix_time_requests_undecided", "requested_at", "id",
        sqlite_where=text("decided_at IS NULL"), postgresql_where=text("decided_at IS NULL"),
    ),
)  # fmt: skip

#: Years of the national calendar taken in since the pack was installed; the later word on a year counts.
calendar_years = Table(
    "calendar_years",
    metadata,
    Column("revision", Integer, primary_key=True, autoincrement=False),
    Column("calendar", Id, nullable=False),
    Column("year", Integer, nullable=False),
    Column("days_off", Document, nullable=False),
    Column("makeup_days", Document, nullable=False),
    Column("source", Text, nullable=False),
    Column("imported_by", Id, nullable=False),
    Column("imported_at", Instant, nullable=False),
)

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
    #: Working days granted on top of the target.
    Column("extended_days", Integer, nullable=False, server_default="0"),
    #: The newest of `calendar_years` when it was last counted; 0: the pack's own calendar.
    Column("calendar_revision", Integer, nullable=False, server_default="0"),
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
    #: Clocks that were counted before the newest year was taken in.
    Index(
        "ix_clocks_calendar", "calendar_revision", "id",
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
    #: What was done lately is compared with the climbs it should have caused.
    Index("ix_clock_steps_done", "done_at"),
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


@event.listens_for(metadata, "after_create")
def _keep_due(_target: MetaData, connection: Connection, *, tables: Sequence[Table], **_: object) -> None:
    """What revision 0009 does, where tables are made without revisions (in memory)."""
    if matter_scopes in tables:
        for statement in STATEMENTS[connection.dialect.name]:
            connection.exec_driver_sql(statement)
