"""Interventions: what people did to the flow of events by hand. Each has a row: what, who, why, when, with what result.

Rows are only added, and the detail of one that is under way is brought up to date; nothing here is ever deleted. What
is decided at once (release, discard) writes its row in the transaction of the decision. What takes long (replay,
rebuild) writes it before it begins, and notes how far it has come: one that was killed shows as running, and may be
resumed. Two at once do each other no harm, so nothing keeps them apart.
"""

from __future__ import annotations

import logging
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from sqlalchemy import Connection, Row, func, insert, select, update

from shared.kernel.errors import Invalid, NotFound
from shared.ledger.engines import reading
from shared.ledger.tables import interventions
from shared.ledger.unit_of_work import Surroundings, UnitOfWork, unit_of_work

log = logging.getLogger(__name__)

#: What there is.
KINDS = ("release", "discard", "replay", "rebuild", "recover")
#: Longest reason, characters.
REASON_LIMIT = 500
#: How a long one stands, in its detail's `state`.
RUNNING, DONE = "running", "done"
#: Earlier ones of a kind among which the one to resume is looked for.
_LOOKED_AT = 200


class NothingToResume(NotFound):
    """No such intervention was broken off. Start it without --resume."""

    code = "nothing-to-resume"


def checked_reason(why: str) -> str:
    """The reason without blanks around it. Raises Invalid when it says nothing, is too long, or is no one line."""
    reason = why.strip()
    fault = None
    if not reason:
        fault = "A reason is needed; it is kept with your name."
    elif len(reason) > REASON_LIMIT:
        fault = f"The reason has {len(reason)} characters; {REASON_LIMIT} are kept."
    elif not reason.isprintable():
        fault = "The reason has a line break or another sign that cannot be printed."
    if fault is not None:
        raise Invalid(fault, fields={"reason": [fault]}, remedy="Say in one line why, so that others understand it.")
    return reason


def note(work: UnitOfWork, kind: str, *, by: str, why: str, detail: Mapping[str, Any]) -> str:
    """Add a row in the transaction of `work`; returns its id. `kind`: as in the table; `detail`: JSON values."""
    entry_id = work.new_id()
    work.db.execute(
        insert(interventions).values(id=entry_id, kind=kind, by=by, why=why, at=work.now, detail=dict(detail))
    )
    log.info("intervention", extra={"intervention": entry_id, "kind": kind, "by": by})
    return entry_id


def listed(db: Connection, *, kind: str | None = None, limit: int = 100) -> Sequence[Row[Any]]:
    """Rows, newest first."""
    query = select(interventions).order_by(interventions.c.at.desc(), interventions.c.id.desc()).limit(limit)
    return db.execute(query if kind is None else query.where(interventions.c.kind == kind)).all()


def counts(db: Connection) -> dict[str, int]:
    """How many there are of each kind, also of those of which there is none."""
    query = select(interventions.c.kind, func.count().label("number")).group_by(interventions.c.kind)
    return dict.fromkeys(KINDS, 0) | {row.kind: row.number for row in db.execute(query)}


def discarded(db: Connection) -> set[str]:
    """Ids of the messages that were discarded; remembered here when the quarantine has long been purged of them."""
    details = db.execute(select(interventions.c.detail).where(interventions.c.kind == "discard")).scalars()
    return {detail["message"] for detail in details if detail.get("message")}


@dataclass(frozen=True, kw_only=True)
class Job:
    """A replay or rebuild under way, and its row."""

    at_hand: Surroundings
    id: str
    #: What of the detail stays as it is: the scope.
    scope: Mapping[str, Any]
    #: How far an earlier process had come with it; empty when this is the first.
    before: Mapping[str, Any] = field(default_factory=dict)

    def save(self, work: UnitOfWork, progress: Mapping[str, Any], *, state: str = RUNNING) -> None:
        """Note how far it has come, in the transaction of `work`."""
        detail = {"scope": dict(self.scope), "state": state, **progress}
        work.db.execute(update(interventions).where(interventions.c.id == self.id).values(detail=detail))

    def save_now(self, progress: Mapping[str, Any], *, state: str = RUNNING) -> None:
        """Note it in a transaction of its own."""
        with unit_of_work(self.at_hand) as work:
            self.save(work, progress, state=state)
            work.commit()


def begin(at_hand: Surroundings, kind: str, *, by: str, why: str, scope: Mapping[str, Any]) -> Job:
    """Write the row of a long intervention before it begins. Raises Invalid (reason)."""
    reason = checked_reason(why)
    with unit_of_work(at_hand) as work:
        entry_id = note(work, kind, by=by, why=reason, detail={"scope": dict(scope), "state": RUNNING})
        work.commit()
    return Job(at_hand=at_hand, id=entry_id, scope=scope)


def resume(at_hand: Surroundings, kind: str, *, scope: Mapping[str, Any]) -> Job:
    """Go on with the newest one of this kind and scope, if it was broken off. Raises NothingToResume."""
    with reading(at_hand.engine) as db:
        row = broken_off(db, kind, scope)
    if row is None:
        raise NothingToResume(
            f"No {kind} of {at_hand.service} with these options was broken off.", where="--resume",
            remedy="Start it without --resume.",
        )  # fmt: skip
    return Job(at_hand=at_hand, id=row.id, scope=scope, before=row.detail)


def broken_off(db: Connection, kind: str, scope: Mapping[str, Any]) -> Row[Any] | None:
    """The newest one of this kind and scope, unless it came to its end."""
    for row in listed(db, kind=kind, limit=_LOOKED_AT):
        if row.detail.get("scope") == dict(scope):
            return row if row.detail.get("state") == RUNNING else None
    return None
