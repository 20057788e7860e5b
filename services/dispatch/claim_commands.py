"""What can be asked of dispatch about claims, matches, rectification orders, and of many matters at once."""

from __future__ import annotations

from datetime import datetime

from shared.contracts.claims import CLAIM_KINDS, REVIEWS, TAKERS
from shared.contracts.shapes import choice, flag, ident, instant, many, text, whole
from shared.contracts.values import Evidence
from shared.runtime.definition import command

#: Longest time somebody may hold a claim, hours: a quarter of a year.
HOLD_LIMIT = 2_160
#: A week, hours.
_WEEK = 168
#: Matters in one bulk request.
BULK_LIMIT = 100
_EVIDENCE_LIMIT = 50


@command("dispatch.post-claim", needs="post-claim")
class PostClaim:
    """Put a task, micro-wish or project on the list for others to take 下单; never name the asker."""

    kind: str = choice(*CLAIM_KINDS)
    title: str = text(maximum=200)
    text: str = text(maximum=4_000, about="What is needed; never who asked")
    matter: str | None = ident(default=None, about="The matter it serves")
    unit: str | None = ident(default=None, about="Whose list it is on; one's own unit when left out")
    takers: tuple[str, ...] = many(choice(*TAKERS), maximum=len(TAKERS), about="Who may take it; none given: all")
    emergency: bool = flag(default=False, about="应急: a lead may be appointed at once")
    open_until: datetime | None = instant(default=None, about="Until when it may be taken")
    hold_hours: int = whole(default=_WEEK, minimum=1, maximum=HOLD_LIMIT, about="Hours from taking to fulfilment")


@command("dispatch.withdraw-claim", needs="post-claim")
class WithdrawClaim:
    """Take a claim off the list 撤单."""

    claim: str = ident()
    reason: str = text(maximum=1_000)


@command("dispatch.take-claim", needs="take-claim")
class TakeClaim:
    """Take a claim 接单; one at a time has it, until its time runs out."""

    claim: str = ident()


@command("dispatch.release-claim", needs="take-claim")
class ReleaseClaim:
    """Give a claim back 退单, so that others may take it."""

    claim: str = ident()
    reason: str = text(maximum=1_000)


@command("dispatch.fulfil-claim", needs="take-claim")
class FulfilClaim:
    """Say that what was taken is done, with evidence 完成认领."""

    claim: str = ident()
    outcome: str = text(maximum=4_000)
    evidence: tuple[Evidence, ...] = many(Evidence, maximum=_EVIDENCE_LIMIT)


@command("dispatch.review-claim", needs="post-claim")
class ReviewClaim:
    """Look at what was done 认领评价: approved; sent-back to who did it, or reopened for others, with the reason."""

    claim: str = ident()
    decision: str = choice(*REVIEWS)
    reason: str | None = text(default=None, maximum=1_000, about="What is missing; needed unless it is approved")


@command("dispatch.appoint-lead", needs="post-claim")
class AppointLead:
    """Name who leads an emergency claim at once 应急领办; whoever had it is relieved."""

    claim: str = ident()
    unit: str = ident(about="A unit of the claim's territory, or a department")
    person: str | None = ident(default=None, about="One of its people; the unit itself when left out")
    reason: str = text(maximum=1_000)


@command("dispatch.match-resource", needs="assign-matter")
class MatchResource:
    """Reserve a resource of the list for a matter 资源匹配 (J8)."""

    matter: str = ident()
    resource: str = ident()
    amount: int = whole(default=1, minimum=1, maximum=1_000_000)
    note: str | None = text(default=None, maximum=1_000)


@command("dispatch.settle-match", needs="assign-matter")
class SettleMatch:
    """Say whether a match came about 项目落地 or fell through; then its capacity is free again."""

    match: str = ident()
    landed: bool = flag()
    outcome: str = text(maximum=4_000)
    evidence: tuple[Evidence, ...] = many(Evidence, maximum=_EVIDENCE_LIMIT, about="One at least when it landed")


@command("dispatch.report-rectification", needs="handle-matter")
class ReportRectification:
    """Say that an order's fault is put right, with evidence 整改反馈."""

    order: str = ident()
    outcome: str = text(maximum=4_000)
    evidence: tuple[Evidence, ...] = many(Evidence, maximum=_EVIDENCE_LIMIT)


@command("dispatch.verify-rectification", needs="verify-matter")
class VerifyRectification:
    """Look whether it is put right; not by who reported it 整改复核. Passed: closed; else back to the unit."""

    order: str = ident()
    passed: bool = flag()
    note: str | None = text(default=None, maximum=4_000)


@command("dispatch.accept-many", needs="handle-matter")
class AcceptMany:
    """Take several matters on at once 批量签收; each is judged by itself."""

    matters: tuple[str, ...] = many(ident(), required=True, maximum=BULK_LIMIT)


@command("dispatch.assign-many", needs="assign-matter")
class AssignMany:
    """Make a unit responsible for several matters at once 批量分派; each is judged by itself."""

    matters: tuple[str, ...] = many(ident(), required=True, maximum=BULK_LIMIT)
    unit: str = ident()
    person: str | None = ident(default=None)
