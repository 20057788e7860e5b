"""Several rows written at once: in one statement where the database can (PostgreSQL), one by one where it cannot.

A command's way to the database and back costs more than the writing. On PostgreSQL the rows go as one statement, the
last one with the others as `WITH` parts in front. Its parts do not see one another and have no order: never give the
same row twice, nor rows whose order of arrival counts.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

from sqlalchemy import Connection, Insert, Table, Update, bindparam, insert, update

from shared.ledger.fixed import Fixed


@dataclass(frozen=True, slots=True)
class Write:
    """One row: new, or the one with this key changed."""

    table: Table
    values: Mapping[str, Any]
    #: Columns that name the row to change, with their present values; none: a new row.
    of: Mapping[str, Any] | None = None
    #: Integer columns of a row changed that grow by one.
    raised: tuple[str, ...] = ()

    @property
    def form(self) -> _Form:
        """What the statement depends on."""
        return (self.table, tuple(self.values), tuple(self.of or ()), self.raised)

    def parameters(self, place: int) -> dict[str, Any]:
        """The row's values under the names that its place in the statement gives them."""
        found = {f"{name}_{place}": value for name, value in self.values.items()}
        if self.of:
            found |= {f"of_{name}_{place}": value for name, value in self.of.items()}
        return found


#: Table, columns written, columns of the key, columns that grow by one.
_Form = tuple[Table, tuple[str, ...], tuple[str, ...], tuple[str, ...]]


def write(db: Connection, rows: Sequence[Write]) -> None:
    """Write the rows. Whoever changes one holds its lock: a key that is not there changes nothing, unnoticed."""
    if not rows:
        return
    if db.dialect.name == "postgresql":
        parameters: dict[str, Any] = {}
        for place, row in enumerate(rows):
            parameters |= row.parameters(place)
        _together(tuple(row.form for row in rows)).later(db, parameters)
        return
    for row in rows:
        _together((row.form,)).later(db, row.parameters(0))


@lru_cache(maxsize=512)
def _together(forms: tuple[_Form, ...]) -> Fixed:
    """Built once per combination: there are as many as there are kinds of commands, times few."""
    *first, last = (_part(form, place) for place, form in enumerate(forms))
    return Fixed(last.add_cte(*(part.cte(f"part_{place}") for place, part in enumerate(first))) if first else last)


def _part(form: _Form, place: int) -> Insert | Update:
    table, columns, key, raised = form
    values: dict[str, Any] = {name: bindparam(f"{name}_{place}", type_=table.c[name].type) for name in columns}
    if not key:
        return insert(table).inline().values(values)
    values |= {name: table.c[name] + 1 for name in raised}
    where = [table.c[name] == bindparam(f"of_{name}_{place}", type_=table.c[name].type) for name in key]
    return update(table).where(*where).values(values)
