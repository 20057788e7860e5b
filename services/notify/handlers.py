"""Notify's handlers: they turn events into news, and news into one message per asker, or a notice for people at work.

They send nothing.
"""

from __future__ import annotations

from datetime import datetime
from typing import Any

from services.notify import commands, domain, notice_repository, noticing, repository
from services.notify.domain import State
from services.notify.telling import Telling, telling
from shared.contracts import dispatch, intake, oversight, registry
from shared.kernel.errors import NotFound
from shared.ledger.unit_of_work import UnitOfWork
from shared.runtime.definition import Reply

#: Audience of a template that is for those who asked.
ASKER = "asker"
#: The clock whose end askers are told.
_RESOLVE = "resolve"


def on_demand_registered(event: intake.DemandRegistered, work: UnitOfWork) -> None:
    """Keep the sealed contact, and tell the asker this and every piece of the matter's news that came before it."""
    at = _at(work)
    telling(
        work,
        lambda told: told.add_addressee(
            demand_id=event.demand_id, matter_id=event.matter_id, number=event.number,
            matter_number=event.matter_number, registered_at=at, joined=event.joined, sealed=event.sealed_asker,
            reachable=event.sealed_asker is not None, withdrawn_at=None,
        ),
    )  # fmt: skip
    _spread(event, work, demand_id=event.demand_id)


def on_demand_withdrawn(event: intake.DemandWithdrawn, work: UnitOfWork) -> None:
    """Tell this asker nothing more."""
    work.flush()
    repository.hold(work.db, [event.matter_id])
    repository.withdraw(work.db, event.demand_id, told_at=_at(work), at=work.now)


def on_demand_joined(event: intake.DemandJoinedMatter, work: UnitOfWork) -> None:
    """Tell the one who joined. Not the others: what a hundred ask about would be ten thousand messages."""
    _spread(event, work, demand_id=event.demand_id)


def on_matter_placed(event: intake.MatterOpened | intake.MatterLocated, work: UnitOfWork) -> None:
    """Keep where it lies."""
    telling(work, lambda told: told.note_matter(event.matter_id, unit=event.unit))


def on_matter_classified(event: dispatch.MatterClassified, work: UnitOfWork) -> None:
    """Keep how fast it has to be handled."""
    telling(work, lambda told: told.note_matter(event.matter_id, response_class=event.response_class))
    _spread(event, work)


def on_clock_set(event: dispatch.ClockStarted | dispatch.ClockMoved, work: UnitOfWork) -> None:
    """Keep until when it is promised."""
    if event.kind == _RESOLVE:
        promised = {"due_at": event.due_at, "due_provisional": event.provisional}
        telling(work, lambda told: told.note_matter(event.matter_id, **promised))


def on_matter_handed_over(event: Any, work: UnitOfWork) -> None:
    """Keep who handles it, and tell."""
    unit = getattr(event, "to_unit", None) or event.unit
    telling(work, lambda told: told.note_matter(event.matter_id, handled_by=unit))
    _spread(event, work, unit=unit, reason=_reason(event))


def on_matter_moved(event: Any, work: UnitOfWork) -> None:
    """Tell, where the pack has a template for it."""
    _spread(event, work, unit=getattr(event, "unit", None))


def on_evaluation_requested(event: oversight.EvaluationRequested, work: UnitOfWork) -> None:
    """Ask the one asker to judge (J7, 一事一评)."""
    _spread(event, work, demand_id=event.demand_id, evaluation_id=event.evaluation_id)


def on_work_news(event: Any, work: UnitOfWork) -> None:
    """News about a claim or an order: for the people at work whom it concerns (services.notify.recipients)."""
    noticing.note(event, work)


def _reason(event: Any) -> str | None:
    """The code of an escalation's reason; of a breach or rule only that it was one. Free text stays where it is."""
    if not isinstance(event, dispatch.MatterEscalated):
        return None
    return event.reason if event.cause == "reason" else event.cause


def _at(work: UnitOfWork) -> datetime:
    return work.cause.time if work.cause is not None else work.now


def _spread(
    event: Any,
    work: UnitOfWork,
    *,
    demand_id: str | None = None,
    unit: str | None = None,
    reason: str | None = None,
    evaluation_id: str | None = None,
) -> None:
    """Keep a piece of news for each of the pack's templates for it, and tell those askers whom it concerns."""
    name = registry.by_shape(type(event)).name
    templates = [one.id for one in work.jurisdiction.templates if one.event == name and one.audience == ASKER]
    if not templates:
        return
    values = {
        "event_id": work.cause.id if work.cause is not None else work.new_id(), "matter_id": event.matter_id,
        "demand_id": demand_id, "at": _at(work), "unit": unit, "reason": reason, "evaluation_id": evaluation_id,
    }  # fmt: skip

    def tell(told: Telling) -> None:
        for template in templates:
            told.add_news(template=template, **values)

    telling(work, tell)


def retry_message(command: commands.RetryMessage, work: UnitOfWork) -> Reply:
    """Have a failed message tried again at once. Raises NotFound, Forbidden, Conflict (message-not-failed)."""
    message = repository.message(work.db, command.message, lock=True)
    work.require_scope(message.handled_by or message.unit)
    work.check_version(message.version)
    domain.check_retry(State(message.state))
    repository.retry(work.db, message.id, message.version, work.now)
    return Reply(body={"message_id": message.id, "state": State.PENDING}, version=message.version + 1)


def reads(work: UnitOfWork, row: Any) -> bool:
    """Whether a notice is the actor's own, or its desk's: desks are those who see their unit's matters."""
    return row.person == work.actor.id or row.unit in desks(work)


def desks(work: UnitOfWork) -> tuple[str, ...]:
    """The unit whose notices an actor reads: members and volunteers of a territory read none of its desk's."""
    at_desk = work.actor.may("read-matters") or work.actor.may("answer-whistle")
    return (work.actor.unit,) if at_desk and work.actor.unit is not None else ()


def mark_notice_read(command: commands.MarkNoticeRead, work: UnitOfWork) -> Reply:
    """Somebody has read it; who read it first stays on record. Raises NotFound, Stale."""
    row = notice_repository.notice(work.db, command.notice)
    if row is None or not reads(work, row):
        raise NotFound(
            f"There is no notice {command.notice!r} for you.", code="unknown-notice", where="notice",
            remedy="Check the id.",
        )  # fmt: skip
    work.check_version(row.version)
    if row.read_at is not None:
        return Reply(body={"notice_id": row.id, "read_by": row.read_by}, version=row.version)
    notice_repository.mark_read(work.db, row.id, row.version, by=work.actor.id, at=work.now)
    return Reply(body={"notice_id": row.id, "read_by": work.actor.id}, version=row.version + 1)
