"""The desk: what a department's program does with messages and answers, whatever carries them. No network here.

    bytes in -> spool (on disk) -> your handler -> answers into the spool -> bytes out -> what the suite says of them

A handler may run again for the same message (a crash in between): answers have ids made from what they say, so saying
the same thing twice counts once. A handler that keeps failing is set aside with its message, and the others go on.
"""

from __future__ import annotations

import hashlib
import json
import logging
import sqlite3
import threading
import uuid
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from shared.contracts import shapes, whistles
from shared.contracts.whistles import Answer, Answering, AnswerRefused, AnswerTaken, Called, Changed, Ended, Scored
from shared.kernel.clock import rfc3339
from shared.kernel.errors import Invalid
from shared.kit.spool import Given, Spool, Told

log = logging.getLogger(__name__)

#: Times a handler is tried with one message before that is set aside.
MOST_ATTEMPTS = 10
#: Answers that can be given once; the others (a note on progress, a request for time) as often as they differ.
_ONCE = ("accepted", "declined", "completed")
_NAMESPACE = uuid.UUID("2b0c59a4-93c7-5d16-8a51-6a2f8d0a4c77")
UNREADABLE = "unreadable"


class CannotAnswer(Exception):
    """The answer does not fit the contract; nothing was kept. `faults`: field -> what is wrong. Mend and call again."""

    def __init__(self, faults: dict[str, list[str]]) -> None:
        super().__init__("; ".join(f"{name}: {' '.join(each)}" for name, each in faults.items()))
        self.faults = faults


def _nothing(_message: Any, _desk: Desk) -> None:
    """Not everybody needs to hear everything."""


@dataclass(frozen=True, kw_only=True)
class Handlers:
    """Your functions: each gets the message and the desk to answer with. They may take as long as they need."""

    called: Callable[[Called, Desk], None]
    changed: Callable[[Changed, Desk], None] = _nothing
    scored: Callable[[Scored, Desk], None] = _nothing
    ended: Callable[[Ended, Desk], None] = _nothing
    taken: Callable[[AnswerTaken, Desk], None] = _nothing
    refused: Callable[[AnswerRefused, Desk], None] = _nothing

    def handle(self, message: Any, desk: Desk) -> None:
        """Call the one for this message."""
        ways: dict[type[Any], Callable[[Any, Desk], None]] = {
            Called: self.called, Changed: self.changed, Scored: self.scored, Ended: self.ended,
            AnswerTaken: self.taken, AnswerRefused: self.refused,
        }  # fmt: skip
        ways[type(message)](message, desk)


