"""What dispatch shows of time: why a clock is due when it is, what was asked for, and the calendar in force.

A due instant is never shown without its reasons, nor a guess as certain. Departments see none of it.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import datetime
from typing import Any

from services.dispatch import calendars, repository, time_repository
from services.dispatch.domain.clocks import SlaClock, Status
from services.dispatch.domain.matter import NEVER, Matter
from services.dispatch.domain.time_refusals import UnknownClock
from services.dispatch.domain.time_requests import Kind, TimeRequest
from services.dispatch.handlers import clockwork
from services.dispatch.handlers.case import Case, unknown
from services.dispatch.web.cursors import cursor_of, cursor_to
from services.dispatch.web.showing import handles, instant_of, one_of, reads_for_department, unit_of
from shared.kernel.clock import parse_instant, rfc3339
from shared.kernel.errors import Forbidden, Invalid
from shared.kernel.provisional import notice, require_certain
from shared.kernel.worktime import BeyondCalendar, Due, Target, WorkingCalendar
from shared.ledger.unit_of_work import UnitOfWork
from shared.runtime.paging import limit_of


def clock(work: UnitOfWork, parameters: Mapping[str, str]) -> Mapping[str, Any]:
    """One clock, and step by step why it is due then. Raises UnknownMatter, UnknownClock."""
    matter_id = parameters["matter"]
    found = repository.matter(work.db, matter_id)
    hidden = reads_for_department(work) or found is None or (found.private and not handles(work))
    if hidden or found is None or not repository.sees(work.db, matter_id, work.actor.unit or ""):
        raise unknown(matter_id)
    case = Case(work, found)
    one = case.clocks.get(parameters["clock"])
    if one is None:
        raise UnknownClock(
            f"The matter has no clock {parameters['clock']!r}.", where="clock",
            remedy="Take an id of the matter's clocks.",
        )  # fmt: skip
    calendar = case.working_time.of(case.rule)
    return {
        "clock_id": one.id, "kind": one.kind, "started_at": rfc3339(one.started_at), "due_at": rfc3339(one.due_at),
        "original_due_at": rfc3339(one.original_due_at), "provisional": one.provisional,
        "extended_days": one.extended_days, "target": one.target.as_mapping(), "target_words": one.words,
        "counted_on": one.calendar_revision,
        **_explained(clockwork.explained(case, one), calendar, one.started_at),
    }  # fmt: skip


def due(work: UnitOfWork, parameters: Mapping[str, str]) -> Mapping[str, Any]:
    """When a class's promise started at an instant is due, and why; `strict`: only if that is certain.

    Raises UnknownClass, UnknownClock, Invalid, ProvisionalYear.
    """
    class_id, kind = parameters.get("class") or "", parameters.get("kind") or "resolve"
    rule = work.jurisdiction.policy.response_class(class_id)
    if kind not in rule.clocks:
        raise UnknownClock(
            f"{class_id} has no clock {kind!r}.", where="kind", remedy=f"One of: {', '.join(rule.clocks)}."
        )
    start = _start(parameters, work.now)
    calendar = calendars.in_force(work).of(rule)
    found = _due(calendar, start, rule.clocks[kind])
    if one_of(parameters, "strict", ("true", "false")) == "true":
        require_certain(calendar, found, start, where="start")
    return {
        "class": rule.id, "kind": kind, "start": rfc3339(start), "target": rule.clocks[kind].as_mapping(),
        **_explained(found, calendar, start),
    }  # fmt: skip


def _start(parameters: Mapping[str, str], now: datetime) -> datetime:
    given = parameters.get("start")
    if not given:
        return now
    try:
        return parse_instant(given)
    except ValueError as error:
        fault = f"start is {given!r}."
        raise Invalid(fault, fields={"start": ["Must be an instant such as 2026-11-16T01:00:00Z."]}) from error


def _due(calendar: WorkingCalendar, start: datetime, target: Target) -> Due:
    try:
        return calendar.due(start, target)
    except BeyondCalendar as error:
        fault = "No calendar reaches that far."
        raise Invalid(fault, fields={"start": ["Must lie between 1971 and 2190."]}) from error


def _explained(found: Due, calendar: WorkingCalendar, start: datetime) -> dict[str, Any]:
    return {
        "counted_due_at": rfc3339(found.at),
        "counted_provisional": found.provisional,
        "provisional_year": notice(calendar, found.at, start) if found.provisional else None,
        "calendar": calendar.version,
        "steps": [{"code": one.code, "at": rfc3339(one.at), "zh": one.zh, "en": one.en} for one in found.steps],
    }


def why_provisional(work: UnitOfWork, one: Matter, clock: SlaClock) -> dict[str, Any] | None:
    """Why a clock's due instant is not certain; None when it is, or the clock has stopped."""
    if not clock.provisional or clock.status is Status.STOPPED:
        return None
    rule = work.jurisdiction.policy.classes.get(one.response_class)
    return notice(calendars.in_force(work).of(rule), clock.due_at, clock.started_at)


