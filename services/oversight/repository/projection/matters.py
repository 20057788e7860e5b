"""How the events of intake and of dispatch's matter streams fill `matters`, `attempts`, `demands` and `milestones`."""

from __future__ import annotations

from typing import Any

from sqlalchemy import select

from services.oversight.repository.projection.rows import Mark, Rows
from services.oversight.tables import attempts, demands, matters
from shared.contracts import dispatch, intake


def _matter(rows: Rows, matter_id: str, **values: Any) -> None:
    rows.upsert(matters, {"matter_id": matter_id}, values)


def _attempt(rows: Rows, matter_id: str, attempt: int, **values: Any) -> None:
    rows.upsert(attempts, {"matter_id": matter_id, "attempt": attempt}, values)


def demand_registered(rows: Rows, event: intake.DemandRegistered, mark: Mark) -> None:
    """A demand: counted for its matter, asked when the matter closes."""
    rows.insert_once(
        demands, demand_id=event.demand_id, matter_id=event.matter_id, number=event.number, channel=event.channel,
        asker_kind=event.asker_kind, private=event.private, joined=event.joined, registered_at=mark.at,
    )  # fmt: skip


def demand_withdrawn(rows: Rows, event: intake.DemandWithdrawn, mark: Mark) -> None:
    """Its asker is not asked any more."""
    rows.change(demands, "demand_id", event.demand_id, {"withdrawn_at": mark.at})


def matter_opened(rows: Rows, event: intake.MatterOpened, mark: Mark) -> None:
    """What intake knows of a matter; dispatch's columns are left alone."""
    _matter(
        rows, event.matter_id, number=event.number, private=event.private, channel=event.channel,
        asker_kind=event.asker_kind, asked_category=event.category, territory=event.unit, opened_at=mark.at,
    )  # fmt: skip
    _attempt(rows, event.matter_id, 1, started_at=mark.at)


def matter_located(rows: Rows, event: intake.MatterLocated, mark: Mark) -> None:
    """It lies in a grid now."""
    del mark
    _matter(rows, event.matter_id, territory=event.unit)


def matter_classified(rows: Rows, event: dispatch.MatterClassified, mark: Mark) -> None:
    """Class and category; a reclassification keeps the state the matter has reached."""
    del mark
    values: dict[str, Any] = {"response_class": event.response_class}
    if event.category is not None:
        values["category"] = event.category
    rows.classified(event.matter_id, values)


def matter_assigned(rows: Rows, event: dispatch.MatterAssigned, mark: Mark) -> None:
    """A unit is responsible."""
    _matter(rows, event.matter_id, state="assigned", unit=event.unit, level=event.level)
    rows.milestone(mark, event.matter_id, "assigned", unit=event.unit, level=event.level)


def matter_accepted(rows: Rows, event: dispatch.MatterAccepted, mark: Mark) -> None:
    """The unit took it on."""
    del mark
    _matter(rows, event.matter_id, state="accepted", unit=event.unit)


def matter_returned(rows: Rows, event: dispatch.MatterReturned, mark: Mark) -> None:
    """It went back."""
    _matter(rows, event.matter_id, state="assigned", unit=event.to_unit)
    rows.milestone(mark, event.matter_id, "returned", unit=event.to_unit, detail=event.from_unit)


def matter_escalated(rows: Rows, event: dispatch.MatterEscalated, mark: Mark) -> None:
    """It went up the ladder."""
    _matter(rows, event.matter_id, state="assigned", unit=event.to_unit, level=event.to_level)
    rows.milestone(mark, event.matter_id, "escalated", unit=event.to_unit, level=event.to_level, detail=event.cause)


def matter_suspended(rows: Rows, event: dispatch.MatterSuspended, mark: Mark) -> None:
    """Work rests; figures show it apart."""
    _matter(rows, event.matter_id, suspended=True)
    rows.milestone(mark, event.matter_id, "suspended")


def matter_resumed(rows: Rows, event: dispatch.MatterResumed, mark: Mark) -> None:
    """Work goes on."""
    _matter(rows, event.matter_id, suspended=False)
    rows.milestone(mark, event.matter_id, "resumed")


def matter_resolved(rows: Rows, event: dispatch.MatterResolved, mark: Mark) -> None:
    """The handler says it is done."""
    del mark
    _matter(rows, event.matter_id, state="resolved", outcome=event.outcome)


def matter_verified(rows: Rows, event: dispatch.MatterVerified, mark: Mark) -> None:
    """Somebody else found it done."""
    del mark
    _matter(rows, event.matter_id, state="verified")


def matter_reworked(rows: Rows, event: dispatch.MatterReworked, mark: Mark) -> None:
    """Verification failed."""
    _matter(rows, event.matter_id, state="assigned", unit=event.unit)
    rows.milestone(mark, event.matter_id, "reworked", unit=event.unit)


def matter_closed(rows: Rows, event: dispatch.MatterClosed, mark: Mark) -> None:
    """Closed; the first closure's date and outcome stay for ever."""
    told = {
        "state": "closed", "suspended": False, "unit": event.unit, "level": event.level, "outcome": event.outcome,
        "response_class": event.response_class, "attempt": event.attempt, "closed_at": mark.at,
    }  # fmt: skip
    first = {"first_closed_at": mark.at, "first_on_time": event.on_time} if event.attempt == 1 else {}
    _matter(rows, event.matter_id, **told, **first)
    _attempt(rows, event.matter_id, event.attempt, ended_at=mark.at, ended_as="closed", on_time=event.on_time)


def matter_reopened(rows: Rows, event: dispatch.MatterReopened, mark: Mark) -> None:
    """A new attempt."""
    _matter(rows, event.matter_id, state="reopened", unit=event.unit, attempt=event.attempt, closed_at=None)
    _attempt(rows, event.matter_id, event.attempt, started_at=mark.at)
    rows.milestone(mark, event.matter_id, "reopened", unit=event.unit)


def matter_withdrawn(rows: Rows, event: dispatch.MatterWithdrawn, mark: Mark) -> None:
    """The last asker took it back: it ends without an outcome, in whichever attempt it is."""
    _matter(rows, event.matter_id, state="withdrawn", suspended=False)
    attempt = rows.fresh().execute(select(matters.c.attempt).where(matters.c.matter_id == event.matter_id)).scalar_one()
    _attempt(rows, event.matter_id, attempt, ended_at=mark.at, ended_as="withdrawn")