class Desk:
    """One department's desk on its spool. Safe in several threads."""

    def __init__(
        self, department: str, spool: Spool, *, now: Callable[[], datetime] = lambda: datetime.now(UTC)
    ) -> None:
        self.department = department
        self.spool = spool
        self._now = now
        #: Set when there may be something to handle.
        self.fresh = threading.Event()
        #: Called when there is something to send.
        self.on_answer: Callable[[], None] = lambda: None

    # -- in ------------------------------------------------------------------------------------------------------

    def receive(self, raw: bytes) -> None:
        """Keep a message from the suite; acknowledge it when this returns. What was kept before changes nothing."""
        at = rfc3339(self._now())
        try:
            telling = whistles.read_told(raw)
        except whistles.Unreadable as error:
            log.error("unreadable message kept in the spool: %s", error.what)  # noqa: TRY400 -- the sender's fault
            digest = f"sha256:{hashlib.sha256(raw).hexdigest()}"
            self.spool.keep(Told(id=digest, type=UNREADABLE, whistle=None, body=raw, state="kept", attempts=0), at)
            return
        message = telling.message
        if message is None:
            log.warning("message of a newer release kept in the spool", extra={"type": telling.type})
        told = Told(
            id=telling.id, type=telling.type, whistle=getattr(message, "whistle", None), body=raw,
            state="kept" if message is None else "new", attempts=0,
        )  # fmt: skip
        if isinstance(message, AnswerTaken | AnswerRefused) and message.answer_id is not None:
            verdict = "taken" if isinstance(message, AnswerTaken) else "refused"
            self.spool.keep_verdict(told, at, message.answer_id, verdict)
        else:
            self.spool.keep(told, at)
        self.fresh.set()

    def work(self, handlers: Handlers) -> bool:
        """Have the next message handled; False when there is none. A handler's error is counted, never raised."""
        told = self.spool.next_new()
        if told is None:
            return False
        try:
            handlers.handle(whistles.read_told(told.body).message, self)
        except sqlite3.Error:
            raise
        except Exception as error:  # the program's own code: it must not take the desk down
            attempts = told.attempts + 1
            state = "failed" if attempts >= MOST_ATTEMPTS else "new"
            log.exception("handler failed", extra={"told": told.id, "attempt": attempts, "state": state})
            self.spool.settle(told.id, state, attempts=attempts, error=repr(error)[:1_000])
            return state == "failed"
        self.spool.settle(told.id, "done", attempts=told.attempts)
        return True

    # -- out -----------------------------------------------------------------------------------------------------

    def answer(
        self,
        whistle: str,
        answer: str,
        note: str,
        *,
        ground: str | None = None,
        until: datetime | None = None,
        key: str | None = None,
    ) -> str:
        """Answer a call; on disk when this returns, sent as soon as there is a link. Returns the answer's id.

        The same answer given again is the same: of accepted, declined and completed there is one per call (one more
        after each decision about a refusal of ours, or when the suite refused it), of the others one per content.
        `key`: your own name for it instead. Raises CannotAnswer.
        """
        content = {"whistle": whistle, "note": note, "ground": ground, "until": until}
        given = {name: value for name, value in content.items() if value is not None}
        if answer not in whistles.ANSWERS:
            raise CannotAnswer({"answer": [f"Must be one of: {', '.join(whistles.ANSWERS)}."]})
        try:
            checked = shapes.load(Answer, given)
        except Invalid as error:
            raise CannotAnswer(error.fields) from error
        said = json.dumps(shapes.dump(checked), sort_keys=True, ensure_ascii=False)
        own = key or self._key(whistle, answer, said)
        tried = self.spool.attempts_at(whistle, own)
        answer_id = str(uuid.uuid5(_NAMESPACE, f"{self.department} {whistle} {own} {tried}"))
        now = self._now()
        body = whistles.answer_content(
            Answering(id=answer_id, answer=answer, content=checked), source=f"urn:department:{self.department}", at=now
        )
        kept = self.spool.add_answer(
            Given(
                id=answer_id, whistle=whistle, key=own, answer=answer,
                body=json.dumps(body, ensure_ascii=False, separators=(",", ":")).encode(), sent_at=None, verdict=None,
                verdict_body=None,
            ),
            rfc3339(now),
        )  # fmt: skip
        self.on_answer()
        return kept.id

    def _key(self, whistle: str, answer: str, said: str) -> str:
        if answer not in _ONCE:
            return f"{answer}:{hashlib.sha256(said.encode()).hexdigest()[:16]}"
        # Each decision about a refusal of ours begins a new round, in which we may accept or refuse again.
        told = self.spool.told(whistle=whistle)
        changes = [whistles.read_told(one.body).message for one in told if one.type == whistles.type_of(Changed)]
        rounds = sum(isinstance(one, Changed) and one.cause == "dispute-upheld" for one in changes)
        return f"{answer}:{rounds}"

    def outgoing(self, limit: int = 100) -> list[Given]:
        """Answers to be sent, oldest first."""
        return self.spool.unsent(limit)

    def sent(self, answer_id: str) -> None:
        """The other side has it safely."""
        self.spool.mark_sent(answer_id, rfc3339(self._now()))

    # -- looking -------------------------------------------------------------------------------------------------

    def calls(self, *, open_only: bool = True) -> list[Called]:
        """Calls we were told of, oldest first; those that are over are left out."""
        over = {told.whistle for told in self.spool.told() if told.type == whistles.type_of(Ended)}
        found = [
            whistles.read_told(told.body).message
            for told in self.spool.told()
            if told.type == whistles.type_of(Called) and not (open_only and told.whistle in over)
        ]
        return [call for call in found if isinstance(call, Called)]

    def refusal(self, answer_id: str) -> AnswerRefused | None:
        """Why an answer does not count; None: it counts, or nothing was said yet."""
        given = self.spool.answer(answer_id)
        if given is None or given.verdict != "refused" or given.verdict_body is None:
            return None
        message = whistles.read_told(given.verdict_body).message
        return message if isinstance(message, AnswerRefused) else None
