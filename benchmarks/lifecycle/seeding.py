"""Matters already there: real rows of lives that were driven, multiplied inside PostgreSQL.

Every row of every service's tables is copied as often as needed with other ids (the leading eight digits of each uuid7
are replaced, in streams too), an hour earlier for each copy. Indexes are dropped meanwhile and made again from their
own definitions; statistics are gathered afterwards. What differs from a suite that has really grown: trace and outbox
rows carry an envelope of two bytes, the copies' links of the trace's chain do not verify, and some tables hold the
newest matters only (`KEPT`): outbox, inbox and idempotency as the purge leaves them, the trace to fit the disk.
"""

from __future__ import annotations

import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import psycopg2

from shared.contracts.topology import SERVICES

#: Schema that keeps the rows that are copied.
_ORIGINALS = "originals"
#: Tables that do not hold all matters -> how many matters' worth of rows they hold.
KEPT = {"outbox": 20_000, "inbox": 20_000, "idempotency": 20_000, "trace": 300_000}
#: Tables of which a copy means nothing.
_SINGLE = ("leases", "alembic_version", "trace_head")
_POSITIONS = ("position", "serial")
_DIGESTS = ("code_digest", "text_fingerprint")
_WAL_BYTES = "4GB"


@dataclass(frozen=True, kw_only=True)
class Originals:
    """What is multiplied."""

    matters: int
    #: Leading eight digits of the ids in the rows.
    prefixes: tuple[int, ...]


def keep_originals(urls: dict[str, str], began: datetime, ended: datetime, matters: int) -> Originals:
    """Set the rows of `matters` lives driven between two instants aside. The suite must stand still."""
    for service in SERVICES:
        with _session(urls[service]) as db:
            db.execute(f"DROP SCHEMA IF EXISTS {_ORIGINALS} CASCADE; CREATE SCHEMA {_ORIGINALS}")
            for table in _tables(db):
                db.execute(f'CREATE TABLE {_ORIGINALS}."{table}" AS TABLE public."{table}"')
    first, last = (int(instant.timestamp() * 1_000) >> 16 for instant in (began, ended))
    return Originals(matters=matters, prefixes=tuple(range(first, last + 1)))


