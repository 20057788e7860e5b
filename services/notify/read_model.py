"""notify's read model: whom to tell, what messages say about a matter, and the news.

Messages, notices, attempts and the log of opened contact data are acts and no view: they are never made again, so that
no letter goes twice. What is found of whether an address can be used (`addressees.reachable`) is theirs too.
"""

from __future__ import annotations

from sqlalchemy import exists

from services.notify import handlers
from services.notify.subscriptions import SUBSCRIPTIONS
from services.notify.tables import addressees, matters, messages, news
from shared.ledger.read_model import ReadModel, ReadTable

READ_MODEL = ReadModel(
    tables=(
        ReadTable(
            table=addressees, matter=addressees.c.matter_id,
            columns=tuple(column for column in addressees.c if column.name not in {"demand_id", "reachable"}),
            stays=exists().where(messages.c.demand_id == addressees.c.demand_id),
        ),
        ReadTable(table=matters, matter=matters.c.id),
        ReadTable(
            table=news, matter=news.c.matter_id,
            # A letter under way is written from its news, though the pack may have dropped the template since.
            stays=exists().where(messages.c.event_id == news.c.event_id, messages.c.template == news.c.template),
        ),
    ),
    # The messages that these write into the tables in memory are thrown away with them.
    projections={name: handler for name, handler in SUBSCRIPTIONS.items() if handler is not handlers.on_work_news},
)  # fmt: skip
