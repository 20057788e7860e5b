"""How deliberation's lost transactions are told from their events, so that its own handlers can do them again.

Who gave an opinion, who may vote and who voted how is in no event, on purpose (J4): those are left, and said; the host
asks for them again.
"""

from __future__ import annotations

from services.deliberation import commands, handlers
from shared.contracts import deliberation
from shared.contracts.envelope import Envelope
from shared.kernel.actor import Actor
from shared.ledger.recovery import Lost, Retold
from shared.ledger.unit_of_work import Surroundings


def retell(lost: Lost, at_hand: Surroundings) -> Retold:
    """How a lost transaction of deliberation is done again."""
    first = lost.first
    match first.name:
        case "deliberation.topic-submitted":
            return _submitted(first)
        case "deliberation.resolution-adopted":
            return _adopted(lost, at_hand)
        case "deliberation.resolution-rejected":
            return _rejected(first, at_hand)
        case "deliberation.measure-completed":
            return _completed(first, at_hand)
        case _:
            return Retold()


def _submitted(envelope: Envelope) -> Retold:
    event: deliberation.TopicSubmitted = envelope.payload()
    command = commands.OpenTopic(matter=event.matter_id, title=event.title, parties=event.parties)
    actor = Actor(id=event.submitted_by, roles=frozenset(), unit=event.host_unit)
    return Retold(ids=[event.topic_id], actor=actor, run=lambda work: handlers.open_topic(command, work))


def _adopted(lost: Lost, at_hand: Surroundings) -> Retold:
    event: deliberation.ResolutionAdopted = lost.first.payload()
    measures: list[deliberation.MeasureAssigned] = [each.payload() for each in lost.of("deliberation.measure-assigned")]
    command = commands.AdoptResolution(
        topic=event.topic_id,
        text=event.text,
        measures=tuple(commands.Measure(unit=one.unit, action=one.action, due=one.due_at) for one in measures),
    )
    ids = [event.resolution_id, *(one.measure_id for one in measures)]
    return Retold(
        ids=ids,
        actor=_anywhere(event.adopted_by, at_hand),
        run=lambda work: handlers.adopt_resolution(command, work),
    )


def _rejected(envelope: Envelope, at_hand: Surroundings) -> Retold:
    event: deliberation.ResolutionRejected = envelope.payload()
    command = commands.RejectResolution(topic=event.topic_id, reason=event.reason)
    return Retold(
        actor=_anywhere(event.rejected_by, at_hand), run=lambda work: handlers.reject_resolution(command, work)
    )


def _completed(envelope: Envelope, at_hand: Surroundings) -> Retold:
    """Who said so is in no event."""
    event: deliberation.MeasureCompleted = envelope.payload()
    command = commands.CompleteMeasure(topic=event.topic_id, measure=event.measure_id)
    return Retold(
        actor=_anywhere("recovered:unknown", at_hand), run=lambda work: handlers.complete_measure(command, work)
    )


def _anywhere(person: str, at_hand: Surroundings) -> Actor:
    pack = at_hand.jurisdiction
    top = next(unit.id for unit in pack.units.values() if unit.level == pack.levels[-1])
    return Actor(id=person, roles=frozenset(), unit=top)
