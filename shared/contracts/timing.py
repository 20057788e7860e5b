"""Events of dispatch 办事 about time: more of it asked for and granted, rest asked for and granted, calendars taken in.

Requests belong to the matter's stream; a calendar has one of its own. What moved by them is told by the clocks.
"""

from __future__ import annotations

from datetime import datetime

from shared.contracts.dispatch import CLOCK_KINDS
from shared.contracts.registry import event
from shared.contracts.shapes import choice, flag, ident, instant, many, text, whole


@event("dispatch.extension-requested", stream="matter", key="matter_id", since="0.2.0")
class ExtensionRequested:
    """The unit responsible asks the level above for more time 申请延期."""

    request_id: str = ident()
    matter_id: str = ident()
    unit: str = ident()
    days: int = whole(minimum=1, about="Working days asked for")
    reason: str = text(maximum=1_000)
    due_at: datetime = instant(about="When the matter is due without it")
    requested_by: str = ident()


@event("dispatch.extension-decided", stream="matter", key="matter_id", since="0.2.0")
class ExtensionDecided:
    """The level above granted more time or refused it 延期审批; granted, the clocks that moved tell it too."""

    request_id: str = ident()
    matter_id: str = ident()
    unit: str = ident()
    granted: bool = flag()
    days: int = whole(minimum=0, about="Working days granted; 0: refused")
    note: str | None = text(default=None, maximum=1_000)
    decided_by: str = ident()


@event("dispatch.suspension-requested", stream="matter", key="matter_id", since="0.2.0")
class SuspensionRequested:
    """The unit responsible asks the level above to let the matter rest 申请挂账."""

    request_id: str = ident()
    matter_id: str = ident()
    unit: str = ident()
    reason: str = text(maximum=1_000)
    until: datetime | None = instant(default=None)
    requested_by: str = ident()


@event("dispatch.suspension-decided", stream="matter", key="matter_id", since="0.2.0")
class SuspensionDecided:
    """The level above let it rest or refused 挂账审批; granted, `matter-suspended` follows."""

    request_id: str = ident()
    matter_id: str = ident()
    unit: str = ident()
    granted: bool = flag()
    note: str | None = text(default=None, maximum=1_000)
    decided_by: str = ident()


@event("dispatch.calendar-imported", stream="calendar", key="calendar", since="0.2.0")
class CalendarImported:
    """A year of the national calendar was taken in, or changed 日历导入; clocks still open are counted anew."""

    calendar: str = ident(about="National table, such as cn")
    revision: int = whole(minimum=1, about="Counts what was taken in so far")
    year: int = whole(minimum=1971, maximum=2199)
    source: str = text(maximum=500, about="Number and title of the notice")
    days_off: tuple[str, ...] = many(text(maximum=10), required=True, about="Dates")
    makeup_days: tuple[str, ...] = many(text(maximum=10), about="Weekend dates that are worked")
    imported_by: str = ident()


@event("dispatch.clock-recounted", stream="clock", key="clock_id", since="0.2.0")
class ClockRecounted:
    """The calendar is another one now, and with it the due instant or its certainty 日历变更重算; the rest stands."""

    clock_id: str = ident()
    matter_id: str = ident()
    kind: str = choice(*CLOCK_KINDS)
    unit: str = ident()
    from_due_at: datetime = instant()
    due_at: datetime = instant()
    original_due_at: datetime = instant(about="What was promised first")
    target: str = text(maximum=300, about="The target in words")
    provisional: bool = flag(about="The calendar does not reach the due time yet")
    response_class: str = ident()
    calendar: str = text(maximum=300, about="Version of the calendar it was counted on")
