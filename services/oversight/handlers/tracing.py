"""Every event into the trace, then into the read tables."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from services.oversight.repository import trace
from services.oversight.repository.projection import PROJECTIONS, Mark
from shared.contracts.envelope import Envelope
from shared.ledger.unit_of_work import UnitOfWork


def observe(events: Sequence[tuple[Envelope, bytes]], work: UnitOfWork) -> None:
    """Store the bytes as received as the next links of the chain (design 7, Trace)."""
    trace.append(work.db, events, work.now)


def project(event: Any, work: UnitOfWork) -> None:
    """Let the event being handled have its effect on the read tables."""
    cause = work.cause
    if cause is None:
        raise AssertionError("a projection runs only while an event is handled")
    PROJECTIONS[cause.name](work.db, event, Mark(message_id=cause.id, at=cause.time))
