"""What the figures of a period count and how shares are made, pure (domain.md, "Honest figures").

Every matter contributes to a tally through `contribution`; tallies add up; nothing else is ever counted. An overdue
open matter is in the denominator of the on-time share, a suspended one is shown apart, what is left out is counted.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime
from decimal import ROUND_HALF_UP, Decimal

#: Fewer matters (or answers) than this are not shown by themselves: somebody could be recognised.
SMALL = 3
#: Where the matters of small rows are gathered.
FOLDED = "(small)"


@dataclass(frozen=True, kw_only=True, slots=True)
class Period:
    """From `start` on, until just before `end`."""

    start: datetime
    end: datetime

    def holds(self, instant: datetime | None) -> bool:
        """Whether an instant lies in the period."""
        return instant is not None and self.start <= instant < self.end


@dataclass(frozen=True, kw_only=True, slots=True)
class MatterFact:
    """What the figures look at in one matter; the open-at-end flags are as of the period's end."""

    matter_id: str
    number: str | None
    private: bool
    category: str | None
    response_class: str | None
    level: str | None
    #: Where it lies; None: unlocated.
    territory: str | None
    opened_at: datetime
    #: First closure and whether it was on time; a reopening changes neither.
    first_closed_at: datetime | None
    first_on_time: bool | None
    #: Alive at the end: opened or reopened before, and not ended before.
    open_at_end: bool
    #: A resolve clock of the attempt alive at the end was due before the end and not kept.
    overdue_at_end: bool
    suspended_at_end: bool
    #: Ended without outcome in the period.
    withdrawn: bool
    # Events in the period:
    merged: int = 0
    escalations: int = 0
    whistles: int = 0
    deliberations: int = 0
    reopenings: int = 0
    #: Questions asked in the period, and how many of those were answered before its end.
    asked: int = 0
    asked_answered: int = 0
    #: Answers received in the period; how many satisfied; how many said whether it was resolved; how many it was.
    answers: int = 0
    satisfied: int = 0
    resolved_said: int = 0
    resolved: int = 0


def contribution(fact: MatterFact, period: Period) -> Counter[str]:
    """What one matter adds to each count."""
    closed = period.holds(fact.first_closed_at)
    never_closed = fact.first_closed_at is None or fact.first_closed_at >= period.end
    running = fact.open_at_end and not fact.suspended_at_end
    overdue = running and fact.overdue_at_end
    counts = {
        "matters": 1,
        "opened": period.holds(fact.opened_at),
        "merged": fact.merged,
        "closed": closed,
        "open": fact.open_at_end,
        "overdue_open": overdue,
        "suspended_open": fact.open_at_end and fact.suspended_at_end,
        "in_time_open": running and not fact.overdue_at_end,
        "escalated": fact.escalations > 0,
        "escalations": fact.escalations,
        "whistled": fact.whistles > 0,
        "whistles": fact.whistles,
        "deliberated": fact.deliberations > 0,
        "reopened": fact.reopenings > 0,
        "withdrawn": fact.withdrawn,
        "private": fact.private,
        "on_time": closed and fact.first_on_time is True,
        # The denominator: closed for the first time, or overdue and never closed. Reopened ones were judged before.
        "judged": closed or (overdue and never_closed),
        "overdue_reopened": overdue and not never_closed,
        "asked": fact.asked,
        "asked_answered": fact.asked_answered,
        "answers": fact.answers,
        "satisfied": fact.satisfied,
        "resolved_said": fact.resolved_said,
        "resolved": fact.resolved,
    }
    # As integers: a Counter takes the first values as they are, and JSON would say true.
    return Counter({name: int(count) for name, count in counts.items()})


def tally(contributions: Iterable[Mapping[str, int]]) -> Counter[str]:
    """The sum of contributions."""
    total: Counter[str] = Counter()
    for one in contributions:
        total.update(one)
    return total


@dataclass(frozen=True, kw_only=True, slots=True)
class Share:
    """A part of a sample. `denominator` is the sample size."""

    numerator: int
    denominator: int

    def ratio(self) -> float | None:
        """The share, rounded half up to four decimals; None without a sample."""
        exact = self._exact("0.0001", 1)
        return None if exact is None else float(exact)

    def percent(self) -> str | None:
        """The share in percent with one decimal, rounded half up from the exact fraction; None without a sample."""
        exact = self._exact("0.1", 100)
        return None if exact is None else f"{exact}"

    def _exact(self, step: str, scale: int) -> Decimal | None:
        if self.denominator == 0:
            return None
        exact = Decimal(self.numerator * scale) / Decimal(self.denominator)
        return exact.quantize(Decimal(step), rounding=ROUND_HALF_UP)


def fold_small(rows: Mapping[str, Counter[str]], size: int = SMALL) -> dict[str, Counter[str]]:
    """Gather rows with fewer than `size` matters in one row FOLDED, so that none of them can be read off or worked out.

    One small row alone would be the total minus the others; the next smallest then joins it. Sums stay what they were.
    """
    by_size = sorted(rows, key=lambda key: (rows[key]["matters"], key))
    count = sum(rows[key]["matters"] < size for key in by_size)
    while 0 < count < len(by_size) and (count == 1 or sum(rows[key]["matters"] for key in by_size[:count]) < size):
        count += 1
    folded = by_size[:count]
    kept = {key: counts for key, counts in rows.items() if key not in folded}
    if folded:
        kept[FOLDED] = tally(rows[key] for key in folded)
    return kept
