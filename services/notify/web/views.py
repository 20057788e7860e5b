"""What notify shows to desks: what was sent when and what became of it. Addresses are masked, texts are not kept."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from sqlalchemy import Row

from services.notify import repository
from services.notify.domain import State
from shared.kernel.clock import rfc3339
from shared.kernel.errors import Forbidden, Invalid, Refusal
from shared.ledger.unit_of_work import UnitOfWork
from shared.runtime.paging import limit_of


def messages(work: UnitOfWork, parameters: Mapping[str, str]) -> Mapping[str, Any]:
    """Messages about matters of the actor's territory, newest first. Raises Invalid."""
    state = parameters.get("state")
    if state is not None and state not in set(State):
        fault = f"No state {state!r}."
        raise Invalid(fault, fields={"state": [fault]}, remedy=f"Use one of: {', '.join(State)}.")
    limit = limit_of(parameters)
    pack, unit = work.jurisdiction, work.actor.unit
    below = [one for one in pack.units if pack.is_within(one, unit)] if unit is not None and unit in pack.units else []
    rows = repository.list_messages(
        work.db, units=below, unlocated=_sees_unlocated(work), demand_id=parameters.get("demand"), state=state,
        before=parameters.get("cursor"), limit=limit + 1,
    )  # fmt: skip
    return {"items": [_shown(row) for row in rows[:limit]], "next": rows[limit - 1].id if len(rows) > limit else None}


def message(work: UnitOfWork, parameters: Mapping[str, str]) -> Mapping[str, Any]:
    """One message with its attempts. Raises NotFound, Forbidden."""
    row = repository.message(work.db, parameters["message"])
    try:
        work.require_scope(row.unit)
    except Forbidden:
        # Nobody has it in hand yet: not the unlocated list, which every street may see.
        if row.handled_by is None:
            raise
        work.require_scope(row.handled_by)
    tried = [
        {
            "number": one.number, "started_at": rfc3339(one.started_at), "finished_at": _at(one.finished_at),
            "channel": one.channel, "result": one.result, "detail": one.detail, "provider_ref": one.provider_ref,
            "digest": one.digest,
        }
        for one in repository.attempts_of(work.db, row.id)
    ]  # fmt: skip
    return _shown(row) | {"tried": tried}


def _sees_unlocated(work: UnitOfWork) -> bool:
    try:
        work.require_scope(None)
    except Refusal:
        return False
    return True


def _shown(row: Row[Any]) -> dict[str, Any]:
    return {
        "message_id": row.id,
        "demand_id": row.demand_id,
        "matter_id": row.matter_id,
        "template": row.template,
        "channel": row.channel,
        "address": row.address,
        "state": row.state,
        "attempts": row.attempts,
        "created_at": rfc3339(row.created_at),
        "next_attempt_at": _at(row.next_attempt_at if row.state == State.PENDING else None),
        "finished_at": _at(row.finished_at),
        "provider_ref": row.provider_ref,
        "reason": row.reason,
        "version": row.version,
    }


def _at(instant: datetime | None) -> str | None:
    return None if instant is None else rfc3339(instant)
