"""How departments answered whistle calls in a period, pure: came in time, scores, disputes (art. 33, 双考核).

For those who may read reports, never published by itself. A department that did not come is in the denominator once its
deadline has passed; what is not scored, not due or not decided yet is counted and shown apart.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from decimal import ROUND_HALF_UP, Decimal
from typing import Any

from services.oversight.domain.figures import SMALL, Share
from services.oversight.domain.labels import both, label
from shared.jurisdiction import Jurisdiction

#: What a whistler scores, 1 worst to 5 best.
ASPECTS = ("arrival", "quality", "result")
#: Figures of a department in the order shown.
COUNTS = ("calls", "led", "reported", "late", "unreported", "disputed", "hops", "upheld", "released", "scored")


@dataclass(frozen=True, kw_only=True, slots=True)
class PartFact:
    """A department's part in one call blown in the period, as it stood at the period's end."""

    department: str
    led: bool
    #: None: it has not come; else whether its first answer was late.
    late: bool | None
    #: The deadline to report in had passed.
    due: bool
    #: How many levels its refusals were taken to, and what those decided.
    hops: int
    upheld: int
    released: int
    #: None: not scored.
    arrival: int | None
    quality: int | None
    result: int | None


def figures(facts: Iterable[PartFact], pack: Jurisdiction) -> list[dict[str, Any]]:
    """A row for each department called, those with most calls first, and every figure beside its formula."""
    groups: dict[str, list[PartFact]] = defaultdict(list)
    for fact in facts:
        groups[fact.department].append(fact)
    return [
        _row(department, groups[department], pack)
        for department in sorted(groups, key=lambda key: (-len(groups[key]), key))
    ]


def formulas() -> dict[str, Mapping[str, str]]:
    """Figure -> how it is made."""
    names = (*COUNTS, "in_time", *ASPECTS)
    return {name: both(f"departments.formula.{name}") for name in names}


def _row(department: str, facts: list[PartFact], pack: Jurisdiction) -> dict[str, Any]:
    unit = pack.units.get(department)
    reported = [fact for fact in facts if fact.late is not None]
    scored = [fact for fact in facts if fact.arrival is not None]
    late = sum(fact.late is True for fact in reported)
    in_time = Share(numerator=len(reported) - late, denominator=len(reported) + sum(_absent(fact) for fact in facts))
    counts = {
        "calls": len(facts), "led": sum(fact.led for fact in facts), "reported": len(reported), "late": late,
        "unreported": len(facts) - len(reported), "disputed": sum(fact.hops > 0 for fact in facts),
        "hops": sum(fact.hops for fact in facts), "upheld": sum(fact.upheld for fact in facts),
        "released": sum(fact.released for fact in facts), "scored": len(scored),
    }  # fmt: skip
    return {
        "department": department,
        "label": {"zh": department, "en": department} if unit is None else label(unit.name),
        **counts,
        "in_time": {
            "value": in_time.ratio(), "percent": in_time.percent(), "numerator": in_time.numerator,
            "denominator": in_time.denominator, "left_out": len(facts) - in_time.denominator,
        },
        "scores": {aspect: _mean([getattr(fact, aspect) for fact in scored], len(facts)) for aspect in ASPECTS},
    }  # fmt: skip


def _absent(fact: PartFact) -> bool:
    return fact.late is None and fact.due


def _mean(scores: list[int], calls: int) -> dict[str, Any]:
    """The mean to two decimals, half up; none of fewer than SMALL: it would be one whistler's word on one matter."""
    value = None
    if len(scores) >= SMALL:
        exact = Decimal(sum(scores)) / Decimal(len(scores))
        value = float(exact.quantize(Decimal("0.01"), rounding=ROUND_HALF_UP))
    return {
        "value": value, "sample": len(scores), "left_out": calls - len(scores),
        "suppressed": 0 < len(scores) < SMALL,
    }  # fmt: skip
