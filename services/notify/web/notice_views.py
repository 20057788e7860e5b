"""What notify shows to people at work: the notices for them and for their desk, in words.

Never which matter a claim serves: the claim itself shows that to those who may know.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from sqlalchemy import Row

from services.notify import notice_rendering, notice_repository
from services.notify.handlers import desks
from services.notify.rendering import CannotRender
from shared.kernel.clock import rfc3339
from shared.kernel.errors import Invalid
from shared.ledger.unit_of_work import UnitOfWork
from shared.runtime.paging import limit_of


def notices(work: UnitOfWork, parameters: Mapping[str, str]) -> Mapping[str, Any]:
    """Notices for the actor and its desk, newest first; `unread=true`: those that nobody has read. Raises Invalid."""
    unread = parameters.get("unread", "false")
    if unread not in {"true", "false"}:
        fault = "Must be true or false."
        raise Invalid(fault, fields={"unread": [fault]})
    limit = limit_of(parameters)
    rows = notice_repository.listed(
        work.db, person=work.actor.id, units=desks(work), unread=unread == "true", before=parameters.get("cursor"),
        limit=limit + 1,
    )  # fmt: skip
    return {
        "items": [_shown(row, work) for row in rows[:limit]],
        "next": rows[limit - 1].id if len(rows) > limit else None,
    }


def _shown(row: Row[Any], work: UnitOfWork) -> dict[str, Any]:
    claim = row.event.startswith("dispatch.claim-")
    return {
        "notice_id": row.id, "version": row.version, "event": row.event, "audience": row.audience,
        "at": rfc3339(row.at), "unit": row.unit, "person": row.person,
        "claim_id": row.subject if claim else None, "order_id": None if claim else row.subject,
        **_words(row, work),
        "state": row.state, "channel": row.channel,
        "read_at": None if row.read_at is None else rfc3339(row.read_at), "read_by": row.read_by,
    }  # fmt: skip


def _words(row: Row[Any], work: UnitOfWork) -> dict[str, Any]:
    """Written anew for each reading; a template that the pack has dropped leaves the facts without words."""
    pack = work.jurisdiction
    template = next((one for one in pack.templates if one.id == row.template), None)
    if template is not None:
        try:
            words = notice_rendering.render(template, row.facts, pack)
        except CannotRender:
            pass  # a mended pack shows it again
        else:
            return {"subject": words.subject, "text": {"zh": words.zh, "en": words.en}}
    return {"subject": row.facts.get("title"), "text": None}
