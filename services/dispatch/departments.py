"""Departments as dispatch's correspondents: what they are told by the bus, and how their answers come in.

By the whistle contract alone (shared/contracts/whistles.py). The handler of an answer is the same that serves HTTP and
the web desk. Never tells a department anything about the asker: no words, no address, no name; only where, by unit.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

from services.dispatch import commands, repository, whistle_repository
from services.dispatch.handlers import take_answer
from shared.contracts import dispatch, shapes, whistles
from shared.contracts.whistles import Answering
from shared.jurisdiction import DEPARTMENT
from shared.kernel.actor import Actor
from shared.kernel.errors import Invalid, Refusal
from shared.kernel.hashing import sha256_hex
from shared.ledger import inbox
from shared.ledger.letters import Correspondence, Letter
from shared.ledger.unit_of_work import Surroundings, UnitOfWork

_ROLES = frozenset({"department-officer"})


def tell(event: Any, work: UnitOfWork) -> None:
    """What departments are told because of an event of dispatch."""
    told = _TELLING.get(type(event))
    for message in told(event, work) if told is not None else ():
        work.tell_department(message)


def _called(event: dispatch.WhistleBlown, work: UnitOfWork) -> Iterator[Any]:
    matter = repository.matter(work.db, event.matter_id)
    if matter is None:
        return
    for department in event.departments:
        yield whistles.Called(
            whistle=event.whistle_id, department=department, matter=event.matter_id, matter_number=matter.number,
            lead=department == event.lead, lead_department=event.lead, departments=event.departments,
            whistler=_named(work, event.whistler),
            place=None if matter.located_unit is None else _named(work, matter.located_unit),
            category=matter.category, response_class=matter.response_class, request=event.request,
            legal_basis=event.legal_basis, blown_at=work.now, report_in_by=event.report_in_by,
            complete_by=event.complete_by,
        )  # fmt: skip


def _overdue(event: dispatch.WhistleOverdue, _work: UnitOfWork) -> Iterator[Any]:
    for department in event.departments:
        yield whistles.Changed(
            whistle=event.whistle_id, department=department, matter=event.matter_id, cause=f"overdue-{event.stage}",
            report_in_by=event.report_in_by if event.stage == "report-in" else None,
            complete_by=event.report_in_by if event.stage == "complete" else None,
        )  # fmt: skip


def _contested(event: dispatch.WhistleContested, _work: UnitOfWork) -> Iterator[Any]:
    yield whistles.Changed(
        whistle=event.whistle_id, department=event.department, matter=event.matter_id, cause="disputed",
        decide_by=event.decide_by,
    )  # fmt: skip


def _decided(event: dispatch.WhistleContestDecided, _work: UnitOfWork) -> Iterator[Any]:
    yield whistles.Changed(
        whistle=event.whistle_id, department=event.department, matter=event.matter_id,
        cause=f"dispute-{event.decision}", report_in_by=event.report_in_by, lead_department=event.lead,
        note=event.reason,
    )  # fmt: skip
    if event.decision == "released" and event.lead != event.department:
        # Whether it led before is not in the event: to one who did, this says nothing new.
        yield whistles.Changed(
            whistle=event.whistle_id, department=event.lead, matter=event.matter_id, cause="lead-changed",
            lead_department=event.lead,
        )  # fmt: skip


def _extension(event: dispatch.WhistleExtensionDecided, _work: UnitOfWork) -> Iterator[Any]:
    yield whistles.Changed(
        whistle=event.whistle_id, department=event.department, matter=event.matter_id,
        cause="extension-granted" if event.granted else "extension-denied", complete_by=event.until, note=event.reason,
    )  # fmt: skip


def _recounted(event: dispatch.WhistleRecounted, _work: UnitOfWork) -> Iterator[Any]:
    """Only a deadline that moved; that the same one is certain now changes nothing for a department."""
    by = {event.stage: event.by}
    for department in event.departments if event.from_by != event.by else ():
        yield whistles.Changed(
            whistle=event.whistle_id, department=department, matter=event.matter_id, cause="calendar-changed",
            report_in_by=by.get("report-in"), complete_by=by.get("complete"), decide_by=by.get("decide"),
        )  # fmt: skip


def _scored(event: dispatch.WhistleScored, _work: UnitOfWork) -> Iterator[Any]:
    yield whistles.Scored(
        whistle=event.whistle_id, department=event.department, matter=event.matter_id, arrival=event.arrival,
        quality=event.quality, result=event.result, note=event.note,
    )  # fmt: skip


def _ended(event: dispatch.WhistleEnded, work: UnitOfWork) -> Iterator[Any]:
    for department in _seated(event.whistle_id, work):
        yield whistles.Ended(
            whistle=event.whistle_id, department=department, matter=event.matter_id, outcome=event.outcome
        )


_TELLING: dict[type[Any], Callable[[Any, UnitOfWork], Iterator[Any]]] = {
    dispatch.WhistleBlown: _called,
    dispatch.WhistleOverdue: _overdue,
    dispatch.WhistleContested: _contested,
    dispatch.WhistleContestDecided: _decided,
    dispatch.WhistleExtensionDecided: _extension,
    dispatch.WhistleRecounted: _recounted,
    dispatch.WhistleScored: _scored,
    dispatch.WhistleEnded: _ended,
}


def _seated(whistle_id: str, work: UnitOfWork) -> tuple[str, ...]:
    call = whistle_repository.whistle(work.db, whistle_id)
    return () if call is None else tuple(seat.department for seat in call.seats)


def _named(work: UnitOfWork, unit_id: str) -> whistles.NamedUnit:
    unit = work.jurisdiction.units.get(unit_id)
    return whistles.NamedUnit(id=unit_id, name=unit_id if unit is None else unit.name.zh)


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
    """Have the answer counted, and say so. Raises what `take_answer` raises."""
    _take(_command(answering), answering.id, work)


def take_again(command: commands.AnswerWhistle, answer_id: str, work: UnitOfWork) -> None:
    """At a recovery: count an answer that had been counted, and say so again; the receipt has the id it had.

    The department may send the answer once more, not having the receipt: it is known by its id as before.
    """
    inbox.record(work.db, work.actor.id, answer_id, work.now)
    _take(command, answer_id, work)


def _take(command: commands.AnswerWhistle, answer_id: str, work: UnitOfWork) -> None:
    take_answer(command, work, answer_id)
    given = next((event for event in reversed(work.events) if isinstance(event, dispatch.WhistleAnswered)), None)
    work.tell_department(
        whistles.AnswerTaken(
            whistle=command.whistle, department=work.actor.unit or "", answer_id=answer_id, answer=command.answer,
            late=given is not None and given.late, taken_at=work.now,
        )
    )  # fmt: skip


def _command(answering: Answering) -> commands.AnswerWhistle:
    """The command, with those fields that it knows: later releases' commands know more. Raises Invalid."""
    known = shapes.schema_of(commands.AnswerWhistle).fields
    content = {name: value for name, value in shapes.dump(answering.content).items() if name in known}
    given = {name: value for name, value in content.items() if value is not None}
    return shapes.load(commands.AnswerWhistle, given | {"answer": answering.answer})


def refuse(letter: Letter, answering: Answering | None, refusal: Refusal, work: UnitOfWork) -> None:
    """Tell the department why its answer does not count."""
    message_id = getattr(refusal, "message_id", None) if answering is None else answering.id
    fields = refusal.fields if isinstance(refusal, Invalid | whistles.Unreadable) else {}
    work.tell_department(
        whistles.AnswerRefused(
            department=work.actor.unit or "", answer_id=message_id,
            whistle=None if answering is None else answering.content.whistle, digest=sha256_hex(letter.body),
            code=refusal.code,
            detail=refusal.what[:2_000], where=refusal.where, remedy=refusal.remedy, fields=dict(fields),
        ),
    )  # fmt: skip


CORRESPONDENCE = Correspondence(sender=sender, read=read, handle=handle, refuse=refuse)