def grow(urls: dict[str, str], originals: Originals, before: int, wanted: int) -> tuple[int, float]:
    """Copy until `wanted` matters are there; `before`: copies made earlier. Returns copies there now, and seconds."""
    copies = -(-(wanted - originals.matters) // originals.matters)
    began = time.perf_counter()
    with ThreadPoolExecutor(2) as pool:
        list(pool.map(lambda service: _grow_one(urls[service], originals, before + 1, copies), SERVICES))
    return copies, time.perf_counter() - began


def _grow_one(url: str, originals: Originals, first: int, last: int) -> None:
    with _session(url) as db:
        db.execute("SET session_replication_role = replica; SET maintenance_work_mem = '256MB'; SET work_mem = '64MB'")
        made_again = _drop_indexes(db)
        for table in _tables(db):
            if table in _SINGLE:
                continue
            until = min(last, -(-KEPT.get(table, last * originals.matters) // originals.matters))
            if until >= first:
                db.execute(_copying(db, table, originals, first, until))
        for statement in made_again:
            db.execute(statement)
        _catch_up(db)
        db.execute("VACUUM ANALYZE")


def _copying(db: Any, table: str, originals: Originals, first: int, last: int) -> str:
    columns = _columns(db, table)
    chosen = [_expression(db, table, name, kind, originals, first) for name, kind in columns]
    names = ", ".join(f'"{name}"' for name, _ in columns)
    return (
        f'INSERT INTO public."{table}" ({names}) SELECT {", ".join(chosen)} '  # noqa: S608 -- names of our own tables
        f'FROM {_ORIGINALS}."{table}" o CROSS JOIN generate_series({first}, {last}) c'
    )


def _expression(db: Any, table: str, name: str, kind: str, originals: Originals, first: int) -> str:
    column = f'o."{name}"'
    if name in _DIGESTS:
        return f"md5({column} || c) || md5(c || {column})"
    if name in _POSITIONS:
        # Behind all that is there: lives were driven since the originals were set aside.
        db.execute(
            f'SELECT min("{name}"), max("{name}"), (SELECT max("{name}") FROM public."{table}") '  # noqa: S608
            f'FROM {_ORIGINALS}."{table}"'
        )
        lowest, highest, there = (found or 0 for found in db.fetchone())
        return f"{column} + {there - lowest + 1} + (c - {first}) * {highest - lowest + 1}"
    if kind == "timestamp with time zone":
        return f"{column} - c * interval '1 hour'"
    if kind == "bytea" and name == "envelope":
        return "'{}'::bytea"
    if kind == "character varying":
        for prefix in originals.prefixes:
            # Copies take blocks of prefixes below the originals', so that no two meet.
            other = f"lpad(to_hex({prefix}::bigint - c * {len(originals.prefixes)}), 8, '0')"
            column = f"replace({column}, '{prefix:08x}-', {other} || '-')"
        return column
    return column


def _drop_indexes(db: Any) -> list[str]:
    """Drop every index and constraint that slows copying down; returns the statements that make them again."""
    db.execute(
        "SELECT conrelid::regclass::text, conname, contype, pg_get_constraintdef(oid) FROM pg_constraint "
        "WHERE connamespace = 'public'::regnamespace AND contype IN ('p', 'u', 'f') "
        "AND conrelid::regclass::text <> 'alembic_version' ORDER BY contype = 'f'"
    )
    constraints = db.fetchall()
    statements = [f'ALTER TABLE {table} ADD CONSTRAINT "{name}" {rule}' for table, name, _, rule in constraints]
    for table, name, kind, _ in sorted(constraints, key=lambda found: found[2] != "f"):
        db.execute(f'ALTER TABLE {table} DROP CONSTRAINT "{name}"' + (" CASCADE" if kind != "f" else ""))
    db.execute(
        "SELECT indexname, indexdef FROM pg_indexes WHERE schemaname = 'public' AND tablename <> 'alembic_version'"
    )
    indexes = db.fetchall()
    for name, _ in indexes:
        db.execute(f'DROP INDEX public."{name}"')
    return [definition for _, definition in indexes] + statements


def _catch_up(db: Any) -> None:
    """Let sequences and the trace's head stand behind the last row."""
    for table in _tables(db):
        for name, _ in _columns(db, table):
            db.execute("SELECT pg_get_serial_sequence(%s, %s)", (f'public."{table}"', name))
            sequence = db.fetchone()[0]
            if sequence:
                last = f'SELECT coalesce(max("{name}"), 1) FROM public."{table}"'  # noqa: S608
                db.execute(f"SELECT setval(%s, ({last}))", (sequence,))
    if "trace_head" in _tables(db):
        db.execute("UPDATE public.trace_head SET position = (SELECT max(position) FROM public.trace)")


def _tables(db: Any) -> list[str]:
    db.execute("SELECT tablename FROM pg_tables WHERE schemaname = 'public' ORDER BY tablename")
    return [row[0] for row in db.fetchall()]


def _columns(db: Any, table: str) -> list[tuple[str, str]]:
    db.execute(
        "SELECT column_name, data_type FROM information_schema.columns "
        "WHERE table_schema = 'public' AND table_name = %s ORDER BY ordinal_position",
        (table,),
    )
    return list(db.fetchall())


def be_careless(url: str, *, careless: bool) -> None:
    """While rows are copied nothing need survive a power cut; for the measurement everything must again."""
    with _session(url) as db:
        for name, value in (
            ("fsync", "off"), ("full_page_writes", "off"), ("autovacuum", "off"), ("max_wal_size", f"'{_WAL_BYTES}'"),
        ):  # fmt: skip
            db.execute(f"ALTER SYSTEM SET {name} = {value}" if careless else f"ALTER SYSTEM RESET {name}")
        db.execute("SELECT pg_reload_conf()")
        db.execute("CHECKPOINT")


def sizes(urls: dict[str, str]) -> float:
    """Gigabytes of all databases."""
    total = 0
    for service in SERVICES:
        with _session(urls[service]) as db:
            db.execute("SELECT pg_database_size(current_database())")
            total += db.fetchone()[0]
    return total / 1e9


class _session:  # noqa: N801 -- used like a function
    """A cursor that commits each statement."""

    def __init__(self, url: str) -> None:
        self._connection = psycopg2.connect(url.replace("postgresql+psycopg2://", "postgresql://", 1))
        self._connection.autocommit = True

    def __enter__(self) -> Any:
        return self._connection.cursor()

    def __exit__(self, *_raised: object) -> None:
        self._connection.close()
