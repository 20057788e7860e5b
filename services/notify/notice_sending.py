"""Sending letters to people at work, in the same three steps as letters to askers (`sending`).

A process may die after a mail server took a letter and before it recorded that: the claim runs out, and it is tried
again under the same id, for the other side to drop the double.
"""

from __future__ import annotations

import logging
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from services.notify import domain, notice_rendering, notice_repository, sending
from services.notify.domain import Result, State
from services.notify.noticing import contact_of
from services.notify.recipients import Audience, Recipient
from services.notify.sending import Sent
from shared.contracts import notify
from shared.ledger.unit_of_work import Surroundings, UnitOfWork
from shared.runtime.definition import Taken

log = logging.getLogger(__name__)

_REASON_LIMIT = 1_000


@dataclass(frozen=True, kw_only=True)
class Notice:
    """A claimed notice."""

    id: str
    template: str
    recipient: Recipient
    facts: dict[str, Any]
    attempt: int


def claim(work: UnitOfWork, limit: int) -> Taken:
    """Take notices whose time has come."""
    claimed = []
    rows = notice_repository.due(work.db, work.now, limit)
    for row in rows:
        if row.attempts > len(domain.BACK_OFF):  # every attempt was cut off
            _settle(work, row.id, row.attempts, Sent(result=Result.PERMANENT, channel="none", detail="never finished"))
            continue
        notice_repository.claim(work.db, row, work.now + domain.CLAIM)
        recipient = Recipient(audience=Audience(row.audience), unit=row.unit, person=row.person)
        claimed.append(
            Notice(id=row.id, template=row.template, recipient=recipient, facts=row.facts, attempt=row.attempts + 1)
        )
    return Taken(items=claimed, due=len(rows))


def carry_out(at_hand: Surroundings, notice: Notice) -> Sent:
    """Write the letter and hand it to a channel. Raises nothing: a failure is a result."""
    pack = at_hand.jurisdiction
    template = next((one for one in pack.templates if one.id == notice.template), None)
    if template is None:
        detail = f"the pack has no template {notice.template} any more"
        return Sent(result=Result.PERMANENT, channel="none", detail=detail)
    contact = contact_of(notice.recipient, pack)
    if contact is None:
        detail = "the pack gives no office address any more"
        return Sent(result=Result.PERMANENT, channel=template.channels[0], detail=detail)
    chosen = sending.choose(at_hand, template, contact)
    if isinstance(chosen, Sent):
        return chosen
    filled = sending.Filled(
        message_id=notice.id, template=template, name=contact.name,
        words=lambda: notice_rendering.render(template, notice.facts, pack),
    )  # fmt: skip
    return sending.hand_over(at_hand, chosen, filled)


def record(work: UnitOfWork, done: Sequence[tuple[Notice, Sent]]) -> None:
    """Write down what became of attempts."""
    for notice, sent in done:
        _settle(work, notice.id, notice.attempt, sent)


def _settle(work: UnitOfWork, notice_id: str, attempt: int, sent: Sent) -> None:
    # Somebody at work who cannot be reached by any channel of the template: the letter stays on the list.
    result = Result.PERMANENT if sent.result is Result.NO_ADDRESS else sent.result
    verdict = domain.after(result, attempt, work.now)
    ended = verdict.state is not State.PENDING
    row = notice_repository.finish(
        work.db, notice_id, attempt, state=verdict.state, next_attempt_at=verdict.next_attempt_at,
        channel=sent.channel, provider_ref=sent.provider_ref, reason=sent.detail,
        finished_at=work.now if ended else None,
    )  # fmt: skip
    if row is None:
        log.info("an attempt outlived its claim", extra={"letter": notice_id, "attempt": attempt})
        return
    told = {
        "notice_id": row.id, "matter_id": row.matter_id, "subject": row.subject, "event_id": row.event_id,
        "template": row.template, "channel": sent.channel, "attempts": row.attempts,
    }  # fmt: skip
    if verdict.state is State.DELIVERED:
        work.emit(notify.NoticeDelivered(**told))
    elif verdict.state is State.FAILED:
        reason = (sent.detail or "unknown")[:_REASON_LIMIT]
        # Office addresses at most; of a letter to an asker no reason is logged, it is with the message.
        log.warning("a notice was given up", extra={"notice": row.id, "channel": sent.channel, "reason": reason})
        work.emit(notify.NoticeFailed(**told, reason=reason))
