"""Events of dispatch 办事.

A matter is classified, assigned, handled, escalated, whistled for, resolved and closed (J5).

The matter's life is one stream; clocks and whistle calls have streams of their own.
"""

# ruff: noqa: PLC0414 -- the events of calls are events of dispatch too, and stand in a module of their own for length
from __future__ import annotations

from datetime import datetime

from shared.contracts.calls import ANSWERS as ANSWERS
from shared.contracts.calls import WhistleAnswered as WhistleAnswered
from shared.contracts.calls import WhistleBlown as WhistleBlown
from shared.contracts.calls import WhistleContestDecided as WhistleContestDecided
from shared.contracts.calls import WhistleContested as WhistleContested
from shared.contracts.calls import WhistleEnded as WhistleEnded
from shared.contracts.calls import WhistleExtensionDecided as WhistleExtensionDecided
from shared.contracts.calls import WhistleOverdue as WhistleOverdue
from shared.contracts.calls import WhistleRecounted as WhistleRecounted
from shared.contracts.calls import WhistleScored as WhistleScored
from shared.contracts.registry import event
from shared.contracts.shapes import choice, flag, ident, instant, many, mapping, number, text, whole
from shared.contracts.values import Evidence

CLOCK_KINDS = (
    "accept", "first-contact", "resolve", "feedback", "report-in", "hazard-survey", "hazard-plan", "hazard-on-site",
)  # fmt: skip


@event("dispatch.matter-classified", stream="matter", key="matter_id")
class MatterClassified:
    """The response class and why 分类: the rule's id and what it looked at are kept."""

    matter_id: str = ident()
    response_class: str = ident()
    category: str | None = ident(default=None)
    rule: str = ident(about="Id of the pack's rule that decided")
    inputs: dict[str, object] = mapping(about="What the rule looked at")
    policy_version: str = ident(about="Digest of the pack")
    decided_by: str = ident()


@event("dispatch.matter-assigned", stream="matter", key="matter_id")
class MatterAssigned:
    """A unit is responsible now 分派."""

    matter_id: str = ident()
    unit: str = ident()
    level: str = ident()
    person: str | None = ident(default=None)
    reason: str = text(maximum=1_000)
    assigned_by: str = ident()


@event("dispatch.matter-accepted", stream="matter", key="matter_id")
class MatterAccepted:
    """The responsible unit took the matter on 签收."""

    matter_id: str = ident()
    unit: str = ident()
    accepted_by: str = ident()


@event("dispatch.matter-progressed", stream="matter", key="matter_id")
class MatterProgressed:
    """A note on the work 办理进展; it restarts no clock."""

    matter_id: str = ident()
    unit: str = ident()
    note: str = text(maximum=4_000)
    noted_by: str = ident()
    evidence: tuple[Evidence, ...] = many(Evidence)
    noted_from: str | None = ident(default=None, about="Somebody on the spot, of this unit that it climbed from")


@event("dispatch.matter-returned", stream="matter", key="matter_id")
class MatterReturned:
    """The unit handed it back with a ground 退回."""

    matter_id: str = ident()
    from_unit: str = ident()
    to_unit: str = ident()
    reason: str = text(maximum=1_000)
    returned_by: str = ident()
    returns: int = whole(minimum=1, about="How often this matter was returned so far")


@event("dispatch.matter-escalated", stream="matter", key="matter_id")
class MatterEscalated:
    """It went up the ladder 上报升级: by a worker's reason, by breach of a clock, or by rule."""

    matter_id: str = ident()
    from_unit: str = ident()
    from_level: str = ident()
    to_unit: str = ident()
    to_level: str = ident()
    cause: str = choice("reason", "breach", "rule")
    reason: str = text(maximum=1_000, about="Reason code, breached clock kind or rule id")
    note: str | None = text(default=None, maximum=4_000)
    skipped: tuple[str, ...] = many(ident(), about="Units passed over on the way up")
    skipped_because: tuple[str, ...] = many(ident(), about="Why each of them was, in the same order")
    escalated_by: str = ident()


@event("dispatch.escalation-skipped", stream="matter", key="matter_id", since="0.2.0")
class EscalationSkipped:
    """The matter should have gone up by itself and stays where it is, with the reason 应升未升."""

    matter_id: str = ident()
    unit: str = ident()
    level: str = ident()
    cause: str = choice("breach", "rule")
    reason: str = text(maximum=1_000, about="Breached clock kind or rule id")
    because: str = ident(about="Why not: no-level-above, hop-limit, state-…, or the code of the refusal")


@event("dispatch.matter-handed-back", stream="matter", key="matter_id", since="0.2.0")
class MatterHandedBack:
    """A level above answered and gave the matter back down 答复下转 (C1); an assignment follows."""

    matter_id: str = ident()
    from_unit: str = ident()
    from_level: str = ident()
    to_unit: str = ident()
    to_level: str = ident()
    answer: str = text(maximum=4_000, about="What was decided, and what is to be done below")
    handed_back_by: str = ident()


@event("dispatch.cost-estimated", stream="matter", key="matter_id", since="0.2.0")
class CostEstimated:
    """What handling will cost 费用估算; above the level's authority the matter goes up by rule."""

    matter_id: str = ident()
    unit: str = ident()
    level: str = ident()
    amount_yuan: int = whole(minimum=0)
    limit_yuan: int | None = whole(default=None, minimum=0, about="What the level may spend by itself; none: no limit")
    note: str | None = text(default=None, maximum=4_000)
    estimated_by: str = ident()


