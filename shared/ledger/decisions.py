"""What an operator decides about a quarantined message: handle it now, or let its stream go on without it.

Each decision carries a name and a reason, is kept beside the message's bytes, and has its row among the interventions.
Nothing is ever deleted here. Safe while other processes handle the same stream: the stream's position is locked.
"""

from __future__ import annotations

from typing import Any

from sqlalchemy import Row

from shared.contracts import envelope as envelopes
from shared.contracts.envelope import Envelope
from shared.kernel.errors import Conflict
from shared.ledger import inbox, interventions, quarantine
from shared.ledger.errors import HandlerFailed
from shared.ledger.interventions import checked_reason
from shared.ledger.letters import Letter, LetterBox
from shared.ledger.reception import Outcome, Reception
from shared.ledger.unit_of_work import UnitOfWork, look_only, unit_of_work

#: State that a decision leaves -> kind of intervention.
_KINDS = {"released": "release", "discarded": "discard"}


class StillFails(Conflict):
    """Its handler fails on it as before; the message stays where it is. Mend the cause, then release it again."""

    code = "still-fails"


class NotNext(Conflict):
    """A message before it in its stream is missing. Decide about that one first."""

    code = "predecessor-missing"


class Decided(Conflict):
    """Somebody has decided about this message already. Nothing more is needed."""

    code = "already-decided"


class Handled(Conflict):
    """The message has had its effect by now (it came again). Release it: that only notes so."""

    code = "already-handled"


def release(reception: Reception, entry_id: str, *, by: str, why: str, letters: LetterBox | None = None) -> Outcome:
    """Handle a quarantined message now, and those parked behind it.

    Handled first, noted afterwards: killed in between, it is handled once and can be released again. Raises Invalid
    (reason), NotFound, Decided, StillFails, Transient.
    """
    why = checked_reason(why)
    row = _held(reception, entry_id)
    try:
        outcome = _again(reception, letters, row)
    except HandlerFailed as error:
        raise _still(entry_id, str(error)) from error
    if outcome is Outcome.QUARANTINED:
        raise _still(entry_id, str(row.detail))
    with unit_of_work(reception.at_hand) as work:
        _decide(work, row, state="released", by=by, why=why, detail={"outcome": outcome.value})
        work.commit()
    return outcome


def discard(reception: Reception, entry_id: str, *, by: str, why: str) -> int:
    """Set a message aside for good; its stream goes on. Returns how many parked successors were applied.

    Raises Invalid (reason), NotFound, Decided, Handled, NotNext, Transient.
    """
    why = checked_reason(why)
    row = _held(reception, entry_id)
    # What a letter says of streams and versions is its sender's word, and nothing waits behind it.
    envelope = _envelope(bytes(row.body)) if row.handler == reception.name else None
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
            if not inbox.record(work.db, reception.name, envelope.id, work.now):
                raise Handled(
                    f"{entry_id} has been handled since it was set aside.", where="id",
                    remedy="There is nothing to discard; release it, which only notes that.",
                )  # fmt: skip
        _decide(work, row, state="discarded", by=by, why=why, detail={})
        work.commit()
    freed = 0
    while count := reception.sweep():
        freed += count
    return freed


def _again(reception: Reception, letters: LetterBox | None, row: Row[Any]) -> Outcome:
    if row.handler == reception.name:
        return reception.receive(bytes(row.body))
    if letters is None:
        raise _still(row.id, f"{reception.name} takes no letters, and this one came by {row.handler}")
    return letters.receive(Letter(body=bytes(row.body), exchange=row.handler))


def _held(reception: Reception, entry_id: str) -> Row[Any]:
    with look_only(reception.at_hand) as work:
        row: Row[Any] = quarantine.entry(work.db, entry_id)
    if row.state != "held":
        raise _decided(row)
    return row


def _decide(work: UnitOfWork, row: Row[Any], *, state: str, by: str, why: str, detail: dict[str, Any]) -> None:
    if not quarantine.decide(work.db, row.id, state=state, by=by, why=why, at=work.now):
        raise _decided(quarantine.entry(work.db, row.id))
    about = {"entry": row.id, "message": row.message_id, "reason": row.reason, **detail}
    interventions.note(work, _KINDS[state], by=by, why=why, detail=about)


def _decided(row: Row[Any]) -> Decided:
    return Decided(
        f"The message was {row.state} by {row.decided_by}: {row.decided_why}.", where="id",
        remedy="Nothing more is needed.",
    )  # fmt: skip


def _still(entry_id: str, detail: str) -> StillFails:
    remedy = "Mend the cause (a bug, a missing field), then release it again; or discard it with a reason."
    return StillFails(f"{entry_id} cannot be handled: {detail}", where="id", remedy=remedy)


def _envelope(raw: bytes) -> Envelope | None:
    try:
        return envelopes.from_bytes(raw)
    except (envelopes.Undecodable, envelopes.SchemaViolation):
        return None
