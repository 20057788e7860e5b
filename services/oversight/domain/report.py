"""The transparency report 公开: figures of a period, each beside its formula, its sample and what it left out.

The document holds counts, shares and, of closed matters that are not private, the fields that the pack's whitelist
names: never a resident's words, name, address or anything else. Chinese first, English beside it.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from services.oversight.domain.breakdowns import breakdown, dimensions
from services.oversight.domain.figures import SMALL, MatterFact, Period, Share, contribution
from services.oversight.domain.labels import both, label, local
from services.oversight.domain.publication import whitelisted
from shared.jurisdiction import Jurisdiction
from shared.kernel.clock import rfc3339

SCHEMA = "gridwhistle.report.v1"
#: Counts that are figures of their own, in the order shown.
COUNTS = (
    "opened", "merged", "closed", "open", "overdue_open", "suspended_open", "in_time_open", "escalated", "whistled",
    "deliberated", "reopened", "withdrawn",
)  # fmt: skip
#: Shares: figure -> (numerator, denominator) among the counts.
SHARES: Mapping[str, tuple[str, str]] = {
    "on_time_share": ("on_time", "judged"),
    "satisfaction": ("satisfied", "answers"),
    "resolution_share": ("resolved", "resolved_said"),
    "response_rate": ("asked_answered", "asked"),
}
#: Shares over what askers said: a handful of answers would tell who said what.
_OPINIONS = frozenset({"satisfaction", "resolution_share"})


@dataclass(frozen=True, kw_only=True)
class Frame:
    """What a report is about."""

    period: Period
    #: Id of the unit whose territory is counted; None: the whole jurisdiction.
    unit: str | None
    calculated_at: datetime
    trace_position: int
    trace_hash: str


def build(facts: Iterable[MatterFact], frame: Frame, pack: Jurisdiction) -> dict[str, Any]:
    """The report as a JSON-ready document. Facts may come as a stream; each is looked at once."""
    groupings = dimensions(pack)
    total: Counter[str] = Counter()
    groups: dict[str, dict[str, Counter[str]]] = {name: {} for name in groupings}
    listed: list[tuple[datetime, dict[str, Any]]] = []
    hidden = 0
    for fact in facts:
        added = contribution(fact, frame.period)
        total.update(added)
        for name, key_of in groupings.items():
            groups[name].setdefault(key_of(fact), Counter()).update(added)
        if added["closed"]:
            hidden += fact.private
            if not fact.private and fact.first_closed_at is not None:
                listed.append((fact.first_closed_at, whitelisted(fact, pack)))
    listed.sort(key=lambda pair: (pair[0], str(pair[1].get("matter_number"))))
    return {
        "schema": SCHEMA,
        "jurisdiction": {"name": pack.name, "title": label(pack.title), "policy_version": pack.digest},
        "unit": None if frame.unit is None else {"id": frame.unit, "name": label(pack.unit(frame.unit).name)},
        "period": {
            "from": rfc3339(frame.period.start), "to": rfc3339(frame.period.end), "timezone": pack.timezone,
            "from_local": local(frame.period.start, pack), "to_local": local(frame.period.end, pack),
        },
        "calculated_at": rfc3339(frame.calculated_at),
        "calculated_at_local": local(frame.calculated_at, pack),
        "trace": {"position": frame.trace_position, "hash": frame.trace_hash},
        "matters": total["matters"],
        "private_matters": total["private"],
        "figures": [*(_count_figure(name, total) for name in COUNTS), *(_share_figure(name, total) for name in SHARES)],
        "breakdowns": [breakdown(name, rows, pack) for name, rows in groups.items()],
        "closed_matters": [row for _, row in listed],
        "closed_matters_left_out": {"private": hidden},
        "fields": list(pack.policy.publication.whitelist),
        "notes": [both("report.note.rounding"), both("report.note.small", size=SMALL), both("report.note.privacy")],
    }  # fmt: skip


# -- figures


def _count_figure(name: str, total: Mapping[str, int]) -> dict[str, Any]:
    return {
        "figure": name,
        "label": both(f"report.figure.{name}"),
        "value": total[name],
        "formula": both(f"report.formula.{name}"),
        "sample": total["matters"],
        "left_out": both(f"report.left_out.{name}", **_numbers(total)),
    }


def _share_figure(name: str, total: Mapping[str, int]) -> dict[str, Any]:
    numerator, denominator = SHARES[name]
    share = Share(numerator=total[numerator], denominator=total[denominator])
    figure: dict[str, Any] = {"figure": name, "label": both(f"report.figure.{name}")}
    if name in _OPINIONS and 0 < share.denominator < SMALL:
        figure |= {"value": None, "percent": None, "numerator": None, "suppressed": True}
    else:
        figure |= {
            "value": share.ratio(), "percent": share.percent(), "numerator": share.numerator, "suppressed": False,
        }  # fmt: skip
    return figure | {
        "denominator": share.denominator,
        "formula": both(f"report.formula.{name}"),
        "sample": share.denominator,
        "left_out": both(f"report.left_out.{name}", **_numbers(total)),
    }


def _numbers(total: Mapping[str, int]) -> dict[str, int]:
    """The counts that sentences about what is left out may name."""
    names = ("in_time_open", "suspended_open", "withdrawn", "overdue_reopened", "escalations", "whistles")
    return {name: total[name] for name in names} | {
        "unanswered": total["asked"] - total["asked_answered"],
        "unsaid": total["answers"] - total["resolved_said"],
    }
