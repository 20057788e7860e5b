"""Broken: marked published, then published. A link that breaks in between takes the events along."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from threading import Event
from typing import Any
from unittest.mock import patch

from shared.ledger import outbox
from shared.ledger.engines import writing
from shared.wire.relay import Relay


@contextmanager
def planted() -> Iterator[None]:
    """Mark the rows of a round before any of them is sent."""
    publish = Relay._publish

    def mark_and_publish(self: Any, rows: Sequence[outbox.Pending], stop: Event) -> None:
        with writing(self._engine) as db:
            outbox.mark_published(db, [row.message_id for row in rows], self._clock.now())
            db.commit()
        publish(self, rows, stop)

    with patch.object(Relay, "_publish", mark_and_publish):
        yield
