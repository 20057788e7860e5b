"""Broken: the inbox knows a message by its id alone. Of two handlers on one database the second takes it for done."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from datetime import datetime
from unittest.mock import patch

from sqlalchemy import Connection

from shared.ledger import inbox

#: The one handler that everybody is entered as.
_ANYBODY = "anybody"


@contextmanager
def planted() -> Iterator[None]:
    """Enter every handler under one name; the streams' positions keep theirs."""
    record, record_many = inbox.record, inbox.record_many

    def record_as_anybody(db: Connection, handler: str, message_id: str, at: datetime) -> bool:
        del handler
        return record(db, _ANYBODY, message_id, at)

    def record_many_as_anybody(db: Connection, handler: str, message_ids: Iterable[str], at: datetime) -> set[str]:
        del handler
        return record_many(db, _ANYBODY, message_ids, at)

    with (
        patch.object(inbox, "record", record_as_anybody),
        patch.object(inbox, "record_many", record_many_as_anybody),
    ):
        yield
