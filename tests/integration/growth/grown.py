"""A suite that has been in use for years: tables filled by the server itself, with rows as small as they may be.

Nothing here is a real life; only what plans depend on is true: how many rows there are, how the keys look, what share
of them is open, and that what is open is not due.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from datetime import datetime

from sqlalchemy import JSON, Boolean, Column, Connection, Engine, Float, Integer, LargeBinary, Table, text

from deploy.launcher import services
from shared.ledger import tables as ledger
from shared.ledger.types import Instant

MILLION = 1_000_000
#: Rows of a table that grows, but is not among those of which there are a million here.
SOME = 30_000
#: One row in so many is about something that is still open.
OPEN_EVERY = 100
#: Tables that stay as small as they are in life: backlogs, and what people write by hand.
SMALL = {"parked", "failures", "quarantine", "leases", "interventions", "early_events"}
SMALL_ROWS = 50
#: What cannot be made up here.
NONE = {"reports", "trace_head", "calendar_years"}
#: The million: where one row per matter, per event or per message is kept.
BIG = {
    "intake": {"matters", "demands"},
    "deliberation": {"matters"},
    "dispatch": {
        "matters", "clocks", "matter_scopes", "outbox", "inbox", "stream_heads", "stream_positions", "idempotency",
    },
    "oversight": {"trace", "matters", "demands", "clocks", "milestones", "evaluations"},
    "notify": {"addressees", "news", "messages", "matters"},
}  # fmt: skip

#: Tables of which a gauge counts a part.
_COUNTED = {"messages", "matter_scopes"}
_OPEN = f"g % {OPEN_EVERY} = 0"
#: The suite's instant of what never falls due.
_NEVER = "TIMESTAMPTZ '9999-12-31Z'"
#: Of a matter: of its clocks, or never when it has none that runs.
_DUE = f"CASE WHEN {_OPEN} THEN {{later}} ELSE {_NEVER} END"


def _id(letter: str) -> str:
    # Sorts before every uuid7, as what is older does.
    return f"'00{letter}' || lpad(g::text, 7, '0')"


#: Column name -> SQL, wherever it is not said otherwise below.
_NAMED = {
    "matter_id": _id("m"), "demand_id": _id("d"), "message_id": _id("e"), "event_id": _id("e"),
    "clock_id": _id("c"), "whistle_id": _id("w"), "topic_id": _id("t"), "evaluation_id": _id("v"),
    "stream": "'intake.matter:' || " + _id("m"), "stream_version": "1", "handler": "'{service}'",
    "unit": "{unit}", "territory": "{unit}", "level": "'grid'",
    "street": "'jianwai'", "subject": _id("m"), "message": _id("e"),
}  # fmt: skip
#: (service, table, column) -> SQL.
_SPECIAL = {
    ("*", "outbox", "published_at"): "{at}",
    ("*", "quarantine", "state"): "'discarded'",
    ("*", "quarantine", "decided_at"): "{at}",
    ("*", "parked", "stream_version"): "9",
    ("*", "stream_positions", "waiting"): "0",
    ("intake", "matters", "standing"): f"CASE WHEN {_OPEN} THEN 'registered' ELSE 'closed' END",
    ("intake", "matters", "text_fingerprint"): "md5(g::text)",
    ("intake", "matters", "place_key"): "'p' || g % 3000",
    ("intake", "demands", "code_digest"): "md5(g::text)",
    ("intake", "demands", "source"): "'hotline'",
    ("intake", "demands", "source_ref"): "'r' || g",
    ("dispatch", "matters", "id"): _id("m"),
    ("dispatch", "matters", "state"): f"CASE WHEN {_OPEN} THEN 'assigned' ELSE 'closed' END",
    ("dispatch", "matters", "flags"): "'[]'",
    ("dispatch", "matters", "response_class"): "CASE WHEN g % 400 = 0 THEN 'same-day' ELSE 'within-week' END",
    ("dispatch", "clocks", "status"): f"CASE WHEN {_OPEN} THEN 'running' ELSE 'stopped' END",
    ("dispatch", "clocks", "next_step_at"): f"CASE WHEN {_OPEN} THEN {{later}} END",
    ("dispatch", "clocks", "due_at"): "{later}",
    ("dispatch", "clocks", "kind"): "'resolve'",
    ("dispatch", "clocks", "steps"): "'[]'",
    ("dispatch", "clocks", "target"): "'{\"elapsed\": \"48h\"}'",
    ("dispatch", "matters", "due_at"): _DUE,
    ("dispatch", "matters", "soon_at"): _DUE,
    ("dispatch", "matters", "gross_at"): _DUE,
    ("intake", "matters", "unit"): "CASE WHEN g % 1000 <> 0 THEN {unit} END",
    ("dispatch", "whistles", "ended_at"): "{at}",
    ("dispatch", "claims", "state"): "'approved'",
    ("dispatch", "claim_scopes", "state"): "'approved'",
    ("dispatch", "orders", "state"): "'settled'",
    ("dispatch", "order_scopes", "state"): "'settled'",
    ("dispatch", "whistle_seats", "part"): "'assist'",
    ("dispatch", "pauses", "ended_at"): "{at}",
    ("dispatch", "time_requests", "kind"): "'extension'",
    ("dispatch", "time_requests", "decided_at"): "{at}",
    ("dispatch", "whistle_contests", "decision"): "'upheld'",
    ("dispatch", "whistle_contests", "decided_at"): "{at}",
    ("dispatch", "whistle_extensions", "decided_at"): "{at}",
    ("dispatch", "department_deliveries", "state"): "'delivered'",
    ("oversight", "trace", "position"): "g",
    ("oversight", "matters", "private"): "false",
    ("oversight", "matters", "opened_at"): "{at}",
    ("oversight", "matters", "state"): f"CASE WHEN {_OPEN} THEN 'open' ELSE 'closed' END",
    ("oversight", "matters", "first_closed_at"): "{at}",
    ("oversight", "demands", "registered_at"): "{at}",
    ("oversight", "milestones", "kind"): "'assigned'",
    ("oversight", "attempts", "started_at"): "{at}",
    ("oversight", "attempts", "ended_at"): f"CASE WHEN NOT {_OPEN} THEN {{at}} END",
    ("oversight", "attempts", "ended_as"): "'closed'",
    ("oversight", "evaluations", "answered_at"): "{at}",
    ("oversight", "clocks", "kind"): "'resolve'",
    ("oversight", "clocks", "started_at"): "{at}",
    ("oversight", "clocks", "stopped_at"): "{at}",
    ("notify", "messages", "state"): f"CASE WHEN {_OPEN} THEN 'failed' ELSE 'delivered' END",
    ("notify", "messages", "template"): "'received'",
    ("notify", "news", "template"): "'received'",
    ("notify", "matters", "handled_by"): "{unit}",
    # A few in each week.
    ("oversight", "call_parts", "blown_at"): "{at} - (g % 3000) * INTERVAL '1 day'",
    ("notify", "notices", "state"): "'delivered'",
    ("notify", "notices", "person"): f"CASE WHEN {_OPEN} THEN 'p' || g % 300 END",
    ("deliberation", "matters", "id"): _id("m"),
    ("deliberation", "matters", "state"): "'closed'",
    ("deliberation", "topics", "state"): "'adopted'",
    ("deliberation", "ballots", "closed_at"): "{at}",
    ("deliberation", "measures", "completed_at"): "{at}",
    ("notify", "matters", "id"): _id("m"),
}  # fmt: skip


def rows_of(service: str, table: str) -> int:
    """How many rows a table gets."""
    if table in BIG[service]:
        return MILLION
    return 0 if table in NONE else SMALL_ROWS if table in SMALL else SOME


def fill_all(engines: dict[str, Engine], now: datetime, units: list[str]) -> None:
    """Fill the databases of all services, two at a time, the largest first."""
    order = sorted(engines, key=lambda name: -len(BIG[name]))
    with ThreadPoolExecutor(2) as pool:
        list(pool.map(lambda name: fill(engines[name], name, now, units), order))


def fill(engine: Engine, service: str, now: datetime, units: list[str]) -> None:
    """Fill a migrated, empty database and analyze it."""
    tables = [*ledger.metadata.sorted_tables, *services.definition(service).tables.sorted_tables]
    with _quickly(engine, tables) as db:
        for table in tables:
            columns = _columns(service, table)
            _insert(db, table, columns, rows_of(service, table.name), now, units)
            if table.name == "matter_scopes":
                # The street sees them all.
                _insert(db, table, columns | {"unit": "'jianwai'"}, rows_of(service, table.name), now, units)
            _restore_indexes(db, table)
        if service == "oversight":
            db.execute(text("INSERT INTO trace_head VALUES (1, :rows, repeat('0', 64))"), {"rows": MILLION})
        db.execute(text("ANALYZE"))
        for name in _COUNTED & {table.name for table in tables}:
            db.execute(text(f"VACUUM {name}"))  # autovacuum has been there in life: counts read the index alone


def fill_one(engine: Engine, service: str, table: Table, rows: int, now: datetime, **columns: str) -> None:
    """Fill one table of a migrated, empty database; `columns` say what is otherwise than usual."""
    with _quickly(engine, [table]) as db:
        _insert(db, table, _columns(service, table) | columns, rows, now, ["jianwai"])
        _restore_indexes(db, table)
        db.execute(text(f"ANALYZE {table.name}"))


@contextmanager
def _quickly(engine: Engine, tables: Sequence[Table]) -> Iterator[Connection]:
    """Without a log, without checks of foreign keys (true by the way rows are made), indexes afterwards."""
    with engine.connect().execution_options(isolation_level="AUTOCOMMIT") as db:
        for setting in (
            "session_replication_role = replica",
            "maintenance_work_mem = '256MB'",
            "statement_timeout = 0",
        ):
            db.execute(text(f"SET {setting}"))
        db.execute(text("CREATE TEMPORARY TABLE taken_away (of_table text, definition text)"))
        for table in reversed(tables):
            if len(tables) > 1:
                db.execute(text(f"ALTER TABLE {table.name} SET UNLOGGED"))
            of_table = {"name": table.name}
            db.execute(
                text(
                    "INSERT INTO taken_away SELECT tablename, indexdef FROM pg_indexes WHERE tablename = :name"
                    " AND NOT EXISTS (SELECT FROM pg_constraint WHERE conname = indexname)"
                ),
                of_table,
            )
            names = text(
                "SELECT indexname FROM pg_indexes WHERE tablename = :name"
                " AND NOT EXISTS (SELECT FROM pg_constraint WHERE conname = indexname)"
            )
            for name in db.execute(names, of_table).scalars().all():
                db.execute(text(f"DROP INDEX {name}"))
        yield db
        db.execute(text("DROP TABLE taken_away"))
        db.execute(text("RESET ALL"))


def _restore_indexes(db: Connection, table: Table) -> None:
    taken = text("SELECT definition FROM taken_away WHERE of_table = :name")
    for definition in db.execute(taken, {"name": table.name}).scalars().all():
        db.execute(text(definition))


def _columns(service: str, table: Table) -> dict[str, str]:
    return {
        column.name: _value(service, table, column).replace("{service}", service)
        for column in table.columns
        if not (column.primary_key and column.autoincrement is True)
    }


def _insert(
    db: Connection, table: Table, columns: Mapping[str, str], rows: int, now: datetime, units: list[str]
) -> None:
    instant = f"TIMESTAMPTZ '{now.isoformat()}'"
    words = {
        "{at}": f"({instant} - ({rows} - g) * INTERVAL '2 seconds' - INTERVAL '1 hour')",
        "{later}": f"({instant} + INTERVAL '300 days' + g * INTERVAL '1 second')",
        "{unit}": "(ARRAY[" + ", ".join(f"'{unit}'" for unit in units) + f"])[1 + g % {len(units)}]",
    }
    chosen = ", ".join(columns.values())
    for word, meaning in words.items():
        chosen = chosen.replace(word, meaning)
    names = ", ".join(f'"{name}"' for name in columns)
    statement = f"INSERT INTO {table.name} ({names}) SELECT {chosen} FROM generate_series(1, {rows}) AS g"
    db.exec_driver_sql(statement.replace("%", "%%"))


def _value(service: str, table: Table, column: Column) -> str:
    for key in ((service, table.name, column.name), ("*", table.name, column.name)):
        if key in _SPECIAL:
            return _SPECIAL[key]
    if column.nullable and column.name not in ("unit", "territory"):
        return "NULL"
    if column.name in _NAMED:
        return _NAMED[column.name]
    if isinstance(column.type, Instant):
        return "{at}"
    kinds = (
        (LargeBinary, "'\\x7b7d'::bytea"), (JSON, "'{}'"), (Boolean, "false"),
        (Integer, "1"), (Float, "0.5"),
    )  # fmt: skip
    for kind, made in kinds:
        if isinstance(column.type, kind):
            return made
    return _id(column.name[0]) if column.primary_key or column.unique or column.name == "id" else "'x'"
