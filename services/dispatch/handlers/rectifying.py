"""Rectification orders 限期整改 (C3): put right with evidence, closed by somebody else; overdue ones rise.

The matter, if there is one, is locked before the order.
"""

from __future__ import annotations

from typing import Any

from services.dispatch import claim_commands as commands
from services.dispatch import order_repository as repository
from services.dispatch.domain import orders as rules
from services.dispatch.domain.claim_refusals import UnknownOrder
from services.dispatch.domain.orders import Order, OrderState
from services.dispatch.handlers.case import Case, find_case
from shared.contracts import claims, oversight, shapes
from shared.ledger.unit_of_work import UnitOfWork
from shared.runtime.definition import Reply


def on_rectification_ordered(event: oversight.RectificationOrdered, work: UnitOfWork) -> None:
    """Give it to the unit ordered, or to the next above with anyone responsible; nothing that arrives is refused."""
    if repository.order(work.db, event.order_id, lock=True) is not None:
        return
    pack = work.jurisdiction
    choice = rules.receiver(pack, event.unit)
    # Nobody at all is responsible: it waits at the top, where somebody looks.
    unit = choice.unit or pack.ladder(event.unit)[-1]
    order = Order(
        id=event.order_id, matter_id=event.matter_id, inspection_id=event.inspection_id, ordered_unit=event.unit,
        unit=unit.id, level=unit.level, request=event.request, legal_basis=event.legal_basis,
        ordered_by=event.ordered_by, ordered_at=work.now if work.cause is None else work.cause.time,
        deadline=event.deadline, state=OrderState.ORDERED, overdue_times=0, reported_at=None, reported_by=None,
        outcome=None, ended_at=None, due_at=event.deadline, warned_at=None, next_step_at=None, version=1,
    )  # fmt: skip
    new = rules.with_next_step(order)
    case = None if event.matter_id is None else find_case(work, event.matter_id)
    concerned = pack.ladder(event.unit) if event.unit in pack.units else ()
    repository.add(work.db, new, [one.id for one in (*concerned, *pack.ladder(unit.id))])
    _note(work, new, case, "assigned", unit=unit.id, skipped=list(choice.skipped))
    work.emit(
        claims.RectificationAssigned(
            order_id=new.id, matter_id=new.matter_id, unit=unit.id, level=unit.level, deadline=new.deadline,
            skipped=choice.skipped, ordered_by=new.ordered_by,
        )
    )  # fmt: skip


def on_rectification_withdrawn(event: oversight.RectificationWithdrawn, work: UnitOfWork) -> None:
    """Needed no more; one that is closed already stays closed."""
    case = None if event.matter_id is None else find_case(work, event.matter_id)
    order = repository.order(work.db, event.order_id, lock=True)
    if order is None or order.state not in rules.LIVE:
        return
    new = rules.revoked(order, work.now)
    repository.save(work.db, order, new)
    _note(work, new, case, "withdrawn", reason=event.reason, by=event.withdrawn_by)


def report_rectification(command: commands.ReportRectification, work: UnitOfWork) -> Reply:
    """Say that it is put right. Raises UnknownOrder, Forbidden, EvidenceMissing, IllegalTransition, OrderOver."""
    order, case = _in_hand(work, command.order)
    new = rules.reported(order, work.now, work.actor.id, command.outcome, evidence=len(command.evidence))
    repository.save(work.db, order, new)
    in_time = rules.on_time(order, work.now)
    work.emit(
        claims.RectificationReported(
            order_id=order.id, matter_id=order.matter_id, unit=order.unit, outcome=command.outcome,
            evidence=command.evidence, on_time=in_time, reported_by=work.actor.id, ordered_by=order.ordered_by,
        )
    )  # fmt: skip
    evidence = [shapes.dump(piece) for piece in command.evidence]
    _note(work, new, case, "reported", outcome=command.outcome, evidence=evidence, on_time=in_time)
    return _saved(new, on_time=in_time)


