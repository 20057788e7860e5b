"""Asking those askers of a matter who were not asked yet; in a batch of events, those of all its matters at once.

Who is asked, and because of which event, is the same as if each event had been handled alone: what could change it is
handled only when those who wait have been asked.
"""

from __future__ import annotations

from contextlib import nullcontext
from typing import Any, cast

from services.oversight.domain.evaluation import ASK_IN, Evaluation
from services.oversight.repository import evaluations as repository
from shared.contracts import dispatch, intake
from shared.contracts.envelope import Envelope
from shared.contracts.oversight import EvaluationRequested
from shared.ledger.unit_of_work import UnitOfWork

#: Under which name asking is put off; behind the rows that it reads.
_ASKING = "asking"
#: What changes who has to be asked.
_DISTURBING = (
    intake.DemandRegistered, intake.DemandWithdrawn, dispatch.MatterResolved, dispatch.MatterReworked,
    dispatch.MatterClosed, dispatch.MatterReopened, dispatch.MatterWithdrawn,
)  # fmt: skip


class _Asking:
    """Matters whose askers may have to be asked, each with the event that it is an effect of."""

    def __init__(self) -> None:
        self.causes: dict[str, Envelope | None] = {}

    def flush(self, work: UnitOfWork) -> None:
        """Ask those who were not asked yet, in the order of the events."""
        causes, self.causes = self.causes, {}
        found = repository.to_ask(work.db, list(causes), ask_in(work))
        now, expires = work.now, work.jurisdiction.policy.evaluation.expires
        asked = [
            (
                causes[matter_id],
                Evaluation(
                    evaluation_id=work.new_id(), matter_id=matter_id, demand_id=demand_id, attempt=attempt, version=1,
                    requested_at=now, expires_at=now + expires, answered_at=None,
                ),
            )
            for matter_id in causes
            for demand_id, attempt in found.get(matter_id, ())
        ]  # fmt: skip
        repository.add(work.db, [evaluation for _, evaluation in asked])
        for cause, evaluation in asked:
            _tell(evaluation, cause, work)


def _tell(evaluation: Evaluation, cause: Envelope | None, work: UnitOfWork) -> None:
    event = EvaluationRequested(
        evaluation_id=evaluation.evaluation_id, matter_id=evaluation.matter_id, demand_id=evaluation.demand_id,
        attempt=evaluation.attempt, expires_at=evaluation.expires_at,
    )  # fmt: skip
    with work.caused_by(cause) if cause is not None else nullcontext():
        work.emit(event)


def ask(matter_id: str, work: UnitOfWork) -> None:
    """Ask the matter's askers because of the event at hand, once the batch's events have had their effect."""
    asking = _Asking() if work.put_off is None else cast("_Asking", work.put_off.setdefault(_ASKING, _Asking()))
    asking.causes[matter_id] = work.cause
    if work.put_off is None:
        asking.flush(work)


def settle(event: Any, work: UnitOfWork) -> None:
    """Before an event has its effect: ask those who wait, if it could change who they are."""
    asking = cast("_Asking | None", (work.put_off or {}).get(_ASKING))
    if asking is not None and isinstance(event, _DISTURBING) and event.matter_id in asking.causes:
        work.flush()


def ask_in(work: UnitOfWork) -> tuple[str, ...]:
    """States of a matter in which its askers are asked."""
    return ASK_IN[work.jurisdiction.policy.evaluation.ask_after]
