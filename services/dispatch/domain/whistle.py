"""A whistle call 吹哨: who was called for what, who came, who disputes it, and when the call is over (A3, D5).

The first receiver leads and cannot push the call away by a word (首接负责, Beijing regulation art. 14): declining takes
the department's part to the level above the whistler, whose decision ends the dispute; decided against, the department
may go one level further, until the pack's hop limit or the top of the ladder, where the decision is final.

It must never name the asker: a department learns what is needed and where, not who asked.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Final

from services.dispatch.domain import deadlines
from services.dispatch.domain.clocks import BREACH_AFTER
from services.dispatch.domain.deadlines import COMPLETE, DECIDE, REPORT_IN, Counted
from services.dispatch.domain.refusals import DecisionFinal, ForeignDepartment, LeadNotCalled, UnknownDepartment
from services.dispatch.domain.states import Part, after_answer
from shared.jurisdiction import DEPARTMENT, Jurisdiction

UPHELD: Final = "upheld"
RELEASED: Final = "released"
DECISIONS: Final = (UPHELD, RELEASED)


@dataclass(frozen=True, slots=True, kw_only=True)
class Seat:
    """One department's part in a call."""

    department: str
    #: 主办; the others are co-handlers 协办.
    lead: bool
    part: Part
    #: When it first answered; None: never.
    reported_at: datetime | None
    late: bool
    #: By when it has to report in; another instant than the call's after a dispute was decided against it.
    report_in_by: datetime
    #: By when it has to be done; None: no deadline.
    complete_by: datetime | None = None
    #: When its absence, or that it was not done, was told; None: not told.
    absent_at: datetime | None = None
    unfinished_at: datetime | None = None
    #: Levels that its part was taken to.
    hop: int = 0
    #: Who has to decide on its dispute now, and by when; None: no dispute is open (or nobody is left to go to).
    contest_unit: str | None = None
    contest_by: datetime | None = None
    #: What was decided cannot be disputed.
    final: bool = False
    #: How those of its deadlines came about that were counted; one stands as long as it is still the deadline.
    counted: tuple[Counted, ...] = ()

    @property
    def over(self) -> bool:
        """Whether nothing more is expected of it."""
        return self.part is Part.COMPLETED or (self.part is Part.DECLINED and self.contest_unit is None)

    def deadlines(self) -> tuple[tuple[datetime, str], ...]:
        """(instant, which) of the deadlines that still stand and were not told, by time."""
        found: list[tuple[datetime, str]] = []
        if self.part is Part.WAITING and self.absent_at is None:
            found.append((self.report_in_by, REPORT_IN))
        if self.part in (Part.WAITING, Part.ACCEPTED) and self.complete_by is not None and self.unfinished_at is None:
            found.append((self.complete_by, COMPLETE))
        if self.contest_unit is not None and self.contest_by is not None:
            found.append((self.contest_by, DECIDE))
        return tuple(sorted(found))

    def standing(self) -> tuple[Counted, ...]:
        """What was counted and still is a deadline of its, told or not.

        Whoever changes a deadline otherwise than here (a release before this one) thereby takes it out.
        """
        now = {
            REPORT_IN: self.report_in_by if self.part is Part.WAITING else None,
            COMPLETE: None if self.over else self.complete_by,
            DECIDE: self.contest_by if self.contest_unit is not None else None,
        }  # fmt: skip
        return tuple(one for one in self.counted if now.get(one.stage) == one.at)

    def recounted(self, anew: Callable[[Counted], Counted], now: datetime) -> Seat:
        """The part on another calendar; a deadline that lies ahead again was not missed."""
        seat = self
        for old in self.standing():
            new = anew(old)
            seat = replace(seat, counted=deadlines.put(seat.counted, old.stage, new))
            ahead = new.at >= now
            if old.stage == REPORT_IN:
                seat = replace(seat, report_in_by=new.at, absent_at=None if ahead else seat.absent_at)
            elif old.stage == COMPLETE:
                seat = replace(seat, complete_by=new.at, unfinished_at=None if ahead else seat.unfinished_at)
            else:
                seat = replace(seat, contest_by=new.at)
        return seat


