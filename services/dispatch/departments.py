"""Departments as dispatch's correspondents: what they are told by the bus, and how their answers come in.

By the whistle contract alone (shared/contracts/whistles.py). The handler of an answer is the same that serves HTTP and
the web desk. Never tells a department anything about the asker: no words, no address, no name; only where, by unit.
"""

from __future__ import annotations

from typing import Any

from services.dispatch import commands, repository, whistle_repository
from services.dispatch.handlers import answer_whistle
from shared.contracts import dispatch, shapes, whistles
from shared.contracts.whistles import Answering
from shared.jurisdiction import DEPARTMENT
from shared.kernel.actor import Actor
from shared.kernel.errors import Invalid, Refusal
from shared.ledger.letters import Correspondence
from shared.ledger.unit_of_work import Surroundings, UnitOfWork

_ROLES = frozenset({"department-officer"})


def tell(event: Any, work: UnitOfWork) -> None:
    """What departments are told because of an event of dispatch."""
    if isinstance(event, dispatch.WhistleBlown):
        _call(event, work)
    elif isinstance(event, dispatch.WhistleEnded):
        call = whistle_repository.whistle(work.db, event.whistle_id)
        for seat in call.seats if call is not None else ():
            _send(
                work,
                whistles.Ended(
                    whistle=event.whistle_id, department=seat.department, matter=event.matter_id, outcome=event.outcome
                ),
            )  # fmt: skip


def _call(event: dispatch.WhistleBlown, work: UnitOfWork) -> None:
    matter = repository.matter(work.db, event.matter_id)
    if matter is None:
        return
    for department in event.departments:
        _send(
            work,
            whistles.Called(
                whistle=event.whistle_id, department=department, matter=event.matter_id, matter_number=matter.number,
                lead=department == event.lead, lead_department=event.lead, departments=event.departments,
                whistler=_named(work, event.whistler),
                place=None if matter.located_unit is None else _named(work, matter.located_unit),
                category=matter.category, response_class=matter.response_class, request=event.request,
                legal_basis=event.legal_basis, blown_at=work.now, report_in_by=event.report_in_by,
            ),
        )  # fmt: skip


def _named(work: UnitOfWork, unit_id: str) -> whistles.NamedUnit:
    unit = work.jurisdiction.units.get(unit_id)
    return whistles.NamedUnit(id=unit_id, name=unit_id if unit is None else unit.name.zh)


def _send(work: UnitOfWork, message: Any) -> None:
    """To the department by the bus."""
    work.tell_department(message)


def sender(at_hand: Surroundings, exchange: str) -> Actor | None:
    """The department whose exchange it is, as an actor; None when the pack has none of that name."""
    department = whistles.department_of(exchange)
    unit = at_hand.jurisdiction.units.get(department or "")
    if unit is None or unit.level != DEPARTMENT:
        return None
    return Actor(id=exchange, roles=_ROLES, unit=unit.id)


def read(raw: bytes) -> tuple[str, Answering]:
    """(id, answer). Raises Unreadable."""
    answering = whistles.read_answer(raw)
    return answering.id, answering


def handle(answering: Answering, work: UnitOfWork) -> None:
    """Have the answer counted, and say so. Raises what `answer_whistle` raises."""
    answer_whistle(_command(answering), work)
    given = next((event for event in reversed(work.events) if isinstance(event, dispatch.WhistleAnswered)), None)
    _send(
        work,
        whistles.AnswerTaken(
            whistle=answering.content.whistle, department=work.actor.unit or "", answer_id=answering.id,
            answer=answering.answer, late=given is not None and given.late, taken_at=work.now,
        ),
    )  # fmt: skip


def _command(answering: Answering) -> commands.AnswerWhistle:
    """The command, with those fields that it knows: later releases' commands know more. Raises Invalid."""
    known = shapes.schema_of(commands.AnswerWhistle).fields
    content = {name: value for name, value in shapes.dump(answering.content).items() if name in known}
    given = {name: value for name, value in content.items() if value is not None}
    return shapes.load(commands.AnswerWhistle, given | {"answer": answering.answer})


def refuse(work: UnitOfWork, message_id: str | None, answering: Answering | None, refusal: Refusal) -> None:
    """Tell the department why its answer does not count."""
    fields = refusal.fields if isinstance(refusal, Invalid | whistles.Unreadable) else {}
    _send(
        work,
        whistles.AnswerRefused(
            department=work.actor.unit or "", answer_id=message_id,
            whistle=None if answering is None else answering.content.whistle, code=refusal.code,
            detail=refusal.what[:2_000], where=refusal.where, remedy=refusal.remedy, fields=dict(fields),
        ),
    )  # fmt: skip


CORRESPONDENCE = Correspondence(sender=sender, read=read, handle=handle, refuse=refuse)
