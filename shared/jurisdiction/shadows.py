"""Rules that can never match because an earlier one takes everything they would.

It must never call a rule shadowed on a guess: only when the earlier conditions surely hold whenever the later
ones do.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import TypeVar

from shared.jurisdiction.findings import Finding, Severity
from shared.jurisdiction.pack import Jurisdiction
from shared.jurisdiction.policy import ClassificationRule, RoutingRule, When
from shared.kernel.text import fold

_Rule = TypeVar("_Rule", ClassificationRule, RoutingRule)


def shadow_findings(jurisdiction: Jurisdiction) -> Iterator[Finding]:
    """Yield a finding for every rule that never matches."""
    policy = jurisdiction.policy
    yield from _shadowed("classification", policy.classification, jurisdiction.category_path)
    yield from _shadowed("routing", policy.routing, jurisdiction.category_path)


def _shadowed(
    section: str,
    rules: Sequence[_Rule],
    parents: Callable[[str], tuple[str, ...]],
) -> Iterator[Finding]:
    for index, rule in enumerate(rules):
        earlier = next((one for one in rules[:index] if covers(one.when, rule.when, parents)), None)
        if earlier is not None:
            yield Finding(
                "rule-never-matches",
                Severity.ERROR,
                "policy.yaml",
                f"{section}.{rule.id}",
                f"{earlier.id} matches first whenever this rule would",
                f"move it above {earlier.id}, narrow {earlier.id}, or remove it",
            )


def covers(earlier: When, later: When, parents: Callable[[str], tuple[str, ...]]) -> bool:
    """Say whether `earlier` holds whenever `later` does. `parents` gives a category and all above it."""
    return (
        _covers_words(earlier, later)
        and (
            not earlier.categories
            or (bool(later.categories) and all(set(parents(one)) & set(earlier.categories) for one in later.categories))
        )
        and _within(later.asker, earlier.asker)
        and _within(later.channels, earlier.channels)
        and _within(later.unit_kinds, earlier.unit_kinds)
    )


def _covers_words(earlier: When, later: When) -> bool:
    any_words, all_words = _folded(later.any_words), _folded(later.all_words)
    # A text that holds a word holds every part of it: 电梯困人 implies 电梯.
    sure = all(
        any(part in word for word in all_words) or _in_each(part, any_words) for part in _folded(earlier.all_words)
    )
    wanted = _folded(earlier.any_words)
    some = any(part in word for part in wanted for word in all_words)
    each = bool(any_words) and all(any(part in word for part in wanted) for word in any_words)
    return sure and (not wanted or some or each)


def _in_each(part: str, words: Sequence[str]) -> bool:
    return bool(words) and all(part in word for word in words)


def _within(later: Sequence[str], earlier: Sequence[str]) -> bool:
    return not earlier or (bool(later) and set(later) <= set(earlier))


def _folded(words: Sequence[str]) -> list[str]:
    return [fold(word) for word in words]
