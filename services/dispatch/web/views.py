"""What dispatch shows: one matter, lists of matters by next due time, whistle calls.

A desk sees what lies in its territory; a private matter only its handlers and those above them, not those who merely
read there; a department only what it was whistled for. It must never show a department who asked: no asker kind, no
channel, none of the asker's words.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from services.dispatch import climb_repository, lists, repository, whistle_repository, work_lists
from services.dispatch.domain import clocks as rules
from services.dispatch.domain.clocks import Band, SlaClock
from services.dispatch.domain.matter import NEVER, Matter
from services.dispatch.domain.states import State, allowed
from services.dispatch.handlers.case import unknown
from services.dispatch.web import claim_views, time_views, whistle_views
from services.dispatch.web.cursors import cursor_of, cursor_to
from services.dispatch.web.showing import handles, instant_of, one_of, reads_for_department, unit_of
from shared.kernel.clock import parse_instant, rfc3339
from shared.kernel.errors import Forbidden, Invalid
from shared.ledger.unit_of_work import UnitOfWork
from shared.runtime.paging import limit_of


def matter(work: UnitOfWork, parameters: Mapping[str, str]) -> Mapping[str, Any]:
    """One matter with all that is known of its handling; less for departments. Raises UnknownMatter, Forbidden."""
    matter_id = parameters["matter"]
    found = repository.matter(work.db, matter_id)
    if reads_for_department(work):
        if found is None or not lists.called_for(work.db, matter_id, work.actor.unit or ""):
            raise unknown(matter_id)
        return _for_department(work, found)
    if found is None or not repository.sees(work.db, matter_id, work.actor.unit or ""):
        raise unknown(matter_id)
    if found.private and not handles(work):
        raise unknown(matter_id)
    clocks = repository.clocks_of(work.db, matter_id).values()
    return _summary(work, found, time_views.guessed(work, [found])) | {
        "text": found.text,
        "place": dict(found.place),
        "channel": found.channel,
        "asker_kind": found.asker_kind,
        "why": {
            "rule": found.rule, "inputs": dict(found.inputs), "policy_version": found.policy_version,
            "decided_by": found.decided_by,
        },
        "ladder": [unit_of(work, unit.id) for unit in work.jurisdiction.ladder(found.located_unit or found.unit)],
        "actions": [action.value for action in allowed(found.state)],
        "resolved_by": found.resolved_by,
        "outcome": found.outcome,
        "first_attempt": _first_attempt(found),
        "clocks": [_clock(work, found, clock) for clock in clocks],
        "suspensions": [
            {
                "begun_at": rfc3339(row.begun_at), "ended_at": instant_of(row.ended_at), "until": instant_of(row.until),
                "reason": row.reason, "approved_by": row.approved_by,
            }
            for row in repository.pauses_of(work.db, matter_id)
        ],
        "time_requests": time_views.requests_of(work, matter_id),
        "cost_yuan": found.cost_yuan,
        "climbs": _climbs(work, matter_id),
        "steps": _steps(work, found),
        **claim_views.beside(work, found),
        "whistles": whistle_views.calls(work, whistle_repository.of_matter(work.db, matter_id)),
        "measures": [
            {
                "measure_id": row.measure_id, "unit": unit_of(work, row.unit), "action": row.action,
                "due_at": instant_of(row.due_at),
                "completed_at": instant_of(row.completed_at), "resolution_id": row.resolution_id,
                "topic_id": row.topic_id,
            }
            for row in repository.measures_of(work.db, matter_id)
        ],
    }  # fmt: skip


def matters(work: UnitOfWork, parameters: Mapping[str, str]) -> Mapping[str, Any]:
    """Matters of one's territory, the next due first; those without a running clock last. Raises Invalid, Forbidden."""
    unit = parameters.get("unit") or work.actor.unit
    if unit is None:
        raise Forbidden(
            f"{work.actor.id} has no territory.", code="out-of-scope", remedy="Ask for a token with a unit."
        )
    work.jurisdiction.unit(unit)
    work.require_scope(unit)
    responsible = parameters.get("responsible") or None
    if responsible is not None:
        work.jurisdiction.unit(responsible)
    which = work_lists.MatterFilter(
        unit=unit,
        responsible=responsible,
        within=responsible is not None and work.jurisdiction.is_within(responsible, unit),
        level=one_of(parameters, "level", work.jurisdiction.levels),
        person=parameters.get("person") or None,
        state=one_of(parameters, "state", [state.value for state in State]),
        open={"true": True, "false": False}.get(one_of(parameters, "open", ["true", "false"]) or ""),
        response_class=one_of(parameters, "class", list(work.jurisdiction.policy.classes)),
        category=one_of(parameters, "category", list(work.jurisdiction.categories)),
        band=one_of(parameters, "band", [band.value for band in Band]),
        due_before=_instant(parameters, "due_before"),
        private=handles(work),
    )
    limit = limit_of(parameters)
    page = work_lists.matters_by_due(work.db, which, work.now, cursor_of(parameters), limit)
    found = [repository.matter_of(row) for row in page.rows]
    guessed = time_views.guessed(work, found)
    return {
        "items": [_summary(work, one, guessed) for one in found],
        "next": None if page.following is None else cursor_to(*page.following),
    }


