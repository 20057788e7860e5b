"""Events of dispatch 办事 about help from others and work from above.

Claims 认领 (D6, D12, N2), resources matched to matters (J8, D7, D8), rectification orders in the hands of grids (C3),
and parts of a split matter. Each claim, match and order is a stream of its own.
"""

from __future__ import annotations

from datetime import datetime

from shared.contracts.registry import event
from shared.contracts.shapes import choice, flag, ident, instant, many, text, whole
from shared.contracts.values import Evidence

#: What is posted: a community's task 任务, a resident's small wish 微心愿, a project of a whole street 项目.
CLAIM_KINDS = ("task", "micro-wish", "project")
#: Who may take it: member unit 共建单位, party member 党员, volunteer 志愿者, staff of grids, desks and departments.
TAKERS = ("member-unit", "party-member", "volunteer", "staff")
#: How the desk finds what was done.
REVIEWS = ("approved", "sent-back", "reopened")


@event("dispatch.claim-posted", stream="claim", key="claim_id", since="0.2.0")
class ClaimPosted:
    """A desk posted something for others to take 下单 (D6); never says who asked."""

    claim_id: str = ident()
    matter_id: str | None = ident(default=None, about="The matter it serves; null: none")
    unit: str = ident(about="Whose list it is on; everybody in that territory may take it")
    kind: str = choice(*CLAIM_KINDS)
    title: str = text(maximum=200)
    text: str = text(maximum=4_000)
    takers: tuple[str, ...] = many(choice(*TAKERS), about="Who may take it; none given: all")
    emergency: bool = flag(about="应急: somebody may be appointed at once (N2)")
    open_until: datetime | None = instant(default=None, about="Until when it may be taken")
    hold_hours: int = whole(minimum=1, about="Hours from taking to fulfilment; then it is free for others again")
    posted_by: str = ident()


@event("dispatch.claim-taken", stream="claim", key="claim_id", since="0.2.0")
class ClaimTaken:
    """Somebody took it 接单, or was appointed to lead it 应急领办; nobody else can meanwhile."""

    claim_id: str = ident()
    matter_id: str | None = ident(default=None)
    taker: str = ident(about="A person, or the unit itself")
    taker_unit: str | None = ident(default=None)
    taken_as: str = choice(*TAKERS)
    expires_at: datetime = instant()
    taken_by: str = ident(about="The person who took it")
    appointed_by: str | None = ident(default=None, about="Who appointed the taker; null: took it themselves")
    reason: str | None = text(default=None, maximum=1_000)
    unit: str | None = ident(default=None, about="Whose list it is on")
    title: str | None = text(default=None, maximum=200)
    posted_by: str | None = ident(default=None)


@event("dispatch.claim-released", stream="claim", key="claim_id", since="0.2.0")
class ClaimReleased:
    """The taker gave it back, or the desk took it from them 退单; others may take it."""

    claim_id: str = ident()
    matter_id: str | None = ident(default=None)
    taker: str = ident()
    reason: str = text(maximum=1_000)
    released_by: str = ident()
    taker_unit: str | None = ident(default=None)
    unit: str | None = ident(default=None, about="Whose list it is on")
    title: str | None = text(default=None, maximum=200)
    posted_by: str | None = ident(default=None)


@event("dispatch.claim-fulfilled", stream="claim", key="claim_id", since="0.2.0")
class ClaimFulfilled:
    """Done, with evidence 完成认领."""

    claim_id: str = ident()
    matter_id: str | None = ident(default=None)
    taker: str = ident()
    taker_unit: str | None = ident(default=None)
    outcome: str = text(maximum=4_000)
    evidence: tuple[Evidence, ...] = many(Evidence)
    fulfilled_by: str = ident()
    unit: str | None = ident(default=None, about="Whose list it is on")
    title: str | None = text(default=None, maximum=200)
    posted_by: str | None = ident(default=None)


@event("dispatch.claim-expired", stream="claim", key="claim_id", since="0.2.0")
class ClaimExpired:
    """The taker's time is over, or nobody took it in time 认领到期."""

    claim_id: str = ident()
    matter_id: str | None = ident(default=None)
    taker: str | None = ident(default=None, about="Who had taken it; null: nobody")
    due_at: datetime = instant(about="The instant that passed")
    open_again: bool = flag(about="Others may take it now")
    taker_unit: str | None = ident(default=None)
    unit: str | None = ident(default=None, about="Whose list it is on")
    title: str | None = text(default=None, maximum=200)
    posted_by: str | None = ident(default=None)


@event("dispatch.claim-warned", stream="claim", key="claim_id", since="0.2.0")
class ClaimWarned:
    """The taker's time is nearly over 认领即将到期."""

    claim_id: str = ident()
    matter_id: str | None = ident(default=None)
    taker: str = ident()
    taker_unit: str | None = ident(default=None)
    expires_at: datetime = instant()
    unit: str = ident(about="Whose list it is on")
    title: str = text(maximum=200)
    posted_by: str = ident()


@event("dispatch.claim-reviewed", stream="claim", key="claim_id", since="0.2.0")
class ClaimReviewed:
    """The desk looked at what was done 认领评价: accepted, back to who did it, or open for others again."""

    claim_id: str = ident()
    matter_id: str | None = ident(default=None)
    taker: str = ident(about="Who did it")
    taker_unit: str | None = ident(default=None)
    decision: str = choice(*REVIEWS)
    reason: str | None = text(default=None, maximum=1_000, about="Always, unless it is approved")
    expires_at: datetime | None = instant(default=None, about="Sent back: the new end of the taker's time")
    unit: str = ident(about="Whose list it is on")
    title: str = text(maximum=200)
    posted_by: str = ident()
    reviewed_by: str = ident()


