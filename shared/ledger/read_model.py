"""Read models: what of a service's tables is made of events alone, and by which functions, as data.

A service that has some describes them (`services/<name>/read_model.py`); shared.ledger.rebuild compares them with the
events and mends them. What people did (a letter sent, contact data opened) is no read model: it is never made again.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from sqlalchemy import Column, ColumnElement, Connection, Table, create_engine, select
from sqlalchemy.pool import StaticPool

from shared.contracts import envelope as envelopes
from shared.contracts import registry
from shared.contracts.envelope import Envelope
from shared.ledger.reception import EventHandler
from shared.ledger.unit_of_work import Surroundings, UnitOfWork

Values = dict[str, Any]
Key = tuple[Any, ...]
#: Events after which what handlers put off is done: about as many as a service takes in one transaction.
_TOGETHER = 200
#: Label under which a row says that something refers to it.
_STAYS = "_stays"


@dataclass(frozen=True, kw_only=True)
class ReadTable:
    """One table of a read model. Every row is about one matter."""

    table: Table
    #: Column that names the matter.
    matter: Column[Any]
    #: Columns that are made of events; none given: all but the key.
    columns: tuple[Column[Any], ...] = ()
    #: What tells rows apart; none given: the primary key.
    keyed_by: tuple[Column[Any], ...] = ()
    #: Rows are made of events. False: commands make them, only the columns named are from events.
    whole: bool = True
    #: Column that merely counts the rows up: those of a matter have no key but their order, and are replaced together.
    counted_by: Column[Any] | None = None
    #: SQL: a row that stays although no event makes it (any more), because something refers to it.
    stays: ColumnElement[bool] | None = None

    @property
    def key(self) -> tuple[Column[Any], ...]:
        """What tells its rows apart."""
        if self.counted_by is not None:
            return (self.counted_by,)
        return self.keyed_by or tuple(self.table.primary_key.columns)

    @property
    def made(self) -> tuple[Column[Any], ...]:
        """The columns that are compared, beside the key."""
        return self.columns or tuple(column for column in self.table.c if column not in set(self.key))

    def rows(self, db: Connection, matters: Sequence[str], *, real: bool, lock: bool = False) -> dict[Key, Values]:
        """Key -> values of the rows about these matters, in the order of the keys.

        `real`: in the service's own database, where other tables may refer to a row, and where only what is made of
        events is read.
        """
        wanted = (*self.key, self.matter, *self.made) if real else tuple(self.table.c)
        columns: dict[str, Any] = {column.name: column for column in wanted}
        if real and self.stays is not None:
            columns[_STAYS] = self.stays.label(_STAYS)
        query = select(*columns.values()).where(self.matter.in_(matters)).order_by(*self.key)
        found = db.execute(query.with_for_update() if lock else query).mappings()
        names = [column.name for column in self.key]
        return {tuple(row[name] for name in names): dict(row) for row in found}


@dataclass(frozen=True, kw_only=True)
class ReadModel:
    """What of a service is made of events alone."""

    tables: tuple[ReadTable, ...]
    #: Event name -> what it does to these tables. Goes by the event and its time alone, emits nothing as long as the
    #: service's other tables are empty, and may come before or after events of other streams.
    projections: Mapping[str, EventHandler]

    def types(self) -> set[str]:
        """The events' CloudEvents types."""
        return {row.type for row in registry.all_types() if row.name in self.projections}


@dataclass(frozen=True, kw_only=True)
class Past:
    """An event that happened."""

    message_id: str
    stream: str
    stream_version: int
    #: The matter it is about.
    subject: str
    raw: bytes


