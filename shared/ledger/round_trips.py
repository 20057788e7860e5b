"""Statements that travel together: one way to PostgreSQL and back for several of them.

psycopg2 says BEGIN by itself, as a statement of its own, and every statement waits for its answer; under eventlet each
wait costs about as much CPU as a short statement. Here BEGIN goes in front of the first statement; what nobody awaits
an answer of (SAVEPOINT, RELEASE, and what is sent with `later`) goes in front of the next one that somebody does, at
the latest of COMMIT. Their order never changes and nothing is skipped: what fails fails there, the rest of its
transaction with it, and COMMIT is not reached. See docs/adr/0014.

To psycopg2 itself the connection is always in autocommit mode; `autocommit` here means what it means there.
"""

from __future__ import annotations

from typing import Any

import psycopg2
from psycopg2 import errors, extensions

_BEGIN = b"BEGIN"
#: They answer nothing and cannot fail inside a sound transaction.
_UNAWAITED = (b"SAVEPOINT ", b"RELEASE ")
_of_psycopg2: Any = extensions.connection.autocommit


class ThriftyConnection(extensions.connection):
    """A connection whose statements may wait for company. Its cursors must be ThriftyCursors."""

    def __init__(self, *where: Any, **options: Any) -> None:
        super().__init__(*where, **options)
        #: Statements that were asked for and not sent yet.
        self.waiting: list[bytes] = []
        #: Whether a transaction is open, or will be with what waits.
        self.begun = False
        self._alone = False
        self._as_psycopg2 = False
        _of_psycopg2.__set__(self, True)  # noqa: FBT003 -- the property's setter

    @property
    def autocommit(self) -> bool:
        """Whether every statement is a transaction of its own."""
        return self._alone

    @autocommit.setter
    def autocommit(self, alone: bool) -> None:
        self._alone = alone

    def set_isolation_level(self, level: int | None) -> None:
        """As psycopg2's, as far as SQLAlchemy uses it: autocommit or the server's default."""
        self._alone = level == extensions.ISOLATION_LEVEL_AUTOCOMMIT

    def cursor(self, *which: Any, **options: Any) -> Any:
        """As psycopg2's. A named one needs a transaction that psycopg2 itself has begun: until its end all is its."""
        if (options.get("name") or (which and which[0])) and not self._alone:
            self.as_psycopg2()
        return super().cursor(*which, **options)

    def as_psycopg2(self) -> None:
        """Leave this transaction to psycopg2."""
        if not self._as_psycopg2:
            self.depart()
            self._as_psycopg2 = True
            _of_psycopg2.__set__(self, False)  # noqa: FBT003 -- as above

    @property
    def left_to_psycopg2(self) -> bool:
        """Whether statements go as psycopg2 sends them."""
        return self._as_psycopg2 or self._alone

    def begin(self) -> None:
        """Open a transaction with the next statement, unless one is open."""
        if not self.begun:
            self.begun = True
            self.waiting.append(_BEGIN)

    def boarding(self, text: bytes) -> bytes | None:
        """The text with what has to go in front of it; None when it waits itself."""
        self.begin()
        if text.startswith(_UNAWAITED):
            self.waiting.append(text)
            return None
        if self.waiting:
            self.waiting.append(text)
            text = b";".join(self.waiting)
            self.waiting.clear()
        return text

    def depart(self) -> None:
        """Send what waits."""
        if self.waiting:
            text = b";".join(self.waiting)
            self.waiting.clear()
            self._send(text)

    def commit(self) -> None:
        """As psycopg2's. When it fails, the transaction is over all the same, as after a COMMIT that fails."""
        if self._as_psycopg2 or self.closed:
            super().commit()
        elif self.begun and self.waiting != [_BEGIN]:
            self.waiting.append(b"COMMIT")
            try:
                self.depart()
            except psycopg2.Error:
                if not self.closed:
                    self.rollback()
                raise
        self._ended()

    def rollback(self) -> None:
        """As psycopg2's. What waits is forgotten."""
        self.waiting.clear()
        if self._as_psycopg2 or self.closed:
            super().rollback()
        elif self.get_transaction_status() != extensions.TRANSACTION_STATUS_IDLE:
            self._send(b"ROLLBACK")
        self._ended()

    def sent_by(self, plain: extensions.cursor, text: bytes) -> None:
        """Have a cursor send this and wait for the answer to the last of it.

        A prepared statement that is not valid any more (a migration changed its result, or another session answers
        behind a pooler) costs the transaction; the next one prepares anew: as transient as a lost connection.
        """
        try:
            extensions.cursor.execute(plain, text)
        except (errors.FeatureNotSupported, errors.InvalidSqlStatementName) as error:
            if self.__dict__.pop("kept", None) is None:
                raise
            message = "a prepared statement is not valid any more"
            raise psycopg2.OperationalError(message) from error

    def _send(self, text: bytes) -> None:
        with super().cursor(cursor_factory=extensions.cursor) as plain:
            self.sent_by(plain, text)

    def _ended(self) -> None:
        self.waiting.clear()
        self.begun = False
        if self._as_psycopg2:
            self._as_psycopg2 = False
            _of_psycopg2.__set__(self, True)  # noqa: FBT003 -- the property's setter


class ThriftyCursor(extensions.cursor):
    """A cursor of a ThriftyConnection."""

    connection: ThriftyConnection

    def execute(self, query: Any, vars: Any = None) -> None:  # noqa: A002 -- psycopg2's name for them
        """As psycopg2's; statements that are not awaited only wait."""
        if self.connection.left_to_psycopg2:
            super().execute(query, vars)
            return
        text = self.connection.boarding(self.mogrify(query, vars))
        if text is not None:
            self.connection.sent_by(self, text)

    def later(self, query: Any, vars: Any = None) -> None:  # noqa: A002 -- as above
        """Have a statement travel with the next one; its answer is lost."""
        if self.connection.left_to_psycopg2:
            super().execute(query, vars)
            return
        self.connection.begin()
        self.connection.waiting.append(self.mogrify(query, vars))

    def executemany(self, query: Any, vars_list: Any) -> None:
        """As psycopg2's."""
        self._embark()
        super().executemany(query, vars_list)

    def copy_expert(self, sql: Any, file: Any, size: int = 8192) -> None:
        """As psycopg2's."""
        self._embark()
        super().copy_expert(sql, file, size)

    def _embark(self) -> None:
        if not self.connection.left_to_psycopg2:
            self.connection.begin()
            self.connection.depart()