@event("dispatch.claim-withdrawn", stream="claim", key="claim_id", since="0.2.0")
class ClaimWithdrawn:
    """The desk took it off the list 撤单, or the matter it served has ended."""

    claim_id: str = ident()
    matter_id: str | None = ident(default=None)
    reason: str = text(maximum=1_000)
    withdrawn_by: str = ident()
    taker: str | None = ident(default=None, about="Who had taken it; null: nobody")
    taker_unit: str | None = ident(default=None)
    unit: str | None = ident(default=None, about="Whose list it is on")
    title: str | None = text(default=None, maximum=200)
    posted_by: str | None = ident(default=None)


@event("dispatch.resource-matched", stream="match", key="match_id", since="0.2.0")
class ResourceMatched:
    """A resource of the list is reserved for a matter 资源匹配 (J8)."""

    match_id: str = ident()
    matter_id: str = ident()
    resource_id: str = ident()
    amount: int = whole(minimum=1, about="How much of its capacity")
    reasons: tuple[str, ...] = many(ident(), about="Codes of why it fits")
    note: str | None = text(default=None, maximum=1_000)
    matched_by: str = ident()


@event("dispatch.match-settled", stream="match", key="match_id", since="0.2.0")
class MatchSettled:
    """The match came about 项目落地, or fell through and its capacity is free again."""

    match_id: str = ident()
    matter_id: str = ident()
    resource_id: str = ident()
    landed: bool = flag()
    amount: int = whole(minimum=1)
    outcome: str = text(maximum=4_000)
    evidence: tuple[Evidence, ...] = many(Evidence)
    settled_by: str = ident()


@event("dispatch.rectification-assigned", stream="rectification", key="order_id", since="0.2.0")
class RectificationAssigned:
    """A unit has the order in hand 整改任务下达: the one ordered, or the next above with anyone responsible."""

    order_id: str = ident()
    matter_id: str | None = ident(default=None)
    unit: str = ident()
    level: str = ident()
    deadline: datetime = instant()
    skipped: tuple[str, ...] = many(ident(), about="Units skipped for want of anyone responsible")
    ordered_by: str | None = ident(default=None, about="Who gave the order")


@event("dispatch.rectification-warned", stream="rectification", key="order_id", since="0.2.0")
class RectificationWarned:
    """The unit's time to put it right is nearly over 整改即将到期."""

    order_id: str = ident()
    matter_id: str | None = ident(default=None)
    unit: str = ident()
    level: str = ident()
    due_at: datetime = instant()
    ordered_by: str = ident()


@event("dispatch.rectification-overdue", stream="rectification", key="order_id", since="0.2.0")
class RectificationOverdue:
    """The deadline passed unreported 整改逾期; it rises one level, where there is one."""

    order_id: str = ident()
    matter_id: str | None = ident(default=None)
    from_unit: str = ident()
    to_unit: str = ident(about="The same as from_unit: nobody above is responsible")
    to_level: str = ident()
    due_at: datetime = instant(about="The instant that passed: the deadline, or that of the last rise")
    times: int = whole(minimum=1, about="How often it was overdue so far")
    skipped: tuple[str, ...] = many(ident(), about="Units skipped for want of anyone responsible")
    ordered_by: str | None = ident(default=None, about="Who gave the order")
    next_due_at: datetime | None = instant(default=None, about="Until when the unit that has it now has time")


@event("dispatch.rectification-reported", stream="rectification", key="order_id", since="0.2.0")
class RectificationReported:
    """The unit says it is put right, with evidence 整改反馈."""

    order_id: str = ident()
    matter_id: str | None = ident(default=None)
    unit: str = ident()
    outcome: str = text(maximum=4_000)
    evidence: tuple[Evidence, ...] = many(Evidence)
    on_time: bool = flag(about="Reported by the order's deadline")
    reported_by: str = ident()
    ordered_by: str | None = ident(default=None, about="Who gave the order")


@event("dispatch.rectification-reworked", stream="rectification", key="order_id", since="0.2.0")
class RectificationReworked:
    """Somebody looked and it is not put right 整改未通过; the deadline stands."""

    order_id: str = ident()
    matter_id: str | None = ident(default=None)
    unit: str = ident()
    reason: str = text(maximum=4_000)
    sent_back_by: str = ident()
    ordered_by: str | None = ident(default=None, about="Who gave the order")
    due_at: datetime | None = instant(default=None, about="Until when the unit has time")


@event("dispatch.rectification-closed", stream="rectification", key="order_id", since="0.2.0")
class RectificationClosed:
    """Somebody other than who did it found it put right 整改销号."""

    order_id: str = ident()
    matter_id: str | None = ident(default=None)
    unit: str = ident()
    level: str = ident()
    inside: bool = flag(about="It never rose: closed by the unit that was ordered")
    on_time: bool = flag()
    closed_by: str = ident()
    ordered_by: str | None = ident(default=None, about="Who gave the order")


@event("dispatch.parts-completed", stream="matter", key="matter_id", since="0.2.0")
class PartsCompleted:
    """Every part of a split matter has ended 子事项办毕; their results are listed on the matter."""

    matter_id: str = ident()
    parts: tuple[str, ...] = many(ident(), required=True)
    closed: int = whole(minimum=0, about="How many of them were closed; the others were withdrawn")
