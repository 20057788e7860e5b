"""Rectification orders 限期整改 (C3): to a unit, with a deadline; closed inside the grid; overdue ones rise.

Pure rules. Whether a report was on time goes by the order's deadline alone, however often the order rose.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Final

from services.dispatch.domain import ladder
from services.dispatch.domain.claim_refusals import OrderOver
from services.dispatch.domain.clocks import BREACH_AFTER
from services.dispatch.domain.refusals import EvidenceMissing, VerifierIsHandler
from shared.jurisdiction import DEPARTMENT, Jurisdiction
from shared.kernel.errors import IllegalTransition

#: Shortest time a unit gets after an order has risen to it.
LEAST_GRACE: Final = timedelta(hours=1)
#: This part of the time is left when the unit is warned: 80 % has gone, as with clocks.
_LEFT_AT_WARNING: Final = 5


class OrderState(StrEnum):
    """Where an order stands."""

    #: To be put right 整改中.
    ORDERED = "ordered"
    #: Said to be put right 待复核.
    REPORTED = "reported"
    #: 已销号.
    SETTLED = "settled"
    #: 已撤销.
    REVOKED = "revoked"


class OrderAction(StrEnum):
    """What moves an order."""

    REPORT = "report"
    REWORK = "rework"
    CLOSE = "close"
    WITHDRAW = "withdraw"


_S, _A = OrderState, OrderAction
#: (state, action) -> next state.
TRANSITIONS: Final[dict[tuple[OrderState, OrderAction], OrderState]] = {
    (_S.ORDERED, _A.REPORT): _S.REPORTED,
    (_S.ORDERED, _A.WITHDRAW): _S.REVOKED,
    (_S.REPORTED, _A.REWORK): _S.ORDERED,
    (_S.REPORTED, _A.CLOSE): _S.SETTLED,
    (_S.REPORTED, _A.WITHDRAW): _S.REVOKED,
}
#: Somebody still has work with it.
LIVE: Final = frozenset({_S.ORDERED, _S.REPORTED})


@dataclass(frozen=True, slots=True, kw_only=True)
class Order:
    """One order; the fields are the columns of `claim_tables.orders`."""

    id: str
    matter_id: str | None
    inspection_id: str | None
    #: Who was told, and who has it now.
    ordered_unit: str
    unit: str
    level: str
    request: str
    legal_basis: str | None
    ordered_by: str
    ordered_at: datetime
    deadline: datetime
    state: OrderState
    #: How often it rose, or would have, had there been anyone above.
    overdue_times: int
    #: When it was last reported, and by whom; None: not yet, or sent back.
    reported_at: datetime | None
    reported_by: str | None
    outcome: str | None
    ended_at: datetime | None
    #: Sorts lists: the deadline, or the end of the grace since the last rise; when it has ended, the deadline.
    due_at: datetime
    #: When the unit was warned that its time is nearly over; None: not yet.
    warned_at: datetime | None
    #: When the scan looks at it; None: reported, over, or nobody is left above.
    next_step_at: datetime | None
    version: int

    @property
    def inside(self) -> bool:
        """Whether the unit that was ordered still has it."""
        return self.unit == self.ordered_unit


@dataclass(frozen=True, slots=True)
class Rise:
    """Where an overdue order goes."""

    order: Order
    from_unit: str
    skipped: tuple[str, ...]


def receiver(pack: Jurisdiction, unit_id: str) -> ladder.Choice:
    """Who has an order for a unit in hand: it, or the next above with anyone responsible; None: nobody at all.

    Orders stay inside the grid (C3): oversight refuses one to a department. Should one arrive all the same (a pack has
    made a department of the unit since), the first above it has it in hand, for no department could report or close it.
    A unit that the pack no longer has: the desk of unlocated matters.
    """
    unit = pack.units.get(unit_id)
    if unit is None:
        return ladder.Choice(ladder.unlocated_desk(pack), {unit_id: "unknown-unit"})
    if unit.level != DEPARTMENT:
        return ladder.first_responsible(pack, unit_id)
    above = ladder.next_above(pack, unit_id)
    return ladder.Choice(above.unit or ladder.unlocated_desk(pack), {unit_id: "department"} | dict(above.because))


def step(order: Order, action: OrderAction) -> OrderState:
    """The next state. Raises OrderOver when the order has ended, else IllegalTransition."""
    try:
        return TRANSITIONS[order.state, action]
    except KeyError:
        if order.state not in LIVE:
            raise OrderOver(f"The order is {order.state}.", where="order", remedy="Nothing more is needed.") from None
        ways = ", ".join(known for state, known in TRANSITIONS if state is order.state)
        raise IllegalTransition(
            f"An order that is {order.state} does not allow {action}.", where="state", remedy=f"Allowed now: {ways}."
        ) from None


def span(order: Order) -> timedelta:
    """How much time a unit has: what the order gave at first, but for one that rose never less than LEAST_GRACE."""
    given = order.deadline - order.ordered_at
    return given if order.overdue_times == 0 else max(LEAST_GRACE, given)


def warn_at(order: Order) -> datetime | None:
    """When the unit is warned; None: it was, or it has reported, or the order is over."""
    if order.state is not OrderState.ORDERED or order.warned_at is not None:
        return None
    return order.due_at - span(order) / _LEFT_AT_WARNING


def warned(order: Order, now: datetime) -> Order:
    """The unit has been warned, once for this time."""
    return with_next_step(replace(order, warned_at=now, version=order.version + 1))


def with_next_step(order: Order) -> Order:
    """The order with the instant at which the scan has to look at it, while the unit's time runs."""
    if order.state is not OrderState.ORDERED:
        return replace(order, next_step_at=None)
    return replace(order, next_step_at=warn_at(order) or order.due_at + BREACH_AFTER)


