"""The working calendars in force: the pack's, with the years taken in since. Kept between transactions.

A process may go on for `_KEPT` with calendars that another has renewed meanwhile. Nothing is lost by that: every clock
keeps the revision it was counted on, and those behind the newest are counted anew (`handlers.run_calendars`).
It must never decide what a year holds.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final
from weakref import WeakKeyDictionary

from sqlalchemy import Connection, Engine

from services.dispatch import time_repository
from shared.jurisdiction import Jurisdiction, ResponseClass
from shared.kernel.worktime import WorkingCalendar
from shared.ledger.unit_of_work import UnitOfWork

#: How long calendars are used before somebody looks for newer ones.
_KEPT: Final = timedelta(seconds=10)


@dataclass(frozen=True, slots=True)
class InForce:
    """All calendars of the pack as they are now."""

    #: How many years were taken in; 0: the pack's own calendars.
    revision: int
    #: By name, the town's own under "".
    by_name: Mapping[str, WorkingCalendar]

    @property
    def own(self) -> WorkingCalendar:
        """The town's own calendar."""
        return self.by_name[""]

    def of(self, rule: ResponseClass | None) -> WorkingCalendar:
        """The calendar that a response class is counted on."""
        return self.own if rule is None or rule.calendar is None else self.by_name.get(rule.calendar, self.own)


@dataclass(frozen=True, slots=True)
class _Kept:
    pack: Jurisdiction
    in_force: InForce
    looked_at: datetime


_KNOWN: WeakKeyDictionary[Engine, _Kept] = WeakKeyDictionary()


def in_force(work: UnitOfWork) -> InForce:
    """The calendars to count with; looks for newer ones now and then."""
    kept = _KNOWN.get(work.at_hand.engine)
    if kept is not None and kept.pack is work.jurisdiction and abs(work.now - kept.looked_at) < _KEPT:
        return kept.in_force
    return newest(work)


def newest(work: UnitOfWork) -> InForce:
    """The calendars as the database has them at this moment."""
    engine, pack = work.at_hand.engine, work.jurisdiction
    revision = time_repository.newest_revision(work.db)
    kept = _KNOWN.get(engine)
    if kept is not None and kept.pack is pack and kept.in_force.revision == revision:
        found = kept.in_force
    else:
        found = stored(work.db, pack, revision)
    _KNOWN[engine] = _Kept(pack, found, work.now)
    return found


def forget(work: UnitOfWork) -> None:
    """A year was taken in: look again next time."""
    _KNOWN.pop(work.at_hand.engine, None)


def stored(db: Connection, pack: Jurisdiction, revision: int | None = None) -> InForce:
    """The pack's calendars with the years that a database holds; `revision`: its newest, when that is known."""
    revision = time_repository.newest_revision(db) if revision is None else revision
    if revision == 0 or not pack.plans:
        return InForce(revision, {"": pack.calendar, **pack.calendars})
    rows = time_repository.years(db)
    built = {
        name: plan.calendar(time_repository.published(rows, plan.national.name)) for name, plan in pack.plans.items()
    }
    return InForce(revision, built)
