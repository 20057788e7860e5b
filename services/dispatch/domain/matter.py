"""A matter as dispatch knows it: what is handled, by whom, how far it got. Frozen; every change is a new one."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Final

from services.dispatch.domain.refusals import ReopenLimit
from services.dispatch.domain.states import State
from shared.jurisdiction.policy import Reopen

#: Sorts matters without a running clock behind all others; never shown.
NEVER: Final = datetime(9999, 12, 31, tzinfo=UTC)


@dataclass(frozen=True, slots=True, kw_only=True)
class Matter:
    """One matter; the fields are the columns of `tables.matters`."""

    id: str
    #: Number told to people 事项编号.
    number: str
    state: State
    #: Grows with every step; the ETag.
    version: int
    #: 1, and one more per reopening.
    attempt: int
    response_class: str
    category: str | None
    #: Rule that gave the class, what it looked at, the pack's digest, who decided.
    rule: str
    inputs: Mapping[str, object]
    policy_version: str
    decided_by: str
    private: bool
    text: str
    channel: str
    asker_kind: str
    place: Mapping[str, object]
    demands: int
    #: Where it lies; None while unlocated.
    located_unit: str | None
    #: Who is responsible now; the unlocated list's desk while unlocated.
    unit: str
    level: str
    street: str
    person: str | None
    #: Hand-overs in this attempt: the stage of the present accept clock.
    stage: int
    returns: int
    #: Climbs caused by whistle calls.
    hops: int
    pauses: int
    flags: tuple[str, ...]
    opened_at: datetime
    #: When this attempt began: the start of its clocks.
    attempt_at: datetime
    resolved_at: datetime | None
    resolved_by: str | None
    outcome: str | None
    closed_at: datetime | None
    #: How the first attempt came out; stays when the matter is reopened.
    first_outcome: str | None
    first_on_time: bool | None
    #: What handling was estimated to cost, yuan; None: nobody said.
    cost_yuan: int | None = None
    #: Of its running clocks: next due instant, last warning, gross instant; NEVER without one.
    due_at: datetime
    soon_at: datetime
    gross_at: datetime


def check_reopening(matter: Matter, rule: Reopen, now: datetime) -> None:
    """Raise ReopenLimit when the pack's days or times are used up (J7). Exactly at the end of the days is in time."""
    if matter.attempt > rule.limit:
        raise ReopenLimit(
            f"The matter was reopened {matter.attempt - 1} times; the pack allows {rule.limit}.",
            where="matter",
            remedy="Register a new demand that refers to this one.",
        )
    if matter.closed_at is not None and now - matter.closed_at > rule.within:
        raise ReopenLimit(
            f"The matter was closed on {matter.closed_at:%Y-%m-%d}; it may be reopened within {_days(rule.within)}.",
            where="matter",
            remedy="Register a new demand that refers to this one.",
        )


def _days(length: timedelta) -> str:
    return f"{length.total_seconds() / 86_400:g} days"
