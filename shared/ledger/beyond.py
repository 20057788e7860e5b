"""What sources have told and the trace does not hold yet: waiting in an outbox, at the broker, or before oversight.

A service that is ahead of oversight has handled some of it; whoever compares its tables with the trace needs it.
Nothing here goes by a clock: streams' heads are compared once, later rows are found by their place in the outbox.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

from sqlalchemy import Connection, func, select

from shared.contracts import envelope as envelopes
from shared.ledger import inbox
from shared.ledger.read_model import Past
from shared.ledger.replay import of_kinds
from shared.ledger.tables import outbox, stream_heads

#: Streams whose heads are compared at once.
_STREAMS = 5_000
#: Rows below the highest position seen that are looked at again: a lower one may be committed later.
_SLACK = 2_000
#: Ids that are looked up at once.
_IDS = 1_000
#: Whose positions say what the trace holds.
_KEEPER = "oversight"

#: Which of some message ids the trace holds.
Holds = Callable[[Sequence[str]], set[str]]


class Beyond:
    """Events of some sources that are not in the trace."""

    def __init__(self, kinds: Mapping[str, Sequence[str]], types: set[str]) -> None:
        """`kinds`: source -> stream kinds that matter; `types`: the events that do."""
        self.kinds = kinds
        self._types = types
        self._known: dict[str, Past] = {}
        self._looked: dict[str, int] = {}
        #: Source -> ids within the slack that were looked at.
        self._seen: dict[str, set[str]] = {}

    def begin(self, source: str, db: Connection, keeper: Connection) -> None:
        """Find what the trace (in the database of `keeper`) lacks of a source, by comparing all streams' heads."""
        self._looked[source] = self._last(db)
        after = ""
        while True:
            query = (
                select(stream_heads.c.stream, stream_heads.c.version)
                .where(stream_heads.c.stream > after, of_kinds(stream_heads.c.stream, source, self.kinds[source]))
                .order_by(stream_heads.c.stream)
                .limit(_STREAMS)
            )
            heads = {row.stream: row.version for row in db.execute(query)}
            if not heads:
                return
            after = list(heads)[-1]
            held = inbox.positions(keeper, _KEEPER, heads)
            behind = {stream: held.get(stream, 0) for stream, head in heads.items() if held.get(stream, 0) < head}
            self._fetch_streams(db, behind)

    def _fetch_streams(self, db: Connection, behind: Mapping[str, int]) -> None:
        streams = list(behind)
        for start in range(0, len(streams), _IDS):
            query = select(outbox).where(
                outbox.c.stream.in_(streams[start : start + _IDS]), outbox.c.type.in_(self._types)
            )
            for row in db.execute(query):
                if row.stream_version > behind[row.stream]:
                    self._keep(bytes(row.envelope))

    def look(self, source: str, db: Connection) -> None:
        """Find what a source has told since it was looked at last."""
        until = self._last(db)
        query = select(outbox.c.message_id).where(
            outbox.c.position > self._looked[source] - _SLACK, outbox.c.position <= until,
            outbox.c.type.in_(self._types), of_kinds(outbox.c.stream, source, self.kinds[source]),
        )  # fmt: skip
        ids = set(db.execute(query).scalars())
        new = sorted(ids - self._seen.get(source, set()))
        for start in range(0, len(new), _IDS):
            rows = select(outbox.c.envelope).where(outbox.c.message_id.in_(new[start : start + _IDS]))
            for raw in db.execute(rows).scalars():
                self._keep(bytes(raw))
        self._looked[source], self._seen[source] = until, ids

    def forget(self, holds: Holds) -> None:
        """Drop what the trace holds by now."""
        ids = list(self._known)
        for start in range(0, len(ids), _IDS):
            for message_id in holds(ids[start : start + _IDS]):
                del self._known[message_id]

    def about(self, matters: Sequence[str]) -> list[Past]:
        """What is known about these matters, each stream in order."""
        wanted = set(matters)
        found = (event for event in self._known.values() if event.subject in wanted)
        return sorted(found, key=lambda event: (event.stream, event.stream_version))

    def subjects(self) -> list[str]:
        """Every matter that something is known about, in order."""
        return sorted({event.subject for event in self._known.values()})

    def _keep(self, raw: bytes) -> None:
        envelope = envelopes.from_bytes(raw)
        self._known[envelope.id] = Past(
            message_id=envelope.id, stream=envelope.stream, stream_version=envelope.streamversion,
            subject=envelope.subject, raw=raw,
        )  # fmt: skip

    @staticmethod
    def _last(db: Connection) -> int:
        return db.execute(select(func.max(outbox.c.position))).scalar_one() or 0
