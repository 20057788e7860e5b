"""What one part of a pack says about another: ids that must exist, ids given once, the last rule a catch-all.

A pack with such a problem cannot run; what merely makes no sense is the linter's. It must never stop at the
first.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Any, Generic, TypeVar

from shared.jurisdiction.faults import Problem
from shared.jurisdiction.fields import closest
from shared.jurisdiction.policy import ClassificationRule, ResponseClass, RoutingRule, When
from shared.jurisdiction.territory import DEPARTMENT, GROUP, UNIT_KINDS, Category, Person, Template, Unit

_T = TypeVar("_T")


@dataclass(frozen=True, slots=True)
class Item(Generic[_T]):
    """One item of a list as read."""

    #: Place in its file, e.g. [3].
    place: str
    #: Its id, also when the rest of it is wrong, so that links to it are not reported too.
    id: str | None
    #: None when its shape is wrong.
    value: _T | None


@dataclass(frozen=True, slots=True)
class Draft:
    """A pack as far as it could be read; None where a file or list could not."""

    #: Fields of the file; the key "" marks one with problems.
    jurisdiction: dict[str, Any] | None
    calendar: dict[str, Any] | None
    policy: dict[str, Any] | None
    units: list[Item[Unit]] | None
    staff: list[Item[Person]] | None
    categories: list[Item[Category]] | None
    templates: list[Item[Template]] | None
    classes: list[Item[ResponseClass]] | None
    classification: list[Item[ClassificationRule]] | None
    routing: list[Item[RoutingRule]] | None


def check_links(draft: Draft) -> list[Problem]:
    """Return every broken link of the draft; parts that could not be read are not held against the others."""
    return [
        *_levels(draft),
        *_doubles(draft),
        *_unit_links(draft),
        *_staff_links(draft),
        *_category_links(draft),
        *_rule_links(draft),
        *_section_links(draft),
        *_calendar_links(draft),
        *_catch_all(draft),
    ]


def _ids(items: Iterable[Item[Any]] | None) -> set[str] | None:
    return None if items is None else {item.id for item in items if item.id is not None}


def _level_names(draft: Draft) -> tuple[str, ...] | None:
    return None if draft.jurisdiction is None else draft.jurisdiction.get("levels")


def _known(value: str | None, known: Iterable[str] | None, file: str, path: str, noun: str) -> Iterator[Problem]:
    if value is None or known is None:
        return
    names = sorted(known)
    if value not in names:
        yield Problem(f"unknown-{noun}", file, path, f"there is no {noun} {value!r}", closest(value, names[:40]))


def _levels(draft: Draft) -> Iterator[Problem]:
    levels = _level_names(draft)
    if levels is None:
        return
    if not levels:
        yield Problem("empty", "jurisdiction.yaml", "levels", "the ladder has no level", "name at least one level")
    for index, level in enumerate(levels):
        path = f"levels[{index}]"
        if level in {DEPARTMENT, GROUP}:
            what = f"{level} is not a level of the ladder"
            yield Problem("reserved-level", "jurisdiction.yaml", path, what, "remove it: such units stand beside it")
        if level in levels[:index]:
            yield Problem("duplicate-id", "jurisdiction.yaml", path, f"the level {level} stands twice", "keep one")


def _doubles(draft: Draft) -> Iterator[Problem]:
    lists: list[tuple[str, list[Item[Any]] | None]] = [
        ("units.yaml", draft.units),
        ("staff.yaml", draft.staff),
        ("categories.yaml", draft.categories),
        ("templates.yaml", draft.templates),
        ("policy.yaml", draft.classes),
        ("policy.yaml", draft.classification),
        ("policy.yaml", draft.routing),
    ]
    for file, items in lists:
        first: dict[str, str] = {}
        for item in items or ():
            if item.id is None:
                continue
            if item.id in first:
                what = f"the id {item.id!r} is already used at {first[item.id]}"
                yield Problem("duplicate-id", file, f"{item.place}.id", what, "give it an id of its own")
            first.setdefault(item.id, item.place)


def _unit_links(draft: Draft) -> Iterator[Problem]:
    levels, known = _level_names(draft), _ids(draft.units)
    if draft.units == []:
        yield Problem("empty", "units.yaml", "", "there is no unit", "add at least one")
    for item in draft.units or ():
        unit = item.value
        if unit is None:
            continue
        yield from _known(unit.parent, known, "units.yaml", f"{item.place}.parent", "unit")
        if levels is not None:
            path = f"{item.place}.level"
            yield from _known(unit.level, (*levels, DEPARTMENT, GROUP), "units.yaml", path, "level")
            yield from _known(unit.kind, UNIT_KINDS.union(levels), "units.yaml", f"{item.place}.kind", "kind")


def _staff_links(draft: Draft) -> Iterator[Problem]:
    known = _ids(draft.units)
    for item in draft.staff or ():
        if item.value is not None:
            yield from _known(item.value.unit, known, "staff.yaml", f"{item.place}.unit", "unit")
            if not item.value.roles:
                yield Problem("empty", "staff.yaml", f"{item.place}.roles", "there is no role", "give at least one")


def _category_links(draft: Draft) -> Iterator[Problem]:
    known = _ids(draft.categories)
    for item in draft.categories or ():
        if item.value is not None:
            yield from _known(item.value.parent, known, "categories.yaml", f"{item.place}.parent", "category")


def _rule_links(draft: Draft) -> Iterator[Problem]:
    classes, categories, levels = _ids(draft.classes), _ids(draft.categories), _level_names(draft)
    for item in draft.classification or ():
        rule = item.value
        if rule is None:
            continue
        yield from _known(rule.class_id, classes, "policy.yaml", f"{item.place}.class", "class")
        yield from _known(rule.category, categories, "policy.yaml", f"{item.place}.category", "category")
        yield from _when_links(rule.when, draft, f"{item.place}.when")
    for route in draft.routing or ():
        if route.value is None:
            continue
        if levels is not None:
            path = f"{route.place}.start_level"
            yield from _known(route.value.start_level, (*levels, GROUP), "policy.yaml", path, "level")
        yield from _when_links(route.value.when, draft, f"{route.place}.when")


def _when_links(when: When, draft: Draft, at: str) -> Iterator[Problem]:
    categories, levels = _ids(draft.categories), _level_names(draft)
    for index, category in enumerate(when.categories):
        yield from _known(category, categories, "policy.yaml", f"{at}.categories[{index}]", "category")
    for index, kind in enumerate(when.unit_kinds):
        kinds = None if levels is None else UNIT_KINDS.union(levels)
        yield from _known(kind, kinds, "policy.yaml", f"{at}.unit_kinds[{index}]", "kind")


def _section_links(draft: Draft) -> Iterator[Problem]:
    levels = _level_names(draft)
    if draft.policy is None or levels is None:
        return
    whistle, escalation = draft.policy.get("whistle"), draft.policy.get("escalation")
    for index, level in enumerate(getattr(whistle, "may_blow", ())):
        yield from _known(level, levels, "policy.yaml", f"whistle.may_blow[{index}]", "level")
    for level in getattr(escalation, "authority_limits", ()):
        yield from _known(level, levels, "policy.yaml", f"escalation.authority_limits.{level}", "level")
    for named in getattr(whistle, "report_in_by_class", ()):
        yield from _known(named, _ids(draft.classes), "policy.yaml", f"whistle.report_in_by_class.{named}", "class")
    for place, rule in enumerate(getattr(escalation, "rules", ())):
        at = f"escalation.rules[{place}]"
        yield from _known(rule.to_level, levels, "policy.yaml", f"{at}.to_level", "level")
        for index, named in enumerate(rule.classes):
            yield from _known(named, _ids(draft.classes), "policy.yaml", f"{at}.classes[{index}]", "class")


def _calendar_links(draft: Draft) -> Iterator[Problem]:
    if draft.calendar is None or "" in draft.calendar:
        return
    for item in draft.classes or ():
        if item.value is not None:
            path = f"{item.place}.calendar"
            yield from _known(item.value.calendar, draft.calendar["others"], "policy.yaml", path, "calendar")


def _catch_all(draft: Draft) -> Iterator[Problem]:
    if draft.classes == []:
        yield Problem("empty", "policy.yaml", "classes", "there is no response class", "add at least one")
    rules = draft.classification
    if rules is None:
        return
    last = rules[-1] if rules else None
    if last is None or (last.value is not None and not last.value.when.is_catch_all()):
        what = "the last rule does not match everything, so some matters would have no class"
        path = "classification" if last is None else last.place
        yield Problem("no-catch-all", "policy.yaml", path, what, "end with a rule whose when is {}")
