"""Events about a matter that came before the matter itself: another stream, another queue, no order between them.

They are kept and applied when the matter opens; nothing waits in a queue for it.
"""

from __future__ import annotations

from typing import Any

from services.dispatch import repository
from shared.contracts import registry, shapes
from shared.ledger.unit_of_work import UnitOfWork


def keep(event: Any, matter_id: str, work: UnitOfWork) -> None:
    """Keep an event for a matter that is not here yet."""
    repository.keep_early(
        work.db,
        matter_id=matter_id,
        event=registry.by_shape(type(event)).name,
        payload=shapes.dump(event),
        received_at=work.now,
    )


def take(matter_id: str, work: UnitOfWork) -> list[tuple[str, Any]]:
    """(event name, event) of what was kept, in order; each is given out once."""
    return [
        (name, shapes.load(registry.by_name(name).shape, payload, tolerant=True))
        for name, payload in repository.take_early(work.db, matter_id)
    ]
