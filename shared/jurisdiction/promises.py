"""Promises of time that cannot both be kept: clocks of one class, and clocks said twice.

It must never judge whether a promise is ambitious, only whether it contradicts another.
"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime, time, timedelta
from typing import Final
from zoneinfo import ZoneInfo

from shared.jurisdiction.findings import Finding, Severity
from shared.jurisdiction.pack import Jurisdiction
from shared.jurisdiction.policy import ResponseClass
from shared.jurisdiction.territory import CLOCK_KINDS
from shared.kernel.worktime import BeyondCalendar, Target

#: Clocks started together of which the first must not fall due after the second. feedback and report-in start
#: later.
_ORDER: Final = (
    ("accept", "resolve"),
    ("first-contact", "resolve"),
    ("hazard-survey", "hazard-on-site"),
    ("hazard-on-site", "resolve"),
)
#: Local times of day at which both promises are tried.
_TRIED: Final = (time(8, 0), time(10, 30), time(15, 45), time(16, 30), time(22, 0))
#: Days tried: a week and a half, so that weekends are in it.
_DAYS: Final = 10


def promise_findings(jurisdiction: Jurisdiction) -> Iterator[Finding]:
    """Yield a finding for every pair of promises that disagree and for clocks nobody knows."""
    for one in jurisdiction.policy.classes.values():
        yield from _kinds(one)
        yield from _order(jurisdiction, one)
        yield from _report_in(jurisdiction, one)
        if one.extension is not None and any(kind.startswith("hazard-") for kind in one.clocks):
            yield Finding(
                "hazard-extendable",
                Severity.ERROR,
                "policy.yaml",
                f"classes.{one.id}.extension",
                "a class with hazard clocks may be given more time, and danger does not wait",
                "remove extension",
            )
        if one.pausable and any(kind.startswith("hazard-") for kind in one.clocks):
            yield Finding(
                "hazard-pausable",
                Severity.ERROR,
                "policy.yaml",
                f"classes.{one.id}.pausable",
                "a class with hazard clocks may be paused, and danger does not wait",
                "set pausable: false",
            )
    yield from _breaches(jurisdiction)
    yield from _ladder_rules(jurisdiction)


def _kinds(one: ResponseClass) -> Iterator[Finding]:
    known = ", ".join(sorted(CLOCK_KINDS))
    for kind in one.clocks:
        if kind not in CLOCK_KINDS:
            path = f"classes.{one.id}.clocks.{kind}"
            what = f"no service starts a clock of the kind {kind}"
            yield Finding("clock-kind-unknown", Severity.ERROR, "policy.yaml", path, what, f"use one of: {known}")
    if "resolve" not in one.clocks:
        yield Finding(
            "class-without-resolve",
            Severity.WARNING,
            "policy.yaml",
            f"classes.{one.id}.clocks",
            "it promises no time for the handling itself",
            "add a resolve clock",
        )


def _breaches(jurisdiction: Jurisdiction) -> Iterator[Finding]:
    promised = {kind for one in jurisdiction.policy.classes.values() for kind in one.clocks}
    for kind in jurisdiction.policy.escalation.on_breach:
        if kind not in promised | {"report-in"}:
            what = f"no class has a clock of the kind {kind}, so its breach never escalates"
            path = f"escalation.on_breach.{kind}"
            remedy = "remove it, or give a class that clock"
            yield Finding("clock-kind-unknown", Severity.ERROR, "policy.yaml", path, what, remedy)


def _ladder_rules(jurisdiction: Jurisdiction) -> Iterator[Finding]:
    classes = jurisdiction.policy.classes
    for rule in jurisdiction.policy.escalation.rules:
        named = [classes[one] for one in rule.classes if one in classes] or list(classes.values())
        watched = [one for one in named if set(rule.clocks) & set(one.clocks)]
        if any(rule.share in (*one.warn_shares, 1.0, one.grossly_overdue_share) for one in watched):
            continue
        what = f"no clock it looks at has a step at {rule.share:g} of its time, so it never fires"
        path = f"escalation.rules.{rule.id}"
        remedy = "name clocks that its classes have, and one of their warn_shares, 1.0 or the gross share"
        yield Finding("ladder-rule-never-fires", Severity.ERROR, "policy.yaml", path, what, remedy)


def _report_in(jurisdiction: Jurisdiction, one: ResponseClass) -> Iterator[Finding]:
    own, general = one.clocks.get("report-in"), jurisdiction.policy.whistle.report_in
    if own is not None and own != general:
        what = f"it promises {_said(own)}, whistle.report_in {_said(general)}"
        path = f"classes.{one.id}.clocks.report-in"
        remedy = "say it in one place: remove the clock here, or make both equal"
        yield Finding("sla-sources-disagree", Severity.ERROR, "policy.yaml", path, what, remedy)


def _order(jurisdiction: Jurisdiction, one: ResponseClass) -> Iterator[Finding]:
    for first, second in _ORDER:
        if first not in one.clocks or second not in one.clocks:
            continue
        start = _contradiction(jurisdiction, one, one.clocks[first], one.clocks[second])
        if start is not None:
            yield Finding(
                "sla-sources-disagree",
                Severity.ERROR,
                "policy.yaml",
                f"classes.{one.id}.clocks.{first}",
                f"started {start:%Y-%m-%d %H:%M} it falls due after {second}: "
                f"{_said(one.clocks[first])} against {_said(one.clocks[second])}",
                f"make {first} shorter or {second} longer",
            )


def _contradiction(jurisdiction: Jurisdiction, one: ResponseClass, first: Target, second: Target) -> datetime | None:
    """Return a local start from which `first` falls due after `second`; None when none was found."""
    calendar = jurisdiction.calendar_of(one)
    zone = ZoneInfo(calendar.timezone)
    # Ordinary weeks: the tail of the covered range, away from the new year's holidays.
    begin = calendar.covered_until.replace(month=3, day=1)
    for offset in range(_DAYS):
        for at in _TRIED:
            start = datetime.combine(begin + timedelta(days=offset), at, tzinfo=zone)
            try:
                if calendar.due(start, first).at > calendar.due(start, second).at:
                    return start
            except BeyondCalendar:
                return None
    return None


def _said(target: Target) -> str:
    kind, value = next(iter(target.as_mapping().items()))
    return f"{kind} {value}".strip()
