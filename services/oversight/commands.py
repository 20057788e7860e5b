"""What oversight can be asked to do."""

from __future__ import annotations

from datetime import datetime

from shared.contracts.shapes import choice, flag, ident, instant, text
from shared.runtime.definition import command


@command("oversight.evaluate", needs=None, proof="evaluation")
class Evaluate:
    """The asker says how it went 群众评价: with the link's token, or told to a supervisor who revisits."""

    evaluation: str = ident()
    satisfied: bool = flag(about="满意")
    resolved: bool | None = flag(default=None, about="Whether the asker holds it resolved 是否解决")
    comment: str | None = text(default=None, maximum=4_000)
    wants_reopening: bool = flag(default=False, about="要求重办; only when not satisfied")
    channel: str = choice("web", "hotline", "visit", "system", default="web")
    token: str | None = text(default=None, maximum=200, about="The link's token; without it the role decides")


@command("oversight.record-inspection", needs="inspect")
class RecordInspection:
    """Somebody looked, on site or through a camera 巡查 (J6)."""

    matter: str = ident()
    kind: str = choice("on-site", "cloud")
    finding: str = text(maximum=4_000)
    passed: bool = flag()


@command("oversight.publish-report", needs="publish-report")
class PublishReport:
    """Publish the figures of a period that is over 公开."""

    period_from: datetime = instant(about="First instant counted")
    period_to: datetime = instant(about="First instant no longer counted; not in the future")
    unit: str | None = ident(default=None, about="Only what lies in this unit; null: the whole jurisdiction")


@command("oversight.order-rectification", needs="order-rectification")
class OrderRectification:
    """Order a unit to put something right by a deadline 限期整改 (C3)."""

    unit: str = ident(about="A grid, community or street; a department is whistled (dispatch.blow-whistle) instead")
    request: str = text(maximum=4_000, about="What is to be put right; never who asked")
    deadline: datetime = instant()
    matter: str | None = ident(default=None, about="The matter it is about")
    inspection: str | None = ident(default=None, about="The inspection that found it")
    legal_basis: str | None = text(default=None, maximum=1_000)


@command("oversight.withdraw-rectification", needs="order-rectification")
class WithdrawRectification:
    """Take an order back 撤销整改: it was a mistake, or is needed no more."""

    order: str = ident()
    reason: str = text(maximum=1_000)