class Scratch:
    """Empty copies of a service's tables in memory, in which events have their effect again.

    All its tables: a projection may be the service's own handler, which then finds nothing else to do.
    """

    def __init__(self, model: ReadModel, at_hand: Surroundings) -> None:
        self._model = model
        engine = create_engine("sqlite://", poolclass=StaticPool, hide_parameters=True)
        self._metadata = model.tables[0].table.metadata
        self._metadata.create_all(engine)
        self.db = engine.connect()
        self._work = UnitOfWork(db=self.db, at_hand=at_hand, put_off={})
        #: Ids of the messages that have had their effect here.
        self.applied: set[str] = set()

    def close(self) -> None:
        """Let the memory go."""
        self.db.close()
        self.db.engine.dispose()

    def empty(self) -> None:
        """As new."""
        for table in reversed(self._metadata.sorted_tables):
            self.db.execute(table.delete())
        self.applied.clear()

    def apply(self, events: Iterable[Past]) -> int:
        """Let events have their effect, those of one stream in order; returns how many had any."""
        number = 0
        for event in events:
            if event.message_id in self.applied:
                continue
            self.applied.add(event.message_id)
            envelope = envelopes.from_bytes(event.raw)
            project = self._projection(envelope)
            if project is None:
                continue
            with self._work.caused_by(envelope):
                project(envelope.payload(), self._work)
            number += 1
            if number % _TOGETHER == 0:
                self._work.flush()
        self._work.flush()
        if self._work.events:
            message = f"a projection emitted {self._work.events}"
            raise ValueError(message)
        return number

    def _projection(self, envelope: Envelope) -> EventHandler | None:
        try:
            return self._model.projections.get(envelope.name)
        except registry.UnknownType:
            return None  # a newer release's: without effect here, as when it came


@dataclass(kw_only=True)
class Repair:
    """What has to be done to one table so that it says what the events say."""

    table: ReadTable
    put_back: list[Values] = field(default_factory=list)
    mended: list[tuple[Key, Values]] = field(default_factory=list)
    removed: list[Key] = field(default_factory=list)
    #: Rows that commands make and that are not there: no event can bring them back.
    missing: int = 0
    matters: set[str] = field(default_factory=set)

    def __bool__(self) -> bool:
        return bool(self.put_back or self.mended or self.removed or self.missing)


def compare(table: ReadTable, made: Mapping[Key, Values], found: Mapping[Key, Values]) -> Repair:
    """What is wrong with the rows found, by those that events make. Both about the same matters."""
    if table.counted_by is not None:
        return _compare_in_order(table, made, found)
    repair = Repair(table=table)
    names = [column.name for column in table.made]
    matter = table.matter.name
    for key, values in made.items():
        there = found.get(key)
        if there is None:
            if table.whole:
                repair.put_back.append(values)
            else:
                repair.missing += 1
        elif any(there[name] != values[name] for name in names):
            repair.mended.append((key, {name: values[name] for name in names}))
        else:
            continue
        repair.matters.add(values[matter])
    if table.whole:
        for key in sorted(found.keys() - made.keys(), key=str):
            if not found[key].get(_STAYS):
                repair.removed.append(key)
                repair.matters.add(found[key][matter])
    return repair


def _compare_in_order(table: ReadTable, made: Mapping[Key, Values], found: Mapping[Key, Values]) -> Repair:
    repair = Repair(table=table)
    wanted, there = _by_matter(table, made), _by_matter(table, found)
    for matter in sorted(wanted.keys() | there.keys()):
        should = [values for _, values in wanted.get(matter, [])]
        if should == [values for _, values in there.get(matter, [])]:
            continue
        repair.matters.add(matter)
        repair.put_back += should
        repair.removed += [key for key, _ in there.get(matter, [])]
    return repair


def _by_matter(table: ReadTable, rows: Mapping[Key, Values]) -> dict[str, list[tuple[Key, Values]]]:
    grouped: dict[str, list[tuple[Key, Values]]] = {}
    names = [table.matter.name, *(column.name for column in table.made)]
    for key, values in rows.items():
        kept = {name: values[name] for name in names}
        grouped.setdefault(values[table.matter.name], []).append((key, kept))
    return grouped
