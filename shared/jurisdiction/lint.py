"""What makes no sense in a pack that loads: levels nobody reaches, units nobody staffs, rules nobody needs.

It must never change a pack or look outside it; a finding never stops a service, `gridwhistle jurisdiction
lint` shows it.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping

from shared.jurisdiction.findings import Finding, Severity
from shared.jurisdiction.pack import Jurisdiction
from shared.jurisdiction.promises import promise_findings
from shared.jurisdiction.shadows import shadow_findings
from shared.jurisdiction.territory import DEPARTMENT, GROUP, Category, Unit
from shared.kernel.text import fold


def lint(jurisdiction: Jurisdiction) -> tuple[Finding, ...]:
    """Return everything in a loaded pack that makes no sense, errors first; () for a sound pack."""
    found = [
        *_cycles("units.yaml", "units", jurisdiction.units),
        *_cycles("categories.yaml", "categories", jurisdiction.categories),
        *_parent_levels(jurisdiction),
        *_unreachable_levels(jurisdiction),
        *_unstaffed(jurisdiction),
        *_shared_places(jurisdiction),
        *_category_departments(jurisdiction),
        *_unused_classes(jurisdiction),
        *shadow_findings(jurisdiction),
        *promise_findings(jurisdiction),
        *_authority(jurisdiction),
    ]
    return tuple(sorted(found, key=lambda finding: finding.severity is not Severity.ERROR))


def _cycles(file: str, section: str, items: Mapping[str, Unit] | Mapping[str, Category]) -> Iterator[Finding]:
    reported: set[str] = set()
    for start in items:
        trail = [start]
        while (parent := items[trail[-1]].parent) is not None and parent not in trail:
            trail.append(parent)
        # A trail that runs into a cycle further up is not itself part of it.
        if parent == start and start not in reported:
            reported.update(trail)
            what = f"its parents lead back to it: {' -> '.join([*trail, start])}"
            remedy = "give one of them another parent, or none"
            yield Finding("cyclic-parents", Severity.ERROR, file, f"{section}.{start}.parent", what, remedy)


def _parent_levels(jurisdiction: Jurisdiction) -> Iterator[Finding]:
    levels = jurisdiction.levels
    for unit in jurisdiction.units.values():
        if unit.level not in levels:
            continue
        above = [one for one in jurisdiction.ladder(unit.id)[1:] if one.level in levels]
        if not above:
            continue
        own, parent = levels.index(unit.level), levels.index(above[0].level)
        # A sub-grid in a grid and a zone in a community stay on their parent's level (C2, C5).
        if parent < own or (parent == own and unit.kind not in {"sub-grid", "zone"}):
            what = f"its parent {above[0].id} is on the level {above[0].level}, not above {unit.level}"
            remedy = "correct its level or its parent"
            yield Finding("parent-not-above", Severity.ERROR, "units.yaml", f"units.{unit.id}", what, remedy)


def _unreachable_levels(jurisdiction: Jurisdiction) -> Iterator[Finding]:
    with_units = [
        level for level in jurisdiction.levels if any(unit.level == level for unit in jurisdiction.units.values())
    ]
    lowest = with_units[0] if with_units else None
    reached = {
        step.level
        for unit in jurisdiction.units.values()
        if unit.level == lowest
        for step in jurisdiction.ladder(unit.id)
    }
    for level in jurisdiction.levels:
        if level in reached:
            continue
        why = f"no unit of the level {lowest} has one above it" if level in with_units else "it has no unit"
        remedy = "add a unit of it above the others, or remove the level"
        what = f"no matter can reach the level {level}: {why}"
        yield Finding("level-unreachable", Severity.ERROR, "jurisdiction.yaml", f"levels.{level}", what, remedy)


def _unstaffed(jurisdiction: Jurisdiction) -> Iterator[Finding]:
    for unit in jurisdiction.units.values():
        if jurisdiction.responsible(unit.id):
            continue
        path = f"units.{unit.id}"
        if unit.level == DEPARTMENT:
            what = "nobody in it may answer a whistle"
            remedy = f"add a department-officer of {unit.id} to staff.yaml"
            yield Finding("department-unstaffed", Severity.ERROR, "units.yaml", path, what, remedy)
        elif unit.level != GROUP or _handles(jurisdiction, unit):
            what = "nobody is responsible for it, so its matters go up at once"
            remedy = f"add someone of {unit.id} with a role like grid-head or community-clerk to staff.yaml"
            yield Finding("unit-unstaffed", Severity.WARNING, "units.yaml", path, what, remedy)


def _handles(jurisdiction: Jurisdiction, group: Unit) -> bool:
    return any(unit.parent == group.id for unit in jurisdiction.units.values())


def _shared_places(jurisdiction: Jurisdiction) -> Iterator[Finding]:
    owners: dict[str, list[str]] = {}
    for unit in jurisdiction.units.values():
        for place in dict.fromkeys("".join(fold(place).split()) for place in unit.places):
            owners.setdefault(place, []).append(unit.id)
    for place, units in owners.items():
        if len(units) > 1:
            what = f"{place} belongs to {', '.join(units)}, so an address there is located in none of them"
            remedy = "keep the fragment in one unit, or make both longer"
            yield Finding("place-shared", Severity.WARNING, "units.yaml", f"units.{units[1]}.places", what, remedy)


def _category_departments(jurisdiction: Jurisdiction) -> Iterator[Finding]:
    known = {unit.id for unit in jurisdiction.departments()}
    for category in jurisdiction.categories.values():
        if category.department is not None and category.department not in known:
            path = f"categories.{category.id}.department"
            what = f"there is no department {category.department}"
            remedy = "use the id of a unit with level: department, or add it to units.yaml"
            yield Finding("department-unknown", Severity.ERROR, "categories.yaml", path, what, remedy)


def _unused_classes(jurisdiction: Jurisdiction) -> Iterator[Finding]:
    assigned = {rule.class_id for rule in jurisdiction.policy.classification}
    for class_id in jurisdiction.policy.classes:
        if class_id not in assigned:
            what = "no classification rule gives a matter this class"
            remedy = "add a rule with it, or remove it"
            path = f"classes.{class_id}"
            yield Finding("class-never-assigned", Severity.WARNING, "policy.yaml", path, what, remedy)


def _authority(jurisdiction: Jurisdiction) -> Iterator[Finding]:
    limits = jurisdiction.policy.escalation.authority_limits
    named: Iterable[str] = [level for level in jurisdiction.levels if level in limits]
    lower = None
    for level in named:
        if lower is not None and limits[level] <= limits[lower]:
            what = f"{level} may spend {limits[level]} yuan, no more than {lower}: climbing changes nothing"
            path = f"escalation.authority_limits.{level}"
            remedy = "raise the limit with the level"
            yield Finding("authority-not-rising", Severity.WARNING, "policy.yaml", path, what, remedy)
        lower = level
