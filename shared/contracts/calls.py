"""Events of dispatch about whistle calls 吹哨报到: blown, answered, disputed, overdue, scored, ended (D5, A3).

Each call is a stream of its own. `shared.contracts.dispatch` has them among all events of dispatch. What departments
are told of it is `shared.contracts.whistles`.
"""

from __future__ import annotations

from datetime import datetime

from shared.contracts.registry import event
from shared.contracts.shapes import choice, flag, ident, instant, many, number, text, whole

ANSWERS = ("accepted", "declined", "progressed", "completed", "extension-requested")


@event("dispatch.whistle-blown", stream="whistle", key="whistle_id")
class WhistleBlown:
    """A street or community summons departments 吹哨 (D5, A3; Beijing regulation art. 16)."""

    whistle_id: str = ident()
    matter_id: str = ident()
    whistler: str = ident(about="Unit that whistled")
    departments: tuple[str, ...] = many(ident(), required=True)
    lead: str = ident(about="Lead department 主办; the others are co-handlers 协办")
    request: str = text(maximum=4_000)
    legal_basis: str | None = text(default=None, maximum=1_000)
    report_in_by: datetime = instant()
    blown_by: str = ident()
    complete_by: datetime | None = instant(default=None, about="By when the departments are to be done")
    complete_counted: bool = flag(default=False, about="The pack says so in working time; false: the caller named it")


@event("dispatch.whistle-answered", stream="whistle", key="whistle_id")
class WhistleAnswered:
    """A department reported in 报到, declined with a ground, progressed, completed or asked for more time."""

    whistle_id: str = ident()
    matter_id: str = ident()
    department: str = ident()
    answer: str = choice(*ANSWERS)
    note: str = text(maximum=4_000)
    late: bool = flag(about="The first answer came after the report-in deadline")
    answered_by: str = ident()
    report_in_seconds: float | None = number(
        default=None, minimum=0, about="From the whistle to the first answer; that one only"
    )
    ground: str | None = text(default=None, maximum=1_000, about="With declined: the ground")
    until: datetime | None = instant(default=None, about="With extension-requested: until when")
    answer_id: str | None = ident(default=None, about="Id of the department's message; null: by HTTP or in the desk")


@event("dispatch.whistle-overdue", stream="whistle", key="whistle_id")
class WhistleOverdue:
    """Departments that did not report in, or were not done, by the deadline 未按时报到、未按时办结."""

    whistle_id: str = ident()
    matter_id: str = ident()
    departments: tuple[str, ...] = many(ident(), required=True)
    report_in_by: datetime = instant(about="The deadline that passed")
    stage: str = choice("report-in", "complete", default="report-in", about="Which deadline it was")


@event("dispatch.whistle-ended", stream="whistle", key="whistle_id")
class WhistleEnded:
    """Every department completed, or the call was settled above 哨单办结."""

    whistle_id: str = ident()
    matter_id: str = ident()
    outcome: str = choice("completed", "declined", "withdrawn")
    reason: str | None = text(default=None, maximum=1_000, about="Why the level above ended it")
    ended_by: str | None = ident(default=None, about="Who ended it, when that was no department's answer")


@event("dispatch.whistle-contested", stream="whistle", key="whistle_id", since="0.2.0")
class WhistleContested:
    """A department declined 拒绝、争议: the next level decides whether it has to come (首接负责)."""

    whistle_id: str = ident()
    matter_id: str = ident()
    department: str = ident()
    ground: str = text(maximum=4_000)
    hop: int = whole(minimum=1, about="How many levels this department's part has been taken to")
    to_unit: str = ident(about="Who decides")
    to_level: str = ident()
    decide_by: datetime = instant(about="Undecided then, it goes to the level above that")
    final: bool = flag(about="The decision of this level cannot be contested")
    skipped: tuple[str, ...] = many(ident(), about="Units passed over because nobody there is responsible")


@event("dispatch.whistle-contest-decided", stream="whistle", key="whistle_id", since="0.2.0")
class WhistleContestDecided:
    """The level above decided 争议裁定: upheld, the department has to come; released, it need not."""

    whistle_id: str = ident()
    matter_id: str = ident()
    department: str = ident()
    decision: str = choice("upheld", "released")
    reason: str = text(maximum=4_000)
    hop: int = whole(minimum=1)
    unit: str = ident(about="Level that decided")
    final: bool = flag()
    lead: str = ident(about="Lead department from now on")
    report_in_by: datetime | None = instant(default=None, about="Upheld: the new deadline to report in")
    decided_by: str = ident()


@event("dispatch.whistle-extension-decided", stream="whistle", key="whistle_id", since="0.2.0")
class WhistleExtensionDecided:
    """The whistler granted or refused more time to finish 延期审批."""

    whistle_id: str = ident()
    matter_id: str = ident()
    department: str = ident()
    granted: bool = flag()
    until: datetime | None = instant(default=None, about="Granted: done by then")
    reason: str = text(maximum=4_000)
    decided_by: str = ident()


@event("dispatch.whistle-recounted", stream="whistle", key="whistle_id", since="0.2.0")
class WhistleRecounted:
    """The calendar is another one now, and with it a deadline of an open call or its certainty 日历变更重算."""

    whistle_id: str = ident()
    matter_id: str = ident()
    departments: tuple[str, ...] = many(ident(), required=True, about="Whose deadline it is")
    stage: str = choice("report-in", "complete", "decide", about="Which deadline")
    from_by: datetime = instant()
    by: datetime = instant(about="The deadline from now on")
    provisional: bool = flag(about="The calendar does not reach it yet")
    calendar: str = text(maximum=300, about="Version of the calendar it was counted on")


@event("dispatch.whistle-scored", stream="whistle", key="whistle_id", since="0.2.0")
class WhistleScored:
    """The whistler scored a department, once 双考核 (Beijing regulation art. 33): 1 is worst, 5 is best."""

    whistle_id: str = ident()
    matter_id: str = ident()
    whistler: str = ident()
    department: str = ident()
    arrival: int = whole(minimum=1, maximum=5, about="Came in time 到场")
    quality: int = whole(minimum=1, maximum=5, about="Worked well 办理质量")
    result: int = whole(minimum=1, maximum=5, about="Solved it 办理结果")
    note: str | None = text(default=None, maximum=4_000)
    scored_by: str = ident()
