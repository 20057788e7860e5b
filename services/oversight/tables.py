"""oversight's own tables: the trace, what is projected from it, and what oversight itself decides.

Everything but `trace`, `trace_head` and `reports` can be rebuilt from the trace (read_model.py). Events of
different streams arrive in any order, so a projected row may be born half-filled: those columns are nullable.
"""

from __future__ import annotations

from sqlalchemy import Boolean, Column, Index, Integer, MetaData, String, Table, Text

from shared.ledger.types import Bytes, Document, Id, Instant, Position

metadata = MetaData()

#: Every event of all five services, exactly as received, append-only, one chain (docs/trace.md).
trace = Table(
    "trace",
    metadata,
    Column("position", Position, primary_key=True, autoincrement=False),
    Column("message_id", Id, nullable=False, unique=True),
    Column("type", Id, nullable=False),
    Column("stream", String(300), nullable=False),
    Column("stream_version", Integer, nullable=False),
    Column("subject", Id, nullable=False),
    Column("time", Instant, nullable=False),
    #: When this installation stored it; hashed like the envelope.
    Column("recorded_at", Instant, nullable=False),
    Column("envelope", Bytes, nullable=False),
    Column("previous_hash", String(64), nullable=False),
    Column("hash", String(64), nullable=False),
    Index("ix_trace_subject", "subject", "position"),
)

#: One row: the end of the chain. Its row lock is what keeps the chain from forking.
trace_head = Table(
    "trace_head",
    metadata,
    Column("id", Integer, primary_key=True, autoincrement=False),
    Column("position", Position, nullable=False),
    Column("hash", String(64), nullable=False),
)

#: One row per matter, from intake's and dispatch's matter streams.
matters = Table(
    "matters",
    metadata,
    Column("matter_id", Id, primary_key=True),
    Column("number", Id),
    #: Unknown until intake's event is here; unknown is treated as private.
    Column("private", Boolean),
    Column("channel", String(40)),
    Column("asker_kind", String(40)),
    Column("asked_category", Id),
    #: Where it lies: its grid, or whatever unit intake located it in.
    Column("territory", Id),
    Column("opened_at", Instant),
    Column("category", Id),
    Column("response_class", Id),
    #: Who is responsible now, and the level of that unit.
    Column("unit", Id),
    Column("level", String(40)),
    Column("state", String(40), nullable=False),
    Column("suspended", Boolean, nullable=False),
    Column("attempt", Integer, nullable=False),
    Column("outcome", Text),
    Column("closed_at", Instant),
    #: Of the first closure; a reopening never changes them.
    Column("first_closed_at", Instant),
    Column("first_on_time", Boolean),
    Index("ix_matters_opened_at", "opened_at"),
    Index("ix_matters_first_closed_at", "first_closed_at"),
)

#: From when to when a matter was alive: one row per attempt.
attempts = Table(
    "attempts",
    metadata,
    Column("matter_id", Id, primary_key=True),
    Column("attempt", Integer, primary_key=True, autoincrement=False),
    Column("started_at", Instant),
    Column("ended_at", Instant),
    #: closed | withdrawn
    Column("ended_as", String(20)),
    Column("on_time", Boolean),
    Index("ix_attempts_ended_at", "ended_at"),
)

#: What happened on the way: one row per event that figures count.
milestones = Table(
    "milestones",
    metadata,
    Column("message_id", Id, primary_key=True),
    Column("matter_id", Id, nullable=False),
    #: assigned | returned | escalated | suspended | resumed | reworked | reopened | whistled | deliberated
    Column("kind", String(20), nullable=False),
    Column("at", Instant, nullable=False),
    Column("unit", Id),
    Column("level", String(40)),
    Column("detail", Text),
    Index("ix_milestones_matter", "matter_id", "kind", "at"),
    Index("ix_milestones_at", "at", "kind"),
)

demands = Table(
    "demands",
    metadata,
    Column("demand_id", Id, primary_key=True),
    Column("matter_id", Id, nullable=False),
    Column("number", Id),
    Column("channel", String(40)),
    Column("asker_kind", String(40)),
    Column("private", Boolean),
    Column("joined", Boolean),
    Column("registered_at", Instant),
    Column("withdrawn_at", Instant),
    Index("ix_demands_matter", "matter_id"),
    Index("ix_demands_registered_at", "registered_at"),
)

clocks = Table(
    "clocks",
    metadata,
    Column("clock_id", Id, primary_key=True),
    Column("matter_id", Id, nullable=False),
    Column("kind", String(40), nullable=False),
    Column("unit", Id, nullable=False),
    Column("response_class", Id),
    Column("attempt", Integer),
    Column("started_at", Instant),
    #: As told last.
    Column("due_at", Instant),
    #: What was promised first; extensions and pauses move `due_at` only.
    Column("original_due_at", Instant),
    Column("provisional", Boolean),
    Column("paused_at", Instant),
    Column("warned_percent", Integer),
    Column("breached", Boolean, nullable=False),
    Column("stopped_at", Instant),
    #: met | breached | cancelled
    Column("outcome", String(20)),
    Index("ix_clocks_matter", "matter_id", "kind"),
)

