"""Statements whose text never changes, run on the driver's own cursor: SQLAlchemy compiles them, and is then left out.

Running a short statement through SQLAlchemy costs the process several times what the driver takes for it, and a life
runs some eighty of them (docs/adr/0016). What stays: values and results go through their columns' own types; the
transaction is the connection's; an error is SQLAlchemy's error, and a connection that is lost or was left in the middle
of an answer never goes back to the pool; who listens to an engine's statements hears these too. What goes: nothing is
added to what is asked, so columns with a default of their own and lists of unknown length are refused.
"""

from __future__ import annotations

from collections import namedtuple
from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import suppress
from functools import lru_cache
from typing import Any, TypeVar

from sqlalchemy import Connection, Delete, Dialect, Insert, Update
from sqlalchemy.exc import DBAPIError
from sqlalchemy.types import TypeEngine

Convert = Callable[[Any], Any]
Parameters = Mapping[str, Any] | Sequence[Any]
Read = TypeVar("Read")


class Fixed:
    """A statement that is built once and run many times."""

    def __init__(self, statement: Any, columns: Iterable[str] = ()) -> None:
        """`statement`: of SQLAlchemy, or what builds it from the dialect's name. `columns`: written, if it names none.

        Nothing is compiled before the first run. Then raises ValueError for what cannot be fixed.
        """
        self._statement = statement
        self._columns = tuple(columns)
        self._ready: dict[str, _Ready] = {}

    def all(self, db: Connection, values: Mapping[str, Any]) -> list[Any]:
        """Run it with a value for each of its names; returns its rows, named tuples of Python values."""
        ready = self._made_ready(db.dialect)
        return run(db, ready.text, ready.parameters(values), ready.rows)

    def first(self, db: Connection, values: Mapping[str, Any]) -> Any:
        """As `all`: the first row, or None."""
        rows = self.all(db, values)
        return rows[0] if rows else None

    def count(self, db: Connection, values: Mapping[str, Any]) -> int:
        """Run it; returns how many rows it wrote."""
        ready = self._made_ready(db.dialect)
        return run(db, ready.text, ready.parameters(values), rows_written)

    def later(self, db: Connection, values: Mapping[str, Any]) -> None:
        """Have it travel with the next statement (shared.ledger.round_trips): nobody awaits its answer."""
        ready = self._made_ready(db.dialect)
        run_later(db, ready.text, ready.parameters(values))

    def text(self, dialect: Dialect) -> str:
        """What is sent."""
        return self._made_ready(dialect).text

    def _made_ready(self, dialect: Dialect) -> _Ready:
        try:
            return self._ready[dialect.name]
        except KeyError:
            statement = self._statement(dialect.name) if callable(self._statement) else self._statement
            made = self._ready[dialect.name] = _Ready(statement, self._columns, dialect)
            return made


class _Ready:
    """A statement in the words of a dialect."""

    def __init__(self, statement: Any, columns: tuple[str, ...], dialect: Dialect) -> None:
        _refuse_defaults(statement)
        compiled = statement.compile(dialect=dialect, column_keys=list(columns) or None)
        if compiled.post_compile_params or compiled.literal_execute_params:
            message = f"a list of unknown length cannot be part of a fixed statement: {compiled}"
            raise ValueError(message)
        self.text = str(compiled)
        self._dialect = dialect
        #: Names in the order of the text where values have no names there, else in any order.
        self._order = tuple(compiled.positiontup) if compiled.positional else None
        binds = compiled.binds
        self._converters = {name: converter(bind.type, dialect) for name, bind in binds.items()}
        #: What the statement brings along.
        self._own = {
            name: converted(self._converters[name], bind.effective_value)
            for name, bind in binds.items()
            if not bind.required
        }
        self._asked = tuple((name, self._converters[name]) for name, bind in binds.items() if bind.required)
        exported = list(statement.exported_columns)
        self._types: list[TypeEngine[Any]] = [column.type for column in exported]
        self._make = _row(tuple(column.key or "" for column in exported))
        self._readers: tuple[tuple[int, Convert], ...] | None = None

    def parameters(self, values: Mapping[str, Any]) -> Parameters:
        """The values as the driver takes them. Raises ValueError when one is missing or not asked for."""
        if len(values) != len(self._asked):
            message = f"asked for {sorted(name for name, _ in self._asked)}, given {sorted(values)}"
            raise ValueError(message)
        found = {name: values[name] if convert is None else convert(values[name]) for name, convert in self._asked}
        if self._own:
            found |= self._own
        return found if self._order is None else [found[name] for name in self._order]

    def rows(self, cursor: Any) -> list[Any]:
        """What the cursor has found."""
        make = self._make
        readers = self._readers if self._readers is not None else self._learn(cursor.description)
        if not readers:
            return [make(row) for row in cursor.fetchall()]
        rows = []
        for found in cursor.fetchall():
            row = list(found)
            for place, read in readers:
                row[place] = read(row[place])
            rows.append(make(row))
        return rows

    def _learn(self, description: Sequence[Sequence[Any]]) -> tuple[tuple[int, Convert], ...]:
        """How results are read depends on what the driver calls their types."""
        if len(description) != len(self._types):
            message = f"{len(description)} columns came back, {len(self._types)} are known: {self.text}"
            raise ValueError(message)
        found = (
            (place, type_.dialect_impl(self._dialect).result_processor(self._dialect, about[1]))
            for place, (type_, about) in enumerate(zip(self._types, description, strict=True))
        )
        self._readers = tuple((place, read) for place, read in found if read is not None)
        return self._readers


