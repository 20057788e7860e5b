"""How notify's lost transactions are told from their events: which letters had gone out, so that none goes twice.

The news came again from the others and made the letters anew, as pending; what an event says was delivered or given up
is settled as it was, under the id it had. A letter that left in the very moment of the loss, and of which no event
tells, is sent again: as after a kill (services.notify.sending).
"""

from __future__ import annotations

from services.notify import notice_repository, post
from services.notify.domain import Result, State, Verdict
from services.notify.sending import PURPOSE
from shared.contracts import notify
from shared.ledger.recovery import Differs, Lost, Retold
from shared.ledger.unit_of_work import Surroundings, UnitOfWork

_DELIVERED, _FAILED = "notify.message-delivered", "notify.message-failed"
_NOTICES = ("notify.notice-delivered", "notify.notice-failed")


def retell(lost: Lost, at_hand: Surroundings) -> Retold:
    """How a lost transaction of notify is done again."""
    del at_hand
    return Retold(run=lambda work: _settle_all(lost, work))


def _settle_all(lost: Lost, work: UnitOfWork) -> None:
    for envelope in lost.of(_DELIVERED, _FAILED):
        _settle(envelope.payload(), work)
    for envelope in lost.of(*_NOTICES):
        _settle_notice(envelope.payload(), work)


def _settle_notice(event: notify.NoticeDelivered | notify.NoticeFailed, work: UnitOfWork) -> None:
    reason = event.reason if isinstance(event, notify.NoticeFailed) else None
    taken = notice_repository.take_up(
        work.db, event.event_id, event.template, id=event.notice_id, attempts=event.attempts, channel=event.channel,
        state=State.DELIVERED if reason is None else State.FAILED, reason=reason, next_attempt_at=None,
        finished_at=work.now,
    )  # fmt: skip
    if not taken:
        message = f"No notice {event.template} of {event.event_id} waits."
        raise Differs(message)
    work.emit(event)


def _settle(event: notify.MessageDelivered | notify.MessageFailed, work: UnitOfWork) -> None:
    reason = event.reason if isinstance(event, notify.MessageFailed) else None
    taken = post.take_up(
        work.db, event.message_id, demand_id=event.demand_id, template=event.template, number=event.attempts,
        at=work.now,
    )  # fmt: skip
    if not taken:
        message = f"No letter {event.template} to {event.demand_id} waits."
        raise Differs(message)
    post.log_access(
        work.db, id=work.new_id(), demand_id=event.demand_id, message_id=event.message_id, purpose=PURPOSE,
        actor=work.actor.id, at=work.now,
    )  # fmt: skip
    post.finish_attempt(
        work.db, event.message_id, event.attempts, channel=event.channel, finished_at=work.now,
        result=Result.DELIVERED if reason is None else Result.PERMANENT, detail=reason,
    )  # fmt: skip
    verdict = Verdict(state=State.DELIVERED if reason is None else State.FAILED)
    post.finish(
        work.db, event.message_id, verdict, attempt=None, channel=event.channel, reason=reason, finished_at=work.now
    )
    work.emit(event)