whistles = Table(
    "whistles",
    metadata,
    Column("whistle_id", Id, primary_key=True),
    Column("matter_id", Id, nullable=False),
    Column("whistler", Id),
    Column("lead", Id),
    Column("departments", Document),
    Column("blown_at", Instant),
    Column("report_in_by", Instant),
    Column("last_answer", String(40)),
    Column("late", Boolean, nullable=False),
    Column("ended_at", Instant),
    Column("outcome", String(20)),
    Index("ix_whistles_matter", "matter_id"),
)

#: One row for each department that a call summons: when it came, and how the whistler found it (art. 33, 双考核).
call_parts = Table(
    "call_parts",
    metadata,
    Column("whistle_id", Id, primary_key=True),
    Column("department", Id, primary_key=True),
    Column("matter_id", Id, nullable=False),
    #: It led the call when it was blown.
    Column("led", Boolean),
    Column("blown_at", Instant),
    Column("report_in_by", Instant),
    #: Its first answer, and whether that came after the deadline.
    Column("reported_at", Instant),
    Column("late", Boolean),
    Column("scored_at", Instant),
    Column("arrival", Integer),
    Column("quality", Integer),
    Column("result", Integer),
    Index("ix_call_parts_matter", "matter_id"),
    Index("ix_call_parts_blown_at", "blown_at"),
)

#: Disputes about a department's part, one row for each level that one was taken to (首接负责).
disputes = Table(
    "disputes",
    metadata,
    Column("whistle_id", Id, primary_key=True),
    Column("department", Id, primary_key=True),
    #: 1, 2, 3 …
    Column("hop", Integer, primary_key=True, autoincrement=False),
    Column("matter_id", Id, nullable=False),
    Column("to_level", String(40)),
    Column("contested_at", Instant),
    Column("decided_at", Instant),
    #: upheld | released; null: undecided, or gone on to the next level
    Column("decision", String(20)),
    Index("ix_disputes_matter", "matter_id"),
)

resolutions = Table(
    "resolutions",
    metadata,
    Column("topic_id", Id, primary_key=True),
    Column("matter_id", Id, nullable=False),
    Column("title", Text),
    Column("host_unit", Id),
    #: submitted | balloting | adopted | rejected | filed
    Column("state", String(20), nullable=False),
    Column("resolution_id", Id),
    Column("measures", Integer),
    Column("submitted_at", Instant),
    Column("decided_at", Instant),
    Index("ix_resolutions_matter", "matter_id"),
)

#: One question to one asker about one attempt 一事一评.
evaluations = Table(
    "evaluations",
    metadata,
    Column("evaluation_id", Id, primary_key=True),
    Column("matter_id", Id, nullable=False),
    Column("demand_id", Id, nullable=False),
    Column("attempt", Integer, nullable=False),
    Column("version", Integer, nullable=False),
    Column("requested_at", Instant, nullable=False),
    Column("expires_at", Instant, nullable=False),
    Column("answered_at", Instant),
    Column("satisfied", Boolean),
    Column("resolved", Boolean),
    Column("comment", Text),
    Column("wants_reopening", Boolean),
    Column("channel", String(40)),
    Index("ux_evaluations_demand", "demand_id", "attempt", unique=True),
    Index("ix_evaluations_matter", "matter_id"),
    Index("ix_evaluations_requested_at", "requested_at"),
    Index("ix_evaluations_answered_at", "answered_at"),
)

inspections = Table(
    "inspections",
    metadata,
    Column("inspection_id", Id, primary_key=True),
    Column("matter_id", Id, nullable=False),
    #: on-site | cloud
    Column("kind", String(20), nullable=False),
    Column("finding", Text, nullable=False),
    Column("passed", Boolean, nullable=False),
    Column("inspected_by", Id, nullable=False),
    Column("at", Instant, nullable=False),
    Index("ix_inspections_matter", "matter_id"),
)

#: Rectification orders, and how far dispatch says they are 限期整改 (C3).
orders = Table(
    "orders",
    metadata,
    Column("order_id", Id, primary_key=True),
    #: The matter it is about; the order itself when it is about none: what its events are about.
    Column("subject", Id, nullable=False),
    Column("matter_id", Id),
    Column("inspection_id", Id),
    Column("unit", Id),
    Column("request", Text),
    Column("deadline", Instant),
    Column("ordered_by", Id),
    Column("ordered_at", Instant),
    Column("withdrawn_at", Instant),
    #: Who has it now, and how often it rose.
    Column("held_by", Id),
    Column("overdue_times", Integer),
    Column("reported_at", Instant),
    Column("closed_at", Instant),
    Column("on_time", Boolean),
    Index("ix_orders_subject", "subject"),
    Index("ix_orders_ordered_at", "ordered_at", "order_id"),
)

#: Published reports, exactly as published: the digest in the trace is over these bytes.
reports = Table(
    "reports",
    metadata,
    Column("report_id", Id, primary_key=True),
    Column("period_from", Instant, nullable=False),
    Column("period_to", Instant, nullable=False),
    Column("unit", Id),
    Column("digest", String(64), nullable=False),
    Column("document", Bytes, nullable=False),
    Column("published_at", Instant, nullable=False),
    Column("published_by", Id, nullable=False),
    Index("ix_reports_published_at", "published_at", "report_id"),
)

#: What `rebuild` empties and fills again, parents in no order: nothing refers to anything by foreign key.
PROJECTED = (
    matters, attempts, milestones, demands, clocks, whistles, call_parts, disputes, resolutions, evaluations,
    inspections, orders,
)  # fmt: skip
