"""Working time: when a promise made now falls due on the Chinese working calendar, and why.

Pure standard library. It must never read the current time, touch a database or guess past the published
calendar without saying so (`Due.provisional`).
"""

from __future__ import annotations

from shared.kernel.worktime.calendar import WorkingCalendar
from shared.kernel.worktime.due import Due, Step
from shared.kernel.worktime.hours import InvalidCalendar
from shared.kernel.worktime.national import NationalDays, PublishedYear, check_year, national_days, national_names
from shared.kernel.worktime.pauses import InvalidPause, Pause
from shared.kernel.worktime.plan import CalendarPlan
from shared.kernel.worktime.table import BeyondCalendar
from shared.kernel.worktime.targets import (
    InvalidTarget,
    Target,
    TargetKind,
    format_duration,
    parse_duration,
    parse_target,
)

__all__ = [
    "BeyondCalendar",
    "CalendarPlan",
    "Due",
    "InvalidCalendar",
    "InvalidPause",
    "InvalidTarget",
    "NationalDays",
    "Pause",
    "PublishedYear",
    "Step",
    "Target",
    "TargetKind",
    "WorkingCalendar",
    "check_year",
    "format_duration",
    "national_days",
    "national_names",
    "parse_duration",
    "parse_target",
]
