"""Statements that PostgreSQL parses and plans once a connection instead of every time.

As psycopg 3 and pgjdbc do of themselves, for psycopg2, which cannot: a statement with named values that a connection
has run five times becomes `PREPARE … ; EXECUTE …` there. Half of what a short statement costs the server is reading it
(docs/adr/0011). Whether a generic plan is good enough PostgreSQL decides by itself (`plan_cache_mode`). What cannot be
prepared goes on as before. Never changes what a statement means: whole numbers, truth values and instants keep the
type that they have as literals.
"""

from __future__ import annotations

import re
from collections import Counter, OrderedDict
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from functools import lru_cache
from typing import Any

import psycopg2
from psycopg2 import errors

from shared.kernel.hashing import sha256_hex
from shared.ledger.round_trips import ThriftyCursor

#: Runs of a text on one connection before it is worth a PREPARE, as in psycopg 3.
WORTH_IT = 5
#: Runs after which a statement is prepared anew, at first and at most: a plan made for an empty table reads the full
#: one from end to end, and PostgreSQL replaces it only when the table's statistics are renewed, which may be minutes
#: later. Doubled each time: the longer a connection has run it, the less its tables change in as many runs.
GOOD_FOR, GOOD_FOR_MOST = 128, 2_048
#: Statements that one connection keeps prepared at most; the one unused for longest makes room.
MOST_KEPT = 200
#: Texts counted on one connection before counting begins anew: some are never the same twice.
_MOST_COUNTED = 2_000
#: A value's place, with the cast that may follow: the value given to EXECUTE needs the same one.
_PLACE = re.compile(
    r"%\((?P<name>\w+)\)s"
    r"(?P<cast>::(?:TIMESTAMP WITH TIME ZONE|DOUBLE PRECISION|[A-Za-z]+(?:\(\d+\))?)(?:\[\])?)?"
)
_PREPARABLE = re.compile(r"\s*(?:SELECT|INSERT|UPDATE|DELETE|WITH)\b", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class Prepared:
    """A text in its two halves."""

    prepare: str
    execute: str
    drop: str


@dataclass(slots=True)
class Running:
    """A prepared statement of one connection, and how often it may still be run."""

    prepared: Prepared
    left: int
    #: `left` as it was when it was prepared.
    good_for: int


@dataclass(slots=True)
class Kept:
    """What one connection has prepared, and how often it has run what it has not."""

    statements: OrderedDict[str, Running] = field(default_factory=OrderedDict)
    counts: Counter[str] = field(default_factory=Counter)


#: Texts that PostgreSQL would not prepare; asking once a process is enough.
_refused: set[str] = set()


class PreparingCursor(ThriftyCursor):
    """A cursor that prepares what its connection runs often. Give it to `psycopg2.connect(cursor_factory=…)`."""

    def execute(self, query: Any, vars: Any = None) -> None:  # noqa: A002 -- psycopg2's name for them
        """As psycopg2's."""
        super().execute(self._best(query, vars), vars)

    def later(self, query: Any, vars: Any = None) -> None:  # noqa: A002 -- as above
        """As ThriftyCursor's."""
        super().later(self._best(query, vars), vars)

    def _best(self, query: Any, values: Any) -> Any:
        """What to send for it: the EXECUTE of what is prepared, or itself."""
        if not (values and type(query) is str and isinstance(values, Mapping)) or self.connection.left_to_psycopg2:
            return query
        prepared = self._prepared(query, values)
        return query if prepared is None else prepared.execute

    def _kept(self) -> Kept:
        about = self.connection.__dict__
        try:
            found: Kept = about["kept"]
        except KeyError:
            found = about["kept"] = Kept()
        return found

    def _prepared(self, query: str, values: Mapping[str, Any]) -> Prepared | None:
        kept = self._kept()
        found = kept.statements.get(query)
        if found is not None:
            found.left -= 1
            if found.left > 0:
                kept.statements.move_to_end(query)
                return found.prepared
            super().later(kept.statements.pop(query).prepared.drop)
            return self._prepare(query, values, kept, min(2 * found.good_for, GOOD_FOR_MOST))
        if query in _refused:
            return None
        kept.counts[query] += 1
        if kept.counts[query] < WORTH_IT:
            if len(kept.counts) > _MOST_COUNTED:
                kept.counts.clear()
            return None
        del kept.counts[query]
        return self._prepare(query, values, kept, GOOD_FOR)

    def _prepare(self, query: str, values: Mapping[str, Any], kept: Kept, good_for: int) -> Prepared | None:
        if not _PREPARABLE.match(query) or self.name is not None:
            _refused.add(query)
            return None
        prepared = halves(query, tuple((name, type(value)) for name, value in values.items()))
        super().execute("SAVEPOINT preparing")
        self.connection.depart()  # what waits must not fail in the place of PREPARE
        try:
            super().execute(prepared.prepare)
        except errors.DuplicatePreparedStatement:
            # The name is made of the text: it is this statement, from before an error or of another user of a pooler.
            super().execute("ROLLBACK TO SAVEPOINT preparing")
            super().execute(prepared.drop)
            super().execute(prepared.prepare)
        except psycopg2.ProgrammingError:
            super().execute("ROLLBACK TO SAVEPOINT preparing")
            _refused.add(query)
            return None
        super().execute("RELEASE SAVEPOINT preparing")
        while len(kept.statements) >= MOST_KEPT:
            _, oldest = kept.statements.popitem(last=False)
            super().later(oldest.prepared.drop)
        kept.statements[query] = Running(prepared, good_for, good_for)
        return prepared


@lru_cache(maxsize=2_000)
def halves(text: str, types: tuple[tuple[str, type], ...]) -> Prepared:
    """A text with values at `%(name)s`, as PREPARE and EXECUTE. `types`: of the values, by name."""
    casts = {value: _CAST.get(type_, "") for value, type_ in types}
    numbers: dict[str, int] = {}
    arguments: list[str] = []

    def place(found: re.Match[str]) -> str:
        value, cast = found["name"], found["cast"] or ""
        if value not in numbers:
            numbers[value] = len(numbers) + 1
            arguments.append(f"%({value})s{cast}")
        return f"${numbers[value]}{casts[value]}{cast}"

    body = _PLACE.sub(place, text).replace("%%", "%")
    name = f"gw_{sha256_hex(body.encode())[:32]}"
    return Prepared(
        prepare=f"PREPARE {name} AS {body}",
        execute=f"EXECUTE {name} ({', '.join(arguments)})",
        drop=f"DEALLOCATE {name}",
    )


#: What a value of a type is as a literal, where its place does not say: text and NULL take their place's type.
_CAST: dict[type, str] = {int: "::bigint", float: "::double precision", bool: "::boolean", datetime: "::timestamptz"}
