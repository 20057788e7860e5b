"""What intake shows: the asker's own status, and the street's unlocated list."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

from services.intake import domain, repository, resource_repository
from shared.contracts.intake import RESOURCE_KINDS
from shared.kernel.clock import parse_instant, rfc3339
from shared.kernel.errors import Invalid, NotFound
from shared.kernel.hashing import sha256_hex
from shared.kernel.ids import normal_code
from shared.kernel.wording import say
from shared.ledger.unit_of_work import UnitOfWork
from shared.runtime import pages
from shared.runtime.definition import Page
from shared.runtime.paging import limit_of, position_of

_ENGLISH = "en"
_TEMPLATES = Path(__file__).parent / "templates"


def status(work: UnitOfWork, parameters: Mapping[str, str]) -> Mapping[str, Any]:
    """Where a demand stands, for whoever holds its tracking code. Raises NotFound."""
    code = normal_code(parameters["code"])
    found = repository.demand_by_code(work.db, sha256_hex(code.encode()))
    row = repository.matter(work.db, found.matter_id)
    standing = domain.Standing.WITHDRAWN if found.withdrawn_at else row.standing
    zone = work.jurisdiction.timezone
    return {
        "number": domain.number_of("D", found.registered_at, found.serial, zone),
        "matter_number": domain.number_of("M", row.opened_at, row.serial, zone),
        "registered_at": rfc3339(found.registered_at),
        "text": found.text,
        "standing": standing,
        "standing_name": {"zh": say(f"standing.{standing}"), "en": say(f"standing.{standing}", _ENGLISH)},
        "since": rfc3339(row.standing_since),
        "unit": _unit(work, row.handled_by or row.unit),
        "response_class": row.response_class,
        "demands": row.demands,
        "supplements": [
            {"text": each.text, "added_at": rfc3339(each.added_at)}
            for each in repository.supplements_of(work.db, found.demand_id)
        ],
        "milestones": [
            {"event": each.event, "unit": _unit(work, each.unit), "at": rfc3339(each.at)}
            for each in repository.milestones_of(work.db, found.matter_id)
        ],
    }


def status_page(work: UnitOfWork, parameters: Mapping[str, str]) -> Page:
    """The same for people, with a form for the code: 404 when nobody has the code given.

    Works without JavaScript; shows nothing but the asker's own words.
    """
    zone = ZoneInfo(work.jurisdiction.timezone)
    code = parameters.get("code", "").strip()
    found, wrong = None, False
    if code:
        try:
            found = status(work, {"code": code})
        except NotFound:
            wrong = True
    return pages.html(
        _TEMPLATES,
        "status.html",
        status=404 if wrong else 200,
        code=code,
        found=found,
        wrong=wrong,
        standing_after=domain.STANDING_AFTER,
        local=lambda instant: parse_instant(instant).astimezone(zone).strftime("%Y-%m-%d %H:%M"),
    )


def _unit(work: UnitOfWork, unit_id: str | None) -> dict[str, str] | None:
    if unit_id is None:
        return None
    unit = work.jurisdiction.units.get(unit_id)
    return {"id": unit_id, "name": unit.name.zh if unit is not None else unit_id}


def unlocated(work: UnitOfWork, parameters: Mapping[str, str]) -> Mapping[str, Any]:
    """Open matters that lie in no grid yet, oldest first; for desks of the street and above."""
    work.require_scope(None)
    after, limit = position_of(parameters), limit_of(parameters)
    rows = repository.unlocated(work.db, after, limit + 1)
    items = [
        {
            "matter_id": row.matter_id,
            "number": domain.number_of("M", row.opened_at, row.serial, work.jurisdiction.timezone),
            "opened_at": rfc3339(row.opened_at),
            "text": row.text,
            "place": row.place,
            "version": row.version,
        }
        for row in rows[:limit]
    ]
    return {"items": items, "next": str(rows[limit - 1].serial) if len(rows) > limit else None}


def resources(work: UnitOfWork, parameters: Mapping[str, str]) -> Mapping[str, Any]:
    """What is offered in a unit of one's territory or below it, in the order of listing. Raises Invalid, Forbidden."""
    unit = parameters.get("unit") or work.actor.unit or ""
    work.jurisdiction.unit(unit)
    work.require_scope(unit)
    kind = parameters.get("kind") or None
    if kind is not None and kind not in RESOURCE_KINDS:
        fault = f"Must be one of: {', '.join(RESOURCE_KINDS)}."
        raise Invalid(fault, fields={"kind": [fault]})
    limit = limit_of(parameters)
    rows = resource_repository.listed(work.db, unit, parameters.get("cursor", ""), limit + 1, kind)
    items = [
        {
            "resource_id": row.resource_id, "owner": row.owner, "kind": row.kind, "title": row.title, "text": row.text,
            "serves": row.serves, "units": [_unit(work, each) for each in row.units], "capacity": row.capacity,
            "measure": row.measure, "listed_at": rfc3339(row.listed_at),
            "available_from": None if row.available_from is None else rfc3339(row.available_from),
            "available_until": None if row.available_until is None else rfc3339(row.available_until),
            "withdrawn_at": None if row.withdrawn_at is None else rfc3339(row.withdrawn_at), "version": row.version,
        }
        for row in rows[:limit]
    ]  # fmt: skip
    return {"items": items, "next": rows[limit - 1].resource_id if len(rows) > limit else None}
