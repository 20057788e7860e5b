"""What deliberation shows: topics and ballots. Never who said or voted what; no figures before a ballot is closed."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from sqlalchemy import Row

from services.deliberation import ballot_box, repository
from services.deliberation.domain import TopicState, allowed, speaks_for
from services.deliberation.handlers.ballots import receipt_digest
from shared.kernel.actor import ANONYMOUS
from shared.kernel.clock import rfc3339
from shared.kernel.errors import Invalid, NotFound, Unauthenticated
from shared.ledger.unit_of_work import UnitOfWork
from shared.runtime.paging import limit_of


def topics(work: UnitOfWork, parameters: Mapping[str, str]) -> Mapping[str, Any]:
    """Topics in the actor's territory or with the actor as a party; residents see all, they are asked about all."""
    _known(work)
    state = parameters.get("state")
    if state is not None and state not in set(TopicState):
        fault = f"No state {state!r}."
        raise Invalid(fault, fields={"state": [fault]}, remedy=f"Use one of: {', '.join(TopicState)}.")
    limit = limit_of(parameters)
    rows = repository.list_topics(
        work.db, units=_units_seen(work), party=_speaks_for(work), matter_id=parameters.get("matter"), state=state,
        before=parameters.get("cursor"), limit=limit + 1,
    )  # fmt: skip
    items = [_head(row, work) for row in rows[:limit]]
    return {"items": items, "next": rows[limit - 1].id if len(rows) > limit else None}


def topic(work: UnitOfWork, parameters: Mapping[str, str]) -> Mapping[str, Any]:
    """One topic. Raises NotFound, also when the actor may not see it."""
    _known(work)
    row = _visible(parameters["topic"], work)
    found = ballot_box.ballot_of(work.db, row.id)
    resolution = repository.resolution_of(work.db, row.id)
    parties = [
        {"party": one.party, "kind": one.kind, "name": _name(one.party, work)}
        for one in repository.parties_of(work.db, row.id)
    ]
    opinions = [
        {
            "opinion_id": one.id,
            "party_kind": one.party_kind,
            "stance": one.stance,
            "text": one.text,
            "given_at": rfc3339(one.given_at),
        }
        for one in repository.opinions_of(work.db, row.id)
    ]
    return _head(row, work) | {
        "parties": parties,
        "stances": repository.stances_of(work.db, row.id),
        "opinions": opinions,
        "ballot": None if found is None else _ballot(found, work),
        "resolution": None if resolution is None else _resolution(resolution, row.id, work),
        "reason": row.reason,
        "allowed": list(allowed(TopicState(row.state))),
        "version": row.version,
    }


def ballot(work: UnitOfWork, parameters: Mapping[str, str]) -> Mapping[str, Any]:
    """One ballot. Raises NotFound, also when the actor neither may see its topic nor is on its list."""
    _known(work)
    row = ballot_box.ballot(work.db, parameters["ballot"])
    if ballot_box.standing_of(work.db, row.id, work.actor.id) is None:
        _visible(row.topic_id, work)
    return _ballot(row, work)


def receipt(work: UnitOfWork, parameters: Mapping[str, str]) -> Mapping[str, Any]:
    """Whether a receipt stands for a vote in the ballot; never which, so nobody can be made to prove a vote."""
    row = ballot_box.ballot(work.db, parameters["ballot"])
    return {"ballot_id": row.id, "counted": ballot_box.has_receipt(work.db, row.id, receipt_digest(parameters["code"]))}


def _known(work: UnitOfWork) -> None:
    if work.actor is ANONYMOUS:
        message = "Topics are shown to people with a token."
        raise Unauthenticated(message, remedy="Send `Authorization: Bearer <token>`.")


def _units_seen(work: UnitOfWork) -> list[str] | None:
    """Units whose topics the actor sees as a member of staff; None for all (residents)."""
    pack, unit = work.jurisdiction, work.actor.unit
    if "citizen" in work.actor.roles:
        return None
    if unit is None or unit not in pack.units or not (work.actor.may("read-matters") or work.actor.may("cast-vote")):
        return []
    below = [one for one in pack.units if pack.is_within(one, unit)]
    return below + [one.id for one in pack.ladder(unit)[1:]]


def _speaks_for(work: UnitOfWork) -> tuple[str, ...]:
    return speaks_for(work.jurisdiction, work.actor.id, work.actor.unit)


def _visible(topic_id: str, work: UnitOfWork) -> Row[Any]:
    row = repository.topic(work.db, topic_id)
    units = _units_seen(work)
    invited = {one.party for one in repository.parties_of(work.db, topic_id)}
    if units is None or row.host_unit in units or not invited.isdisjoint(_speaks_for(work)):
        return row
    message = f"There is no topic {topic_id}."
    raise NotFound(message, code="unknown-topic", where="topic", remedy="Check the id.")


def _head(row: Row[Any], work: UnitOfWork) -> dict[str, Any]:
    return {
        "topic_id": row.id,
        "matter_id": row.matter_id,
        "title": row.title,
        "state": row.state,
        "host_unit": row.host_unit,
        "host_unit_name": _name(row.host_unit, work),
        "submitted_at": rfc3339(row.submitted_at),
        "ended_at": _at(row.ended_at),
    }


def _ballot(row: Row[Any], work: UnitOfWork) -> dict[str, Any]:
    return {
        "ballot_id": row.id,
        "topic_id": row.topic_id,
        "question": row.question,
        "voters": row.voters,
        "voted": ballot_box.marked(work.db, row.id),
        "you_may_vote": ballot_box.standing_of(work.db, row.id, work.actor.id) is False and row.closed_at is None,
        "quorum_share": row.quorum_share,
        "adopt_share": row.adopt_share,
        "opened_at": rfc3339(row.opened_at),
        "closes_at": _at(row.closes_at),
        "closed_at": _at(row.closed_at),
        "yes": row.yes,
        "no": row.no,
        "abstain": row.abstain,
        "outcome": row.outcome,
    }


def _resolution(row: Row[Any], topic_id: str, work: UnitOfWork) -> dict[str, Any]:
    return {
        "resolution_id": row.id,
        "text": row.text,
        "adopted_at": rfc3339(row.adopted_at),
        "filed_with": [{"unit": unit, "name": _name(unit, work)} for unit in row.filed_with.split()],
        "measures": [
            {
                "measure_id": one.id, "unit": one.unit, "unit_name": _name(one.unit, work), "action": one.action,
                "due_at": _at(one.due_at), "completed_at": _at(one.completed_at),
            }
            for one in repository.measures_of(work.db, topic_id)
        ],
    }  # fmt: skip


def _name(party: str, work: UnitOfWork) -> str:
    """The Chinese name of a unit or of somebody's office; an account from outside keeps its id."""
    pack = work.jurisdiction
    if party in pack.units:
        return pack.units[party].name.zh
    person = pack.staff.get(party)
    return person.name.zh if person is not None else party


def _at(instant: datetime | None) -> str | None:
    return None if instant is None else rfc3339(instant)
