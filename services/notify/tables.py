"""Notify's own tables.

Contact data stands in `addressees`, sealed, and nowhere else; it is opened for sending only, and every opening has a
row in `contact_access`. Texts are not kept: they can be rendered again, and their digest is kept with the attempt.
"""

from __future__ import annotations

from sqlalchemy import Boolean, Column, ForeignKey, Index, Integer, MetaData, String, Table, Text, text

from shared.ledger.types import Id, Instant

metadata = MetaData()

#: One row per demand: whom to tell.
addressees = Table(
    "addressees",
    metadata,
    Column("demand_id", Id, primary_key=True),
    Column("matter_id", Id, nullable=False),
    Column("number", Id, nullable=False),
    Column("matter_number", Id, nullable=False),
    Column("registered_at", Instant, nullable=False),
    #: It joined a matter that was open already.
    Column("joined", Boolean, nullable=False),
    #: Sealed {name, phone, mail, tracking_code}; null when the asker left nothing.
    Column("sealed", Text),
    #: False once it was seen that there is no address in it: it is not opened again.
    Column("reachable", Boolean, nullable=False),
    Column("withdrawn_at", Instant),
    Index("ix_addressees_matter", "matter_id"),
)

#: What messages say about a matter; filled from events in whatever order they come.
matters = Table(
    "matters",
    metadata,
    Column("id", Id, primary_key=True),
    #: Where it lies.
    Column("unit", Id),
    #: Who handles it.
    Column("handled_by", Id),
    Column("response_class", Id),
    #: When its resolve clock runs out.
    Column("due_at", Instant),
    #: Whether that is a guess: its year's days off are not published. Null: an older release kept it.
    Column("due_provisional", Boolean),
)

#: News that askers are told: one row per event and template.
news = Table(
    "news",
    metadata,
    Column("event_id", Id, primary_key=True),
    Column("template", Id, primary_key=True),
    Column("matter_id", Id, nullable=False),
    #: Set when it concerns one asker only.
    Column("demand_id", Id),
    Column("at", Instant, nullable=False),
    Column("unit", Id),
    #: Reason code of the event, never free text: people write names into it.
    Column("reason", Id),
    Column("evaluation_id", Id),
    Index("ix_news_matter", "matter_id"),
)

messages = Table(
    "messages",
    metadata,
    Column("id", Id, primary_key=True),
    Column("demand_id", Id, ForeignKey("addressees.demand_id"), nullable=False),
    Column("matter_id", Id, nullable=False),
    Column("event_id", Id, nullable=False),
    Column("template", Id, nullable=False),
    #: Name of the notifier that tried last.
    Column("channel", Id),
    Column("state", String(20), nullable=False),
    #: Attempts altogether, and since it was new or a desk asked for a retry.
    Column("attempts", Integer, nullable=False),
    Column("tries", Integer, nullable=False),
    Column("created_at", Instant, nullable=False),
    #: Pending: when to try. Sending: when the claim runs out. Else null.
    Column("next_attempt_at", Instant),
    Column("finished_at", Instant),
    Column("provider_ref", Id),
    #: Why it failed or was skipped.
    Column("reason", Text),
    #: The address as a desk may see it.
    Column("address", Id),
    Column("version", Integer, nullable=False),
    Index("ux_messages_news", "demand_id", "event_id", "template", unique=True),
    Index("ix_messages_due", "next_attempt_at", "id", sqlite_where=text("next_attempt_at IS NOT NULL"),
          postgresql_where=text("next_attempt_at IS NOT NULL")),
    Index("ix_messages_matter", "matter_id"),
    Index("ix_messages_state", "state", "id"),
)  # fmt: skip

#: Written before a message leaves, completed afterwards: a row without a result is an attempt nobody knows the end of.
attempts = Table(
    "attempts",
    metadata,
    Column("message_id", Id, ForeignKey("messages.id"), primary_key=True),
    #: 1, 2, 3 …
    Column("number", Integer, primary_key=True),
    Column("started_at", Instant, nullable=False),
    Column("channel", Id),
    Column("finished_at", Instant),
    #: delivered | temporary | permanent | no-address | unknown
    Column("result", String(20)),
    Column("detail", Text),
    Column("provider_ref", Id),
    #: SHA-256 of what was sent.
    Column("digest", String(64)),
)

#: Every opening of contact data; kept as long as records of handing personal data on (3 years).
contact_access = Table(
    "contact_access",
    metadata,
    Column("id", Id, primary_key=True),
    Column("demand_id", Id, nullable=False),
    Column("message_id", Id, nullable=False),
    Column("purpose", String(60), nullable=False),
    Column("actor", Id, nullable=False),
    Column("at", Instant, nullable=False),
    Index("ix_contact_access_demand", "demand_id"),
)
