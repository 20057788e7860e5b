"""What dispatch shows of whistle calls: to desks those of their territory, to a department its own.

It must never show a department what another answered, nor anything of the asker.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from sqlalchemy import Row

from services.dispatch import calendars, lists, repository, whistle_records, whistle_repository
from services.dispatch.domain.refusals import UnknownWhistle
from services.dispatch.domain.whistle import Seat, Whistle
from services.dispatch.web.showing import handles, instant_of, one_of, reads_for_department, unit_of
from shared.kernel.clock import rfc3339
from shared.kernel.errors import Forbidden
from shared.kernel.provisional import notice
from shared.ledger.unit_of_work import UnitOfWork
from shared.runtime.paging import limit_of

#: Values of yes-no filters.
_YES_NO = ("true", "false")


def whistles(work: UnitOfWork, parameters: Mapping[str, str]) -> Mapping[str, Any]:
    """Whistle calls: of one's own department, or about matters of one's territory. Raises Invalid, Forbidden."""
    own = work.actor.unit if reads_for_department(work) else None
    department = parameters.get("department") or own
    if own is not None and department != own:
        raise Forbidden(f"{work.actor.id} sees calls of {own} only.", code="out-of-scope", where="department")
    if department is not None:
        work.jurisdiction.unit(department)
    limit = limit_of(parameters)
    to_decide = own is None and one_of(parameters, "to_decide", _YES_NO) == "true"
    rows = lists.calls(
        work.db, department=department, scope=None if own else work.actor.unit or "",
        private=own is not None or handles(work), open_only=one_of(parameters, "open", _YES_NO) == "true",
        contested_at=work.actor.unit if to_decide else None, after=parameters.get("cursor") or None,
        limit=limit + 1,
    )  # fmt: skip
    shown = rows[:limit]
    items = calls(work, whistle_repository.whole(work.db, shown), only=own)
    for item, row in zip(items, shown, strict=True):
        item |= {
            "number": row.number, "response_class": row.response_class, "state": row.state,
            "place": unit_of(work, row.located_unit),
        }  # fmt: skip
    return {"items": items, "next": shown[-1].id if len(rows) > limit else None}


def whistle(work: UnitOfWork, parameters: Mapping[str, str]) -> Mapping[str, Any]:
    """One call. Raises UnknownWhistle, also for those that the actor may not see."""
    own = work.actor.unit if reads_for_department(work) else None
    found = whistle_repository.whistle(work.db, parameters["whistle"])
    if found is None or not _sees(work, found, own):
        raise UnknownWhistle(
            f"There is no whistle {parameters['whistle']!r} that you may see.", where="whistle", remedy="Check the id."
        )
    return calls(work, (found,), only=own)[0]


def _sees(work: UnitOfWork, call: Whistle, own: str | None) -> bool:
    if own is not None:
        return call.seat(own) is not None
    matter = repository.matter(work.db, call.matter_id)
    if matter is None or (matter.private and not handles(work)):
        return False
    return repository.sees(work.db, call.matter_id, work.actor.unit or "")


def calls(work: UnitOfWork, given: Sequence[Whistle], *, only: str | None = None) -> list[dict[str, Any]]:
    """Calls as they are shown; `only`: to that department."""
    ids = [call.id for call in given]
    rows = (
        whistle_repository.answers_of(work.db, ids), whistle_records.contests_of(work.db, ids),
        whistle_records.extensions_of(work.db, ids), whistle_records.scores_of(work.db, ids),
    )  # fmt: skip
    return [
        _call(work, call, *([row for row in kind if _about(row, call, only)] for kind in rows)) for call in given
    ]  # fmt: skip


def _about(row: Row[Any], call: Whistle, only: str | None) -> bool:
    return row.whistle_id == call.id and only in (None, row.department)


def _call(
    work: UnitOfWork, call: Whistle, answers: Iterable[Row[Any]], contests: Iterable[Row[Any]],
    extensions: Iterable[Row[Any]], scores: Iterable[Row[Any]],
) -> dict[str, Any]:  # fmt: skip
    return {
        "whistle_id": call.id, "matter_id": call.matter_id, "version": call.version,
        "whistler": unit_of(work, call.whistler),
        "request": call.request, "legal_basis": call.legal_basis, "blown_at": rfc3339(call.blown_at),
        "report_in_by": rfc3339(call.report_in_by), "complete_by": instant_of(call.complete_by),
        "overdue_at": instant_of(call.overdue_at),
        "ended_at": instant_of(call.ended_at), "outcome": call.outcome, "ended_reason": call.ended_reason,
        "departments": [_seat(work, seat, over=call.ended_at is not None) for seat in call.seats],
        "answers": [
            {
                "department": row.department, "answer": row.answer, "note": row.note, "ground": row.ground,
                "until": instant_of(row.until), "late": row.late, "at": rfc3339(row.at),
            }
            for row in answers
        ],
        "contests": [
            {
                "department": row.department, "hop": row.hop, "ground": row.ground, "unit": unit_of(work, row.unit),
                "contested_at": rfc3339(row.contested_at), "decide_by": rfc3339(row.decide_by), "final": row.final,
                "decision": row.decision, "reason": row.reason, "decided_at": instant_of(row.decided_at),
            }
            for row in contests
        ],
        "extensions": [
            {
                "department": row.department, "asked_at": rfc3339(row.asked_at), "until": instant_of(row.until),
                "note": row.note, "granted": row.granted, "granted_until": instant_of(row.granted_until),
                "reason": row.reason, "decided_at": instant_of(row.decided_at),
            }
            for row in extensions
        ],
        "scores": [
            {
                "department": row.department, "arrival": row.arrival, "quality": row.quality, "result": row.result,
                "note": row.note, "at": rfc3339(row.at),
            }
            for row in scores
        ],
    }  # fmt: skip


def _seat(work: UnitOfWork, seat: Seat, *, over: bool) -> dict[str, Any]:
    calendar = calendars.in_force(work).own
    return {
        "department": unit_of(work, seat.department), "lead": seat.lead, "part": seat.part.value,
        "reported_at": instant_of(seat.reported_at), "late": seat.late, "report_in_by": rfc3339(seat.report_in_by),
        "complete_by": instant_of(seat.complete_by), "absent_at": instant_of(seat.absent_at),
        "unfinished_at": instant_of(seat.unfinished_at), "contest_unit": unit_of(work, seat.contest_unit),
        "final": seat.final,
        "provisional": [
            {"deadline": one.stage, **notice(calendar, one.at, one.start)}
            for one in (() if over else seat.standing())
            if one.provisional
        ],
    }  # fmt: skip
