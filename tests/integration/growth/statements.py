"""What a service really says to its database, and what PostgreSQL makes of it."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

from sqlalchemy import Engine, event

#: Statements of one kind that are kept.
_OF_A_KIND = 6
_LISTS = re.compile(r"\((?:%\(\w+\)s(?:::\w+)?,? ?)+\)|(?:, )?\((?:%\(\w+\)s(?:::[\w ]+)?,? ?)+\)")
_NAMES = re.compile(r"%\(\w+\)s")


@dataclass(frozen=True)
class Statement:
    """One statement with the parameters it was run with the first time."""

    service: str
    text: str
    parameters: Any

    @property
    def shape(self) -> str:
        """The text without what differs from run to run: how many values a list had, how parameters are named."""
        plain = " ".join(self.text.replace('"', "").split())
        return re.sub(r"(\(\?\)(, )?)+", "(?)", _NAMES.sub("?", _LISTS.sub("(?)", plain)))


@dataclass(frozen=True)
class Plan:
    """What the server made of a statement."""

    statement: Statement
    #: Tables read from end to end.
    scanned: frozenset[str]
    #: In the planner's units: one is a page read in a row.
    cost: float
    #: Pages touched when it was really run; None for statements that write.
    pages: int | None
    #: Of what the rows of a table were filtered away, per table read by an index.
    thrown_away: int
    whole: dict[str, Any] = field(repr=False)


class Recorder:
    """Everything said on some engines: of each kind of statement the first few, which ask for different things."""

    def __init__(self) -> None:
        self._heard: dict[tuple[str, str], list[Statement]] = {}

    def statements(self, service: str | None = None, part: str = "") -> list[Statement]:
        """Those of a service (None: of all) whose shape has this part."""
        return [
            statement
            for (of, shape), several in self._heard.items()
            if service in (None, of) and part in shape
            for statement in several
        ]

    @contextmanager
    def on(self, engines: dict[str, Engine]) -> Iterator[None]:
        """Listen while the block runs."""
        listeners = [(engine, self._listener(service)) for service, engine in engines.items()]
        for engine, listener in listeners:
            event.listen(engine, "before_cursor_execute", listener)
        try:
            yield
        finally:
            for engine, listener in listeners:
                event.remove(engine, "before_cursor_execute", listener)

    def _listener(self, service: str) -> Any:
        def hear(_connection, _cursor, text, parameters, _context, many):
            statement = Statement(service, text, parameters[0] if many and isinstance(parameters, list) else parameters)
            several = self._heard.setdefault((service, statement.shape), [])
            if len(several) < _OF_A_KIND and all(one.parameters != statement.parameters for one in several):
                several.append(statement)

        return hear


def plan_of(engine: Engine, statement: Statement) -> Plan | None:
    """Have a statement explained; a query is also run. None for what has no plan."""
    first = statement.text.lstrip().split(None, 1)[0].upper()
    if first not in ("SELECT", "INSERT", "UPDATE", "DELETE", "WITH"):
        return None
    writing = any(f"{word} " in statement.text for word in ("INSERT INTO", "UPDATE", "DELETE FROM"))
    running = first in ("SELECT", "WITH") and "advisory" not in statement.text
    running = running and not (first == "WITH" and writing)
    how = "ANALYZE, BUFFERS, TIMING OFF, FORMAT JSON" if running else "FORMAT JSON"
    raw = engine.raw_connection()
    try:
        with raw.cursor() as cursor:
            cursor.execute(f"EXPLAIN ({how}) {statement.text}", statement.parameters)
            (found,) = cursor.fetchone()
    finally:
        raw.rollback()
        raw.close()
    whole = (json.loads(found) if isinstance(found, str) else found)[0]["Plan"]
    nodes = list(_nodes(whole))
    return Plan(
        statement=statement,
        scanned=frozenset(node["Relation Name"] for node in nodes if node["Node Type"] == "Seq Scan"),
        cost=whole["Total Cost"],
        pages=whole["Shared Hit Blocks"] + whole["Shared Read Blocks"] if running else None,
        thrown_away=sum(node.get("Rows Removed by Filter", 0) * node.get("Actual Loops", 1) for node in nodes),
        whole=whole,
    )


def _nodes(node: dict[str, Any]) -> Iterator[dict[str, Any]]:
    yield node
    for inner in node.get("Plans", ()):
        yield from _nodes(inner)
