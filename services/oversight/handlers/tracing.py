"""Every event into the trace, then into the read tables."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, cast

from services.oversight.handlers import asking
from services.oversight.repository import trace
from services.oversight.repository.projection import PROJECTIONS, Mark, Rows
from shared.contracts.envelope import Envelope
from shared.ledger.unit_of_work import UnitOfWork

#: Under which name rows are put off.
_ROWS = "rows"


def observe(events: Sequence[tuple[Envelope, bytes]], work: UnitOfWork) -> None:
    """Store the bytes as received as the next links of the chain (design 7, Trace)."""
    trace.append(work.db, events, work.now)


def project(event: Any, work: UnitOfWork) -> None:
    """Let the event being handled have its effect on the read tables."""
    cause = work.cause
    if cause is None:
        raise AssertionError("a projection runs only while an event is handled")
    mark = Mark(message_id=cause.id, at=cause.time)
    if work.put_off is None:
        rows = Rows(work.db)
        PROJECTIONS[cause.name](rows, event, mark)
        rows.flush()
        return
    asking.settle(event, work)
    gathered = work.put_off.setdefault(_ROWS, Rows(work.db))
    PROJECTIONS[cause.name](cast("Rows", gathered), event, mark)
