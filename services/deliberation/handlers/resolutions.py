"""The one resolution of a topic, its filing 备案 and its measures (J4)."""

from __future__ import annotations

from typing import Any

from sqlalchemy import Row

from services.deliberation import commands, domain, repository
from services.deliberation.domain import Step, TopicState
from shared.contracts import deliberation
from shared.jurisdiction import Jurisdiction
from shared.kernel.errors import Conflict, Refusal
from shared.ledger.unit_of_work import UnitOfWork
from shared.runtime.definition import Reply

#: Option of the pack's `deliberation` policy: names of the levels that a resolution is filed with.
_FILE_WITH = "file_with"


def adopt_resolution(command: commands.AdoptResolution, work: UnitOfWork) -> Reply:
    """Adopt the resolution of a carried ballot. Raises NotFound, Forbidden, IllegalTransition (not-carried)."""
    topic = repository.topic(work.db, command.topic, lock=True)
    work.require_scope(topic.host_unit)
    work.check_version(topic.version)
    state = domain.next_state(TopicState(topic.state), Step.ADOPT)
    for place, wanted in enumerate(command.measures):
        work.jurisdiction.unit(wanted.unit)
        if wanted.due is not None and wanted.due <= work.now:
            message = f"Measure {place + 1} would be due before it is assigned."
            raise Refusal(
                message, code="due-in-the-past", where=f"measures[{place}].due", remedy="Give a later instant, or none."
            )
    matter = repository.matter(work.db, topic.matter_id)
    resolution_id = work.new_id()
    filed_with = file_with(work.jurisdiction, matter.unit or topic.host_unit)
    repository.add_resolution(
        work.db, id=resolution_id, topic_id=topic.id, text=command.text, adopted_by=work.actor.id, adopted_at=work.now,
        filed_with=" ".join(filed_with),
    )  # fmt: skip
    version = repository.move_topic(work.db, topic, state, ended_at=work.now)
    about = {"topic_id": topic.id, "matter_id": topic.matter_id, "resolution_id": resolution_id}
    work.emit(
        deliberation.ResolutionAdopted(
            **about, text=command.text, measures=len(command.measures), adopted_by=work.actor.id
        )
    )
    work.emit(deliberation.ResolutionFiled(**about, filed_with=filed_with))
    ids = [_assign(place, wanted, about, work) for place, wanted in enumerate(command.measures, start=1)]
    body = {
        "resolution_id": resolution_id,
        "topic_id": topic.id,
        "filed_with": list(filed_with),
        "measures": ids,
        "state": state,
    }
    return Reply(body=body, version=version)


def _assign(place: int, wanted: commands.Measure, about: dict[str, str], work: UnitOfWork) -> str:
    measure_id = work.new_id()
    repository.add_measure(
        work.db, id=measure_id, **about, place=place, unit=wanted.unit, action=wanted.action, due_at=wanted.due
    )
    work.emit(
        deliberation.MeasureAssigned(
            **about, measure_id=measure_id, unit=wanted.unit, action=wanted.action, due_at=wanted.due
        )
    )
    return measure_id


def file_with(pack: Jurisdiction, unit: str) -> tuple[str, ...]:
    """Units that a resolution about `unit` is filed with: those of its ladder on the levels the pack names.

    Without a word of the pack these are the two levels above the lowest, community and street in Jianwai (J4). A unit
    whose ladder has none of them (the district itself) files with the top of its ladder.
    """
    named = pack.policy.deliberation.options.get(_FILE_WITH)
    levels = tuple(str(level) for level in named) if isinstance(named, list | tuple) else pack.levels[1:3]
    ladder = pack.ladder(unit)
    return tuple(one.id for one in ladder if one.level in levels) or (ladder[-1].id,)


def reject_resolution(command: commands.RejectResolution, work: UnitOfWork) -> Reply:
    """End the topic without a resolution. Raises NotFound, Forbidden, IllegalTransition (ballot-open)."""
    topic = repository.topic(work.db, command.topic, lock=True)
    work.require_scope(topic.host_unit)
    work.check_version(topic.version)
    state = domain.next_state(TopicState(topic.state), Step.REJECT)
    version = end_without(topic, state, command.reason, work)
    return Reply(body={"topic_id": topic.id, "state": state}, version=version)


def end_without(topic: Row[Any], state: TopicState, reason: str, work: UnitOfWork) -> int:
    """Store and tell that a topic ended without a resolution; returns the topic's version."""
    version = repository.move_topic(work.db, topic, state, ended_at=work.now, reason=reason)
    work.emit(
        deliberation.ResolutionRejected(
            topic_id=topic.id, matter_id=topic.matter_id, reason=reason, rejected_by=work.actor.id
        )
    )
    return version


def complete_measure(command: commands.CompleteMeasure, work: UnitOfWork) -> Reply:
    """Mark a measure carried out. Raises NotFound, Forbidden, Conflict (measure-completed)."""
    topic = repository.topic(work.db, command.topic)
    work.require_scope(topic.host_unit)
    measure = repository.measure(work.db, topic.id, command.measure)
    if not complete(measure, work):
        message = "The measure was completed before."
        raise Conflict(message, code="measure-completed", where="measure", remedy="Nothing more is needed.")
    return Reply(body={"topic_id": topic.id, "measure_id": measure.id})


def complete(measure: Row[Any], work: UnitOfWork) -> bool:
    """Mark a measure carried out and tell it, unless it was before."""
    done = repository.complete_measure(work.db, measure.id, work.actor.id, work.now)
    if done:
        work.emit(
            deliberation.MeasureCompleted(topic_id=measure.topic_id, matter_id=measure.matter_id, measure_id=measure.id)
        )
    return done
