"""More time 延期 and rest 挂账: asked for with a reason by the unit responsible, decided by the level above. Pure.

Rules, in one place (the limits are the pack's):

* More time is asked for before the matter is due, and only where the class allows it; hazards never wait.
* What is granted is working days on top of the promise; the first promise is kept beside it.
* A request holds for the unit and attempt that made it. When the matter has gone up meanwhile, it has lapsed: the level
  that would have decided handles the matter itself.
* Nobody grants his own request, except at the top, where nobody stands above.

It must never move a clock, and know no table.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

from services.dispatch.domain.time_refusals import (
    BeyondLimit,
    ExtensionLimit,
    ExtensionTooLate,
    InThePast,
    NotExtendable,
    NotPausable,
    SuspensionLimit,
)
from shared.jurisdiction import ResponseClass
from shared.jurisdiction.policy import Suspension


class Kind(StrEnum):
    """What is asked for."""

    EXTENSION = "extension"
    SUSPENSION = "suspension"


@dataclass(frozen=True, slots=True, kw_only=True)
class TimeRequest:
    """One request, decided or not."""

    id: str
    matter_id: str
    kind: Kind
    attempt: int
    #: Unit that was responsible when it asked.
    unit: str
    reason: str
    #: Working days asked for; None for rest.
    days: int | None
    #: Until when it is to rest; None: open, or more time.
    until: datetime | None
    requested_by: str
    requested_at: datetime
    decided_by: str | None = None
    decided_at: datetime | None = None
    #: None while undecided.
    granted: bool | None = None
    #: Working days granted, which may be fewer than asked for.
    granted_days: int | None = None
    granted_until: datetime | None = None
    note: str | None = None

    def stands(self, unit: str, attempt: int) -> bool:
        """Whether it can still be decided for a matter that is with `unit` now."""
        return self.decided_at is None and (self.unit, self.attempt) == (unit, attempt)


def check_extension(rule: ResponseClass | None, days: int, granted: int) -> None:
    """Raise NotExtendable, ExtensionLimit or BeyondLimit; `granted`: extensions granted in this attempt so far."""
    limit = None if rule is None else rule.extension
    if limit is None:
        raise NotExtendable(
            f"Matters of class {'—' if rule is None else rule.id} get no more time.", where="matter",
            remedy="Escalate or blow a whistle; a desk may reclassify a mistaken class.",
        )  # fmt: skip
    if granted >= limit.times:
        raise ExtensionLimit(
            f"It was extended {granted} time(s) already; the pack allows {limit.times}.", where="matter",
            remedy="Ask for a suspension, or escalate.",
        )  # fmt: skip
    if days > limit.days:
        raise BeyondLimit(
            f"{days} working days are more than the {limit.days} that the pack allows at once.", where="days",
            remedy=f"Ask for at most {limit.days}.",
        )  # fmt: skip


def check_in_time(due_at: datetime | None, now: datetime) -> None:
    """Raise ExtensionTooLate when the matter is overdue, NotExtendable when it has no time to extend."""
    if due_at is None:
        raise NotExtendable(
            "No resolve clock of this matter runs.", where="matter", remedy="There is no time limit to extend."
        )
    if now > due_at:
        raise ExtensionTooLate(
            f"The matter was due at {due_at:%Y-%m-%d %H:%M:%S}Z.", where="matter",
            remedy="Say why in a note; it has gone up by itself where the pack says so.",
        )  # fmt: skip


def resting_until(
    rule: ResponseClass | None, limits: Suspension, rests: int, until: datetime | None, now: datetime
) -> datetime | None:
    """Return until when a matter that rested `rests` times may rest now; None: until somebody goes on with it.

    Where the pack limits a rest, one without an end has that end. Raises NotPausable, SuspensionLimit, InThePast,
    BeyondLimit.
    """
    if rule is None or not rule.pausable:
        raise NotPausable(
            f"Clocks of {'—' if rule is None else rule.id} never pause.", where="matter",
            remedy="Escalate or blow a whistle; a desk may reclassify a mistaken class.",
        )  # fmt: skip
    if limits.times is not None and rests >= limits.times:
        raise SuspensionLimit(
            f"It rested {rests} time(s) already; the pack allows {limits.times}.", where="matter",
            remedy="Escalate, or handle what can be handled.",
        )  # fmt: skip
    if until is not None and until <= now:
        raise InThePast(
            "The suspension would be over already.", where="until", remedy="Give an instant that lies ahead."
        )
    if limits.longest is None:
        return until
    latest = now + limits.longest
    if until is not None and until > latest:
        raise BeyondLimit(
            f"The pack lets a matter rest for {limits.longest.total_seconds() / 86_400:g} days at most.",
            where="until", remedy=f"Give an instant up to {latest:%Y-%m-%d %H:%M}Z.",
        )  # fmt: skip
    return until or latest
