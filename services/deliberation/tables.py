"""Deliberation's own tables. Nothing in them joins a voter to a choice.

`ballot_voters` knows that somebody voted, `ballot_choices` what was chosen, `ballot_receipts` which codes were handed
out; their keys have nothing in common but the ballot, none carries a time or a growing number, and on SQLite they are
stored in the order of their random keys. A database administrator of PostgreSQL could still pair rows written by one
transaction while they are fresh (xmin): nobody but the database's owner may read these three tables.
"""

from __future__ import annotations

from sqlalchemy import Boolean, Column, Float, ForeignKey, Index, Integer, MetaData, String, Table, Text, text

from shared.ledger.types import Id, Instant

metadata = MetaData()

_OPEN_TOPIC = text("state NOT IN ('adopted', 'rejected')")
_OPEN_BALLOT = text("closed_at IS NULL")
_OPEN_MEASURE = text("completed_at IS NULL")

#: The least that must be known about matters; filled from events in whatever order they come.
matters = Table(
    "matters",
    metadata,
    Column("id", Id, primary_key=True),
    Column("number", Id),
    #: Where it lies; null while unlocated or unknown.
    Column("unit", Id),
    #: First words, so that a desk recognises it.
    Column("title", String(100), nullable=False),
    #: Null until intake's event has come.
    Column("private", Boolean),
    #: open | resolved | closed | withdrawn
    Column("state", String(20), nullable=False),
)

topics = Table(
    "topics",
    metadata,
    Column("id", Id, primary_key=True),
    Column("matter_id", Id, ForeignKey("matters.id"), nullable=False),
    Column("title", String(200), nullable=False),
    Column("host_unit", Id, nullable=False),
    Column("state", String(20), nullable=False),
    Column("submitted_by", Id, nullable=False),
    Column("submitted_at", Instant, nullable=False),
    Column("ended_at", Instant),
    #: Why it was rejected.
    Column("reason", Text),
    Column("version", Integer, nullable=False),
    Index(
        "ux_topics_open", "matter_id", unique=True,
        sqlite_where=_OPEN_TOPIC, postgresql_where=_OPEN_TOPIC,
    ),
    Index("ix_topics_matter", "matter_id"),
    Index("ix_topics_host_unit", "host_unit", "id"),
)  # fmt: skip

topic_parties = Table(
    "topic_parties",
    metadata,
    Column("topic_id", Id, ForeignKey("topics.id"), primary_key=True),
    Column("party", Id, primary_key=True),
    #: unit | person | outside (an account that the pack does not know)
    Column("kind", String(20), nullable=False),
    Index("ix_topic_parties_party", "party"),
)

opinions = Table(
    "opinions",
    metadata,
    Column("id", Id, primary_key=True),
    Column("topic_id", Id, ForeignKey("topics.id"), nullable=False),
    #: Never leaves this table.
    Column("author", Id, nullable=False),
    Column("party_kind", String(20), nullable=False),
    Column("stance", String(20), nullable=False),
    Column("text", Text, nullable=False),
    Column("given_at", Instant, nullable=False),
    Index("ux_opinions_author", "topic_id", "author", unique=True),
)

ballots = Table(
    "ballots",
    metadata,
    Column("id", Id, primary_key=True),
    Column("topic_id", Id, ForeignKey("topics.id"), nullable=False),
    Column("question", String(500), nullable=False),
    Column("voters", Integer, nullable=False),
    #: The pack's shares on the day it opened: the rules do not change during a vote.
    Column("quorum_share", Float, nullable=False),
    Column("adopt_share", Float, nullable=False),
    Column("policy_version", String(64), nullable=False),
    Column("opened_by", Id, nullable=False),
    Column("opened_at", Instant, nullable=False),
    Column("closes_at", Instant),
    Column("closed_at", Instant),
    Column("closed_by", Id),
    Column("yes", Integer),
    Column("no", Integer),
    Column("abstain", Integer),
    Column("outcome", String(20)),
    Index("ux_ballots_topic", "topic_id", unique=True),
    Index("ix_ballots_due", "closes_at", sqlite_where=_OPEN_BALLOT, postgresql_where=_OPEN_BALLOT),
)  # fmt: skip

#: Who is entitled, and whether they voted. No time: it would pair voters with choices.
ballot_voters = Table(
    "ballot_voters",
    metadata,
    Column("ballot_id", Id, ForeignKey("ballots.id"), primary_key=True),
    Column("person", Id, primary_key=True),
    Column("has_voted", Boolean, nullable=False),
    sqlite_with_rowid=False,
)

#: SHA-256 of each receipt code handed out: shows that a vote is counted, never which.
ballot_receipts = Table(
    "ballot_receipts",
    metadata,
    Column("ballot_id", Id, ForeignKey("ballots.id"), primary_key=True),
    Column("digest", String(64), primary_key=True),
    sqlite_with_rowid=False,
)

#: The choices, under keys drawn at random.
ballot_choices = Table(
    "ballot_choices",
    metadata,
    Column("ballot_id", Id, ForeignKey("ballots.id"), primary_key=True),
    Column("slip", String(64), primary_key=True),
    Column("choice", String(10), nullable=False),
    sqlite_with_rowid=False,
)

resolutions = Table(
    "resolutions",
    metadata,
    Column("id", Id, primary_key=True),
    Column("topic_id", Id, ForeignKey("topics.id"), nullable=False),
    Column("text", Text, nullable=False),
    Column("adopted_by", Id, nullable=False),
    Column("adopted_at", Instant, nullable=False),
    #: Units it is filed with, separated by a blank 备案单位.
    Column("filed_with", Text, nullable=False),
    Index("ux_resolutions_topic", "topic_id", unique=True),
)

measures = Table(
    "measures",
    metadata,
    Column("id", Id, primary_key=True),
    Column("topic_id", Id, ForeignKey("topics.id"), nullable=False),
    Column("resolution_id", Id, ForeignKey("resolutions.id"), nullable=False),
    Column("matter_id", Id, nullable=False),
    #: 1, 2, 3 … as the resolution lists them.
    Column("place", Integer, nullable=False),
    Column("unit", Id, nullable=False),
    Column("action", Text, nullable=False),
    Column("due_at", Instant),
    Column("completed_at", Instant),
    Column("completed_by", Id),
    Index("ix_measures_topic", "topic_id"),
    Index("ix_measures_open", "matter_id", sqlite_where=_OPEN_MEASURE, postgresql_where=_OPEN_MEASURE),
)  # fmt: skip
