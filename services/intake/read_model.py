"""intake's read model: how far dispatch has brought a matter, as its askers are told. The rest is intake's own."""

from __future__ import annotations

from services.intake import repository
from services.intake.domain import Standing
from services.intake.subscriptions import SUBSCRIPTIONS
from services.intake.tables import matters, milestones
from shared.contracts import intake
from shared.ledger.read_model import ReadModel, ReadTable
from shared.ledger.unit_of_work import UnitOfWork


def _opened(event: intake.MatterOpened, work: UnitOfWork) -> None:
    """The row that dispatch's events then bring on."""
    repository.add_matter(
        work.db, matter_id=event.matter_id, opened_at=work.cause.time if work.cause else work.now, unit=event.unit,
        category=event.category, private=event.private, demands=1, standing=Standing.REGISTERED,
        standing_since=work.cause.time if work.cause else work.now,
    )  # fmt: skip


READ_MODEL = ReadModel(
    tables=(
        ReadTable(
            table=matters, matter=matters.c.matter_id, keyed_by=(matters.c.matter_id,), whole=False,
            columns=(
                matters.c.standing, matters.c.standing_since, matters.c.handled_by, matters.c.response_class,
                matters.c.category,
            ),
        ),
        ReadTable(table=milestones, matter=milestones.c.matter_id, counted_by=milestones.c.position),
    ),
    projections={**SUBSCRIPTIONS, "intake.matter-opened": _opened},
)  # fmt: skip
