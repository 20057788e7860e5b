"""Who is responsible: the lowest level that has anyone, the next one above, the desk of unlocated matters (C1, J5).

It must never skip a unit without saying so.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Final

from shared.jurisdiction import Jurisdiction, Unit

#: Level whose desk keeps the list of matters that lie in no grid yet, and the label of metrics by street.
STREET: Final = "street"


@dataclass(frozen=True, slots=True)
class Choice:
    """A unit of the ladder, and those passed over on the way because nobody there is responsible."""

    #: None when nobody on the rest of the ladder is responsible.
    unit: Unit | None
    skipped: tuple[str, ...]


def first_responsible(jurisdiction: Jurisdiction, start: str) -> Choice:
    """The first unit of `start`'s ladder with anyone responsible, `start` itself included. Raises UnknownUnit."""
    return _choose(jurisdiction, jurisdiction.ladder(start))


def next_above(jurisdiction: Jurisdiction, unit: str) -> Choice:
    """The next unit above `unit` with anyone responsible. Raises UnknownUnit."""
    return _choose(jurisdiction, jurisdiction.ladder(unit)[1:])


def _choose(jurisdiction: Jurisdiction, ladder: Iterable[Unit]) -> Choice:
    skipped: list[str] = []
    for unit in ladder:
        if jurisdiction.responsible(unit.id):
            return Choice(unit, tuple(skipped))
        skipped.append(unit.id)
    return Choice(None, tuple(skipped))


def unlocated_desk(jurisdiction: Jurisdiction) -> Unit:
    """The unit that keeps matters without a place: the only street; with several or none, the top of the ladder."""
    streets = [unit for unit in jurisdiction.units.values() if unit.level == STREET]
    if len(streets) == 1:
        return streets[0]
    return next(unit for unit in jurisdiction.units.values() if unit.level == jurisdiction.levels[-1])


def street_of(jurisdiction: Jurisdiction, unit: str) -> str:
    """The street a unit lies in; above it, and in packs without streets, the top unit. Raises UnknownUnit."""
    path = jurisdiction.path(unit)
    return next((one.id for one in path if one.level == STREET), path[0].id)


def settles_calls(jurisdiction: Jurisdiction, unit: str | None) -> bool:
    """Whether a unit stands high enough to end a whistle call by its own word: street or above (A3)."""
    if unit is None or unit not in jurisdiction.units:
        return False
    level = jurisdiction.unit(unit).level
    if level not in jurisdiction.levels:
        return False
    lowest = jurisdiction.level_index(STREET) if STREET in jurisdiction.levels else len(jurisdiction.levels) - 1
    return jurisdiction.level_index(level) >= lowest
