"""How clock streams of dispatch fill `clocks`; whistle calls: `calls`."""

from __future__ import annotations

from typing import Any

from services.oversight.repository.projection.rows import Mark, Rows
from services.oversight.tables import clocks
from shared.contracts import dispatch, timing


def clock_started(rows: Rows, event: dispatch.ClockStarted, mark: Mark) -> None:
    """A promise was made."""
    del mark
    rows.insert_once(
        clocks, clock_id=event.clock_id, matter_id=event.matter_id, kind=event.kind, unit=event.unit,
        response_class=event.response_class, attempt=event.attempt, started_at=event.started_at, due_at=event.due_at,
        original_due_at=event.due_at, provisional=event.provisional, breached=False,
    )  # fmt: skip


def _clock(rows: Rows, clock_id: str, **values: Any) -> None:
    rows.change(clocks, "clock_id", clock_id, values)


def clock_paused(rows: Rows, event: dispatch.ClockPaused, mark: Mark) -> None:
    """It rests with approval."""
    del mark
    _clock(rows, event.clock_id, paused_at=event.paused_at)


def clock_moved(rows: Rows, event: dispatch.ClockMoved, mark: Mark) -> None:
    """Due at another instant; what was promised first is kept."""
    del mark
    values: dict[str, Any] = {
        "due_at": event.due_at, "original_due_at": event.original_due_at, "provisional": event.provisional,
        "response_class": event.response_class,
    }  # fmt: skip
    if event.cause == "resumed":
        values["paused_at"] = None
    _clock(rows, event.clock_id, **values)


def clock_recounted(rows: Rows, event: timing.ClockRecounted, mark: Mark) -> None:
    """The calendar is another one, and the due instant or its certainty with it."""
    del mark
    _clock(
        rows, event.clock_id, due_at=event.due_at, original_due_at=event.original_due_at,
        provisional=event.provisional,
    )  # fmt: skip


def clock_warned(rows: Rows, event: dispatch.ClockWarned, mark: Mark) -> None:
    """A share of the budget is gone."""
    del mark
    _clock(rows, event.clock_id, warned_percent=event.percent, due_at=event.due_at)


def clock_breached(rows: Rows, event: dispatch.ClockBreached, mark: Mark) -> None:
    """The due instant passed."""
    del mark
    _clock(rows, event.clock_id, breached=True, due_at=event.due_at)


def clock_stopped(rows: Rows, event: dispatch.ClockStopped, mark: Mark) -> None:
    """The promise was kept, broken or called off."""
    del mark
    _clock(
        rows, event.clock_id, stopped_at=event.stopped_at, due_at=event.due_at, outcome=event.outcome, unit=event.unit,
        breached=event.outcome == "breached", paused_at=None,
    )  # fmt: skip
