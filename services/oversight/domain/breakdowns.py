"""Breakdowns of a report's figures: by class, level, place and category; small rows together."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping
from typing import Any

from services.oversight.domain.figures import FOLDED, SMALL, MatterFact, Share, fold_small, tally
from services.oversight.domain.labels import Text, both, label, level_label, place
from shared.jurisdiction import Jurisdiction

#: What a row of a breakdown shows.
ROW_COUNTS = (
    "opened",
    "merged",
    "closed",
    "open",
    "overdue_open",
    "suspended_open",
    "escalated",
    "whistled",
    "deliberated",
)
_UNKNOWN = "(unknown)"
_UNLOCATED = "(unlocated)"

_UNKNOWN = "(unknown)"
_UNLOCATED = "(unlocated)"
#: Dimensions whose heading has a wording of its own.
_OWN_LABELS = frozenset({"response_class", "level", "category", "community", "street"})


def dimensions(pack: Jurisdiction) -> dict[str, Callable[[MatterFact], str]]:
    """Class, level, the territorial levels between the lowest and the highest, and the category's topmost parent."""
    places = pack.levels[1:-1] or pack.levels[1:]
    above = {level: _finder(pack, level) for level in places}
    return {
        "response_class": lambda fact: fact.response_class or _UNKNOWN,
        "level": lambda fact: fact.level or _UNKNOWN,
        **above,
        "category": lambda fact: _top_category(fact.category, pack),
    }


def _finder(pack: Jurisdiction, level: str) -> Callable[[MatterFact], str]:
    def find(fact: MatterFact) -> str:
        return place(fact, level, pack) or _UNLOCATED

    return find


def _top_category(category: str | None, pack: Jurisdiction) -> str:
    if category is None or category not in pack.categories:
        return _UNKNOWN
    seen = {category}
    while (parent := pack.categories[category].parent) is not None and parent not in seen:
        seen.add(parent)
        category = parent
    return category


def breakdown(name: str, rows: Mapping[str, Counter[str]], pack: Jurisdiction) -> dict[str, Any]:
    """One dimension's table, the largest rows first."""
    shown = fold_small(rows)
    order = sorted(shown, key=lambda key: (key == FOLDED, key in {_UNKNOWN, _UNLOCATED}, -shown[key]["matters"], key))
    gathered = len(rows) - len(shown) + 1 if FOLDED in shown else 0
    heading = both(f"report.by.{name}") if name in _OWN_LABELS else level_label(name)
    return {
        "by": name,
        "label": heading,
        "rows": [_row(name, key, shown[key], pack, gathered) for key in order],
        "sample": tally(shown.values())["matters"],
    }


def _row(name: str, key: str, counts: Mapping[str, int], pack: Jurisdiction, gathered: int) -> dict[str, Any]:
    share = Share(numerator=counts["on_time"], denominator=counts["judged"])
    return {
        "key": key,
        "label": _row_label(name, key, pack, gathered),
        "matters": counts["matters"],
        **{count: counts[count] for count in ROW_COUNTS},
        "on_time": {
            "value": share.ratio(), "percent": share.percent(), "numerator": share.numerator,
            "denominator": share.denominator,
        },
    }  # fmt: skip


def _row_label(name: str, key: str, pack: Jurisdiction, gathered: int) -> Text:
    if key == FOLDED:
        return both("report.folded", rows=gathered, size=SMALL)
    if key in {_UNKNOWN, _UNLOCATED}:
        return both("report.unlocated" if key == _UNLOCATED else "report.unknown")
    if name == "response_class" and key in pack.policy.classes:
        return label(pack.policy.classes[key].name)
    if name == "level":
        return level_label(key)
    if name == "category":
        return label(pack.categories[key].name)
    return label(pack.units[key].name) if key in pack.units else {"zh": key, "en": key}
