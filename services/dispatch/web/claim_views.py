"""What dispatch shows of claims, offers, rectification orders, and of parts of split matters.

Who only takes claims is never shown the matter behind one, and nobody here is shown who asked.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from services.dispatch import claim_repository, offer_repository, order_repository, repository
from services.dispatch.domain import claims as claim_rules
from services.dispatch.domain import orders as order_rules
from services.dispatch.domain.claims import Claim, ClaimState
from services.dispatch.domain.joint import PART, SPLIT
from services.dispatch.domain.matter import Matter
from services.dispatch.domain.orders import Order, OrderState
from services.dispatch.handlers.case import unknown
from services.dispatch.handlers.claiming import unknown_claim, within_reach
from services.dispatch.handlers.matching import MATCHED, suggestions
from services.dispatch.handlers.rectifying import unknown_order
from services.dispatch.web.cursors import cursor_of, cursor_to
from services.dispatch.web.showing import handles, instant_of, one_of, unit_of
from shared.contracts.claims import CLAIM_KINDS
from shared.kernel.clock import rfc3339
from shared.kernel.errors import Forbidden
from shared.ledger.unit_of_work import UnitOfWork
from shared.runtime.paging import limit_of

#: Suggestions shown for one matter.
_SUGGESTED = 20


# -- claims --------------------------------------------------------------------------------------------------------


def claims(work: UnitOfWork, parameters: Mapping[str, str]) -> Mapping[str, Any]:
    """Claims posted for one's territory or in it, in the order of posting; `mine`: what one has taken. Raises Invalid.

    The list of a street reaches everybody in it (N2), that of a community its own people.
    """
    limit, after = limit_of(parameters), parameters.get("cursor", "")
    if one_of(parameters, "mine", ["true", "false"]) == "true":
        found = [one for taker in _own(work) for one in claim_repository.taken_by(work.db, taker, after, limit + 1)]
    else:
        unit = _reach(work)
        state = one_of(parameters, "state", [state.value for state in ClaimState]) or ClaimState.OPEN.value
        kind = one_of(parameters, "kind", CLAIM_KINDS)
        above = [one.id for one in work.jurisdiction.path(unit)][:-1]
        found = claim_repository.posted_below(work.db, unit, [state], after, limit + 1, kind)
        found += claim_repository.posted_by_any(work.db, above, [state], after, limit + 1, kind)
    found = sorted({one.id: one for one in found}.values(), key=lambda one: one.id)
    return {
        "items": [_claim(work, one) for one in found[:limit]],
        "next": found[limit - 1].id if len(found) > limit else None,
    }


def claim(work: UnitOfWork, parameters: Mapping[str, str]) -> Mapping[str, Any]:
    """One claim; what was done to it is shown to desks and to who has it. Raises UnknownClaim."""
    found = claim_repository.claim(work.db, parameters["claim"])
    if found is None or not within_reach(work, found):
        raise unknown_claim(parameters["claim"])
    shown = _claim(work, found)
    if work.actor.may("post-claim") or shown["mine"]:
        shown["steps"] = [
            {"at": rfc3339(row.at), "action": row.action, "actor": row.actor, "detail": row.detail}
            for row in claim_repository.steps_of(work.db, found.id)
        ]
    return shown


def _reach(work: UnitOfWork) -> str:
    if work.actor.unit is None or work.actor.unit not in work.jurisdiction.units:
        raise Forbidden(
            f"{work.actor.id} has no territory.", code="out-of-scope", remedy="Ask for a token with a unit."
        )
    return work.actor.unit


def _own(work: UnitOfWork) -> tuple[str, ...]:
    return claim_rules.holders(work.actor.id, work.actor.unit, work.actor.roles)


def _claim(work: UnitOfWork, one: Claim) -> dict[str, Any]:
    desk, mine = work.actor.may("post-claim"), one.taker in _own(work)
    return {
        "claim_id": one.id, "version": one.version, "kind": one.kind, "title": one.title, "text": one.text,
        "unit": unit_of(work, one.unit), "takers": list(one.takers), "emergency": one.emergency,
        "state": one.state.value, "posted_at": rfc3339(one.posted_at), "open_until": instant_of(one.open_until),
        "hold_hours": one.hold_hours, "expires_at": instant_of(one.expires_at), "takes": one.takes,
        "mine": mine,
        # A taker's name is for the desk; the matter for those who may see it.
        "taker": one.taker if desk or mine else None,
        "taken_as": one.taken_as, "taker_unit": unit_of(work, one.taker_unit) if desk else None,
        "appointed": one.appointed_by is not None, "outcome": one.outcome,
        "fulfilled_at": instant_of(one.fulfilled_at), "ended_at": instant_of(one.ended_at),
        "matter_id": one.matter_id if _sees_matter(work, one) else None,
    }  # fmt: skip


def _sees_matter(work: UnitOfWork, one: Claim) -> bool:
    if one.matter_id is None or not work.actor.may("read-matters") or (one.private and not handles(work)):
        return False
    return repository.sees(work.db, one.matter_id, work.actor.unit or "")


# -- offers --------------------------------------------------------------------------------------------------------


def suggested(work: UnitOfWork, parameters: Mapping[str, str]) -> Mapping[str, Any]:
    """What of the resource list would help a matter, the best first, with the reasons. Raises UnknownMatter."""
    matter_id = parameters["matter"]
    found = repository.matter(work.db, matter_id)
    if found is None or not repository.sees(work.db, matter_id, work.actor.unit or ""):
        raise unknown(matter_id)
    if found.private and not handles(work):
        raise unknown(matter_id)
    items = [
        {
            "resource_id": one.offer.resource_id, "owner": one.offer.owner, "kind": one.offer.kind,
            "title": one.offer.title, "text": one.offer.text, "capacity": one.offer.capacity, "left": one.offer.left,
            "measure": one.offer.measure, "available_until": instant_of(one.offer.available_until),
            "reasons": [{"code": why.code, "zh": why.zh, "en": why.en} for why in one.reasons],
        }
        for one in suggestions(work, found)[:_SUGGESTED]
    ]  # fmt: skip
    return {"items": items, "next": None}


# -- rectification orders ------------------------------------------------------------------------------------------


def orders(work: UnitOfWork, parameters: Mapping[str, str]) -> Mapping[str, Any]:
    """Rectification orders of a unit of one's territory and below, the next due first. Raises Invalid, Forbidden."""
    unit = parameters.get("unit") or _reach(work)
    work.jurisdiction.unit(unit)
    work.require_scope(unit)
    state = one_of(parameters, "state", [state.value for state in OrderState]) or OrderState.ORDERED.value
    overdue = one_of(parameters, "overdue", ["true", "false"]) == "true"
    limit = limit_of(parameters)
    found = order_repository.listed(
        work.db, unit, state, cursor_of(parameters), limit + 1, overdue_at=work.now if overdue else None
    )
    return {
        "items": [_order(work, one) for one in found[:limit]],
        "next": cursor_to(found[limit - 1].due_at, found[limit - 1].id) if len(found) > limit else None,
    }


