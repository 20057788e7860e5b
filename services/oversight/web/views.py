"""Queries: what staff and programs read. Nothing leaves that the actor's scope or a private matter forbids."""

from __future__ import annotations

import json
from collections.abc import Mapping
from datetime import datetime
from typing import Any

from services.oversight.handlers.privacy import handles
from services.oversight.handlers.reports import department_figures, report
from services.oversight.repository import evaluations, reports, trace
from services.oversight.repository.evaluations import MatterSeen
from shared.kernel.actor import ANONYMOUS
from shared.kernel.clock import parse_instant, rfc3339
from shared.kernel.errors import Forbidden, Invalid, NotFound, Unauthenticated
from shared.ledger.unit_of_work import UnitOfWork

#: Entries per page unless asked otherwise, and at most.
PAGE, PAGE_LIMIT = 50, 200
#: Fields of events that no timeline shows: contact data, even sealed.
_NEVER_SHOWN = frozenset({"sealed_asker"})


def trace_head(work: UnitOfWork, parameters: Mapping[str, str]) -> Mapping[str, Any]:
    """The end of the chain, for anybody who wants to anchor it somewhere else."""
    del parameters
    end = trace.head(work.db)
    return {"position": end.position, "hash": end.hash, "at": rfc3339(work.now)}


def timeline(work: UnitOfWork, parameters: Mapping[str, str]) -> Mapping[str, Any]:
    """Every event about one matter, from the trace, oldest first.

    Raises Unauthenticated, Forbidden, NotFound, Invalid.
    """
    matter_id = parameters["matter"]
    _require_reader(work)
    seen = evaluations.matter(work.db, matter_id)
    if seen is None:
        raise _unknown(matter_id)
    withheld = _withheld(seen, work)
    limit = page_limit(parameters)
    after = _whole("cursor", parameters.get("cursor", "0"))
    rows = trace.of_subject(work.db, matter_id, after=after, limit=limit + 1)
    items = [_entry(row, withheld=withheld) for row in rows[:limit]]
    following = str(rows[limit - 1].position) if len(rows) > limit else None
    return {"matter": matter_id, "number": seen.number, "withheld": withheld, "items": items, "next": following}


def _require_reader(work: UnitOfWork) -> None:
    if work.actor.may("read-matters") or work.actor.may("read-trace"):
        return
    if work.actor is ANONYMOUS:
        raise Unauthenticated("A matter's timeline needs a token.", remedy="Send `Authorization: Bearer <token>`.")
    raise Forbidden(
        f"{work.actor.id} may not read timelines.", code="not-permitted", remedy="Ask someone whose role allows it."
    )


def _withheld(seen: MatterSeen, work: UnitOfWork) -> bool:
    """Whether the reader sees that something happened, but not what was said. Raises Forbidden, NotFound."""
    auditor = work.actor.may("read-trace")
    if auditor and work.actor.unit is None:
        return True  # audit administration is bound to no territory and reads no contents
    work.require_scope(seen.territory)
    if not seen.private or handles(work, seen):
        return False
    if auditor:
        return True
    raise _unknown(seen.matter_id)  # a private matter exists for its handlers alone


def _entry(row: Any, *, withheld: bool) -> dict[str, Any]:
    content = json.loads(row.envelope)
    data = {name: value for name, value in content["data"].items() if name not in _NEVER_SHOWN}
    return {
        "position": row.position,
        "hash": row.hash,
        "event": content["type"].removeprefix("gridwhistle.").rsplit(".v", 1)[0],
        "time": content["time"],
        "recorded_at": rfc3339(row.recorded_at),
        "stream": content["stream"],
        "streamversion": content["streamversion"],
        "data": None if withheld else data,
    }


def matter_evaluations(work: UnitOfWork, parameters: Mapping[str, str]) -> Mapping[str, Any]:
    """The questions about a matter and what was answered. Raises Forbidden, NotFound."""
    matter_id = parameters["matter"]
    seen = evaluations.matter(work.db, matter_id)
    if seen is None:
        raise _unknown(matter_id)
    work.require_scope(seen.territory)
    return {"items": [_plain(row) for row in evaluations.of_matter(work.db, matter_id)], "next": None}


def report_preview(work: UnitOfWork, parameters: Mapping[str, str]) -> Mapping[str, Any]:
    """The report as it would be published now. Raises Invalid, Forbidden, PeriodNotOver, UnknownUnit."""
    unit = parameters.get("unit") or None
    if unit is not None:
        work.jurisdiction.unit(unit)
    work.require_scope(unit)
    start, end = _instant("period_from", parameters), _instant("period_to", parameters)
    return report(work, start, end, unit)


def departments(work: UnitOfWork, parameters: Mapping[str, str]) -> Mapping[str, Any]:
    """How departments answered whistle calls. Raises Invalid, Forbidden, PeriodNotOver, UnknownUnit."""
    unit = parameters.get("unit") or None
    if unit is not None:
        work.jurisdiction.unit(unit)
    work.require_scope(unit)
    return department_figures(work, _instant("period_from", parameters), _instant("period_to", parameters), unit)


def published(work: UnitOfWork, parameters: Mapping[str, str]) -> Mapping[str, Any]:
    """Published reports, the newest first. Raises Invalid."""
    limit = page_limit(parameters)
    rows = reports.listed(work.db, before=parameters.get("cursor") or None, limit=limit + 1)
    following = rows[limit - 1]["report_id"] if len(rows) > limit else None
    return {"items": [_plain(row) for row in rows[:limit]], "next": following}


def page_limit(parameters: Mapping[str, str]) -> int:
    """The `limit` asked for, at most PAGE_LIMIT. Raises Invalid."""
    return max(1, min(_whole("limit", parameters.get("limit", str(PAGE))), PAGE_LIMIT))


def _plain(row: Mapping[str, Any]) -> dict[str, Any]:
    return {name: rfc3339(value) if isinstance(value, datetime) else value for name, value in row.items()}


def _whole(name: str, text: str) -> int:
    # isdigit alone would let ² through; more than 18 digits is no position.
    if not (text.isascii() and text.isdigit() and len(text) <= 18):  # noqa: PLR2004 -- fits 64 bits
        fault = f"{name} must be a whole number, not {text[:40]!r}."
        raise Invalid(fault, fields={name: [fault]})
    return int(text)


def _instant(name: str, parameters: Mapping[str, str]) -> datetime:
    text = parameters.get(name, "")
    try:
        return parse_instant(text)
    except ValueError as error:
        fault = f"{name} must be an RFC 3339 instant with offset, such as 2025-08-01T00:00:00+08:00."
        raise Invalid(fault, fields={name: [fault]}) from error


def _unknown(matter_id: str) -> NotFound:
    return NotFound(
        f"There is no matter {matter_id!r}.", code="unknown-matter", where="matter", remedy="Check the matter's id."
    )
