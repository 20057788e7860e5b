"""How the events of intake and of dispatch's matter streams fill `matters`, `attempts`, `demands` and `milestones`."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from sqlalchemy import Connection, case, select, update

from services.oversight.repository.projection.rows import Mark, insert_once, milestone, upsert
from services.oversight.tables import attempts, demands, matters
from shared.contracts import dispatch, intake

#: What a matter's row holds before anybody said so.
_BLANK: Mapping[str, Any] = {"state": "registered", "suspended": False, "attempt": 1}


def _matter(db: Connection, matter_id: str, **values: Any) -> None:
    upsert(db, matters, {"matter_id": matter_id}, values, blank=_BLANK)


def _attempt(db: Connection, matter_id: str, attempt: int, **values: Any) -> None:
    upsert(db, attempts, {"matter_id": matter_id, "attempt": attempt}, values)


def demand_registered(db: Connection, event: intake.DemandRegistered, mark: Mark) -> None:
    """A demand: counted for its matter, asked when the matter closes."""
    insert_once(
        db, demands, demand_id=event.demand_id, matter_id=event.matter_id, number=event.number, channel=event.channel,
        asker_kind=event.asker_kind, private=event.private, joined=event.joined, registered_at=mark.at,
    )  # fmt: skip


def demand_withdrawn(db: Connection, event: intake.DemandWithdrawn, mark: Mark) -> None:
    """Its asker is not asked any more."""
    db.execute(update(demands).where(demands.c.demand_id == event.demand_id).values(withdrawn_at=mark.at))


def matter_opened(db: Connection, event: intake.MatterOpened, mark: Mark) -> None:
    """What intake knows of a matter; dispatch's columns are left alone."""
    _matter(
        db, event.matter_id, number=event.number, private=event.private, channel=event.channel,
        asker_kind=event.asker_kind, asked_category=event.category, territory=event.unit, opened_at=mark.at,
    )  # fmt: skip
    _attempt(db, event.matter_id, 1, started_at=mark.at)


def matter_located(db: Connection, event: intake.MatterLocated, mark: Mark) -> None:
    """It lies in a grid now."""
    del mark
    _matter(db, event.matter_id, territory=event.unit)


def matter_classified(db: Connection, event: dispatch.MatterClassified, mark: Mark) -> None:
    """Class and category; a reclassification keeps the state the matter has reached."""
    del mark
    values: dict[str, Any] = {"response_class": event.response_class}
    if event.category is not None:
        values["category"] = event.category
    still_new = case((matters.c.state == "registered", "classified"), else_=matters.c.state)
    upsert(
        db, matters, {"matter_id": event.matter_id}, {**values, "state": "classified"}, blank=_BLANK,
        instead={"state": still_new},
    )  # fmt: skip


def matter_assigned(db: Connection, event: dispatch.MatterAssigned, mark: Mark) -> None:
    """A unit is responsible."""
    _matter(db, event.matter_id, state="assigned", unit=event.unit, level=event.level)
    milestone(db, mark, event.matter_id, "assigned", unit=event.unit, level=event.level)


def matter_accepted(db: Connection, event: dispatch.MatterAccepted, mark: Mark) -> None:
    """The unit took it on."""
    del mark
    _matter(db, event.matter_id, state="accepted", unit=event.unit)


def matter_returned(db: Connection, event: dispatch.MatterReturned, mark: Mark) -> None:
    """It went back."""
    _matter(db, event.matter_id, state="assigned", unit=event.to_unit)
    milestone(db, mark, event.matter_id, "returned", unit=event.to_unit, detail=event.from_unit)


def matter_escalated(db: Connection, event: dispatch.MatterEscalated, mark: Mark) -> None:
    """It went up the ladder."""
    _matter(db, event.matter_id, state="assigned", unit=event.to_unit, level=event.to_level)
    milestone(db, mark, event.matter_id, "escalated", unit=event.to_unit, level=event.to_level, detail=event.cause)


def matter_suspended(db: Connection, event: dispatch.MatterSuspended, mark: Mark) -> None:
    """Work rests; figures show it apart."""
    _matter(db, event.matter_id, suspended=True)
    milestone(db, mark, event.matter_id, "suspended")


def matter_resumed(db: Connection, event: dispatch.MatterResumed, mark: Mark) -> None:
    """Work goes on."""
    _matter(db, event.matter_id, suspended=False)
    milestone(db, mark, event.matter_id, "resumed")


def matter_resolved(db: Connection, event: dispatch.MatterResolved, mark: Mark) -> None:
    """The handler says it is done."""
    del mark
    _matter(db, event.matter_id, state="resolved", outcome=event.outcome)


def matter_verified(db: Connection, event: dispatch.MatterVerified, mark: Mark) -> None:
    """Somebody else found it done."""
    del mark
    _matter(db, event.matter_id, state="verified")


def matter_reworked(db: Connection, event: dispatch.MatterReworked, mark: Mark) -> None:
    """Verification failed."""
    _matter(db, event.matter_id, state="assigned", unit=event.unit)
    milestone(db, mark, event.matter_id, "reworked", unit=event.unit)


def matter_closed(db: Connection, event: dispatch.MatterClosed, mark: Mark) -> None:
    """Closed; the first closure's date and outcome stay for ever."""
    told = {
        "state": "closed", "suspended": False, "unit": event.unit, "level": event.level, "outcome": event.outcome,
        "response_class": event.response_class, "attempt": event.attempt, "closed_at": mark.at,
    }  # fmt: skip
    first = {"first_closed_at": mark.at, "first_on_time": event.on_time} if event.attempt == 1 else {}
    _matter(db, event.matter_id, **told, **first)
    _attempt(db, event.matter_id, event.attempt, ended_at=mark.at, ended_as="closed", on_time=event.on_time)


def matter_reopened(db: Connection, event: dispatch.MatterReopened, mark: Mark) -> None:
    """A new attempt."""
    _matter(db, event.matter_id, state="reopened", unit=event.unit, attempt=event.attempt, closed_at=None)
    _attempt(db, event.matter_id, event.attempt, started_at=mark.at)
    milestone(db, mark, event.matter_id, "reopened", unit=event.unit)


def matter_withdrawn(db: Connection, event: dispatch.MatterWithdrawn, mark: Mark) -> None:
    """The last asker took it back: it ends without an outcome, in whichever attempt it is."""
    _matter(db, event.matter_id, state="withdrawn", suspended=False)
    attempt = db.execute(select(matters.c.attempt).where(matters.c.matter_id == event.matter_id)).scalar_one()
    _attempt(db, event.matter_id, attempt, ended_at=mark.at, ended_as="withdrawn")
