"""Dispatch's tables of whistle calls and of climbs."""

from __future__ import annotations

from sqlalchemy import Boolean, Column, Index, Integer, String, Table, Text, text

from services.dispatch.tables import metadata
from shared.ledger.types import Document, Id, Instant, Position

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
    Column("complete_by", Instant),
    Column("next_step_at", Instant),
    Column("overdue_at", Instant),
    Column("ended_at", Instant),
    Column("outcome", String(10)),
    Column("ended_reason", Text),
    Column("ended_by", Id),
    Column("version", Integer, nullable=False),
    #: The oldest of the calendars that its standing deadlines were counted on; null: none was, or by an older release.
    Column("calendar_revision", Integer),
    Index("ix_whistles_matter", "matter_id"),
    #: Open calls behind a calendar that was taken in.
    Index(
        "ix_whistles_calendar", "calendar_revision", "id",
        sqlite_where=text("calendar_revision IS NOT NULL"), postgresql_where=text("calendar_revision IS NOT NULL"),
    ),
    Index(
        "ix_whistles_next_step", "next_step_at",
        sqlite_where=text("next_step_at IS NOT NULL"), postgresql_where=text("next_step_at IS NOT NULL"),
    ),
)  # fmt: skip

#: One row per department called. What is nullable and not in release 0.1 is null in its rows: see `whistle_repository`.
whistle_seats = Table(
    "whistle_seats",
    metadata,
    Column("whistle_id", Id, primary_key=True),
    Column("department", Id, primary_key=True),
    Column("lead", Boolean, nullable=False),
    Column("part", String(10), nullable=False),
    Column("reported_at", Instant),
    Column("late", Boolean, nullable=False),
    Column("report_in_by", Instant),
    Column("complete_by", Instant),
    Column("absent_at", Instant),
    Column("unfinished_at", Instant),
    Column("hop", Integer),
    Column("contest_unit", Id),
    Column("contest_by", Instant),
    Column("final", Boolean),
    #: How its deadlines were counted, services.dispatch.domain.deadlines.Counted.
    Column("counted", Document),
    Index("ix_whistle_seats_department", "department", "whistle_id"),
    #: Disputes that a desk has to decide.
    Index(
        "ix_whistle_seats_contest", "contest_unit", "whistle_id",
        sqlite_where=text("contest_unit IS NOT NULL"), postgresql_where=text("contest_unit IS NOT NULL"),
    ),
)  # fmt: skip

#: Every answer, in order.
whistle_answers = Table(
    "whistle_answers",
    metadata,
    Column("position", Position, primary_key=True, autoincrement=True),
    Column("whistle_id", Id, nullable=False),
    Column("department", Id, nullable=False),
    Column("answer", String(30), nullable=False),
    Column("note", Text, nullable=False),
    Column("ground", Text),
    Column("until", Instant),
    Column("late", Boolean, nullable=False),
    Column("answered_by", Id, nullable=False),
    Column("at", Instant, nullable=False),
    Index("ix_whistle_answers_whistle", "whistle_id", "position"),
)

#: Disputes: each level that a department's part was taken to, and what it decided.
whistle_contests = Table(
    "whistle_contests",
    metadata,
    Column("whistle_id", Id, primary_key=True),
    Column("department", Id, primary_key=True),
    Column("hop", Integer, primary_key=True),
    Column("ground", Text, nullable=False),
    Column("unit", Id, nullable=False),
    Column("contested_at", Instant, nullable=False),
    Column("decide_by", Instant, nullable=False),
    Column("final", Boolean, nullable=False),
    #: upheld, released; undecided when it went on to the next level, given-up when the department came after all.
    Column("decision", String(10)),
    Column("reason", Text),
    Column("decided_by", Id),
    Column("decided_at", Instant),
)

#: Wishes for more time, and what the whistler decided.
whistle_extensions = Table(
    "whistle_extensions",
    metadata,
    Column("whistle_id", Id, primary_key=True),
    Column("department", Id, primary_key=True),
    Column("asked_at", Instant, primary_key=True),
    Column("until", Instant),
    Column("note", Text, nullable=False),
    #: Null: not decided, or overtaken by a later wish.
    Column("granted", Boolean),
    Column("granted_until", Instant),
    Column("reason", Text),
    Column("decided_by", Id),
    Column("decided_at", Instant),
)

#: How the whistler scored a department, once.
whistle_scores = Table(
    "whistle_scores",
    metadata,
    Column("whistle_id", Id, primary_key=True),
    Column("department", Id, primary_key=True),
    Column("arrival", Integer, nullable=False),
    Column("quality", Integer, nullable=False),
    Column("result", Integer, nullable=False),
    Column("note", Text),
    Column("scored_by", Id, nullable=False),
    Column("at", Instant, nullable=False),
)

#: Every time a matter went up, or should have and did not, with the reason. What steps of clocks should have caused
#: is compared with this: a climb cannot fail silently.
climbs = Table(
    "climbs",
    metadata,
    Column("position", Position, primary_key=True, autoincrement=True),
    Column("matter_id", Id, nullable=False),
    Column("at", Instant, nullable=False),
    Column("cause", String(10), nullable=False),
    Column("reason", Text, nullable=False),
    Column("from_unit", Id, nullable=False),
    Column("to_unit", Id),
    #: climbed; needless: it stood high enough; stayed: it could not.
    Column("result", String(10), nullable=False),
    Column("because", Id),
    #: Unit -> why it was passed over.
    Column("skipped", Document, nullable=False),
    #: The clock's step that caused it, if one did.
    Column("clock_id", Id),
    Column("promise", Integer),
    Column("step", String(20)),
    Index("ix_climbs_matter", "matter_id", "position"),
    Index(
        "ux_climbs_step", "clock_id", "promise", "step", "cause", "reason", unique=True,
        sqlite_where=text("clock_id IS NOT NULL"), postgresql_where=text("clock_id IS NOT NULL"),
    ),
)  # fmt: skip
