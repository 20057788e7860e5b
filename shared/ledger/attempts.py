"""What both consumer boundaries do about a handler that raised: count it, and say when it has had its five tries.

Used by `reception` (events) and `letters` (messages from outside). It must never set anything aside itself.
"""

from __future__ import annotations

from sqlalchemy.exc import DBAPIError

from shared.ledger import quarantine
from shared.ledger.errors import HandlerFailed, Transient, is_transient
from shared.ledger.unit_of_work import Surroundings, unit_of_work


def count(at_hand: Surroundings, handler: str, message_id: str, error: Exception) -> None:
    """Count a failure, in a transaction of its own; returns when it was the last try: set the message aside.

    Raises HandlerFailed while there are tries left: keep the message; Transient when the database is away.
    """
    try:
        with unit_of_work(at_hand) as work:
            attempts = quarantine.count_failure(work.db, handler, message_id, repr(error), work.now)
            work.commit()
    except DBAPIError as second:
        raise sorted_out(second) from second
    if attempts < quarantine.MAX_ATTEMPTS:
        message = f"attempt {attempts} at {message_id} by {handler} failed: {error!r}"
        raise HandlerFailed(message) from error


def sorted_out(error: DBAPIError) -> Transient | HandlerFailed:
    """What a database's error means for a message: not now, or a bug."""
    return Transient(str(error)) if is_transient(error) else HandlerFailed(str(error))
