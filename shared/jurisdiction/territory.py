"""Who is where in a jurisdiction: units, people, categories of demands, and the names of their kinds.

It must never hold a rule: what happens with a matter is the policy's.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from shared.kernel.errors import Refusal

#: Levels outside the ladder: a department answers whistles, a group joins units (alliance, building zone, …).
DEPARTMENT: Final = "department"
GROUP: Final = "group"
#: Kinds of units every pack may use (J1, D4, C2, C5, C6); a pack's own level names are kinds too.
UNIT_KINDS: Final = frozenset({
    "resident", "building", "compound", "dedicated", "sub-grid", "zone", "community", "street", "district",
    "department", "alliance", "building-zone", "cross-boundary",
})  # fmt: skip
#: Endings of roles that may handle matters, in the order in which they are asked. Supervisors, hosts and
#: representatives watch and deliberate, they do not handle.
HANDLING_ENDINGS: Final = ("-head", "-clerk", "-officer", "-worker", "-secretary")
#: Kinds of clocks the suite knows (design.md, section 7).
CLOCK_KINDS: Final = frozenset({
    "accept", "first-contact", "resolve", "feedback", "hazard-survey", "hazard-plan", "hazard-on-site",
    "report-in",
})  # fmt: skip


class UnknownUnit(Refusal):
    """The pack has no such unit. Use an id of its units.yaml."""

    code = "unknown-unit"


class UnknownPerson(Refusal):
    """The pack has no such person. Use an id of its staff.yaml."""

    code = "unknown-person"


class UnknownCategory(Refusal):
    """The pack has no such category.

    Use an id of its categories.yaml, or leave it out to have one suggested.
    """

    code = "unknown-category"


class UnknownLevel(Refusal):
    """The pack's ladder has no such level.

    Use one of its jurisdiction.yaml; departments and groups are beside it.
    """

    code = "unknown-level"


class UnknownClass(Refusal):
    """The pack has no such response class. Use an id of the classes in its policy.yaml."""

    code = "unknown-class"


@dataclass(frozen=True, slots=True)
class Label:
    """A name people read: Chinese first, English beside it."""

    zh: str
    #: English; the Chinese again when the pack gives none.
    en: str

    def __str__(self) -> str:
        return self.zh


@dataclass(frozen=True, slots=True)
class OfficeContact:
    """How a desk, or somebody at work, is reached: an office's address, never a resident's."""

    phone: str | None
    mail: str | None


@dataclass(frozen=True, slots=True)
class Unit:
    """A piece of territory, a department or a group."""

    id: str
    name: Label
    #: One of the pack's levels, or `department`, or `group`.
    level: str
    kind: str
    #: Id of the unit above; None at the top.
    parent: str | None
    #: Address fragments that lie in this unit.
    places: tuple[str, ...]
    #: Invented for the pack; no such unit exists outside.
    synthetic: bool
    #: Where its desk gets letters about claims and orders; None: it reads them on its list.
    contact: OfficeContact | None = None


@dataclass(frozen=True, slots=True)
class Person:
    """Someone with a role in a unit."""

    id: str
    name: Label
    unit: str
    roles: tuple[str, ...]
    title: Label | None
    #: At work; None: as their unit.
    contact: OfficeContact | None = None

    def handling_rank(self) -> int | None:
        """Return the place in the order of who is asked first; None for those who do not handle matters."""
        ranks = [rank for rank, ending in enumerate(HANDLING_ENDINGS) for role in self.roles if role.endswith(ending)]
        return min(ranks, default=None)


@dataclass(frozen=True, slots=True)
class Category:
    """What a demand is about."""

    id: str
    name: Label
    parent: str | None
    #: Words that suggest it.
    words: tuple[str, ...]
    #: Department usually whistled for it.
    department: str | None


@dataclass(frozen=True, slots=True)
class Template:
    """A message text of the pack; jinja2, rendered by notify."""

    id: str
    #: Event that causes it, `<service>.<event>`.
    event: str
    audience: str
    #: Kinds of channels it may go out by.
    channels: tuple[str, ...]
    subject: Label | None
    body: Label
