"""What extensions and suspensions have in common: who may ask, who decides, and what is kept (J5, C1).

The unit responsible asks; the level above decides. It must never move a clock.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from services.dispatch import time_repository
from services.dispatch.domain.time_refusals import NoRequest, OwnRequest, RequestPending
from services.dispatch.domain.time_requests import Kind, TimeRequest
from services.dispatch.handlers.case import Case
from shared.kernel.actor import SYSTEM


def ask(case: Case, kind: Kind, **asked: Any) -> TimeRequest:
    """Keep a request. Raises RequestPending while one of that kind waits for its decision."""
    if any(one.kind is kind and _stands(case, one) for one in _of(case)):
        raise RequestPending(
            f"A request for {kind} is waiting for its decision.", where="matter",
            remedy="Wait until the level above has decided.",
        )  # fmt: skip
    new = TimeRequest(
        id=case.work.new_id(), matter_id=case.matter.id, kind=kind, attempt=case.matter.attempt, unit=case.matter.unit,
        requested_by=case.actor, requested_at=case.now, **{"days": None, "until": None, **asked},
    )  # fmt: skip
    time_repository.add_request(case.work.db, new)
    return new


def pending(case: Case, kind: Kind) -> TimeRequest:
    """The request to decide about. Raises NoRequest, OwnRequest, Forbidden."""
    approved_above(case)
    found = next((one for one in _of(case) if one.kind is kind and _stands(case, one)), None)
    if found is None:
        raise NoRequest(
            f"No request for {kind} of this matter is waiting.", where="matter",
            remedy="See what was asked for in the matter's view; it lapses when another unit takes the matter over.",
        )  # fmt: skip
    if found.requested_by == case.actor and case.jurisdiction.parent_of(case.matter.unit) is not None:
        raise OwnRequest(
            f"{case.actor} asked for this.", where="actor", remedy="Have a colleague of the level above decide."
        )
    return found


def decided(case: Case, request: TimeRequest, *, granted: bool, note: str | None, **given: Any) -> TimeRequest:
    """Keep what became of a request."""
    done = replace(request, decided_by=case.actor, decided_at=case.now, granted=granted, note=note, **given)
    time_repository.decide(case.work.db, done)
    return done


def granted_so_far(case: Case, kind: Kind) -> int:
    """How often it was granted in this attempt."""
    return sum(one.kind is kind and one.attempt == case.matter.attempt and one.granted is True for one in _of(case))


def approved_above(case: Case) -> None:
    """Raise Forbidden unless the actor stands above the unit responsible; at the top, the top itself decides."""
    if case.work.actor is SYSTEM:
        return
    above = case.jurisdiction.parent_of(case.matter.unit)
    case.work.require_scope(case.matter.unit if above is None else above.id)


def _of(case: Case) -> tuple[TimeRequest, ...]:
    return time_repository.requests_of(case.work.db, case.matter.id)


def _stands(case: Case, request: TimeRequest) -> bool:
    return request.stands(case.matter.unit, case.matter.attempt)
