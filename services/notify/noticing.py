"""From news about claims and orders to letters for people at work: on their list at once, sent where there is a way.

A notice waits on the list of the desk or person it is for. It leaves by a channel too when the pack gives that desk or
person an office address. Residents' contact data is never looked at: it belongs to demands, not to claims.
"""

from __future__ import annotations

from typing import Any

from services.notify import notice_repository as repository
from services.notify.domain import State
from services.notify.recipients import Recipient, about, recipients
from shared.contracts import registry
from shared.jurisdiction import Jurisdiction
from shared.kernel.clock import rfc3339
from shared.ledger.unit_of_work import UnitOfWork
from shared.plugins import Contact


def note(event: Any, work: UnitOfWork) -> None:
    """Put a notice on the list of everybody whom the pack has a template for."""
    name = registry.by_shape(type(event)).name
    found = {recipient.audience.value: recipient for recipient in recipients(event)}
    pack, news = work.jurisdiction, about(event)
    facts = {
        "title": news.title, "unit": news.unit, "taker": news.taker, "decision": news.decision,
        "due_at": None if news.due_at is None else rfc3339(news.due_at),
    }  # fmt: skip
    rows = []
    for template in pack.templates:
        recipient = found.get(template.audience) if template.event == name else None
        if recipient is None:
            continue
        sent = contact_of(recipient, pack) is not None
        rows.append(
            {
                "id": work.new_id(), "event_id": work.cause.id if work.cause is not None else work.new_id(),
                "template": template.id, "event": name, "audience": recipient.audience.value, "unit": recipient.unit,
                "person": recipient.person, "subject": news.subject, "matter_id": news.matter_id, "facts": facts,
                "at": work.now if work.cause is None else work.cause.time,
                "state": State.PENDING if sent else repository.LISTED, "created_at": work.now,
                "next_attempt_at": work.now if sent else None, "finished_at": None if sent else work.now,
            }
        )  # fmt: skip
    repository.add(work.db, rows)


def contact_of(recipient: Recipient, pack: Jurisdiction) -> Contact | None:
    """The office address of the person, else of the desk; None when the pack gives neither."""
    person = pack.staff.get(recipient.person or "")
    unit = pack.units.get(recipient.unit or "")
    if person is not None and person.contact is not None:
        return Contact(name=person.name.zh, phone=person.contact.phone, mail=person.contact.mail)
    if unit is not None and unit.contact is not None:
        return Contact(name=unit.name.zh, phone=unit.contact.phone, mail=unit.contact.mail)
    return None
