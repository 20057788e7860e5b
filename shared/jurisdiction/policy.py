"""A jurisdiction's rules as data: response classes and clocks, classification, routing, escalation, closure.

It must never apply a rule by itself: `Jurisdiction` matches them, dispatch acts on them.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import timedelta

from shared.jurisdiction.territory import Label, UnknownClass
from shared.kernel.worktime import Target


@dataclass(frozen=True, slots=True)
class Extension:
    """How much more time the level above may grant 延期."""

    #: How often in one attempt.
    times: int
    #: Working days that one of them may add.
    days: int


@dataclass(frozen=True, slots=True)
class Suspension:
    """How often and how long a matter may rest 挂账; None: as the level above decides."""

    times: int | None = None
    longest: timedelta | None = None


@dataclass(frozen=True, slots=True)
class ResponseClass:
    """How fast a kind of matter must be handled (J5 四类事件, N6 hazards)."""

    id: str
    name: Label
    #: Clock kind -> target.
    clocks: Mapping[str, Target]
    #: Whether an approved suspension stops its resolve and feedback clocks; never true for hazards.
    pausable: bool
    #: Shares of the budget at which a clock warns, rising, each between 0 and 1.
    warn_shares: tuple[float, ...]
    #: Share of the budget beyond which a clock is grossly overdue.
    grossly_overdue_share: float
    #: None: more time is never granted.
    extension: Extension | None = None
    #: One of calendar.yaml's other calendars; None: the town's own.
    calendar: str | None = None


@dataclass(frozen=True, slots=True)
class When:
    """The conditions of a rule: all that are given must hold; given none, it always holds."""

    #: At least one of these words is in the text.
    any_words: tuple[str, ...] = ()
    #: All of these words are in the text.
    all_words: tuple[str, ...] = ()
    #: The category, or one above it, is one of these.
    categories: tuple[str, ...] = ()
    asker: tuple[str, ...] = ()
    channels: tuple[str, ...] = ()
    unit_kinds: tuple[str, ...] = ()

    def is_catch_all(self) -> bool:
        """Say whether it always holds."""
        return self == When()


@dataclass(frozen=True, slots=True)
class ClassificationRule:
    """The first rule whose conditions hold gives a matter its response class."""

    id: str
    when: When
    class_id: str
    #: Category it gives too; None keeps the one given or suggested.
    category: str | None


@dataclass(frozen=True, slots=True)
class RoutingRule:
    """The first rule whose conditions hold says on which level a matter starts."""

    id: str
    when: When
    start_level: str


@dataclass(frozen=True, slots=True)
class LadderRule:
    """A clock that has used up a share of its time lifts the matter to a level at once (N6: danger skips levels)."""

    id: str
    #: Response classes it holds for; none: all.
    classes: tuple[str, ...]
    #: Clock kinds it looks at.
    clocks: tuple[str, ...]
    #: Share of the budget: one of the class's warnings, 1.0 (the breach) or its gross share.
    share: float
    #: The level that has the matter from then on, unless it stands as high already.
    to_level: str


@dataclass(frozen=True, slots=True)
class Escalation:
    """When a matter climbs (C1)."""

    #: Clock kinds whose breach escalates.
    on_breach: tuple[str, ...] = ("resolve", "accept")
    #: Reasons a worker may give.
    reasons: tuple[str, ...] = ("beyond-authority", "needs-department", "needs-funds", "safety", "contested")
    #: Returns after which it escalates by rule.
    after_returns: int = 2
    #: Level -> the most it may spend on its own (yuan).
    authority_limits: Mapping[str, int] = field(default_factory=dict)
    #: Beside the breaches: clocks that lift a matter to a level named.
    rules: tuple[LadderRule, ...] = ()


@dataclass(frozen=True, slots=True)
class Whistle:
    """Who may whistle and how soon departments report in (A3, D5)."""

    report_in: Target
    #: Levels that may blow.
    may_blow: tuple[str, ...]
    #: How many levels may pass a contested call on before the decision is final.
    hop_limit: int = 3
    #: Response class -> how soon they report in, where that is another than `report_in`: danger does not wait.
    report_in_by_class: Mapping[str, Target] = field(default_factory=dict)
    #: How soon departments are to be done when the call does not say; None: no deadline.
    complete: Target | None = None
    #: How often the whistler may grant one department more time.
    extensions: int = 2


@dataclass(frozen=True, slots=True)
class Closure:
    """What closing a matter takes."""

    evidence_required: bool = True
    #: Verified by someone other than the handler.
    verify_by_other: bool = True


@dataclass(frozen=True, slots=True)
class Reopen:
    """How long and how often a closed matter may be reopened."""

    within: timedelta = timedelta(days=7)
    limit: int = 2


@dataclass(frozen=True, slots=True)
class Evaluation:
    """When askers are asked, how long they have, and what an unsatisfied answer does (J7)."""

    #: `closure` or `resolution`.
    ask_after: str = "closure"
    expires: timedelta = timedelta(days=15)
    #: `ask` (someone decides), `always` or `never`.
    reopen_when_unsatisfied: str = "ask"


@dataclass(frozen=True, slots=True)
class Deliberation:
    """How a ballot is decided (J4, D9)."""

    #: Share of those entitled who must vote.
    quorum_share: float = 0.5
    #: Share of the votes cast above which a resolution is adopted.
    adopt_share: float = 0.5
    #: Everything else the pack says; read by the deliberation service.
    options: Mapping[str, object] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Publication:
    """What may be made public: these fields and nothing else."""

    whitelist: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Policy:
    """All rules of a jurisdiction."""

    #: Class id -> class, in the pack's order.
    classes: Mapping[str, ResponseClass]
    #: First match wins; the last is a catch-all.
    classification: tuple[ClassificationRule, ...]
    #: First match wins; without a match a matter starts at its own unit.
    routing: tuple[RoutingRule, ...]
    escalation: Escalation
    whistle: Whistle
    closure: Closure
    reopen: Reopen
    evaluation: Evaluation
    deliberation: Deliberation
    publication: Publication
    suspension: Suspension = Suspension()

    def response_class(self, class_id: str) -> ResponseClass:
        """Return a response class. Raises UnknownClass."""
        try:
            return self.classes[class_id]
        except KeyError:
            known = ", ".join(self.classes)
            raise UnknownClass(f"No response class {class_id!r}.", remedy=f"Use one of: {known}.") from None
