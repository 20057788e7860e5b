"""deliberation's read model: what it keeps of matters. Topics, ballots and resolutions are its own."""

from __future__ import annotations

from sqlalchemy import exists

from services.deliberation.subscriptions import SUBSCRIPTIONS
from services.deliberation.tables import matters, topics
from shared.ledger.read_model import ReadModel, ReadTable

READ_MODEL = ReadModel(
    tables=(ReadTable(table=matters, matter=matters.c.id, stays=exists().where(topics.c.matter_id == matters.c.id)),),
    projections=SUBSCRIPTIONS,
)
