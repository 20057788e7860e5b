"""A whistle call 吹哨: who was called for what, who came, and when the call is over (A3, D5).

It must never name the asker: a department learns what is needed and where, not who asked.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from services.dispatch.domain.refusals import LeadNotCalled, UnknownDepartment
from services.dispatch.domain.states import Part
from shared.jurisdiction import DEPARTMENT, Jurisdiction


@dataclass(frozen=True, slots=True, kw_only=True)
class Seat:
    """One department's part in a call."""

    department: str
    #: 主办; the others are co-handlers 协办.
    lead: bool
    part: Part
    #: When it first answered; None: not reported in.
    reported_at: datetime | None
    late: bool


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
    #: When the scan looks at it; None: everybody reported in, or it is over.
    next_step_at: datetime | None
    overdue_at: datetime | None
    ended_at: datetime | None
    #: completed, declined or withdrawn.
    outcome: str | None
    version: int
    seats: tuple[Seat, ...]

    @property
    def lead(self) -> str:
        """The lead department."""
        return next(seat.department for seat in self.seats if seat.lead)

    @property
    def absent(self) -> tuple[str, ...]:
        """Departments that have not answered at all."""
        return tuple(seat.department for seat in self.seats if seat.reported_at is None)


def seats(jurisdiction: Jurisdiction, departments: Sequence[str], lead: str | None) -> tuple[Seat, ...]:
    """The seats of a new call, the lead first (by default 首接负责). Raises UnknownDepartment, LeadNotCalled."""
    called = tuple(dict.fromkeys(departments))
    for place, department in enumerate(called):
        unit = jurisdiction.units.get(department)
        if unit is None or unit.level != DEPARTMENT:
            raise UnknownDepartment(
                f"{jurisdiction.name} has no department {department!r}.",
                where=f"departments[{place}]",
                remedy="Use the id of a unit of level department.",
            )
    first = lead or called[0]
    if first not in called:
        raise LeadNotCalled(
            f"{first!r} leads but is not called.", where="lead", remedy="Add it to departments, or name one of them."
        )
    ordered = (first, *(department for department in called if department != first))
    return tuple(
        Seat(department=department, lead=department == first, part=Part.WAITING, reported_at=None, late=False)
        for department in ordered
    )


def ending(all_seats: Sequence[Seat]) -> str | None:
    """`completed` when every department is done and one at least completed, `declined` when all declined, else None."""
    parts = {seat.part for seat in all_seats}
    if parts <= {Part.COMPLETED, Part.DECLINED}:
        return "completed" if Part.COMPLETED in parts else "declined"
    return None
