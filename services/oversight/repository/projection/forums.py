"""How deliberation's topics and oversight's own events fill `resolutions`, `evaluations` and `inspections`."""

from __future__ import annotations

from typing import Any

from sqlalchemy import Connection, update

from services.oversight.repository.projection.rows import Mark, insert_once, milestone
from services.oversight.tables import evaluations, inspections, resolutions
from shared.contracts import deliberation, oversight


def topic_submitted(db: Connection, event: deliberation.TopicSubmitted, mark: Mark) -> None:
    """A matter is deliberated."""
    insert_once(
        db, resolutions, topic_id=event.topic_id, matter_id=event.matter_id, title=event.title,
        host_unit=event.host_unit, state="submitted", submitted_at=mark.at,
    )  # fmt: skip
    milestone(db, mark, event.matter_id, "deliberated", unit=event.host_unit)


def _topic(db: Connection, topic_id: str, **values: Any) -> None:
    db.execute(update(resolutions).where(resolutions.c.topic_id == topic_id).values(values))


def ballot_opened(db: Connection, event: deliberation.BallotOpened, mark: Mark) -> None:
    """The one ballot."""
    del mark
    _topic(db, event.topic_id, state="balloting")


def resolution_adopted(db: Connection, event: deliberation.ResolutionAdopted, mark: Mark) -> None:
    """The one resolution."""
    _topic(
        db, event.topic_id, state="adopted", resolution_id=event.resolution_id, measures=event.measures,
        decided_at=mark.at,
    )  # fmt: skip


def resolution_rejected(db: Connection, event: deliberation.ResolutionRejected, mark: Mark) -> None:
    """None came about."""
    _topic(db, event.topic_id, state="rejected", decided_at=mark.at)


def resolution_filed(db: Connection, event: deliberation.ResolutionFiled, mark: Mark) -> None:
    """Filed with community and street."""
    del mark
    _topic(db, event.topic_id, state="filed")


def evaluation_requested(db: Connection, event: oversight.EvaluationRequested, mark: Mark) -> None:
    """Live the row is there already; a rebuild makes it from this."""
    insert_once(
        db, evaluations, evaluation_id=event.evaluation_id, matter_id=event.matter_id, demand_id=event.demand_id,
        attempt=event.attempt, version=1, requested_at=mark.at, expires_at=event.expires_at,
    )  # fmt: skip


def evaluation_received(db: Connection, event: oversight.EvaluationReceived, mark: Mark) -> None:
    """Likewise; the first answer is the answer."""
    db.execute(
        update(evaluations)
        .where(evaluations.c.evaluation_id == event.evaluation_id, evaluations.c.answered_at.is_(None))
        .values(
            answered_at=mark.at, satisfied=event.satisfied, resolved=event.resolved, comment=event.comment,
            wants_reopening=event.wants_reopening, channel=event.channel, version=2,
        )
    )  # fmt: skip


def inspection_recorded(db: Connection, event: oversight.InspectionRecorded, mark: Mark) -> None:
    """Likewise."""
    insert_once(
        db, inspections, inspection_id=event.inspection_id, matter_id=event.matter_id, kind=event.kind,
        finding=event.finding, passed=event.passed, inspected_by=event.inspected_by, at=mark.at,
    )  # fmt: skip
