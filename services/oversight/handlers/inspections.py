"""On-site and cloud inspections (J6)."""

from __future__ import annotations

from services.oversight import commands
from services.oversight.handlers.privacy import handles
from services.oversight.repository import evaluations as repository
from shared.contracts.oversight import InspectionRecorded
from shared.kernel.errors import NotFound
from shared.ledger.unit_of_work import UnitOfWork
from shared.runtime.definition import Reply


def record_inspection(command: commands.RecordInspection, work: UnitOfWork) -> Reply:
    """Keep what an inspector found.

    Raises NotFound (also for a private matter that the inspector's unit does not handle), Forbidden (out of scope).
    """
    seen = repository.matter(work.db, command.matter)
    if seen is None or (seen.private and not handles(work, seen)):
        raise NotFound(
            f"There is no matter {command.matter!r}.",
            code="unknown-matter",
            where="matter",
            remedy="Check the matter's id.",
        )
    work.require_scope(seen.territory)
    inspection_id = work.new_id()
    repository.add_inspection(
        work.db, inspection_id=inspection_id, matter_id=command.matter, kind=command.kind, finding=command.finding,
        passed=command.passed, inspected_by=work.actor.id, at=work.now,
    )  # fmt: skip
    work.emit(
        InspectionRecorded(
            inspection_id=inspection_id, matter_id=command.matter, kind=command.kind, finding=command.finding,
            passed=command.passed, inspected_by=work.actor.id,
        )
    )  # fmt: skip
    return Reply(body={"inspection": inspection_id}, version=1)
