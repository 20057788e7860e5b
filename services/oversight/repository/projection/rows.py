"""What the projections share: which message it was, and writes that may run twice.

Writes are gathered and go to the database together: several of one row become one, several rows of one table one
statement. Whoever reads a read table in between asks `Rows.fresh` for the connection.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from functools import lru_cache
from typing import Any

from sqlalchemy import Connection, Table

from services.oversight.tables import matters, milestones
from shared.ledger.bulk import Changing, Inserting, updating
from shared.ledger.unit_of_work import UnitOfWork

#: A matter that is merely classified has not got further yet; any further state stays when it is classified anew.
_NEW, _CLASSIFIED = "registered", "classified"
_STILL_NEW = f"\"state\" = CASE WHEN matters.state = '{_NEW}' THEN '{_CLASSIFIED}' ELSE matters.state END"
#: What a matter's row holds before anybody said so.
_BLANK: Mapping[str, Any] = {"state": _NEW, "suspended": False, "attempt": 1}
Key = tuple[Any, ...]


@dataclass(frozen=True, kw_only=True, slots=True)
class Mark:
    """Which message it was and when it happened, as its envelope says."""

    message_id: str
    at: datetime


@dataclass(kw_only=True)
class _Told:
    """What is to be written into one row."""

    values: dict[str, Any] = field(default_factory=dict)
    #: It was classified, and nothing since said what state it is in.
    classified: bool = False


class Rows:
    """Writes to the read tables, gathered until `flush`."""

    def __init__(self, db: Connection) -> None:
        self._db = db
        self._upserts: dict[Table, dict[Key, _Told]] = defaultdict(dict)
        self._inserts: dict[tuple[Table, tuple[str, ...]], list[Key]] = defaultdict(list)
        self._changes: dict[tuple[Table, str], dict[Key, dict[str, Any]]] = defaultdict(dict)

    def upsert(self, table: Table, keys: Mapping[str, Any], values: Mapping[str, Any]) -> None:
        """Set `values` in the row with `keys`, which is made when it is not there."""
        told = self._upserts[table].setdefault(tuple(keys.values()), _Told())
        told.values |= {**keys, **values}
        if "state" in values:
            told.classified = False

    def classified(self, matter_id: str, values: Mapping[str, Any]) -> None:
        """As `upsert` of a matter; its state becomes "classified" unless it has got further already."""
        told = self._upserts[matters].setdefault((matter_id,), _Told())
        if "state" not in told.values:
            told.classified = True
        told.values |= {"matter_id": matter_id, **values}

    def insert_once(self, table: Table, **values: Any) -> None:
        """Insert unless a row with the same key is there."""
        self._inserts[table, tuple(values)].append(tuple(values.values()))

    def change(self, table: Table, key: str, value: str, changed: Mapping[str, Any], *, where: str = "") -> None:
        """Change the row with this key, if it is there and `where` (SQL of our own) holds."""
        self._changes[table, where].setdefault((key, value), {}).update(changed)

    def milestone(self, mark: Mark, matter_id: str, kind: str, **values: Any) -> None:
        """Note something that figures count."""
        self.insert_once(milestones, message_id=mark.message_id, matter_id=matter_id, kind=kind, at=mark.at, **values)

    def fresh(self) -> Connection:
        """The connection, with everything written."""
        self.flush()
        return self._db

    def flush(self, _work: UnitOfWork | None = None) -> None:
        """Write what was gathered. Rows in the order of their keys, so that two that do this cannot lock each other."""
        for table, rows in self._upserts.items():
            self._write(table, rows)
        for (table, columns), values in self._inserts.items():
            _inserting(table, columns).run(self._db, values)
        for (table, where), changes in self._changes.items():
            groups: dict[tuple[str, ...], list[Key]] = defaultdict(list)
            for (key, value), changed in sorted(changes.items(), key=lambda item: item[0]):
                groups[key, *changed].append((value, *changed.values()))
            for (key, *names), found in groups.items():
                _changing(table, key, tuple(names), where).run(self._db, found)
        for gathered in (self._upserts, self._inserts, self._changes):
            gathered.clear()

    def _write(self, table: Table, rows: Mapping[Key, _Told]) -> None:
        blank = _BLANK if table is matters else {}
        groups: dict[tuple[tuple[str, ...], bool], list[Key]] = defaultdict(list)
        for _, told in sorted(rows.items(), key=lambda item: item[0]):
            names = tuple(sorted(told.values))
            born = {name: value for name, value in blank.items() if name not in told.values}
            if told.classified:
                born["state"] = _CLASSIFIED
            row = (*[told.values[name] for name in names], *born.values())
            groups[names, told.classified].append(row)
        for (names, classified), found in groups.items():
            _upserting(table, names, classified=classified).run(self._db, found)


@lru_cache(maxsize=500)
def _inserting(table: Table, columns: tuple[str, ...]) -> Inserting:
    return Inserting(table=table, columns=columns, conflict="ON CONFLICT DO NOTHING")


@lru_cache(maxsize=500)
def _changing(table: Table, key: str, columns: tuple[str, ...], where: str) -> Changing:
    return Changing(table=table, key=key, columns=columns, where=where)


@lru_cache(maxsize=500)
def _upserting(table: Table, names: tuple[str, ...], *, classified: bool) -> Inserting:
    keys = [column.name for column in table.primary_key]
    changed = [name for name in names if name not in keys]
    rules = [updating(changed)] if changed else []
    rules += [_STILL_NEW] if classified else []
    blank = tuple(name for name in (_BLANK if table is matters else ()) if name not in names)
    return Inserting(
        table=table,
        columns=(*names, *blank),
        conflict=f"ON CONFLICT ({', '.join(keys)}) DO UPDATE SET {', '.join(rules)}",
    )
