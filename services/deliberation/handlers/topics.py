"""Topics and opinions: the 1 and the N of the platform (J3, J4)."""

from __future__ import annotations

from services.deliberation import commands, domain, repository
from services.deliberation.domain import Step, TopicState
from shared.contracts import deliberation
from shared.jurisdiction import DEPARTMENT
from shared.kernel.errors import Conflict, Forbidden
from shared.ledger.unit_of_work import UnitOfWork
from shared.runtime.definition import Reply


def open_topic(command: commands.OpenTopic, work: UnitOfWork) -> Reply:
    """Put a matter on the platform. Raises NotFound, Forbidden, Conflict (topic-exists, matter-ended)."""
    matter = repository.matter(work.db, command.matter)
    work.require_scope(matter.unit)
    domain.once_each(command.parties, code="party-twice", where="parties")
    if matter.private:
        message = "The matter is private: only its handlers may know of it."
        raise Forbidden(
            message, code="matter-is-private", where="matter",
            remedy="Handle it without the platform, or open a public matter about what is shared (A2).",
        )  # fmt: skip
    if matter.state in ("closed", "withdrawn"):
        message = f"The matter is {matter.state}."
        raise Conflict(message, code="matter-ended", where="matter", remedy="Have it reopened first.")
    topic_id = work.new_id()
    host = work.actor.unit or matter.unit
    added = repository.add_topic(
        work.db, id=topic_id, matter_id=command.matter, title=command.title, host_unit=host,
        state=TopicState.DELIBERATING, submitted_by=work.actor.id, submitted_at=work.now,
    )  # fmt: skip
    if not added:
        message = "The matter has an open topic already."
        raise Conflict(
            message, code="topic-exists", where="matter",
            remedy="Bring that one to its resolution first: one matter, one topic 一事一议.",
        )  # fmt: skip
    repository.add_parties(work.db, topic_id, [(party, _kind_of(party, work)) for party in command.parties])
    work.emit(
        deliberation.TopicSubmitted(
            topic_id=topic_id, matter_id=command.matter, title=command.title, host_unit=host, parties=command.parties,
            submitted_by=work.actor.id,
        )
    )  # fmt: skip
    return Reply(body={"topic_id": topic_id, "matter_id": command.matter, "state": TopicState.DELIBERATING}, version=1)


def _kind_of(party: str, work: UnitOfWork) -> str:
    """An account that the pack does not know may be a resident's: it is kept, and shown as coming from outside."""
    if party in work.jurisdiction.units:
        return "unit"
    return "person" if party in work.jurisdiction.staff else "outside"


def give_opinion(command: commands.GiveOpinion, work: UnitOfWork) -> Reply:
    """Keep the actor's opinion. Raises NotFound, Forbidden (not-a-party), IllegalTransition (opinions-closed)."""
    topic = repository.topic(work.db, command.topic, lock=True)
    kind = domain.party_kind(work.actor.roles)
    domain.check_party(
        resident=kind == "resident", invited=_is_invited(topic.id, work), in_scope=_works_there(topic.host_unit, work)
    )
    domain.next_state(TopicState(topic.state), Step.GIVE_OPINION)
    opinion_id = repository.keep_opinion(
        work.db, topic_id=topic.id, author=work.actor.id, id=work.new_id(), party_kind=kind, stance=command.stance,
        text=command.text, given_at=work.now,
    )  # fmt: skip
    work.emit(
        deliberation.OpinionGiven(
            topic_id=topic.id, matter_id=topic.matter_id, opinion_id=opinion_id, party_kind=kind, stance=command.stance,
            text=command.text,
        )
    )  # fmt: skip
    return Reply(body={"opinion_id": opinion_id, "topic_id": topic.id})


def _is_invited(topic_id: str, work: UnitOfWork) -> bool:
    """Whether the actor, the actor's unit or a unit above it is a party."""
    own = domain.speaks_for(work.jurisdiction, work.actor.id, work.actor.unit)
    return any(row.party in own for row in repository.parties_of(work.db, topic_id))


def _works_there(host: str, work: UnitOfWork) -> bool:
    pack, unit = work.jurisdiction, work.actor.unit
    found = pack.units.get(unit or "")
    if found is None or found.level == DEPARTMENT:  # a department takes part where it is invited
        return False
    return pack.is_within(found.id, host) or pack.is_within(host, found.id)