def verify_rectification(command: commands.VerifyRectification, work: UnitOfWork) -> Reply:
    """Look whether it is put right. Raises UnknownOrder, Forbidden, VerifierIsHandler, IllegalTransition, OrderOver."""
    order, case = _in_hand(work, command.order)
    if not command.passed:
        new = rules.reworked(order)
        reason = (command.note or "").strip() or "整改未通过 not put right"
        repository.save(work.db, order, new)
        work.emit(
            claims.RectificationReworked(
                order_id=order.id, matter_id=order.matter_id, unit=order.unit, reason=reason,
                sent_back_by=work.actor.id, ordered_by=order.ordered_by, due_at=new.due_at,
            )
        )  # fmt: skip
        _note(work, new, case, "reworked", reason=reason)
        return _saved(new)
    new = rules.closed(order, work.now, work.actor.id)
    repository.save(work.db, order, new)
    in_time = rules.on_time(order, order.reported_at or work.now)
    work.emit(
        claims.RectificationClosed(
            order_id=order.id, matter_id=order.matter_id, unit=order.unit, level=order.level, inside=order.inside,
            on_time=in_time, closed_by=work.actor.id, ordered_by=order.ordered_by,
        )
    )  # fmt: skip
    _note(work, new, case, "closed", on_time=in_time, inside=order.inside, note=command.note)
    return _saved(new, on_time=in_time, inside=order.inside)


def run_orders(work: UnitOfWork, limit: int) -> int:
    """Overdue orders rise one level each; where nobody is above, that is told once and the order stays.

    A unit whose time is nearly over is warned, once for the time it has.
    """
    found = repository.due(work.db, work.now, limit)
    for order_id, matter_id in found:
        case = None if matter_id is None else find_case(work, matter_id)
        order = repository.order(work.db, order_id, lock=True)
        if order is None:
            continue
        if not rules.overdue(order, work.now):
            _warn(work, order)
            continue
        rise = rules.risen(work.jurisdiction, order, work.now)
        new = rise.order
        repository.save(work.db, order, new)
        if new.unit != order.unit:
            repository.show_to(work.db, new, [one.id for one in work.jurisdiction.ladder(new.unit)])
        work.emit(
            claims.RectificationOverdue(
                order_id=order.id, matter_id=order.matter_id, from_unit=order.unit, to_unit=new.unit,
                to_level=new.level, due_at=order.due_at, times=new.overdue_times, skipped=rise.skipped,
                ordered_by=new.ordered_by, next_due_at=new.due_at if new.unit != order.unit else None,
            )
        )  # fmt: skip
        _note(work, new, case, "overdue", from_unit=order.unit, to_unit=new.unit, skipped=list(rise.skipped))
    return len(found)


def _warn(work: UnitOfWork, order: Order) -> None:
    at = rules.warn_at(order)
    if at is None or at > work.now:
        return
    new = rules.warned(order, work.now)
    repository.save(work.db, order, new)
    work.emit(
        claims.RectificationWarned(
            order_id=order.id, matter_id=order.matter_id, unit=order.unit, level=order.level, due_at=order.due_at,
            ordered_by=order.ordered_by,
        )
    )  # fmt: skip
    # The matter's own steps say nothing of it.
    _note(work, new, None, "warned", unit=order.unit, due_at=order.due_at.isoformat())


def unknown_order(order_id: str) -> UnknownOrder:
    """The refusal for an order that does not exist or may not be seen."""
    return UnknownOrder(f"There is no order {order_id!r} that you may see.", where="order", remedy="Check the id.")


def _in_hand(work: UnitOfWork, order_id: str) -> tuple[Order, Case | None]:
    """An order in the actor's territory, locked after its matter. Raises UnknownOrder, Forbidden, Stale."""
    seen = repository.order(work.db, order_id)
    if seen is None:
        raise unknown_order(order_id)
    case = None if seen.matter_id is None else find_case(work, seen.matter_id)
    order = repository.order(work.db, order_id, lock=True)
    if order is None:
        raise unknown_order(order_id)
    work.require_scope(order.unit)
    work.check_version(order.version)
    return order, case


def _note(work: UnitOfWork, order: Order, case: Case | None, action: str, **detail: Any) -> None:
    told = {name: value for name, value in detail.items() if value not in (None, (), [])}
    repository.add_step(work.db, order_id=order.id, at=work.now, action=action, actor=work.actor.id, detail=told)
    if case is not None:
        case.note(f"rectification-{action}", order=order.id, **told)
        case.save()


def _saved(order: Order, **more: Any) -> Reply:
    body = {
        "order_id": order.id, "state": order.state.value, "version": order.version, "unit": order.unit,
        "level": order.level,
    }  # fmt: skip
    return Reply(body=body | more, version=order.version)
