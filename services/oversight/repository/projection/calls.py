"""How whistle streams of dispatch fill `whistles`, `call_parts` (one row for each department called) and `disputes`.

A call's stream comes in order; a part is born when its call is blown, or half-filled where the blowing is not known.
"""

from __future__ import annotations

from typing import Any

from services.oversight.repository.projection.rows import Mark, Rows
from services.oversight.tables import call_parts, disputes, whistles
from shared.contracts import dispatch


def _part(rows: Rows, event: Any, department: str, **values: Any) -> None:
    keys = {"whistle_id": event.whistle_id, "department": department}
    rows.upsert(call_parts, keys, {"matter_id": event.matter_id, **values})


def _dispute(rows: Rows, event: Any, **values: Any) -> None:
    keys = {"whistle_id": event.whistle_id, "department": event.department, "hop": event.hop}
    rows.upsert(disputes, keys, {"matter_id": event.matter_id, **values})


def whistle_blown(rows: Rows, event: dispatch.WhistleBlown, mark: Mark) -> None:
    """Departments are summoned."""
    rows.insert_once(
        whistles, whistle_id=event.whistle_id, matter_id=event.matter_id, whistler=event.whistler, lead=event.lead,
        departments=list(event.departments), blown_at=mark.at, report_in_by=event.report_in_by, late=False,
    )  # fmt: skip
    rows.milestone(mark, event.matter_id, "whistled", unit=event.whistler, detail=event.lead)
    for department in event.departments:
        _part(rows, event, department, led=department == event.lead, blown_at=mark.at, report_in_by=event.report_in_by)


def whistle_answered(rows: Rows, event: dispatch.WhistleAnswered, mark: Mark) -> None:
    """A department answered; the first answer is its reporting in."""
    late = {"late": True} if event.late else {}
    rows.change(whistles, "whistle_id", event.whistle_id, {"last_answer": event.answer, **late})
    if event.report_in_seconds is not None:
        _part(rows, event, event.department, reported_at=mark.at, late=event.late)


def whistle_overdue(rows: Rows, event: dispatch.WhistleOverdue, mark: Mark) -> None:
    """Somebody did not report in, or was not done in time."""
    del mark
    rows.change(whistles, "whistle_id", event.whistle_id, {"late": True})


def whistle_recounted(rows: Rows, event: dispatch.WhistleRecounted, mark: Mark) -> None:
    """The calendar is another one, and by when they report in with it; the other deadlines are not kept here."""
    del mark
    if event.stage == "report-in":
        rows.change(whistles, "whistle_id", event.whistle_id, {"report_in_by": event.by})
        for department in event.departments:
            _part(rows, event, department, report_in_by=event.by)


def whistle_contested(rows: Rows, event: dispatch.WhistleContested, mark: Mark) -> None:
    """A department's part is disputed before one more level."""
    _dispute(rows, event, contested_at=mark.at, to_level=event.to_level)


def whistle_contest_decided(rows: Rows, event: dispatch.WhistleContestDecided, mark: Mark) -> None:
    """That level has decided."""
    _dispute(rows, event, decided_at=mark.at, decision=event.decision)


def whistle_scored(rows: Rows, event: dispatch.WhistleScored, mark: Mark) -> None:
    """The whistler scored a department."""
    _part(
        rows, event, event.department, scored_at=mark.at, arrival=event.arrival, quality=event.quality,
        result=event.result,
    )  # fmt: skip


def whistle_ended(rows: Rows, event: dispatch.WhistleEnded, mark: Mark) -> None:
    """The call is over."""
    rows.change(whistles, "whistle_id", event.whistle_id, {"ended_at": mark.at, "outcome": event.outcome})