def guessed(work: UnitOfWork, shown: Iterable[Matter]) -> dict[str, Any]:
    """Matter -> why its next due instant is not certain, of those where it is not.

    Clocks are asked for those matters alone that a calendar does not reach: hardly ever any.
    """
    in_force, policy = calendars.in_force(work), work.jurisdiction.policy
    beyond = {
        one.id: (calendar, one)
        for one in shown
        for calendar in (in_force.of(policy.classes.get(one.response_class)),)
        if one.due_at != NEVER and not calendar.covers(one.due_at)
    }
    known = time_repository.provisional_among(work.db, list(beyond)) if beyond else frozenset()
    return {
        matter_id: notice(calendar, one.due_at)
        for matter_id, (calendar, one) in beyond.items()
        if (matter_id, one.due_at) in known
    }  # fmt: skip


def calendar(work: UnitOfWork, _parameters: Mapping[str, str]) -> Mapping[str, Any]:
    """The working calendars in force, and the years taken in since the pack was installed."""
    in_force = calendars.newest(work)
    return {
        "revision": in_force.revision,
        "calendars": [
            {
                "name": name or None, "timezone": one.timezone, "version": one.version,
                "covered_from": one.covered_from.isoformat(), "covered_until": one.covered_until.isoformat(),
                "open_now": one.is_open(work.now),
            }
            for name, one in in_force.by_name.items()
        ],
        "years": [
            {
                "revision": row.revision, "calendar": row.calendar, "year": row.year, "source": row.source,
                "days_off": row.days_off, "makeup_days": row.makeup_days, "imported_by": row.imported_by,
                "imported_at": rfc3339(row.imported_at),
            }
            for row in time_repository.years(work.db)
        ],
        "recount_pending": time_repository.next_recount(work.db) is not None,
    }  # fmt: skip


def requests(work: UnitOfWork, parameters: Mapping[str, str]) -> Mapping[str, Any]:
    """Requests for more time and rest that wait for a decision, the oldest first. Raises Forbidden, Invalid."""
    unit = work.actor.unit
    if unit is None:
        raise Forbidden(
            f"{work.actor.id} has no territory.", code="out-of-scope", remedy="Ask for a token with a unit."
        )
    kind = one_of(parameters, "kind", [one.value for one in Kind])
    limit = limit_of(parameters)
    rows = time_repository.undecided(
        work.db, unit, kind=kind, private=handles(work), after=cursor_of(parameters), limit=limit + 1
    )
    shown = rows[:limit]
    return {
        "items": [
            _request(work, time_repository.request_of(row))
            | {
                "matter_id": row.matter_id, "number": row.number, "response_class": row.response_class,
                "level": row.level, "next_due_at": instant_of(row.due_at),
            }
            for row in shown
        ],
        "next": cursor_to(shown[-1].requested_at, shown[-1].id) if len(rows) > limit else None,
    }  # fmt: skip


def requests_of(work: UnitOfWork, matter_id: str) -> list[dict[str, Any]]:
    """All that was asked for a matter, for its view."""
    return [_request(work, one) for one in time_repository.requests_of(work.db, matter_id)]


def _request(work: UnitOfWork, one: TimeRequest) -> dict[str, Any]:
    return {
        "request_id": one.id, "kind": one.kind.value, "unit": unit_of(work, one.unit), "attempt": one.attempt,
        "reason": one.reason, "days": one.days, "until": instant_of(one.until), "requested_by": one.requested_by,
        "requested_at": rfc3339(one.requested_at), "granted": one.granted, "granted_days": one.granted_days,
        "granted_until": instant_of(one.granted_until), "note": one.note, "decided_by": one.decided_by,
        "decided_at": instant_of(one.decided_at),
    }  # fmt: skip