@dataclass(frozen=True, slots=True, kw_only=True)
class Whistle:
    """One call."""

    id: str
    matter_id: str
    whistler: str
    request: str
    legal_basis: str | None
    blown_at: datetime
    blown_by: str
    report_in_by: datetime
    #: By when the departments are to be done; None: the call does not say.
    complete_by: datetime | None
    #: When the scan looks at it; None: no deadline stands, or it is over.
    next_step_at: datetime | None
    overdue_at: datetime | None
    ended_at: datetime | None
    #: completed, declined or withdrawn.
    outcome: str | None
    #: Why, and by whom, it was ended from above.
    ended_reason: str | None
    ended_by: str | None
    version: int
    seats: tuple[Seat, ...]
    #: The oldest of the calendars that its standing deadlines were counted on; None: none was counted, or it is over.
    calendar_revision: int | None = None

    @property
    def lead(self) -> str:
        """The lead department."""
        return next(seat.department for seat in self.seats if seat.lead)

    def seat(self, department: str | None) -> Seat | None:
        """A department's part; None when it was not called."""
        return next((seat for seat in self.seats if seat.department == department), None)

    def with_seat(self, seat: Seat) -> Whistle:
        """The call with that department's part changed, and looked at again when its next deadline passes."""
        seats = tuple(seat if one.department == seat.department else one for one in self.seats)
        return replace(self, seats=seats, next_step_at=next_step(seats), calendar_revision=counted_on(seats))

    def recounted(self, anew: Callable[[Counted], Counted], now: datetime) -> Whistle:
        """The call on another calendar; what it says for all moves with departments that still have that deadline."""
        seats = tuple(seat.recounted(anew, now) for seat in self.seats)
        both = tuple(zip(self.seats, seats, strict=True))
        report_in = {old.report_in_by: new.report_in_by for old, new in both if old.report_in_by != new.report_in_by}
        complete = {old.complete_by: new.complete_by for old, new in both if old.complete_by != new.complete_by}
        return replace(
            self, seats=seats, next_step_at=next_step(seats), calendar_revision=counted_on(seats),
            report_in_by=report_in.get(self.report_in_by, self.report_in_by),
            complete_by=complete.get(self.complete_by, self.complete_by),
        )  # fmt: skip

    def passed(self, which: str, now: datetime) -> tuple[Seat, ...]:
        """The parts whose deadline of that kind has passed and was not told."""
        return tuple(
            seat for seat in self.seats if any(kind == which and at < now for at, kind in seat.deadlines())
        )  # fmt: skip


def next_step(seats: Sequence[Seat]) -> datetime | None:
    """The first instant at which a deadline of a call has passed; answering exactly at a deadline is in time."""
    instants = [at for seat in seats for at, _ in seat.deadlines()]
    return min(instants) + BREACH_AFTER if instants else None


def counted_on(seats: Sequence[Seat]) -> int | None:
    """The oldest calendar that a standing deadline was counted on; None: none was counted."""
    return min((one.revision for seat in seats for one in seat.standing()), default=None)


def seats(
    jurisdiction: Jurisdiction, departments: Sequence[str], lead: str | None, *, near: Sequence[str],
    report_in: Counted, complete: Counted | None, complete_by: datetime | None,
) -> tuple[Seat, ...]:  # fmt: skip
    """The seats of a new call, the lead first (by default the first called, 首接负责).

    `complete_by` is `complete`'s, or an instant that was named and stays. `near`: the units concerned; a department of
    a unit that is none of them and above none of them is foreign. Raises UnknownDepartment, ForeignDepartment,
    LeadNotCalled.
    """
    called = tuple(dict.fromkeys(departments))
    above = {unit.id for one in near for unit in jurisdiction.path(one)}
    for place, department in enumerate(called):
        unit = jurisdiction.units.get(department)
        if unit is None or unit.level != DEPARTMENT:
            raise UnknownDepartment(
                f"{jurisdiction.name} has no department {department!r}.",
                where=f"departments[{place}]",
                remedy="Use the id of a unit of level department.",
            )
        owner = next((one.id for one in reversed(jurisdiction.path(department)) if one.level != DEPARTMENT), None)
        if owner is not None and owner not in above:
            raise ForeignDepartment(
                f"{department} belongs to {owner}, which is not concerned.",
                where=f"departments[{place}]",
                remedy="Call departments of the place itself or of a level above it.",
            )
    first = lead or called[0]
    if first not in called:
        raise LeadNotCalled(
            f"{first!r} leads but is not called.", where="lead", remedy="Add it to departments, or name one of them."
        )
    ordered = (first, *(department for department in called if department != first))
    return tuple(
        Seat(
            department=department, lead=department == first, part=Part.WAITING, reported_at=None, late=False,
            report_in_by=report_in.at, complete_by=complete_by,
            counted=(report_in,) if complete is None else (report_in, complete),
        )
        for department in ordered
    )  # fmt: skip