@event("dispatch.matter-suspended", stream="matter", key="matter_id")
class MatterSuspended:
    """Work rests with approval 挂账; pausable clocks stop."""

    matter_id: str = ident()
    reason: str = text(maximum=1_000)
    approved_by: str = ident()
    until: datetime | None = instant(default=None)


@event("dispatch.matter-resumed", stream="matter", key="matter_id")
class MatterResumed:
    """Work goes on 恢复办理."""

    matter_id: str = ident()
    reason: str = text(maximum=1_000)
    resumed_by: str = ident()


@event("dispatch.matter-resolved", stream="matter", key="matter_id")
class MatterResolved:
    """The handler says it is done, with evidence 办结."""

    matter_id: str = ident()
    unit: str = ident()
    outcome: str = text(maximum=4_000)
    evidence: tuple[Evidence, ...] = many(Evidence)
    resolved_by: str = ident()


@event("dispatch.matter-verified", stream="matter", key="matter_id")
class MatterVerified:
    """Somebody other than the handler looked and found it done 核查通过."""

    matter_id: str = ident()
    verified_by: str = ident()
    note: str | None = text(default=None, maximum=4_000)


@event("dispatch.matter-reworked", stream="matter", key="matter_id")
class MatterReworked:
    """Verification failed; back to the handler 返工."""

    matter_id: str = ident()
    unit: str = ident()
    reason: str = text(maximum=4_000)
    sent_back_by: str = ident()


@event("dispatch.matter-closed", stream="matter", key="matter_id")
class MatterClosed:
    """Closed 结案; every asker is told and asked."""

    matter_id: str = ident()
    unit: str = ident()
    level: str = ident()
    response_class: str = ident()
    outcome: str = text(maximum=4_000)
    on_time: bool = flag(about="Every resolve clock of the first attempt was met")
    closed_by: str = ident()
    attempt: int = whole(minimum=1)


@event("dispatch.matter-reopened", stream="matter", key="matter_id")
class MatterReopened:
    """A closed matter lives again 重办: a new attempt; the first outcome stays."""

    matter_id: str = ident()
    unit: str = ident()
    reason: str = text(maximum=4_000)
    reopened_by: str = ident()
    attempt: int = whole(minimum=2)


@event("dispatch.matter-withdrawn", stream="matter", key="matter_id")
class MatterWithdrawn:
    """The last asker took the demand back; handling ends without an outcome 撤诉."""

    matter_id: str = ident()
    reason: str = text(maximum=1_000)


@event("dispatch.clock-started", stream="clock", key="clock_id")
class ClockStarted:
    """An SLA clock runs 计时开始."""

    clock_id: str = ident()
    matter_id: str = ident()
    kind: str = choice(*CLOCK_KINDS)
    response_class: str = ident()
    unit: str = ident()
    started_at: datetime = instant()
    due_at: datetime = instant()
    target: str = text(maximum=300, about="The target in words, so that the due time explains itself")
    provisional: bool = flag(about="The calendar does not reach the due time yet")
    attempt: int = whole(minimum=1)


@event("dispatch.clock-warned", stream="clock", key="clock_id")
class ClockWarned:
    """A share of the budget is used up 预警."""

    clock_id: str = ident()
    matter_id: str = ident()
    kind: str = choice(*CLOCK_KINDS)
    unit: str = ident()
    percent: int = whole(minimum=1, maximum=99)
    due_at: datetime = instant()


@event("dispatch.clock-breached", stream="clock", key="clock_id")
class ClockBreached:
    """The due instant passed while the clock ran 超时; the matter climbs when the pack says so."""

    clock_id: str = ident()
    matter_id: str = ident()
    kind: str = choice(*CLOCK_KINDS)
    unit: str = ident()
    due_at: datetime = instant()
    detected_at: datetime | None = instant(default=None, about="When the scan saw it; the outcome never depends on it")


@event("dispatch.clock-grossly-overdue", stream="clock", key="clock_id")
class ClockGrosslyOverdue:
    """The clock runs far beyond its due instant 严重超时; the pack says what far is."""

    clock_id: str = ident()
    matter_id: str = ident()
    kind: str = choice(*CLOCK_KINDS)
    unit: str = ident()
    due_at: datetime = instant()


@event("dispatch.clock-paused", stream="clock", key="clock_id")
class ClockPaused:
    """An approved suspension stops the clock for a while 暂停计时."""

    clock_id: str = ident()
    matter_id: str = ident()
    kind: str = choice(*CLOCK_KINDS)
    unit: str = ident()
    paused_at: datetime = instant()


@event("dispatch.clock-moved", stream="clock", key="clock_id")
class ClockMoved:
    """The due instant is another one now 时限变更.

    The clock's start and pauses stand, the first promise is kept beside it.
    """

    clock_id: str = ident()
    matter_id: str = ident()
    kind: str = choice(*CLOCK_KINDS)
    unit: str = ident()
    cause: str = choice("resumed", "reclassified", "extended")
    from_due_at: datetime = instant()
    due_at: datetime = instant()
    original_due_at: datetime = instant(about="What was promised first")
    target: str = text(maximum=300, about="The target in words")
    provisional: bool = flag(about="The calendar does not reach the due time yet")
    response_class: str = ident()


@event("dispatch.clock-stopped", stream="clock", key="clock_id")
class ClockStopped:
    """The clock stopped; the outcome compares `stopped_at` with `due_at`, whenever the scan ran 计时结束."""

    clock_id: str = ident()
    matter_id: str = ident()
    kind: str = choice(*CLOCK_KINDS)
    unit: str = ident()
    stopped_at: datetime = instant()
    due_at: datetime = instant()
    outcome: str = choice("met", "breached", "cancelled")
    budget_used: float | None = number(default=None, minimum=0, about="Share of the time promised that was used")
