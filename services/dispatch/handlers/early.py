"""Events about a matter that came before the matter itself: another stream, another queue, no order between them.

They are kept and applied when the matter opens; nothing waits in a queue for it.
"""

from __future__ import annotations

from typing import Any

from services.dispatch import repository
from services.dispatch.handlers.case import Case, find_case
from shared.contracts import registry, shapes
from shared.ledger.unit_of_work import UnitOfWork


def case_or_keep(event: Any, work: UnitOfWork) -> Case | None:
    """The case of an event's matter, locked; when it is not here yet, the event is kept and None returned.

    The arrival lock makes sure that an opening just under way either finds what is kept or is found here.
    """
    case = find_case(work, event.matter_id)
    if case is None:
        repository.lock_arrival(work.db, event.matter_id)
        case = find_case(work, event.matter_id)
    if case is None:
        repository.keep_early(
            work.db,
            matter_id=event.matter_id,
            event=registry.by_shape(type(event)).name,
            payload=shapes.dump(event),
            received_at=work.now,
        )
    return case


def take(matter_id: str, work: UnitOfWork) -> list[tuple[str, Any]]:
    """(event name, event) of what was kept, in order; each is given out once."""
    return [
        (name, shapes.load(registry.by_name(name).shape, payload, tolerant=True))
        for name, payload in repository.take_early(work.db, matter_id)
    ]
