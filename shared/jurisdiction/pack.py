"""A loaded jurisdiction: the questions services ask of a town's pack.

It must never change after loading (its digest is the policy version every decision is stored with), and never
read a file or the time.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property, lru_cache
from itertools import chain
from types import MappingProxyType

from shared.jurisdiction.policy import Policy, ResponseClass, When
from shared.jurisdiction.territory import (
    DEPARTMENT,
    GROUP,
    Category,
    Label,
    Person,
    Template,
    Unit,
    UnknownCategory,
    UnknownLevel,
    UnknownPerson,
    UnknownUnit,
)
from shared.kernel.text import fold
from shared.kernel.worktime import CalendarPlan, WorkingCalendar


@dataclass(frozen=True, slots=True)
class Inputs:
    """What a rule may look at in a demand."""

    text: str
    #: Category the asker or a worker gave; None to have one suggested.
    category: str | None = None
    #: resident, enterprise, grid-worker, system, …
    asker: str = "resident"
    #: Channel the demand came by.
    channel: str | None = None
    #: Kind of the located unit; None when the place is in no unit.
    unit_kind: str | None = None


@dataclass(frozen=True, slots=True)
class Classification:
    """A matter's response class and why it got it; stored with the matter."""

    class_id: str
    rule_id: str
    #: The rule's category, else the given, else the suggested one.
    category: str | None
    #: What was looked at, without the text itself: plain JSON values.
    inputs: Mapping[str, object]


@dataclass(frozen=True, slots=True)
class _Case:
    """One demand as the rules see it; folded once, however many rules look."""

    inputs: Inputs
    #: The folded text.
    text: str
    suggested: str | None
    #: The given, else the suggested category.
    category: str | None
    #: That category and those above it.
    categories: frozenset[str]


