"""Who is responsible: the lowest level that has anyone, the next one above, the desk of unlocated matters (C1, J5).

It must never skip a unit without saying which and why, and never walk for ever where a pack's units form a circle.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from typing import Final

from shared.jurisdiction import Jurisdiction, Unit
from shared.jurisdiction.policy import LadderRule

#: Level whose desk keeps the list of matters that lie in no grid yet, and the label of metrics by street.
STREET: Final = "street"
#: Why a unit was passed over.
NOBODY_THERE, ABOVE_AUTHORITY, NOT_ABOVE_WHISTLER = "nobody-responsible", "above-authority", "not-above-whistler"

#: Why a unit does not fit; None: it does.
Fits = Callable[[Unit], str | None]


@dataclass(frozen=True, slots=True)
class Choice:
    """A unit of the ladder, and those passed over on the way, with the reason."""

    #: None when no unit on the rest of the ladder fits.
    unit: Unit | None
    #: Unit -> why it was passed over, bottom-up.
    because: Mapping[str, str] = field(default_factory=dict)

    @property
    def skipped(self) -> tuple[str, ...]:
        """The units passed over."""
        return tuple(self.because)


def first_responsible(jurisdiction: Jurisdiction, start: str) -> Choice:
    """The first unit of `start`'s ladder with anyone responsible, `start` itself included. Raises UnknownUnit."""
    return _choose(jurisdiction, jurisdiction.ladder(start), _anyone)


def next_above(jurisdiction: Jurisdiction, unit: str, fits: Fits | None = None) -> Choice:
    """The next unit above `unit` that fits and has anyone responsible. Raises UnknownUnit."""
    return _choose(jurisdiction, jurisdiction.ladder(unit)[1:], fits or _anyone)


def _anyone(_unit: Unit) -> None:
    return None


def _choose(jurisdiction: Jurisdiction, ladder: Iterable[Unit], fits: Fits) -> Choice:
    because: dict[str, str] = {}
    for unit in ladder:
        reason = fits(unit) or (None if jurisdiction.responsible(unit.id) else NOBODY_THERE)
        if reason is None:
            return Choice(unit, because)
        because[unit.id] = reason
    return Choice(None, because)


def height(jurisdiction: Jurisdiction, level: str) -> int:
    """How high a level stands, 0 for the lowest; -1 for departments, groups and levels that the pack does not know."""
    return jurisdiction.levels.index(level) if level in jurisdiction.levels else -1


def at_least(jurisdiction: Jurisdiction, level: str) -> Fits:
    """Fits what stands on `level` or higher."""
    wanted = height(jurisdiction, level)
    return lambda unit: None if height(jurisdiction, unit.level) >= wanted else f"below-{level}"


def may_spend(jurisdiction: Jurisdiction, yuan: int) -> Fits:
    """Fits a level whose authority covers the sum; a level without a limit may spend anything."""
    limits = jurisdiction.policy.escalation.authority_limits

    def fits(unit: Unit) -> str | None:
        limit = limits.get(unit.level)
        return None if limit is None or yuan <= limit else ABOVE_AUTHORITY

    return fits


def above_whistler(jurisdiction: Jurisdiction, whistler: str) -> Fits | None:
    """Fits units above the one that whistled; None when nobody stands above it."""
    if whistler not in jurisdiction.units or next_above(jurisdiction, whistler).unit is None:
        return None
    above = {unit.id for unit in jurisdiction.ladder(whistler)[1:]}
    return lambda unit: None if unit.id in above else NOT_ABOVE_WHISTLER


def stands_above(jurisdiction: Jurisdiction, unit: str | None, other: str) -> bool:
    """Whether `unit` is on the ladder above `other`; the top of a ladder counts as above itself."""
    if unit is None or unit not in jurisdiction.units or other not in jurisdiction.units:
        return False
    ladder = [one.id for one in jurisdiction.ladder(other)]
    return unit in (ladder[1:] or ladder)


# -- what makes a matter climb by itself -------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Trigger:
    """A step of a clock that makes the matter climb, by the pack."""

    #: `breach` or `rule`.
    cause: str
    #: The breached clock's kind, or the rule's id.
    reason: str
    #: The clock's step.
    step: str
    #: The level it climbs to at least; None: the next one up.
    to_level: str | None = None


def step_of(rule: LadderRule, grossly_overdue_share: float) -> str:
    """The step of a clock at which a rule fires: a warning, `due` or `gross`."""
    if rule.share >= grossly_overdue_share:
        return "gross"
    return "due" if rule.share >= 1 else f"warn-{round(rule.share * 100)}"


def triggers(jurisdiction: Jurisdiction, kind: str, response_class: str, steps: Iterable[str]) -> tuple[Trigger, ...]:
    """What the steps that a clock just did make the matter do; the furthest climb first.

    A rule that names a level the pack does not know is passed over, and the others apply all the same.
    """
    policy = jurisdiction.policy
    cls = policy.classes.get(response_class)
    gross = 2.0 if cls is None else cls.grossly_overdue_share
    done = set(steps)
    found = [
        Trigger("rule", rule.id, step_of(rule, gross), rule.to_level)
        for rule in policy.escalation.rules
        if kind in rule.clocks
        and (not rule.classes or response_class in rule.classes)
        and step_of(rule, gross) in done
        and height(jurisdiction, rule.to_level) >= 0
    ]
    found.sort(key=lambda one: -height(jurisdiction, one.to_level or ""))
    if "due" in done and kind in policy.escalation.on_breach:
        found.append(Trigger("breach", kind, "due"))
    return tuple(found)


@dataclass(frozen=True, slots=True, kw_only=True)
class Expecting:
    """Steps of clocks after which the pack wants a matter to climb: what the record of climbs is checked against."""

    cause: str
    #: The rule's id; of a breach, the clock's kind.
    reason: str
    step: str
    kinds: tuple[str, ...]
    #: Response classes; none: all.
    classes: tuple[str, ...] = ()


def expectations(jurisdiction: Jurisdiction) -> tuple[Expecting, ...]:
    """All of them."""
    escalation = jurisdiction.policy.escalation
    found = [Expecting(cause="breach", reason=kind, step="due", kinds=(kind,)) for kind in escalation.on_breach]
    for rule in escalation.rules:
        named = rule.classes or tuple(jurisdiction.policy.classes)
        for name in named:
            cls = jurisdiction.policy.classes.get(name)
            if cls is not None and height(jurisdiction, rule.to_level) >= 0:
                step = step_of(rule, cls.grossly_overdue_share)
                found.append(Expecting(cause="rule", reason=rule.id, step=step, kinds=rule.clocks, classes=(name,)))
    return tuple(found)


# -- desks -------------------------------------------------------------------------------------------------------------


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