def order(work: UnitOfWork, parameters: Mapping[str, str]) -> Mapping[str, Any]:
    """One order with what was done. Raises UnknownOrder."""
    order_id = parameters["order"]
    found = order_repository.order(work.db, order_id)
    if found is None or not order_repository.sees(work.db, order_id, work.actor.unit or ""):
        raise unknown_order(order_id)
    return _order(work, found) | {
        "steps": [
            {"at": rfc3339(row.at), "action": row.action, "actor": row.actor, "detail": row.detail}
            for row in order_repository.steps_of(work.db, order_id)
        ]
    }


def _order(work: UnitOfWork, one: Order) -> dict[str, Any]:
    reported: datetime | None = one.reported_at
    return {
        "order_id": one.id, "version": one.version, "state": one.state.value, "unit": unit_of(work, one.unit),
        "level": one.level, "ordered_unit": unit_of(work, one.ordered_unit), "inside": one.inside,
        "request": one.request, "legal_basis": one.legal_basis, "ordered_by": one.ordered_by,
        "ordered_at": rfc3339(one.ordered_at), "deadline": rfc3339(one.deadline), "due_at": rfc3339(one.due_at),
        "overdue": one.state is OrderState.ORDERED and work.now > one.deadline, "overdue_times": one.overdue_times,
        "reported_at": instant_of(reported), "outcome": one.outcome, "ended_at": instant_of(one.ended_at),
        "on_time": None if reported is None else order_rules.on_time(one, reported),
        "inspection_id": one.inspection_id,
        "matter_id": one.matter_id
        if one.matter_id is not None and repository.sees(work.db, one.matter_id, work.actor.unit or "")
        else None,
    }  # fmt: skip


# -- beside a matter -----------------------------------------------------------------------------------------------


def beside(work: UnitOfWork, one: Matter) -> dict[str, Any]:
    """What a matter's own view shows of all this."""
    return {
        "claims": [_claim(work, each) for each in claim_repository.of_matter(work.db, one.id)],
        "matches": _matches(work, one) if MATCHED in one.flags else [],
        "rectifications": [_order(work, each) for each in order_repository.of_matter(work.db, one.id)],
        "parts": _parts(work, one) if SPLIT in one.flags else [],
        "part_of": _whole(work, one) if PART in one.flags else None,
    }


def _matches(work: UnitOfWork, one: Matter) -> list[dict[str, Any]]:
    return [
        {
            "match_id": row.id, "version": row.version, "resource_id": row.resource_id, "owner": row.owner,
            "title": row.title, "amount": row.amount, "measure": row.measure, "reasons": row.reasons,
            "note": row.note, "matched_at": rfc3339(row.matched_at), "landed": row.landed,
            "settled_at": instant_of(row.settled_at), "outcome": row.outcome, "evidence": row.evidence,
        }
        for row in offer_repository.of_matter(work.db, one.id)
    ]  # fmt: skip


def _parts(work: UnitOfWork, one: Matter) -> list[dict[str, Any]]:
    return [
        {
            "matter_id": part.matter_id, "number": part.number,
            "state": None if part.state is None else part.state.value, "ended": part.ended, "outcome": part.outcome,
        }
        for part in order_repository.parts_of(work.db, one.id)
    ]  # fmt: skip


def _whole(work: UnitOfWork, one: Matter) -> dict[str, Any] | None:
    whole_id = order_repository.whole_of(work.db, one.id)
    whole = None if whole_id is None else repository.matter(work.db, whole_id)
    if whole is None:
        return None
    return {"matter_id": whole.id, "number": whole.number, "state": whole.state.value}