@dataclass(frozen=True)
class Jurisdiction:
    """One town's pack; `shared.jurisdiction.load` makes it."""

    name: str
    title: Label
    timezone: str
    #: Bottom-up names of the ladder's levels.
    levels: tuple[str, ...]
    version: str
    #: By id, in the pack's order.
    units: Mapping[str, Unit]
    staff: Mapping[str, Person]
    categories: Mapping[str, Category]
    calendar: WorkingCalendar
    policy: Policy
    templates: tuple[Template, ...]
    #: sha256 (hex) of the pack's files: the policy version.
    digest: str
    #: All its calendars by name, the town's own under "".
    calendars: Mapping[str, WorkingCalendar] = field(default_factory=dict)
    #: How they are built, so that they can be built again with a year published since.
    plans: Mapping[str, CalendarPlan] = field(default_factory=dict)

    # --- territory

    def unit(self, unit_id: str) -> Unit:
        """Return a unit. Raises UnknownUnit."""
        try:
            return self.units[unit_id]
        except KeyError:
            raise UnknownUnit(
                f"{self.name} has no unit {unit_id!r}.", where="unit", remedy="Use an id of the pack's units."
            ) from None

    def parent_of(self, unit_id: str) -> Unit | None:
        """Return the unit above; None at the top. Raises UnknownUnit."""
        parent = self.unit(unit_id).parent
        return None if parent is None else self.unit(parent)

    def path(self, unit_id: str) -> tuple[Unit, ...]:
        """Return the units from the top down to this one. Raises UnknownUnit."""
        return tuple(reversed(self._upwards(unit_id)))

    def ladder(self, unit_id: str) -> tuple[Unit, ...]:
        """Return the unit and those above it that may handle its matters, bottom-up.

        A group stands on the ladder only when the pack puts it between a unit and the top. Raises
        UnknownUnit.
        """
        unit, *above = self._upwards(unit_id)
        return (unit, *(one for one in above if one.level != DEPARTMENT))

    def is_within(self, unit_id: str, ancestor: str) -> bool:
        """Say whether a unit is `ancestor` or below it. Raises UnknownUnit for either."""
        self.unit(ancestor)
        return any(one.id == ancestor for one in self._upwards(unit_id))

    def level_index(self, level: str) -> int:
        """Return how high a level is, 0 for the lowest.

        Raises UnknownLevel, also for departments and groups.
        """
        try:
            return self.levels.index(level)
        except ValueError:
            raise UnknownLevel(
                f"{level!r} is not on the ladder.",
                where="level",
                remedy=f"Use one of: {', '.join(self.levels)}.",
            ) from None

    def departments(self) -> tuple[Unit, ...]:
        """Return the departments, in the pack's order."""
        return tuple(unit for unit in self.units.values() if unit.level == DEPARTMENT)

    def locate(self, grid: str | None = None, address: str | None = None) -> Unit | None:
        """Return the unit a place lies in: the one named, else that of the longest fragment in `address`.

        None when nothing fits or the longest fragments belong to different units: a person then decides.
        """
        if grid is not None and grid in self.units:
            return self.units[grid]
        if not address:
            return None
        text = _packed(address)
        found = [(len(place), unit) for place, unit in self._places if _stands_in(place, text)]
        longest = max((length for length, _ in found), default=0)
        units = {unit for length, unit in found if length == longest}
        return self.units[units.pop()] if len(units) == 1 else None

    # --- time

    def calendar_of(self, rule: ResponseClass) -> WorkingCalendar:
        """Return the calendar that a response class is counted on."""
        return self.calendars.get(rule.calendar or "", self.calendar)

    # --- people

    def person(self, person_id: str) -> Person:
        """Return a person. Raises UnknownPerson."""
        try:
            return self.staff[person_id]
        except KeyError:
            raise UnknownPerson(
                f"{self.name} has no person {person_id!r}.",
                where="person",
                remedy="Use an id of the pack's staff.",
            ) from None

    def responsible(self, unit_id: str) -> tuple[Person, ...]:
        """Return the people who may handle a unit's matters, the one to ask first in front.

        Raises UnknownUnit.
        """
        self.unit(unit_id)
        return self._responsible.get(unit_id, ())

    # --- matters

    def category(self, category_id: str) -> Category:
        """Return a category. Raises UnknownCategory."""
        try:
            return self.categories[category_id]
        except KeyError:
            raise UnknownCategory(
                f"{self.name} has no category {category_id!r}.",
                where="category",
                remedy="Use an id of the pack's categories, or leave it out to have one suggested.",
            ) from None

    def category_path(self, category_id: str) -> tuple[str, ...]:
        """Return the ids of a category and those above it, bottom-up. Raises UnknownCategory."""
        path = [category_id]
        while (parent := self.category(path[-1]).parent) is not None and parent not in path:
            path.append(parent)
        return tuple(path)

    def suggest_category(self, text: str) -> Category | None:
        """Return the category whose words cover most of the text; None when no word occurs.

        Ties go to the longer single word, then to the pack's order, so the same text always gets the same
        answer.
        """
        return self._suggest(fold(text))

    def classify(self, inputs: Inputs) -> Classification:
        """Return the response class of the first rule that matches, and why (J5). Raises UnknownCategory."""
        case = self._case(inputs)
        rule, words = next(
            (rule, words)
            for rule in self.policy.classification
            if (words := self._matches(rule.when, case)) is not None
        )
        seen: dict[str, object] = {
            "category": inputs.category,
            "suggested_category": case.suggested,
            "asker": inputs.asker,
            "channel": inputs.channel,
            "unit_kind": inputs.unit_kind,
            "words": words,
        }
        return Classification(rule.class_id, rule.id, rule.category or case.category, seen)

    def start_unit(self, unit: Unit | str, inputs: Inputs) -> Unit:
        """Return where a matter of this unit starts: the unit itself unless a routing rule names a level.

        When the ladder has no unit of that level, the next higher one is taken. Raises UnknownUnit,
        UnknownCategory.
        """
        here = self.unit(unit if isinstance(unit, str) else unit.id)
        case = self._case(inputs)
        for rule in self.policy.routing:
            if self._matches(rule.when, case) is not None:
                return self._from_level(here, rule.start_level)
        return here

    # --- inside

    def _suggest(self, folded: str) -> Category | None:
        best, best_score = None, (0, 0)
        for category in self.categories.values():
            words = {word for word in _folded(category.words) if word in folded}
            if not words:
                continue
            # 电梯 inside 电梯困人 says nothing new.
            lengths = [len(word) for word in words if not any(word != other and word in other for other in words)]
            score = (sum(lengths), max(lengths, default=0))
            if score > best_score:
                best, best_score = category, score
        return best

    def _from_level(self, unit: Unit, level: str) -> Unit:
        ladder = self.ladder(unit.id)
        exact = next((one for one in ladder if one.level == level), None)
        if exact is not None or level == GROUP:
            return exact or unit
        wanted = self.level_index(level)
        higher = (one for one in ladder if one.level in self.levels and self.level_index(one.level) >= wanted)
        return next(higher, unit)

    def _case(self, inputs: Inputs) -> _Case:
        if inputs.category is not None:
            self.category(inputs.category)
        text = fold(inputs.text)
        suggestion = self._suggest(text)
        suggested = None if suggestion is None else suggestion.id
        category = inputs.category or suggested
        return _Case(inputs, text, suggested, category, frozenset(self.category_path(category) if category else ()))

    @staticmethod
    def _matches(when: When, case: _Case) -> list[str] | None:
        """Return the words that made the rule match ([] when it needs none); None when it does not match."""
        inputs = case.inputs
        found = [
            word for word, folded in zip(when.any_words, _folded(when.any_words), strict=True) if folded in case.text
        ]
        holds = (
            (found or not when.any_words)
            and all(folded in case.text for folded in _folded(when.all_words))
            and (not when.categories or not case.categories.isdisjoint(when.categories))
            and (not when.asker or inputs.asker in when.asker)
            and (not when.channels or inputs.channel in when.channels)
            and (not when.unit_kinds or inputs.unit_kind in when.unit_kinds)
        )
        return [*found, *when.all_words] if holds else None

    def _upwards(self, unit_id: str) -> tuple[Unit, ...]:
        kept = self._lines.get(unit_id)
        if kept is None:
            kept = self._lines[unit_id] = self._line(unit_id)
        return kept

    def _line(self, unit_id: str) -> tuple[Unit, ...]:
        # A pack with a cycle loads, so that the linter can name it; walking up must end all the same.
        units = [self.unit(unit_id)]
        seen = {unit_id}
        while (parent := units[-1].parent) is not None and parent not in seen:
            seen.add(parent)
            units.append(self.unit(parent))
        return tuple(units)

    @cached_property
    def _lines(self) -> dict[str, tuple[Unit, ...]]:
        """Units and those above them, as far as they were asked for."""
        return {}

    @cached_property
    def _places(self) -> tuple[tuple[str, str], ...]:
        pairs = chain.from_iterable(
            ((_packed(place), unit.id) for place in unit.places) for unit in self.units.values()
        )
        return tuple(pair for pair in pairs if pair[0])

    @cached_property
    def _responsible(self) -> Mapping[str, tuple[Person, ...]]:
        ranked: dict[str, list[tuple[int, Person]]] = {}
        for person in self.staff.values():
            rank = person.handling_rank()
            if rank is not None:
                ranked.setdefault(person.unit, []).append((rank, person))
        return MappingProxyType(
            {
                unit: tuple(person for _, person in sorted(people, key=lambda pair: pair[0]))
                for unit, people in ranked.items()
            }
        )


@lru_cache(maxsize=4_096)
def _folded(words: tuple[str, ...]) -> tuple[str, ...]:
    """The words of one rule or category, folded; packs have few and they never change."""
    return tuple(map(fold, words))


def _packed(address: str) -> str:
    return "".join(fold(address).split())


def _stands_in(place: str, text: str) -> bool:
    """Say whether a fragment occurs in the text as itself.

    1号楼 is not part of 11号楼, nor 建国路1 of 建国路12.
    """
    at = text.find(place)
    while at >= 0:
        before, after = text[at - 1 : at], text[at + len(place) : at + len(place) + 1]
        if not (place[0].isdigit() and before.isdigit()) and not (place[-1].isdigit() and after.isdigit()):
            return True
        at = text.find(place, at + 1)
    return False
