"""The list of closed matters: the fields that a pack's whitelist names, and nothing else, ever.

No field here may hold a resident's words, staff's free text, a name or an address.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import datetime
from typing import Any
from zoneinfo import ZoneInfo

from services.oversight.domain.figures import MatterFact
from services.oversight.domain.labels import Text, both, label, level_label, place
from shared.jurisdiction import Jurisdiction
from shared.kernel.errors import Misconfigured


def _day(instant: datetime | None, pack: Jurisdiction) -> str | None:
    return None if instant is None else instant.astimezone(ZoneInfo(pack.timezone)).date().isoformat()


def _unit_name(fact: MatterFact, level: str, pack: Jurisdiction) -> Text | None:
    found = place(fact, level, pack)
    return None if found is None else label(pack.units[found].name)


def _category_name(fact: MatterFact, pack: Jurisdiction) -> Text | None:
    found = pack.categories.get(fact.category or "")
    return None if found is None else label(found.name)


def _class_name(fact: MatterFact, pack: Jurisdiction) -> Text | None:
    found = pack.policy.classes.get(fact.response_class or "")
    return None if found is None else label(found.name)


#: Field of a publication whitelist -> what is shown. `outcome` is the code, never the words that staff wrote.
FIELDS: Mapping[str, Callable[[MatterFact, Jurisdiction], Any]] = {
    "matter_number": lambda fact, _: fact.number,
    "category": _category_name,
    "response_class": _class_name,
    "level": lambda fact, _: None if fact.level is None else level_label(fact.level),
    "district": lambda fact, pack: _unit_name(fact, "district", pack),
    "street": lambda fact, pack: _unit_name(fact, "street", pack),
    "community": lambda fact, pack: _unit_name(fact, "community", pack),
    "opened_on": lambda fact, pack: _day(fact.opened_at, pack),
    "closed_on": lambda fact, pack: _day(fact.first_closed_at, pack),
    "outcome": lambda fact, _: both("report.outcome.reopened" if fact.reopenings else "report.outcome.closed"),
    "on_time": lambda fact, _: fact.first_on_time,
    "satisfaction": lambda fact, _: (
        None if not fact.answers else {"satisfied": fact.satisfied, "answers": fact.answers}
    ),
}


def check_whitelist(pack: Jurisdiction) -> None:
    """Raise Misconfigured when the pack wants a field published that the report does not know."""
    unknown = [name for name in pack.policy.publication.whitelist if name not in FIELDS]
    if unknown:
        raise Misconfigured(
            f"{pack.name}: policy.yaml publication.whitelist names {', '.join(unknown)}; known are {', '.join(FIELDS)}."
        )


def whitelisted(fact: MatterFact, pack: Jurisdiction) -> dict[str, Any]:
    """One closed matter as it may be shown. Ask it for no private matter."""
    return {name: FIELDS[name](fact, pack) for name in pack.policy.publication.whitelist}
