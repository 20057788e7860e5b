"""How deliberation's topics and oversight's own events fill `resolutions`, `evaluations` and `inspections`."""

from __future__ import annotations

from typing import Any

from services.oversight.repository.projection.rows import Mark, Rows
from services.oversight.tables import evaluations, inspections, resolutions
from shared.contracts import deliberation, oversight


def topic_submitted(rows: Rows, event: deliberation.TopicSubmitted, mark: Mark) -> None:
    """A matter is deliberated."""
    rows.insert_once(
        resolutions, topic_id=event.topic_id, matter_id=event.matter_id, title=event.title,
        host_unit=event.host_unit, state="submitted", submitted_at=mark.at,
    )  # fmt: skip
    rows.milestone(mark, event.matter_id, "deliberated", unit=event.host_unit)


def _topic(rows: Rows, topic_id: str, **values: Any) -> None:
    rows.change(resolutions, "topic_id", topic_id, values)


def ballot_opened(rows: Rows, event: deliberation.BallotOpened, mark: Mark) -> None:
    """The one ballot."""
    del mark
    _topic(rows, event.topic_id, state="balloting")


def resolution_adopted(rows: Rows, event: deliberation.ResolutionAdopted, mark: Mark) -> None:
    """The one resolution."""
    _topic(
        rows, event.topic_id, state="adopted", resolution_id=event.resolution_id, measures=event.measures,
        decided_at=mark.at,
    )  # fmt: skip


def resolution_rejected(rows: Rows, event: deliberation.ResolutionRejected, mark: Mark) -> None:
    """None came about."""
    _topic(rows, event.topic_id, state="rejected", decided_at=mark.at)


def resolution_filed(rows: Rows, event: deliberation.ResolutionFiled, mark: Mark) -> None:
    """Filed with community and street."""
    del mark
    _topic(rows, event.topic_id, state="filed")


def evaluation_requested(rows: Rows, event: oversight.EvaluationRequested, mark: Mark) -> None:
    """Live the row is there already; a rebuild makes it from this."""
    rows.insert_once(
        evaluations, evaluation_id=event.evaluation_id, matter_id=event.matter_id, demand_id=event.demand_id,
        attempt=event.attempt, version=1, requested_at=mark.at, expires_at=event.expires_at,
    )  # fmt: skip


def evaluation_received(rows: Rows, event: oversight.EvaluationReceived, mark: Mark) -> None:
    """Likewise; the first answer is the answer."""
    given = {
        "answered_at": mark.at, "satisfied": event.satisfied, "resolved": event.resolved, "comment": event.comment,
        "wants_reopening": event.wants_reopening, "channel": event.channel, "version": 2,
    }  # fmt: skip
    rows.change(evaluations, "evaluation_id", event.evaluation_id, given, where="evaluations.answered_at IS NULL")


def inspection_recorded(rows: Rows, event: oversight.InspectionRecorded, mark: Mark) -> None:
    """Likewise."""
    rows.insert_once(
        inspections, inspection_id=event.inspection_id, matter_id=event.matter_id, kind=event.kind,
        finding=event.finding, passed=event.passed, inspected_by=event.inspected_by, at=mark.at,
    )  # fmt: skip
