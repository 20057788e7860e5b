"""What intake shows: the asker's own status, and the street's unlocated list."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from services.intake import domain, repository
from shared.kernel.clock import rfc3339
from shared.kernel.errors import Invalid
from shared.kernel.hashing import sha256_hex
from shared.kernel.ids import normal_code
from shared.ledger.unit_of_work import UnitOfWork

#: Rows of a page when the caller does not say, and at most.
PAGE, MOST = 50, 200

#: What an asker is told, Chinese first.
STANDING_NAMES: dict[str, dict[str, str]] = {
    "registered": {"zh": "已登记，待分派", "en": "Registered, to be assigned"},
    "assigned": {"zh": "已分派", "en": "Assigned"},
    "in-hand": {"zh": "办理中", "en": "In hand"},
    "suspended": {"zh": "已挂账，待条件具备后办理", "en": "Suspended until conditions allow"},
    "resolved": {"zh": "已办结，待核查", "en": "Resolved, to be verified"},
    "closed": {"zh": "已结案", "en": "Closed"},
    "withdrawn": {"zh": "已撤回", "en": "Withdrawn"},
}


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
        "standing_name": STANDING_NAMES[standing],
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


def _unit(work: UnitOfWork, unit_id: str | None) -> dict[str, str] | None:
    if unit_id is None:
        return None
    unit = work.jurisdiction.units.get(unit_id)
    return {"id": unit_id, "name": unit.name.zh if unit is not None else unit_id}


def unlocated(work: UnitOfWork, parameters: Mapping[str, str]) -> Mapping[str, Any]:
    """Open matters that lie in no grid yet, oldest first; for desks of the street and above."""
    work.require_scope(None)
    after, limit = page_of(parameters)
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


def page_of(parameters: Mapping[str, str]) -> tuple[int, int]:
    """`cursor` and `limit` of a list request. Raises Invalid."""
    values: dict[str, int] = {}
    for name, default, most in (("cursor", 0, 2**62), ("limit", PAGE, MOST)):
        given = parameters.get(name, str(default))
        if not given.isascii() or not given.isdigit() or int(given) > most:
            fault = f"Must be a whole number up to {most}."
            raise Invalid(fault, fields={name: [fault]}, remedy="Use the cursor that the last page gave as `next`.")
        values[name] = int(given)
    return values["cursor"], max(1, values["limit"])
