"""How lost transactions about more time, rest and calendars are told from their events. Part of `recovery`."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from services.dispatch import commands, handlers
from shared.contracts import timing
from shared.contracts.envelope import Envelope
from shared.jurisdiction import Jurisdiction
from shared.kernel.actor import Actor
from shared.ledger.recovery import Lost, Retold
from shared.ledger.unit_of_work import UnitOfWork

#: What counting anew tells.
_RECOUNTED = ("dispatch.clock-recounted", "dispatch.whistle-recounted")
#: Event -> the field that holds an id which its command made.
IDS = {"dispatch.extension-requested": "request_id", "dispatch.suspension-requested": "request_id"}


def _done(handler: Callable[[Any, UnitOfWork], object], command: Any, ids: Sequence[str], actor: Actor) -> Retold:
    return Retold(ids=ids, actor=actor, run=lambda work: handler(command, work))


def _by(person: str, pack: Jurisdiction) -> Actor:
    top = next(each.id for each in pack.units.values() if each.level == pack.levels[-1])
    return Actor(id=person, roles=frozenset(), unit=top)


def _extension_requested(envelope: Envelope, _lost: Lost, ids: list[str], pack: Jurisdiction) -> Retold:
    event: timing.ExtensionRequested = envelope.payload()
    command = commands.RequestExtension(matter=event.matter_id, days=event.days, reason=event.reason)
    return _done(handlers.request_extension, command, ids, _by(event.requested_by, pack))


def _extension_decided(envelope: Envelope, _lost: Lost, ids: list[str], pack: Jurisdiction) -> Retold:
    event: timing.ExtensionDecided = envelope.payload()
    command = commands.DecideExtension(
        matter=event.matter_id, granted=event.granted, days=event.days or None, note=event.note
    )
    return _done(handlers.decide_extension, command, ids, _by(event.decided_by, pack))


def _suspension_requested(envelope: Envelope, _lost: Lost, ids: list[str], pack: Jurisdiction) -> Retold:
    event: timing.SuspensionRequested = envelope.payload()
    command = commands.RequestSuspension(matter=event.matter_id, reason=event.reason, until=event.until)
    return _done(handlers.request_suspension, command, ids, _by(event.requested_by, pack))


def _suspension_decided(envelope: Envelope, lost: Lost, ids: list[str], pack: Jurisdiction) -> Retold:
    event: timing.SuspensionDecided = envelope.payload()
    until = next((each.payload().until for each in lost.of("dispatch.matter-suspended")), None)
    command = commands.DecideSuspension(matter=event.matter_id, granted=event.granted, until=until, note=event.note)
    return _done(handlers.decide_suspension, command, ids, _by(event.decided_by, pack))


def _calendar_imported(envelope: Envelope, _lost: Lost, ids: list[str], pack: Jurisdiction) -> Retold:
    event: timing.CalendarImported = envelope.payload()
    command = commands.ImportCalendar(
        calendar=event.calendar, year=event.year, source=event.source, days_off=event.days_off,
        makeup_days=event.makeup_days,
    )  # fmt: skip
    return _done(handlers.import_calendar, command, ids, _by(event.imported_by, pack))


def _recounted(_envelope: Envelope, lost: Lost, ids: list[str], _pack: Jurisdiction) -> Retold:
    """The scan takes whatever is behind at the time; done again, exactly the matters that it moved."""
    matters = dict.fromkeys(each.data["matter_id"] for each in lost.of(*_RECOUNTED))

    def run(work: UnitOfWork) -> None:
        for matter in matters:
            handlers.recount(work, matter)

    return Retold(ids=ids, run=run)


#: Event -> how its command is told.
COMMANDS = {
    "dispatch.extension-requested": _extension_requested,
    "dispatch.extension-decided": _extension_decided,
    "dispatch.suspension-requested": _suspension_requested,
    "dispatch.suspension-decided": _suspension_decided,
    "dispatch.calendar-imported": _calendar_imported,
    **dict.fromkeys(_RECOUNTED, _recounted),
}
