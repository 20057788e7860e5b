"""SLA clocks: when they warn, fall due and are grossly overdue, and how they come out. Pure.

Rules, in one place:

* The outcome compares `stopped_at` with `due_at`; equal is met. When the scan ran never matters.
* So a clock is breached from the first microsecond *after* its due instant on: `BREACH_AFTER`.
* A clock's life is a row of steps (warn, warn, due, gross), each done once for one promise. A reclassification is a new
  promise: it keeps the start and the pauses. What had been breached and still would be is not breached a second time.
* A *held* clock stands while somebody else verifies: passed, it stops as of the handler's word; reworked, it runs on
  as if it had never stood, so verification costs the handler nothing and rework gives nothing away.
* A *paused* clock stands by approval (挂账); its due instant moves by the pause, the first promise is kept beside it.
* An *extended* clock (延期) has working days on top of its target. It, and one counted anew on another calendar, keeps
  the steps that it did and that would still lie behind it; those that lie ahead again are done again.
* After every hand-over the new unit gets a fresh `accept` clock (`stage` counts them), so that every level has a target
  and silence climbs on to the top. `resolve` never starts again within one attempt and breaches once.

It must never read the time, decide who climbs, or know a table.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Final

from shared.jurisdiction import ResponseClass
from shared.kernel.worktime import Due, Pause, Target, TargetKind, WorkingCalendar

#: Smallest difference between two instants that the suite keeps: equal is met, the next one is late.
BREACH_AFTER: Final = timedelta(microseconds=1)
#: Kinds that an approved suspension pauses, where the class is pausable.
PAUSABLE: Final = frozenset({"resolve", "feedback"})
#: Kinds that a granted extension gives more time.
EXTENDABLE: Final = frozenset({"resolve", "feedback"})
#: Kinds that wait for verification.
HELD_BY_RESOLVING: Final = frozenset({"resolve"})
#: Kinds that a progress note may report as reached.
MILESTONES: Final = ("first-contact", "hazard-survey", "hazard-plan", "hazard-on-site")
#: Longest description of a target on the wire, characters.
_WORDS = 300


class Status(StrEnum):
    """Whether a clock runs."""

    RUNNING = "running"
    PAUSED = "paused"
    HELD = "held"
    STOPPED = "stopped"


class Band(StrEnum):
    """How much time is left."""

    OK = "ok"
    DUE_SOON = "due-soon"
    OVERDUE = "overdue"
    GROSSLY_OVERDUE = "grossly-overdue"
    PAUSED = "paused"


@dataclass(frozen=True, slots=True)
class Step:
    """Something that happens to a running clock at an instant."""

    #: `warn-<percent>`, `due` or `gross`.
    name: str
    at: datetime

    @property
    def percent(self) -> int:
        """Share of the budget of a warning."""
        return int(self.name.removeprefix("warn-"))


@dataclass(frozen=True, slots=True)
class Promise:
    """A due instant and the steps on the way to it and beyond."""

    due_at: datetime
    provisional: bool
    #: The target in words.
    words: str
    #: By time.
    steps: tuple[Step, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class SlaClock:
    """One clock of a matter."""

    id: str
    matter_id: str
    kind: str
    attempt: int
    #: Which hand-over it belongs to; 0 for all kinds but accept.
    stage: int
    response_class: str
    #: Unit that was responsible when it started.
    unit: str
    target: Target
    words: str
    started_at: datetime
    #: What was promised first.
    original_due_at: datetime
    due_at: datetime
    provisional: bool
    steps: tuple[Step, ...]
    #: Steps done so far.
    fired: int
    #: Counts promises: 1, and one more per reclassification.
    promise: int
    status: Status
    breached_at: datetime | None = None
    stopped_at: datetime | None = None
    outcome: str | None = None
    #: Working days granted on top of the target.
    extended_days: int = 0
    #: Which of the calendars taken in it was counted on; 0: the pack's own.
    calendar_revision: int = 0

    @property
    def next_step_at(self) -> datetime | None:
        """When the scan has to look at it again."""
        running = self.status is Status.RUNNING and self.fired < len(self.steps)
        return self.steps[self.fired].at if running else None

    @property
    def soon_at(self) -> datetime:
        """From when it counts as due soon: its last warning."""
        warnings = [step.at for step in self.steps if step.name.startswith("warn-")]
        return warnings[-1] if warnings else self.due_at

    @property
    def gross_at(self) -> datetime:
        """From when it is grossly overdue."""
        return self.steps[-1].at


def promise(
    calendar: WorkingCalendar,
    start: datetime,
    target: Target,
    rule: ResponseClass,
    pauses: Sequence[Pause] = (),
    *,
    extended: int = 0,
) -> Promise:
    """What a target started at `start` promises under the class's warn and gross shares. Raises BeyondCalendar."""
    shares = (*rule.warn_shares, rule.grossly_overdue_share)
    due, (*warned, grossly) = calendar.due_and_shares(start, target, shares, pauses, extended=extended)
    warnings = [Step(f"warn-{round(share * 100)}", at) for share, at in zip(rule.warn_shares, warned, strict=True)]
    breach = due.at + BREACH_AFTER
    gross = max(grossly, breach)
    steps = (*(Step(warn.name, min(warn.at, breach)) for warn in warnings), Step("due", breach), Step("gross", gross))
    return Promise(due.at, due.provisional, _words(due), steps)


