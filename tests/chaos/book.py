"""The book: what the producer asked for, and what it was answered. The judge believes it and nothing else.

Kept in memory and, a line an entry, in a file, so that a run that broke off can be looked into. It must never be read
by anything that sends.
"""

from __future__ import annotations

import json
import threading
from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass, field
from typing import Any

#: What a command was answered: done; refused by a rule; nobody knows, because no answer ever came.
ACCEPTED, REFUSED, UNANSWERED = "accepted", "refused", "unanswered"

#: Command -> events that it must cause, each exactly once, with the command's correlation id and no cause.
#: A command that may cause one of several lists them in one string, divided by "|".
CAUSES: Mapping[str, tuple[str, ...]] = {
    "intake.register-demand": ("intake.demand-registered", "intake.matter-opened|intake.demand-joined-matter"),
    "intake.supplement-demand": ("intake.demand-supplemented",),
    "intake.withdraw-demand": ("intake.demand-withdrawn",),
    "intake.locate-matter": ("intake.matter-located",),
    "dispatch.accept": ("dispatch.matter-accepted",),
    "dispatch.progress": ("dispatch.matter-progressed",),
    "dispatch.return": ("dispatch.matter-returned",),
    "dispatch.escalate": ("dispatch.matter-escalated",),
    "dispatch.assign": ("dispatch.matter-assigned",),
    "dispatch.reclassify": ("dispatch.matter-classified",),
    "dispatch.suspend": ("dispatch.matter-suspended",),
    "dispatch.resume": ("dispatch.matter-resumed",),
    "dispatch.blow-whistle": ("dispatch.whistle-blown",),
    "dispatch.answer-whistle": ("dispatch.whistle-answered",),
    "dispatch.resolve": ("dispatch.matter-resolved",),
    "dispatch.verify": ("dispatch.matter-verified|dispatch.matter-reworked",),
    "dispatch.close": ("dispatch.matter-closed",),
    "dispatch.reopen": ("dispatch.matter-reopened",),
    "deliberation.open-topic": ("deliberation.topic-submitted",),
    "deliberation.give-opinion": ("deliberation.opinion-given",),
    "deliberation.open-ballot": ("deliberation.ballot-opened",),
    "deliberation.cast-vote": (),  # no event may pair a voter with a choice: the count of the ballot tells
    "deliberation.close-ballot": ("deliberation.ballot-closed",),
    "deliberation.adopt-resolution": ("deliberation.resolution-adopted",),
    "deliberation.reject-resolution": ("deliberation.resolution-rejected",),
    "oversight.evaluate": ("oversight.evaluation-received",),
    "oversight.record-inspection": ("oversight.inspection-recorded",),
}


@dataclass(kw_only=True)
class Entry:
    """One command, however often it was sent."""

    #: Its X-Correlation-ID and Idempotency-Key: the events it causes carry it.
    key: str
    command: str
    actor: str
    content: Mapping[str, Any]
    #: ACCEPTED, REFUSED or UNANSWERED.
    result: str
    #: The refusal's code, or what went wrong last.
    code: str = ""
    reply: Mapping[str, Any] = field(default_factory=dict)
    #: How often it was sent, and when (seconds of time.monotonic()) first sent and answered.
    tries: int = 1
    asked_at: float = 0.0
    answered_at: float = 0.0

    def about(self) -> dict[str, str]:
        """Ids that the events it caused must name."""
        names = ("demand_id", "matter_id", "topic_id", "ballot_id", "whistle_id", "opinion_id")
        return {name: str(self.reply[name]) for name in names if self.reply.get(name)}


class Book:
    """Every command of a run. Any number of threads may write."""

    def __init__(self, path):
        self._file = path.open("a", encoding="utf-8")
        self._lock = threading.Lock()
        self.entries: list[Entry] = []
        #: Things a life waited for in vain, for the verdict.
        self.stalled: list[str] = []
        #: Answers of the 500s, by status: 503 is the honest one, the others are noted for people.
        self.troubles: Counter[int] = Counter()

    def write(self, entry: Entry) -> Entry:
        """Keep an entry."""
        line = json.dumps(asdict(entry), ensure_ascii=False, default=str)
        with self._lock:
            self.entries.append(entry)
            if not self._file.closed:  # a life that a broken-off run left behind
                self._file.write(line + "\n")
        return entry

    @classmethod
    def read(cls, path):
        """The entries of a run that is over; what it waited for in vain is not in the file."""
        book = cls(path)
        book.entries = [Entry(**json.loads(line)) for line in path.open(encoding="utf-8")]
        return book

    def stall(self, what: str) -> None:
        """Keep that something which had to follow did not."""
        with self._lock:
            self.stalled.append(what)

    def trouble(self, status: int) -> None:
        """Count an answer that meant "not now"."""
        with self._lock:
            self.troubles[status] += 1

    def accepted(self, command: str | None = None) -> Iterator[Entry]:
        """Entries that were done, of one command or of all."""
        for entry in self.entries:
            if entry.result == ACCEPTED and command in (None, entry.command):
                yield entry

    def close(self):
        """Write everything down."""
        with self._lock:
            self._file.close()
