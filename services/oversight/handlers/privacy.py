"""Who may see a private matter in oversight: those who take part in handling it, and nobody else (A2)."""

from __future__ import annotations

from services.oversight.repository import evaluations as repository
from services.oversight.repository.evaluations import MatterSeen
from shared.ledger.unit_of_work import UnitOfWork


def handles(work: UnitOfWork, seen: MatterSeen) -> bool:
    """Whether the actor's unit handles or handled the matter, and the actor's role takes part in handling."""
    if not (work.actor.may("handle-matter") or work.actor.may("verify-matter")):
        return False
    return work.actor.unit in repository.handlers_of(work.db, seen.matter_id) | {seen.unit}