def _words(due: Due) -> str:
    said = [step for step in due.steps if step.code != "started"]
    return f"{';'.join(step.zh for step in said)} ({'; '.join(step.en for step in said)})"[:_WORDS]


def renewed(
    clock: SlaClock, kept: Promise, rule: ResponseClass, target: Target, *, now: datetime, extended: int = 0
) -> SlaClock:
    """The clock under a new promise (reclassification): same start. A breach that still stands is not repeated."""
    stands = clock.breached_at is not None and now > kept.due_at
    due_place = next(place for place, step in enumerate(kept.steps) if step.name == "due")
    return replace(
        clock, response_class=rule.id, target=target, words=kept.words, due_at=kept.due_at,
        provisional=kept.provisional,
        steps=kept.steps, promise=clock.promise + 1, fired=due_place + 1 if stands else 0,
        breached_at=clock.breached_at if stands else None, extended_days=extended,
    )  # fmt: skip


def remade(clock: SlaClock, kept: Promise, *, now: datetime) -> SlaClock:
    """The clock when the same target came out otherwise (more time, another calendar).

    What it did and would still have done by `now` stays done, a breach too; the rest is done again when it comes.
    """
    done = sum(step.at <= now for step in kept.steps[: clock.fired])
    breached = any(step.name == "due" for step in kept.steps[:done])
    return replace(
        clock, words=kept.words, due_at=kept.due_at, provisional=kept.provisional, steps=kept.steps, fired=done,
        promise=clock.promise + (done < clock.fired), breached_at=clock.breached_at if breached else None,
    )  # fmt: skip


def resumed(clock: SlaClock, kept: Promise) -> SlaClock:
    """A paused clock runs again with its due instant moved; the steps it did stay done."""
    return replace(
        clock,
        status=Status.RUNNING,
        due_at=kept.due_at,
        provisional=kept.provisional,
        words=kept.words,
        steps=kept.steps,
    )


def stopped(clock: SlaClock, at: datetime, *, cancelled: bool = False) -> SlaClock:
    """The clock stopped at `at`, with its outcome."""
    outcome = "cancelled" if cancelled else outcome_of(at, clock.due_at)
    return replace(clock, status=Status.STOPPED, stopped_at=at, outcome=outcome)


def outcome_of(stopped_at: datetime, due_at: datetime) -> str:
    """`met` up to and at the due instant, `breached` after it."""
    return "met" if stopped_at <= due_at else "breached"


def passed(clock: SlaClock, now: datetime) -> tuple[Step, ...]:
    """The steps that are due and not done, in order; () unless it runs."""
    if clock.status is not Status.RUNNING:
        return ()
    return tuple(step for step in clock.steps[clock.fired :] if step.at <= now)


def worth_telling(steps: Sequence[Step]) -> tuple[Step, ...]:
    """Of the steps found at once, those to announce: a warning is stale once the clock is due."""
    late = any(step.name == "due" for step in steps)
    return tuple(step for step in steps if not (late and step.name.startswith("warn-")))


def band(clock: SlaClock, now: datetime) -> Band | None:
    """How a clock stands at `now`; None when it has stopped."""
    if clock.status is Status.STOPPED:
        return None
    if clock.status is Status.PAUSED:
        return Band.PAUSED
    if now >= clock.gross_at:
        return Band.GROSSLY_OVERDUE
    if now > clock.due_at:
        return Band.OVERDUE
    return Band.DUE_SOON if now >= clock.soon_at else Band.OK


def budget_used(calendar: WorkingCalendar, clock: SlaClock, at: datetime, pauses: Sequence[Pause] = ()) -> float:
    """Share of the promised time that was used at `at`, in the clock's own time; 1.0 is the due instant."""
    if clock.target.kind is TargetKind.ELAPSED:
        used = (at - clock.started_at).total_seconds() - _paused_seconds(clock.started_at, at, pauses)
        return max(0.0, used / clock.target.seconds)
    used = calendar.working_seconds(clock.started_at, at, pauses)
    whole = calendar.working_seconds(clock.started_at, clock.due_at, pauses)
    return max(0.0, used / whole) if whole else float(at > clock.due_at)


def _paused_seconds(start: datetime, end: datetime, pauses: Sequence[Pause]) -> float:
    return sum(max(0.0, (min(last, end) - max(first, start)).total_seconds()) for first, last in pauses)