def answered(seat: Seat, answer: str, now: datetime) -> Seat:
    """A department's part after its answer; late when it came after its deadline to report in.

    Declining opens no dispute by itself: see `contested`. Coming after all ends the one that is open. Raises
    IllegalTransition, DecisionFinal.
    """
    part = after_answer(seat.part, answer)
    if part is Part.DECLINED and seat.final:
        raise DecisionFinal(
            f"It was finally decided that {seat.department} has to come.",
            where="answer",
            remedy="Report in; the level that decided, or one above it, may end the call.",
        )
    late = seat.late or (seat.part is Part.WAITING and now > seat.report_in_by)
    return replace(
        seat, part=part, reported_at=seat.reported_at or now, late=late, contest_unit=None, contest_by=None
    )  # fmt: skip


def contested(seat: Seat, *, unit: str, decide: Counted, final: bool) -> Seat:
    """The department's part lies before `unit`, one level further than before."""
    return replace(
        seat, hop=seat.hop + 1, contest_unit=unit, contest_by=decide.at, final=final,
        counted=deadlines.put(seat.counted, DECIDE, decide),
    )  # fmt: skip


def more_time(seat: Seat, until: datetime) -> Seat:
    """The department was granted more time to be done, up to an instant that somebody named."""
    return replace(
        seat, complete_by=until, unfinished_at=None, counted=deadlines.put(seat.counted, COMPLETE, None)
    )  # fmt: skip


def decided(seat: Seat, decision: str, *, report_in: Counted) -> Seat:
    """The dispute is over: upheld, the department has to report in by a new deadline; released, it need not come."""
    over = replace(seat, contest_unit=None, contest_by=None)
    if decision == RELEASED:
        return replace(over, part=Part.DECLINED, final=False)
    counted = deadlines.put(seat.counted, REPORT_IN, report_in)
    complete_by = seat.complete_by
    if complete_by is not None and complete_by < report_in.at:
        complete_by, counted = report_in.at, deadlines.put(counted, COMPLETE, report_in)
    return replace(
        over, part=Part.WAITING, report_in_by=report_in.at, absent_at=None, complete_by=complete_by,
        unfinished_at=None, counted=counted,
    )  # fmt: skip


def led(all_seats: Sequence[Seat]) -> tuple[Seat, ...]:
    """The seats with a lead that takes part: when the lead was released, the one that reported in first takes over."""
    lead = next(seat for seat in all_seats if seat.lead)
    staying = [seat for seat in all_seats if not (seat.part is Part.DECLINED and seat.contest_unit is None)]
    if lead in staying or not staying:
        return tuple(all_seats)
    there = [seat for seat in staying if seat.reported_at is not None]
    new = min(there, key=lambda seat: seat.reported_at or seat.report_in_by) if there else staying[0]
    return tuple(replace(seat, lead=seat.department == new.department) for seat in all_seats)


def ending(all_seats: Sequence[Seat]) -> str | None:
    """`completed` when every department is done and one at least completed, `declined` when all were released."""
    if not all(seat.over for seat in all_seats):
        return None
    return "completed" if any(seat.part is Part.COMPLETED for seat in all_seats) else "declined"