def run(db: Connection, text: str, parameters: Parameters, read: Callable[[Any], Read]) -> Read:
    """Send a text in the driver's own words, and read the answer from its cursor. Raises DBAPIError as SQLAlchemy."""
    return _on_a_cursor(db, text, parameters, read, later=False)


def run_later(db: Connection, text: str, parameters: Parameters) -> None:
    """As `run` for what nobody awaits an answer of: where the driver can keep it back, it goes with the next one."""
    _on_a_cursor(db, text, parameters, _unread, later=True)


def _on_a_cursor(
    db: Connection, text: str, parameters: Parameters, read: Callable[[Any], Read], *, later: bool
) -> Read:
    cursor: Any = None
    try:
        if not db.in_transaction():
            db.begin()
        cursor = db.connection.cursor()
        for hear in _listeners(db):
            text, parameters = hear(db, cursor, text, parameters, None, False)  # noqa: FBT003 -- as SQLAlchemy calls it
        (getattr(cursor, "later", cursor.execute) if later else cursor.execute)(text, parameters)
        return read(cursor)
    except db.dialect.loaded_dbapi.Error as error:
        raise _as_sqlalchemy(db, cursor, text, error) from error
    except BaseException as error:
        if not isinstance(error, Exception) and not db.invalidated:
            db.invalidate(error)  # its thread was killed while an answer was on its way
        raise
    finally:
        if cursor is not None:
            with suppress(db.dialect.loaded_dbapi.Error):
                cursor.close()


def _listeners(db: Connection) -> Any:
    listening: Any = db.engine.dispatch
    return listening.before_cursor_execute


def _unread(_cursor: Any) -> None:
    """Nothing to read."""


def fetched(cursor: Any) -> list[Any]:
    """To read with: rows as the driver gives them, with their names."""
    make = _row(tuple(about[0] for about in cursor.description))
    return [make(each) for each in cursor.fetchall()]


@lru_cache(maxsize=1_000)
def _row(names: tuple[str, ...]) -> Callable[[Iterable[Any]], Any]:
    """Makes named tuples; a name that Python has no use for is replaced by its place."""
    made: Any = namedtuple("Row", names, rename=True)  # type: ignore[misc]  # noqa: PYI024 -- the names are not known before
    make: Callable[[Iterable[Any]], Any] = made._make
    return make


def rows_written(cursor: Any) -> int:
    """To read with: how many rows were written."""
    return int(cursor.rowcount)


def _as_sqlalchemy(db: Connection, cursor: Any, text: str, error: Any) -> Exception:
    """What SQLAlchemy would have raised, after what it would have done with the connection."""
    known = None if db.invalidated else db.connection.dbapi_connection
    lost = db.dialect.is_disconnect(error, known, cursor)
    if lost and not db.invalidated:
        db.invalidate(error)
        db.engine.dispose(close=False)  # those that wait in the pool were lost with it
    dbapi = db.dialect.loaded_dbapi.Error
    made: Exception = DBAPIError.instance(
        text, None, error, dbapi, hide_parameters=True, connection_invalidated=lost, dialect=db.dialect
    )
    return made


def _refuse_defaults(statement: Any) -> None:
    if not isinstance(statement, Insert | Update | Delete):
        return
    for column in statement.table.columns:
        if column.default is not None or column.onupdate is not None:
            message = f"{column} has a default, which a fixed statement would leave out"
            raise ValueError(message)


def converter(type_: TypeEngine[Any], dialect: Dialect) -> Convert | None:
    """What makes a value of this type the driver's; None: nothing, it is."""
    processor: Convert | None = type_.dialect_impl(dialect).bind_processor(dialect)
    return processor


def converted(convert: Convert | None, value: Any) -> Any:
    """The value as the driver takes it."""
    return value if convert is None else convert(value)
