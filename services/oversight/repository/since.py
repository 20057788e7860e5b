"""The trace from an instant on: what a service that was set back had told and heard since."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime, timedelta

from sqlalchemy import Connection, select

from services.oversight.repository import trace as kept
from services.oversight.repository.history import checked_bytes
from services.oversight.tables import trace

#: Rows read at once.
_BATCH = 1_000
#: Rows at the end of the trace among which a service's last events are looked for.
_LOOKED_BACK = 20_000
#: Begin earlier than asked: clocks of machines differ, and what is known already does no harm.
MARGIN = timedelta(minutes=10)


def envelopes_since(db: Connection, at: datetime) -> Iterator[bytes]:
    """The exact bytes of what was recorded from a little before `at` on, in order. Raises TraceDamaged."""
    after = _position_before(db, at - MARGIN)
    while True:
        query = select(trace).where(trace.c.position > after).order_by(trace.c.position).limit(_BATCH)
        rows = db.execute(query).all()
        for row in rows:
            yield checked_bytes(row)
        if len(rows) < _BATCH:
            return
        after = rows[-1].position


def latest_of(db: Connection, service: str, since: datetime, limit: int) -> list[str]:
    """Message ids of the service's last events among the last rows of the trace, none older than `since`."""
    query = (
        select(trace.c.message_id)
        .where(
            trace.c.position > kept.head(db).position - _LOOKED_BACK,
            trace.c.recorded_at >= since,
            trace.c.stream.startswith(f"{service}.", autoescape=True),
        )
        .order_by(trace.c.position.desc())
        .limit(limit)
    )
    return list(db.execute(query).scalars())


def _position_before(db: Connection, at: datetime) -> int:
    """The last position recorded before an instant; bisection, since positions have no gaps and grow with time."""
    low, high = 0, kept.head(db).position
    while low < high:
        middle = (low + high + 1) // 2
        recorded = db.execute(select(trace.c.recorded_at).where(trace.c.position == middle)).scalar_one()
        if recorded < at:
            low = middle
        else:
            high = middle - 1
    return low
