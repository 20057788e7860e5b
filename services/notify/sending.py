"""Sending, in three steps: claim and commit, hand over with no transaction open, record and commit.

This is the one place of the suite where exactly-once cannot be had: a process may die after a mail server took a
message and before it recorded that. Each attempt is therefore written down before it begins; a claim that runs out is
tried again under the same message id, which channels pass on (Message-ID, idempotency key) for the other side to drop
the double.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import Any, TypeVar

from sqlalchemy import Row

from services.notify import domain, post, rendering
from services.notify.domain import Result, State
from services.notify.rendering import CannotRender, Facts, Words
from shared.contracts import notify
from shared.jurisdiction import Template
from shared.kernel.hashing import sha256_hex
from shared.kernel.sealing import CannotOpen
from shared.ledger.unit_of_work import Surroundings, UnitOfWork
from shared.plugins import Contact, Message, PermanentFailure, Plugin, PluginBroken, Receipt, TemporaryFailure
from shared.runtime.definition import Taken

log = logging.getLogger(__name__)

Item = TypeVar("Item")

#: Entry points that are notifiers.
GROUP = "gridwhistle.notifiers"
#: Why contact data is opened, in its log.
PURPOSE = "send-message"
_REASON_LIMIT = 1_000
_REF_LIMIT = 200


@dataclass(frozen=True, kw_only=True)
class Letter:
    """A claimed message, with all it takes to write and send it."""

    message_id: str
    demand_id: str
    template: str
    #: Number of the attempt, and of the try in this round.
    attempt: int
    tries: int
    begun_at: datetime
    #: Without the tracking code, which is sealed.
    facts: Facts
    #: Sealed contact data; still sealed.
    sealed: str = field(repr=False)


@dataclass(frozen=True, kw_only=True)
class Sent:
    """What became of one attempt."""

    result: Result
    #: Name of the notifier, or the kind that was wanted.
    channel: str
    detail: str | None = None
    provider_ref: str | None = None
    digest: str | None = None
    #: Masked.
    address: str | None = None


def claim(work: UnitOfWork, limit: int) -> Taken:
    """Take messages whose time has come. Every opening of contact data to follow is logged here, before it happens."""
    rows = post.due(work.db, work.now, limit)
    known = post.particulars(work.db, rows)
    claimed = [row for row in rows if _may_be_sent(row, known[row.id], work)]
    post.claim(work.db, claimed, work.now, work.now + domain.CLAIM)
    post.log_accesses(
        work.db,
        [
            {
                "id": work.new_id(), "demand_id": row.demand_id, "message_id": row.id, "purpose": PURPOSE,
                "actor": work.actor.id, "at": work.now,
            }
            for row in claimed
        ],
    )  # fmt: skip
    letters = [
        Letter(
            message_id=row.id, demand_id=row.demand_id, template=row.template, attempt=row.attempts + 1,
            tries=row.tries + 1, begun_at=work.now, sealed=known[row.id].sealed,
            facts=_facts(known[row.id], work.at_hand),
        )
        for row in claimed
    ]  # fmt: skip
    return Taken(items=letters, due=len(rows))


def _may_be_sent(row: Row[Any], known: Row[Any], work: UnitOfWork) -> bool:
    """Whether a due message gets another attempt; one that does not is ended here."""
    if row.state == State.SENDING:
        post.close_unknown(work.db, row.id, row.attempts, work.now)
        if domain.after(Result.UNKNOWN, row.tries, work.now).state is State.FAILED:
            lost = Sent(result=Result.UNKNOWN, channel=row.channel or "unknown", detail="no attempt was ever finished")
            _settle(work, row.id, row.attempts, row.tries, lost)
            return False
    if not known.reachable:
        post.skip(work.db, row.id, Result.NO_ADDRESS, work.now)
        return False
    return True


def _facts(known: Row[Any], at_hand: Surroundings) -> Facts:
    link = ""
    if known.evaluation_id is not None:
        link = rendering.evaluation_link(at_hand.public_url, at_hand.link_secret, known.evaluation_id)
    return Facts(
        number=known.number, matter_number=known.matter_number, tracking_code="",
        unit=known.unit or known.handled_by or known.lies_in, response_class=known.response_class, due_at=known.due_at,
        due_provisional=bool(known.due_provisional),
        reason=known.reason, evaluation_link=link,
    )  # fmt: skip


def carry_out(at_hand: Surroundings, letter: Letter) -> Sent:
    """Open the contact data, write the message and hand it to a channel. Raises nothing: a failure is a result."""
    template = next((one for one in at_hand.jurisdiction.templates if one.id == letter.template), None)
    if template is None:
        detail = f"the pack has no template {letter.template} any more"
        return Sent(result=Result.PERMANENT, channel="none", detail=detail)
    wanted = template.channels[0]
    try:
        opened = at_hand.sealer.open(letter.sealed)
    except CannotOpen as error:
        return Sent(result=Result.TEMPORARY, channel=wanted, detail=str(error))
    contact = Contact(name=opened.get("name"), phone=opened.get("phone"), mail=opened.get("mail"))
    if not (contact.phone or contact.mail):
        return Sent(result=Result.NO_ADDRESS, channel=wanted, detail="the asker left no address")
    chosen = choose(at_hand, template, contact)
    if isinstance(chosen, Sent):
        return chosen
    facts = replace(letter.facts, tracking_code=str(opened.get("tracking_code") or ""))
    filled = Filled(
        message_id=letter.message_id, template=template, name=contact.name,
        words=lambda: rendering.render(template, facts, at_hand.jurisdiction),
    )  # fmt: skip
    return hand_over(at_hand, chosen, filled)


def choose(at_hand: Surroundings, template: Template, contact: Contact) -> tuple[Plugin, str] | Sent:
    """The first kind of channel the template names that is installed and has an address; or why there is none."""
    installed = at_hand.plugins.of(GROUP)
    found_kind = False
    for kind in template.channels:
        for plugin in installed:
            if getattr(plugin.made, "kind", None) != kind:
                continue
            found_kind = True
            try:
                address = at_hand.plugins.call(plugin, plugin.made.address, contact)
            except PluginBroken as error:
                return Sent(result=Result.TEMPORARY, channel=plugin.name, detail=str(error))
            if address:
                return plugin, address
    kinds = ", ".join(template.channels)
    if found_kind:
        return Sent(result=Result.NO_ADDRESS, channel=template.channels[0], detail=f"no address for any of: {kinds}")
    detail = f"no notifier is installed for any of: {kinds}"
    return Sent(result=Result.PERMANENT, channel=template.channels[0], detail=detail)


@dataclass(frozen=True, kw_only=True)
class Filled:
    """A template that only has to be written out."""

    message_id: str
    template: Template
    #: Whom it addresses.
    name: str | None
    #: Writes it; raises CannotRender.
    words: Callable[[], Words]


def hand_over(at_hand: Surroundings, chosen: tuple[Plugin, str], filled: Filled) -> Sent:
    """Write a letter and hand it to the channel chosen. Raises nothing: a failure is a result."""
    plugin, address = chosen
    about = {"channel": plugin.name, "address": domain.masked(address)}
    try:
        words = filled.words()
    except CannotRender as error:
        # Temporary: a mended pack makes the message good.
        return Sent(**about, result=Result.TEMPORARY, detail=f"the template cannot be rendered: {error}")
    message = Message(
        id=filled.message_id, address=address, name=filled.name, subject=words.subject, zh=words.zh, en=words.en,
        template=filled.template.id, at=at_hand.clock.now(),
        sender=rendering.suite_name(at_hand.jurisdiction, rendering.ZH),
    )  # fmt: skip
    about["digest"] = sha256_hex(f"{message.subject}\n\n{message.text}".encode())
    try:
        receipt: Receipt = at_hand.plugins.call(
            plugin, plugin.made.send, message, expected=(TemporaryFailure, PermanentFailure)
        )
    except PermanentFailure as error:
        return Sent(**about, result=Result.PERMANENT, detail=str(error))
    except (TemporaryFailure, PluginBroken) as error:
        return Sent(**about, result=Result.TEMPORARY, detail=str(error))
    reference = getattr(receipt, "provider_ref", None)
    return Sent(
        **about, result=Result.DELIVERED, provider_ref=None if reference is None else str(reference)[:_REF_LIMIT]
    )


def settle(at_hand: Surroundings, done: Sequence[tuple[Item, Sent]]) -> list[tuple[Item, Sent]]:
    """Have the channels finish what they do once for several letters; if one cannot, its letters are not delivered."""
    used = {sent.channel for _, sent in done if sent.result is Result.DELIVERED}
    failed: dict[str, str] = {}
    for plugin in at_hand.plugins.of(GROUP):
        finish = getattr(plugin.made, "settle", None)
        if plugin.name in used and finish is not None:
            try:
                at_hand.plugins.call(plugin, finish, expected=(TemporaryFailure,))
            except (TemporaryFailure, PluginBroken) as error:
                failed[plugin.name] = str(error)
    return [
        (item, replace(sent, result=Result.TEMPORARY, detail=failed[sent.channel], provider_ref=None))
        if sent.channel in failed and sent.result is Result.DELIVERED
        else (item, sent)
        for item, sent in done
    ]


def record(work: UnitOfWork, done: Sequence[tuple[Letter, Sent]]) -> None:
    """Write down what became of attempts and what follows from it."""
    post.finish_attempts(
        work.db,
        [
            {
                "message_id": letter.message_id, "number": letter.attempt, "started_at": letter.begun_at,
                "channel": sent.channel, "finished_at": work.now, "result": sent.result, "detail": sent.detail,
                "provider_ref": sent.provider_ref, "digest": sent.digest,
            }
            for letter, sent in done
        ],
    )  # fmt: skip
    _record_delivered(work, [pair for pair in done if pair[1].result is Result.DELIVERED])
    for letter, sent in done:
        if sent.result is Result.NO_ADDRESS and sent.address is None:
            post.mark_unreachable(work.db, letter.demand_id)
        if sent.result is not Result.DELIVERED:
            _settle(work, letter.message_id, letter.attempt, letter.tries, sent)


def _record_delivered(work: UnitOfWork, done: Sequence[tuple[Letter, Sent]]) -> None:
    letters = [(letter.message_id, sent.channel, sent.provider_ref, sent.address) for letter, sent in done]
    told = {row.id: row for row in post.delivered(work.db, letters, work.now)}
    for letter, sent in done:
        row = told.get(letter.message_id)
        if row is None:
            log.info("an attempt outlived its claim", extra={"letter": letter.message_id, "attempt": letter.attempt})
        else:
            work.emit(notify.MessageDelivered(**_about(row, sent.channel)))


def _about(row: Row[Any], channel: str) -> dict[str, Any]:
    return {
        "message_id": row.id, "matter_id": row.matter_id, "demand_id": row.demand_id, "template": row.template,
        "channel": channel, "attempts": row.attempts,
    }  # fmt: skip


def _settle(work: UnitOfWork, message_id: str, attempt: int, tries: int, sent: Sent) -> None:
    """What follows from an attempt that did not deliver."""
    verdict = domain.after(sent.result, tries, work.now)
    ended = verdict.state is not State.PENDING
    row = post.finish(
        work.db, message_id, verdict, attempt=attempt, channel=sent.channel, reason=sent.detail,
        provider_ref=sent.provider_ref, address=sent.address, finished_at=work.now if ended else None,
    )  # fmt: skip
    if row is None:
        log.info("an attempt outlived its claim", extra={"letter": message_id, "attempt": attempt})
    elif verdict.state is State.FAILED:
        reason = (sent.detail or "unknown")[:_REASON_LIMIT]
        work.emit(notify.MessageFailed(**_about(row, sent.channel), reason=reason))
