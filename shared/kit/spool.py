"""The spool: a department's own copy of what it was told and what it answers, on disk before anything else happens.

One SQLite file (standard library), every commit synced. A message is acknowledged to the broker only when it is in
here, an answer is sent only from here, so that a crash at any instant loses nothing and repeats nothing that counts.
Several processes may open it (an office's command line beside the service). It must never decide what to answer.
"""

from __future__ import annotations

import contextlib
import sqlite3
import threading
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

#: Seconds to wait for another process that writes.
_PATIENCE_S = 15.0
_SCHEMA = """
CREATE TABLE IF NOT EXISTS told (
    position INTEGER PRIMARY KEY AUTOINCREMENT,
    id TEXT NOT NULL UNIQUE, type TEXT NOT NULL, whistle TEXT, body BLOB NOT NULL, received_at TEXT NOT NULL,
    state TEXT NOT NULL, attempts INTEGER NOT NULL DEFAULT 0, error TEXT
);
CREATE INDEX IF NOT EXISTS told_new ON told (position) WHERE state = 'new';
CREATE INDEX IF NOT EXISTS told_whistle ON told (whistle, position);
CREATE TABLE IF NOT EXISTS answers (
    position INTEGER PRIMARY KEY AUTOINCREMENT,
    id TEXT NOT NULL UNIQUE, whistle TEXT NOT NULL, key TEXT NOT NULL, answer TEXT NOT NULL, body BLOB NOT NULL,
    made_at TEXT NOT NULL, sent_at TEXT, verdict TEXT, verdict_body BLOB
);
CREATE INDEX IF NOT EXISTS answers_unsent ON answers (position) WHERE sent_at IS NULL;
CREATE INDEX IF NOT EXISTS answers_whistle ON answers (whistle, key);
"""


class SpoolInUse(Exception):
    """Another process serves from this spool. Stop it, or give this one a folder of its own."""


@dataclass(frozen=True, kw_only=True)
class Told:
    """One message from the suite."""

    id: str
    type: str
    whistle: str | None
    body: bytes
    #: new: to be handled; done; failed: the handler gave up on it; kept: nothing to do, or unreadable.
    state: str
    attempts: int


@dataclass(frozen=True, kw_only=True)
class Given:
    """One answer of ours."""

    id: str
    whistle: str
    key: str
    answer: str
    body: bytes
    #: None: still to be sent.
    sent_at: str | None
    #: taken or refused, as the suite said; None: it has not said yet.
    verdict: str | None
    #: What the suite said, its own bytes.
    verdict_body: bytes | None


_TOLD = "id, type, whistle, body, state, attempts"
_GIVEN = "id, whistle, key, answer, body, sent_at, verdict, verdict_body"