def _summary(work: UnitOfWork, one: Matter, guessed: Mapping[str, Any]) -> dict[str, Any]:
    return {
        "matter_id": one.id, "number": one.number, "version": one.version, "state": one.state.value,
        "attempt": one.attempt,
        "response_class": one.response_class, "category": one.category, "private": one.private, "demands": one.demands,
        "unit": unit_of(work, one.unit), "level": one.level, "located_in": unit_of(work, one.located_unit),
        "person": one.person,
        "flags": list(one.flags), "returns": one.returns, "opened_at": rfc3339(one.opened_at),
        "closed_at": instant_of(one.closed_at), "next_due_at": None if one.due_at == NEVER else rfc3339(one.due_at),
        "provisional_year": guessed.get(one.id),
        "band": _band(work, one),
    }  # fmt: skip


def _band(work: UnitOfWork, one: Matter) -> str | None:
    if one.state is State.SUSPENDED:
        return Band.PAUSED.value
    if one.state in (State.CLOSED, State.WITHDRAWN):
        return None
    if one.gross_at <= work.now:
        return Band.GROSSLY_OVERDUE.value
    if one.due_at < work.now:
        return Band.OVERDUE.value
    return Band.DUE_SOON.value if one.soon_at <= work.now else Band.OK.value


def _for_department(work: UnitOfWork, one: Matter) -> dict[str, Any]:
    department = work.actor.unit or ""
    calls = [
        call
        for call in whistle_repository.of_matter(work.db, one.id)
        if any(s.department == department for s in call.seats)
    ]
    return {
        "matter_id": one.id, "number": one.number, "version": one.version, "state": one.state.value,
        "response_class": one.response_class, "category": one.category, "unit": unit_of(work, one.unit),
        "level": one.level,
        "located_in": unit_of(work, one.located_unit), "opened_at": rfc3339(one.opened_at), "outcome": one.outcome,
        "whistles": whistle_views.calls(work, calls, only=department),
    }  # fmt: skip


def _clock(work: UnitOfWork, one: Matter, clock: SlaClock) -> dict[str, Any]:
    band = rules.band(clock, work.now)
    return {
        "clock_id": clock.id, "kind": clock.kind, "attempt": clock.attempt, "unit": clock.unit,
        "status": clock.status.value,
        "target": clock.target.as_mapping(), "extended_days": clock.extended_days, "target_words": clock.words,
        "started_at": rfc3339(clock.started_at),
        "due_at": rfc3339(clock.due_at), "original_due_at": rfc3339(clock.original_due_at),
        "provisional": clock.provisional, "provisional_year": time_views.why_provisional(work, one, clock),
        "breached_at": instant_of(clock.breached_at), "stopped_at": instant_of(clock.stopped_at),
        "outcome": clock.outcome,
        "band": None if band is None else band.value,
    }  # fmt: skip


def _climbs(work: UnitOfWork, matter_id: str) -> list[dict[str, Any]]:
    return [
        {
            "at": rfc3339(row.at), "cause": row.cause, "reason": row.reason, "from": unit_of(work, row.from_unit),
            "to": unit_of(work, row.to_unit), "result": row.result, "because": row.because, "skipped": row.skipped,
        }
        for row in climb_repository.climbs_of(work.db, matter_id)
    ]  # fmt: skip


def _steps(work: UnitOfWork, one: Matter) -> list[dict[str, Any]]:
    return [
        {
            "at": rfc3339(row.at), "action": row.action, "actor": row.actor, "unit": unit_of(work, row.unit),
            "attempt": row.attempt, "detail": row.detail,
        }
        for row in repository.steps_of(work.db, one.id)
    ]  # fmt: skip


def _first_attempt(one: Matter) -> dict[str, Any] | None:
    return None if one.attempt == 1 else {"outcome": one.first_outcome, "on_time": one.first_on_time}


def _instant(parameters: Mapping[str, str], name: str) -> datetime | None:
    given = parameters.get(name) or None
    try:
        return None if given is None else parse_instant(given)
    except ValueError as error:
        fault = "Not an RFC 3339 instant with offset, such as 2026-11-22T09:30:00+08:00."
        raise Invalid(fault, fields={name: [fault]}) from error
