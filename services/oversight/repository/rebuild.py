"""The read tables made from scratch, in the trace's order, one event after the other: what every other way must equal.

For a database that stands still, such as a judge's own copy: its own events count only once they are in the trace. A
running installation is compared and mended by `gridwhistle rebuild` (shared.ledger.rebuild), matter by matter.
"""

from __future__ import annotations

from sqlalchemy import Connection, delete

from services.oversight.repository import trace
from services.oversight.repository.projection import PROJECTIONS, Mark, Rows
from services.oversight.tables import PROJECTED
from shared.contracts import envelope as envelopes
from shared.contracts.registry import UnknownType

#: Events whose rows are written together.
_BATCH = 200


def rebuild(db: Connection) -> int:
    """Empty the projected tables and fill them from every stored event; returns how many had an effect.

    The caller commits.
    """
    for table in PROJECTED:
        db.execute(delete(table))
    applied = 0
    rows = Rows(db)
    for raw in trace.envelopes(db):
        envelope = envelopes.from_bytes(raw)
        try:
            project = PROJECTIONS.get(envelope.name)
        except UnknownType:
            continue  # a newer release's event: in the trace, without effect here, as when it came
        if project is not None:
            project(rows, envelope.payload(), Mark(message_id=envelope.id, at=envelope.time))
            applied += 1
            if applied % _BATCH == 0:
                rows.flush()
    rows.flush()
    return applied
