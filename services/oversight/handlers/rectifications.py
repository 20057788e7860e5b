"""Rectification orders 限期整改: given from above, with a deadline; dispatch has the unit put things right (C3)."""

from __future__ import annotations

from services.oversight import commands
from services.oversight.handlers.privacy import handles
from services.oversight.repository import evaluations, orders
from shared.contracts.oversight import RectificationOrdered, RectificationWithdrawn
from shared.jurisdiction import DEPARTMENT
from shared.kernel.clock import rfc3339
from shared.kernel.errors import Conflict, Forbidden, Invalid, NotFound, Refusal
from shared.ledger.unit_of_work import UnitOfWork
from shared.runtime.definition import Reply


class OrderToDepartment(Refusal):
    """Orders stay inside the grid (C3). Whistle the department, or order the unit of the territory."""

    code = "order-to-department"


def order_rectification(command: commands.OrderRectification, work: UnitOfWork) -> Reply:
    """Order a unit to put something right.

    Raises Forbidden (out of scope), NotFound (the matter, also a private one), OrderToDepartment, Invalid (deadline).
    """
    unit = work.jurisdiction.unit(command.unit)
    if unit.level == DEPARTMENT:  # whether or not it lies in the actor's scope: what to do instead is the same
        raise OrderToDepartment(
            f"{unit.id} is a department; rectification orders are given and closed inside the grid.", where="unit",
            remedy="Call the department: have the desk of the matter blow a whistle (dispatch.blow-whistle, naming it "
            "in departments). To have the fault itself put right, order the grid, community or street it lies in.",
        )  # fmt: skip
    work.require_scope(unit.id)
    if command.deadline <= work.now:
        fault = "Has passed already."
        raise Invalid("The deadline cannot be kept.", fields={"deadline": [fault]}, remedy="Give one that lies ahead.")
    if command.matter is not None:
        seen = evaluations.matter(work.db, command.matter)
        if seen is None or (seen.private and not handles(work, seen)):
            raise NotFound(
                f"There is no matter {command.matter!r}.", code="unknown-matter", where="matter",
                remedy="Check the matter's id.",
            )  # fmt: skip
        work.require_scope(seen.territory)
    order_id = work.new_id()
    orders.add(
        work.db, order_id=order_id, subject=command.matter or order_id, matter_id=command.matter,
        inspection_id=command.inspection, unit=unit.id, request=command.request, deadline=command.deadline,
        ordered_by=work.actor.id, ordered_at=work.now,
    )  # fmt: skip
    work.emit(
        RectificationOrdered(
            order_id=order_id, matter_id=command.matter, inspection_id=command.inspection, unit=unit.id,
            request=command.request, legal_basis=command.legal_basis, deadline=command.deadline,
            ordered_by=work.actor.id,
        )
    )  # fmt: skip
    return Reply(body={"order_id": order_id, "unit": unit.id, "deadline": rfc3339(command.deadline)})


def withdraw_rectification(command: commands.WithdrawRectification, work: UnitOfWork) -> Reply:
    """Take an order back. Raises NotFound (also out of scope), Conflict (over)."""
    row = orders.find(work.db, command.order)
    try:
        if row is not None:
            work.require_scope(row.unit)
    except Forbidden:
        row = None
    if row is None or row.unit is None:
        raise NotFound(
            f"There is no order {command.order!r}.", code="unknown-order", where="order", remedy="Check the order's id."
        )
    if row.withdrawn_at is not None or row.closed_at is not None:
        raise Conflict(
            "The order is over.", code="order-over", where="order", remedy="Nothing more is needed; order anew."
        )
    orders.withdraw(work.db, row.order_id, work.now)
    work.emit(
        RectificationWithdrawn(
            order_id=row.order_id, matter_id=row.matter_id, reason=command.reason, withdrawn_by=work.actor.id,
            unit=row.held_by or row.unit,
        )
    )  # fmt: skip
    return Reply(body={"order_id": row.order_id})