def overdue(order: Order, now: datetime) -> bool:
    """Whether the present unit's time has passed unreported; its last instant is still in time."""
    return order.state is OrderState.ORDERED and order.next_step_at is not None and now > order.due_at


def risen(pack: Jurisdiction, order: Order, now: datetime) -> Rise:
    """One level up, with as much time as the order gave at first; where nobody is above, it stays and is counted."""
    choice = ladder.next_above(pack, order.unit) if order.unit in pack.units else ladder.Choice(None)
    times = order.overdue_times + 1
    # Where a pack's units form a circle, the next "above" may stand lower: an order never goes down by itself.
    if choice.unit is None or ladder.height(pack, choice.unit.level) <= ladder.height(pack, order.level):
        stuck = replace(order, overdue_times=times, next_step_at=None, version=order.version + 1)
        return Rise(stuck, order.unit, choice.skipped)
    due_at = now + max(LEAST_GRACE, order.deadline - order.ordered_at)
    moved = replace(
        order, unit=choice.unit.id, level=choice.unit.level, overdue_times=times, due_at=due_at, warned_at=None,
        version=order.version + 1,
    )  # fmt: skip
    return Rise(with_next_step(moved), order.unit, choice.skipped)


def reported(order: Order, now: datetime, by: str, outcome: str, *, evidence: int) -> Order:
    """Said to be put right. Raises EvidenceMissing, IllegalTransition, OrderOver."""
    state = step(order, OrderAction.REPORT)
    if not evidence:
        raise EvidenceMissing(
            "There is no evidence of what was put right.", where="evidence",
            remedy="Attach a photo, note, document or signature.",
        )  # fmt: skip
    return replace(
        order, state=state, reported_at=now, reported_by=by, outcome=outcome, next_step_at=None,
        version=order.version + 1,
    )  # fmt: skip


def on_time(order: Order, reported_at: datetime) -> bool:
    """Whether a report at that instant was within the order's own deadline."""
    return reported_at <= order.deadline


def reworked(order: Order) -> Order:
    """Back to the unit: the time it had runs on as if nothing had been reported. Raises IllegalTransition."""
    state = step(order, OrderAction.REWORK)
    back = replace(
        order, state=state, reported_at=None, reported_by=None, outcome=None, version=order.version + 1
    )  # fmt: skip
    return with_next_step(back)


def closed(order: Order, now: datetime, by: str) -> Order:
    """Put right. Raises VerifierIsHandler, IllegalTransition, OrderOver."""
    state = step(order, OrderAction.CLOSE)
    if by == order.reported_by:
        raise VerifierIsHandler(
            f"{by} reported it and cannot close it.", where="actor", remedy="Ask a colleague or the desk above."
        )
    return replace(order, state=state, ended_at=now, due_at=order.deadline, version=order.version + 1)


def revoked(order: Order, now: datetime) -> Order:
    """Needed no more. Raises OrderOver."""
    state = step(order, OrderAction.WITHDRAW)
    return replace(
        order, state=state, ended_at=now, due_at=order.deadline, next_step_at=None, version=order.version + 1
    )
