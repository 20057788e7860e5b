"""oversight's read model: every table that is projected from the trace. Trace and published reports are none of it."""

from __future__ import annotations

from services.oversight import handlers
from services.oversight.repository.projection import PROJECTIONS
from services.oversight.tables import PROJECTED, orders
from shared.ledger.read_model import ReadModel, ReadTable

READ_MODEL = ReadModel(
    tables=tuple(
        ReadTable(table=table, matter=table.c.subject if table is orders else table.c.matter_id) for table in PROJECTED
    ),
    projections=dict.fromkeys(PROJECTIONS, handlers.project),
)