class Spool:
    """The spool below a folder. Safe in several threads and processes."""

    def __init__(self, folder: Path | str) -> None:
        """Open, and make what is missing. Raises OSError or sqlite3.Error when the disk does not let us."""
        self.folder = Path(folder)
        self.folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        self._lock = threading.Lock()
        self._db = _opened(self.folder / "spool.sqlite")
        self._db.executescript(_SCHEMA)
        self._guard: sqlite3.Connection | None = None

    def serve_alone(self) -> None:
        """Be the one process that serves from here, until `close`. Raises SpoolInUse."""
        guard = sqlite3.connect(
            self.folder / "serving.sqlite", timeout=0.5, isolation_level=None, check_same_thread=False
        )
        try:
            guard.execute("BEGIN EXCLUSIVE")
        except sqlite3.OperationalError as error:
            guard.close()
            message = f"another process serves from {self.folder}"
            raise SpoolInUse(message) from error
        self._guard = guard

    def close(self) -> None:
        """Let the files go."""
        with self._lock:
            self._db.close()
            if self._guard is not None:
                self._guard.close()

    @contextlib.contextmanager
    def _writing(self) -> Iterator[sqlite3.Connection]:
        with self._lock:
            self._db.execute("BEGIN IMMEDIATE")
            try:
                yield self._db
            except BaseException:
                self._db.execute("ROLLBACK")
                raise
            self._db.execute("COMMIT")

    def _rows(self, query: str, *values: object) -> list[tuple[object, ...]]:
        with self._lock:
            return self._db.execute(query, values).fetchall()

    # -- what we were told ---------------------------------------------------------------------------------------

    def keep(self, message: Told, at: str) -> bool:
        """Keep a message; False when it was kept before. On disk when this returns."""
        with self._writing() as db:
            done = db.execute(
                f"INSERT OR IGNORE INTO told ({_TOLD}, received_at) VALUES (?, ?, ?, ?, ?, ?, ?)",  # noqa: S608 -- our own names
                (message.id, message.type, message.whistle, message.body, message.state, message.attempts, at),
            )
            return done.rowcount == 1

    def keep_verdict(self, message: Told, at: str, answer_id: str, verdict: str) -> bool:
        """Keep what the suite says of an answer of ours, in one go; False when it was kept before."""
        with self._writing() as db:
            done = db.execute(
                f"INSERT OR IGNORE INTO told ({_TOLD}, received_at) VALUES (?, ?, ?, ?, ?, ?, ?)",  # noqa: S608 -- our own names
                (message.id, message.type, message.whistle, message.body, message.state, message.attempts, at),
            )
            db.execute(
                "UPDATE answers SET verdict = ?, verdict_body = ?, sent_at = coalesce(sent_at, ?) "
                "WHERE id = ? AND verdict IS NULL",
                (verdict, message.body, at, answer_id),
            )
            return done.rowcount == 1

    def next_new(self) -> Told | None:
        """The oldest message that is to be handled."""
        rows = self._rows(f"SELECT {_TOLD} FROM told WHERE state = 'new' ORDER BY attempts, position LIMIT 1")  # noqa: S608
        return _told(rows[0]) if rows else None

    def settle(self, message_id: str, state: str, *, attempts: int = 0, error: str | None = None) -> None:
        """Note what became of handling a message."""
        with self._writing() as db:
            db.execute(
                "UPDATE told SET state = ?, attempts = ?, error = ? WHERE id = ?", (state, attempts, error, message_id)
            )

    def told(self, *, whistle: str | None = None, state: str | None = None) -> list[Told]:
        """Messages, oldest first."""
        rows = self._rows(
            f"SELECT {_TOLD} FROM told "  # noqa: S608 -- our own names
            "WHERE (?1 IS NULL OR whistle = ?1) AND (?2 IS NULL OR state = ?2) ORDER BY position",
            whistle, state,
        )  # fmt: skip
        return [_told(row) for row in rows]

    # -- what we answer ------------------------------------------------------------------------------------------

    def add_answer(self, given: Given, at: str) -> Given:
        """Keep an answer to be sent. One that stands under the same key, and was not refused, stays: it is returned."""
        with self._writing() as db:
            row = db.execute(
                f"SELECT {_GIVEN} FROM answers WHERE whistle = ? AND key = ? AND verdict IS NOT 'refused'",  # noqa: S608
                (given.whistle, given.key),
            ).fetchone()
            if row is not None:
                return _given(row)
            db.execute(
                "INSERT INTO answers (id, whistle, key, answer, body, made_at) VALUES (?, ?, ?, ?, ?, ?)",
                (given.id, given.whistle, given.key, given.answer, given.body, at),
            )
            return given

    def attempts_at(self, whistle: str, key: str) -> int:
        """How many answers under this key were refused."""
        rows = self._rows("SELECT count(*) FROM answers WHERE whistle = ? AND key = ?", whistle, key)
        return int(str(rows[0][0]))

    def unsent(self, limit: int) -> list[Given]:
        """Answers to be sent, oldest first."""
        rows = self._rows(f"SELECT {_GIVEN} FROM answers WHERE sent_at IS NULL ORDER BY position LIMIT ?", limit)  # noqa: S608
        return [_given(row) for row in rows]

    def mark_sent(self, answer_id: str, at: str) -> None:
        """The broker has it."""
        with self._writing() as db:
            db.execute("UPDATE answers SET sent_at = coalesce(sent_at, ?) WHERE id = ?", (at, answer_id))

    def answers(self, whistle: str | None = None) -> list[Given]:
        """Answers, oldest first."""
        rows = self._rows(
            f"SELECT {_GIVEN} FROM answers WHERE ?1 IS NULL OR whistle = ?1 ORDER BY position",  # noqa: S608
            whistle,
        )
        return [_given(row) for row in rows]

    def answer(self, answer_id: str) -> Given | None:
        """One answer."""
        rows = self._rows(f"SELECT {_GIVEN} FROM answers WHERE id = ?", answer_id)  # noqa: S608
        return _given(rows[0]) if rows else None


def _opened(path: Path) -> sqlite3.Connection:
    db = sqlite3.connect(path, timeout=_PATIENCE_S, isolation_level=None, check_same_thread=False)
    db.execute("PRAGMA journal_mode = WAL")
    # NORMAL would lose the last commits when the power goes: the broker was told that we have them.
    db.execute("PRAGMA synchronous = FULL")
    return db


def _told(row: tuple[object, ...]) -> Told:
    id_, type_, whistle, body, state, attempts = row
    return Told(
        id=str(id_), type=str(type_), whistle=None if whistle is None else str(whistle), body=_bytes(body),
        state=str(state), attempts=int(str(attempts)),
    )  # fmt: skip


def _given(row: tuple[object, ...]) -> Given:
    id_, whistle, key, answer, body, sent_at, verdict, verdict_body = row
    return Given(
        id=str(id_), whistle=str(whistle), key=str(key), answer=str(answer), body=_bytes(body),
        sent_at=None if sent_at is None else str(sent_at), verdict=None if verdict is None else str(verdict),
        verdict_body=None if verdict_body is None else _bytes(verdict_body),
    )  # fmt: skip


def _bytes(value: object) -> bytes:
    if not isinstance(value, bytes):
        message = f"the spool holds {type(value).__name__} where bytes belong"
        raise TypeError(message)
    return value
