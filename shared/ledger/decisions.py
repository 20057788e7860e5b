"""What an operator decides about a quarantined message: handle it now, or let its stream go on without it.

Each decision carries a name and a reason and is kept beside the message's bytes. Nothing is ever deleted here.
"""

from __future__ import annotations

from typing import Any

from sqlalchemy import Row

from shared.contracts import envelope as envelopes
from shared.contracts.envelope import Envelope
from shared.kernel.errors import Conflict
from shared.ledger import inbox, quarantine
from shared.ledger.errors import HandlerFailed
from shared.ledger.reception import Outcome, Reception
from shared.ledger.unit_of_work import look_only, unit_of_work


class StillFails(Conflict):
    """Its handler fails on it as before; the message stays where it is. Mend the cause, then release it again."""

    code = "still-fails"


class NotNext(Conflict):
    """A message before it in its stream is missing. Decide about that one first."""

    code = "predecessor-missing"


class Decided(Conflict):
    """Somebody has decided about this message already. Nothing more is needed."""

    code = "already-decided"


def release(reception: Reception, entry_id: str, *, by: str, why: str) -> Outcome:
    """Handle a quarantined message now, and those parked behind it.

    Handled first, noted afterwards: killed in between, it is handled once and can be released again. Raises NotFound,
    Decided, StillFails, Transient.
    """
    row = _held(reception, entry_id)
    try:
        outcome = reception.receive(bytes(row.body))
    except HandlerFailed as error:
        raise _still(entry_id, str(error)) from error
    if outcome is Outcome.QUARANTINED:
        raise _still(entry_id, str(row.detail))
    _note(reception, entry_id, state="released", by=by, why=why)
    return outcome


def discard(reception: Reception, entry_id: str, *, by: str, why: str) -> int:
    """Set a message aside for good; its stream goes on. Returns how many parked successors were applied.

    Raises NotFound, Decided, NotNext, Transient.
    """
    row = _held(reception, entry_id)
    envelope = _envelope(bytes(row.body))
    with unit_of_work(reception.at_hand) as work:
        if envelope is not None and envelope.streamversion > 0:
            position = inbox.step(work.db, reception.name, envelope.stream, envelope.streamversion)
            if position.version < envelope.streamversion:
                raise NotNext(
                    f"{envelope.stream} has been applied up to version {position.version}; this is version "
                    f"{envelope.streamversion}.",
                    where="id",
                    remedy="Decide about the earlier message of this stream first.",
                )
            inbox.record(work.db, reception.name, envelope.id, work.now)
        quarantine.decide(work.db, entry_id, state="discarded", by=by, why=why, at=work.now)
        work.commit()
    freed = 0
    while count := reception.sweep():
        freed += count
    return freed


def _held(reception: Reception, entry_id: str) -> Row[Any]:
    with look_only(reception.at_hand) as work:
        row: Row[Any] = quarantine.entry(work.db, entry_id)
    if row.state != "held":
        raise Decided(f"The message was {row.state} by {row.decided_by}: {row.decided_why}.", where="id")
    return row


def _note(reception: Reception, entry_id: str, *, state: str, by: str, why: str) -> None:
    with unit_of_work(reception.at_hand) as work:
        quarantine.decide(work.db, entry_id, state=state, by=by, why=why, at=work.now)
        work.commit()


def _still(entry_id: str, detail: str) -> StillFails:
    remedy = "Mend the cause (a bug, a missing field), then release it again; or discard it with a reason."
    return StillFails(f"{entry_id} cannot be handled: {detail}", where="id", remedy=remedy)


def _envelope(raw: bytes) -> Envelope | None:
    try:
        return envelopes.from_bytes(raw)
    except (envelopes.Undecodable, envelopes.SchemaViolation):
        return None
