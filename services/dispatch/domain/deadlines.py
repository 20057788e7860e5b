"""Deadlines of whistle calls as they were counted, so that they can be counted anew when the calendar is another. Pure.

Only what was counted is counted anew: an instant that a person named stays what they said, whatever year is published.
It must never decide what a missed deadline leads to.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Final

from shared.kernel.worktime import Target, WorkingCalendar

#: The deadlines of a department's part, in the order in which they are told when several have passed.
REPORT_IN: Final = "report-in"
COMPLETE: Final = "complete"
DECIDE: Final = "decide"
STAGES: Final = (REPORT_IN, COMPLETE, DECIDE)


@dataclass(frozen=True, slots=True, kw_only=True)
class Counted:
    """How a deadline came about."""

    #: One of STAGES.
    stage: str
    start: datetime
    target: Target
    at: datetime
    #: The calendar did not reach it.
    provisional: bool
    #: Which of the calendars taken in it was counted on; 0: the pack's own.
    revision: int


def count(stage: str, calendar: WorkingCalendar, revision: int, start: datetime, target: Target) -> Counted:
    """A deadline counted on a calendar. Raises BeyondCalendar."""
    due = calendar.due(start, target)
    return Counted(
        stage=stage, start=start, target=target, at=due.at, provisional=due.provisional, revision=revision
    )  # fmt: skip


def put(counted: Iterable[Counted], stage: str, new: Counted | None) -> tuple[Counted, ...]:
    """What was counted, with one deadline counted otherwise; None: it was named by a person."""
    kept = [one for one in counted if one.stage != stage]
    return tuple(kept if new is None else [*kept, replace(new, stage=stage)])
