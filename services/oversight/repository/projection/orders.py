"""How rectification orders, and what dispatch says of them, fill `orders`, in whichever order the two streams come."""

from __future__ import annotations

from typing import Any

from services.oversight.repository.projection.rows import Mark, Rows
from services.oversight.tables import orders
from shared.contracts import claims, oversight


def _put(rows: Rows, event: Any, **values: Any) -> None:
    about = {"subject": event.matter_id or event.order_id, "matter_id": event.matter_id}
    rows.upsert(orders, {"order_id": event.order_id}, about | values)


def rectification_ordered(rows: Rows, event: oversight.RectificationOrdered, mark: Mark) -> None:
    """Live the row is there already; a rebuild makes it from this."""
    _put(
        rows, event, inspection_id=event.inspection_id, unit=event.unit, request=event.request,
        deadline=event.deadline, ordered_by=event.ordered_by, ordered_at=mark.at,
    )  # fmt: skip


def rectification_withdrawn(rows: Rows, event: oversight.RectificationWithdrawn, mark: Mark) -> None:
    """Likewise."""
    _put(rows, event, withdrawn_at=mark.at)


def rectification_assigned(rows: Rows, event: claims.RectificationAssigned, mark: Mark) -> None:
    """Who has it in hand."""
    del mark
    _put(rows, event, held_by=event.unit, overdue_times=0)


def rectification_overdue(rows: Rows, event: claims.RectificationOverdue, mark: Mark) -> None:
    """It rose."""
    del mark
    _put(rows, event, held_by=event.to_unit, overdue_times=event.times)


def rectification_reported(rows: Rows, event: claims.RectificationReported, mark: Mark) -> None:
    """Said to be put right."""
    _put(rows, event, reported_at=mark.at, on_time=event.on_time)


def rectification_reworked(rows: Rows, event: claims.RectificationReworked, mark: Mark) -> None:
    """Found not to be."""
    del mark
    _put(rows, event, reported_at=None, on_time=None)


def rectification_closed(rows: Rows, event: claims.RectificationClosed, mark: Mark) -> None:
    """Found put right."""
    _put(rows, event, closed_at=mark.at, on_time=event.on_time)
