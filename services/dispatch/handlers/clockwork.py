"""Starting, stopping, pausing, extending and renewing the clocks of a case, with their events.

The rules are `domain.clocks`.

After every hand-over the new unit gets a fresh `accept` clock: every level has a target, and silence climbs on until
the top, where the matter stays, flagged. `resolve` and the hazard clocks run through hand-overs untouched.
"""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime

from services.dispatch.domain import clocks as rules
from services.dispatch.domain.clocks import Promise, SlaClock, Status
from services.dispatch.domain.states import State
from services.dispatch.handlers.case import Case
from shared.contracts import dispatch, timing
from shared.jurisdiction import ResponseClass
from shared.kernel.worktime import Due, Pause

_ACCEPT = "accept"
#: Runs on a whistle call, not on the matter: `whistles.report_in_by`.
_OF_CALLS = "report-in"


def start_attempt(case: Case, at: datetime) -> None:
    """Start every clock of the class for the present attempt, as of `at`."""
    if case.rule is not None:
        for kind in case.rule.clocks:
            if kind != _OF_CALLS:
                start(case, kind, at)


def start_accept(case: Case, at: datetime) -> None:
    """Give the unit responsible now its own target to accept."""
    if case.rule is not None and _ACCEPT in case.rule.clocks:
        start(case, _ACCEPT, at)


def start(case: Case, kind: str, at: datetime) -> None:
    """Start one clock of the class."""
    rule, matter = case.rule, case.matter
    if rule is None:
        return
    target = rule.clocks[kind]
    counted_on = case.working_time
    promised = rules.promise(counted_on.of(rule), at, target, rule)
    clock = SlaClock(
        id=case.work.new_id(), matter_id=matter.id, kind=kind, attempt=matter.attempt,
        stage=matter.stage if kind == _ACCEPT else 0, response_class=rule.id, unit=matter.unit, target=target,
        words=promised.words, started_at=at, original_due_at=promised.due_at, due_at=promised.due_at,
        provisional=promised.provisional, steps=promised.steps, fired=0, promise=1, status=Status.RUNNING,
        calendar_revision=counted_on.revision,
    )  # fmt: skip
    case.put(clock)
    case.work.emit(
        dispatch.ClockStarted(
            clock_id=clock.id, matter_id=matter.id, kind=kind, response_class=rule.id, unit=matter.unit, started_at=at,
            due_at=clock.due_at, target=clock.words, provisional=clock.provisional, attempt=matter.attempt,
        )
    )  # fmt: skip


def stop(case: Case, *kinds: str, at: datetime | None = None) -> None:
    """Stop the live clocks of these kinds, as of `at` (default: now)."""
    for clock in case.live(*kinds):
        _stop(case, clock, at or case.now, cancelled=False)


def cancel(case: Case, *kinds: str) -> None:
    """Cancel the live clocks of these kinds (none given: all): no outcome is counted."""
    for clock in case.live(*kinds):
        _stop(case, clock, case.now, cancelled=True)


def _stop(case: Case, clock: SlaClock, at: datetime, *, cancelled: bool) -> None:
    done = rules.stopped(clock, at, cancelled=cancelled)
    if done.outcome == "breached" and done.breached_at is None:
        # Stopped late, before any scan came by: the breach is told all the same, and nobody climbs for what is done.
        done = replace(done, breached_at=done.due_at)
        tell_breach(case, done)
    case.put(done)
    used = rules.budget_used(case.working_time.of(case.rule), clock, at, _rests(case, clock.kind))
    case.work.emit(
        dispatch.ClockStopped(
            clock_id=done.id, matter_id=done.matter_id, kind=done.kind, unit=case.matter.unit, stopped_at=at,
            due_at=done.due_at, outcome=done.outcome or "cancelled", budget_used=round(used, 4),
        )
    )  # fmt: skip


def tell_breach(case: Case, clock: SlaClock) -> None:
    """Announce that a clock is breached."""
    case.work.emit(
        dispatch.ClockBreached(
            clock_id=clock.id, matter_id=clock.matter_id, kind=clock.kind, unit=case.matter.unit, due_at=clock.due_at,
            detected_at=case.now,
        )
    )  # fmt: skip


def hold(case: Case) -> None:
    """Resolved: the resolve clock stands while somebody else verifies; hazard clocks are done, the danger is over."""
    for clock in case.live(*rules.HELD_BY_RESOLVING):
        case.put(replace(clock, status=Status.HELD))
    stop(case, _ACCEPT, *rules.MILESTONES)


def release(case: Case) -> None:
    """Reworked: held clocks run on as if they had never stood."""
    for clock in case.live():
        if clock.status is Status.HELD:
            case.put(replace(clock, status=Status.RUNNING))


def pause(case: Case) -> None:
    """Suspended: pausable clocks stand still."""
    for clock in case.live(*rules.PAUSABLE):
        if clock.status is not Status.RUNNING:
            continue
        case.put(replace(clock, status=Status.PAUSED))
        case.work.emit(
            dispatch.ClockPaused(
                clock_id=clock.id, matter_id=clock.matter_id, kind=clock.kind, unit=case.matter.unit, paused_at=case.now
            )
        )


def resume(case: Case) -> None:
    """Paused clocks run on, their due instants moved by what the suspension took; end the pause first."""
    for clock in case.live():
        if clock.status is Status.PAUSED:
            rule = case.rule
            if rule is None:
                case.put(replace(clock, status=Status.RUNNING))
                continue
            _moved(case, clock, rules.resumed(_current(case, clock), _counted(case, clock, rule)), "resumed")


def extend(case: Case, days: int) -> None:
    """More time was granted: so many working days on top."""
    rule = case.rule
    if rule is None:
        return
    for clock in case.live(*rules.EXTENDABLE):
        longer = replace(_current(case, clock), extended_days=clock.extended_days + days)
        _moved(case, clock, rules.remade(longer, _counted(case, longer, rule), now=case.now), "extended")


def recount(case: Case) -> tuple[str, ...]:
    """A year was taken in: clocks that have not stopped are counted anew. Returns the kinds that came out otherwise."""
    rule, in_force = case.rule, case.working_time
    moved = []
    for clock in case.live():
        if clock.calendar_revision >= in_force.revision:
            continue
        # Of a class that the pack no longer has, nothing is known to count with.
        new = _current(case, clock)
        if rule is not None:
            new = rules.remade(new, _counted(case, clock, rule), now=case.now)
        case.put(new)
        if (new.due_at, new.provisional) != (clock.due_at, clock.provisional):
            moved.append(clock.kind)
            case.work.emit(
                timing.ClockRecounted(
                    clock_id=new.id, matter_id=new.matter_id, kind=new.kind, unit=case.matter.unit,
                    from_due_at=clock.due_at, due_at=new.due_at, original_due_at=new.original_due_at, target=new.words,
                    provisional=new.provisional, response_class=new.response_class,
                    calendar=in_force.of(rule).version,
                )
            )  # fmt: skip
    return tuple(moved)


def explained(case: Case, clock: SlaClock) -> Due:
    """When the clock is due on the calendar in force, step by step; a stopped one keeps what it was counted on."""
    return case.working_time.of(case.rule).due(
        clock.started_at, clock.target, _rests(case, clock.kind), extended=clock.extended_days
    )


def _current(case: Case, clock: SlaClock) -> SlaClock:
    """The clock, about to be counted on the calendar in force."""
    return replace(clock, calendar_revision=case.working_time.revision)


def _counted(case: Case, clock: SlaClock, rule: ResponseClass, *, running: bool = False) -> Promise:
    """What the clock's own target comes to now; `running`: with the rest so far of a suspension that is not over."""
    return rules.promise(
        case.working_time.of(rule), clock.started_at, clock.target, rule, _rests(case, clock.kind, running=running),
        extended=clock.extended_days,
    )  # fmt: skip


def _rests(case: Case, kind: str, *, running: bool = False) -> tuple[Pause, ...]:
    """Suspensions that count for a kind of clock, whatever the class says today: they were approved when they began.

    Hazard clocks are of kinds that no suspension pauses; so no rest ever makes a survey, a plan or an arrival later.
    """
    return case.pauses(running=running) if kind in rules.PAUSABLE else ()


def reclassify(case: Case) -> None:
    """The matter has another class now: clocks keep start and pauses; kinds the class does not know are cancelled.

    A suspension that goes on counts up to now. Where the new class never pauses, end it before (`suspending.end_rest`).
    """
    rule = case.rule
    if rule is None:
        return
    for clock in case.live():
        if clock.kind not in rule.clocks:
            _stop(case, clock, case.now, cancelled=True)
            continue
        target = rule.clocks[clock.kind]
        # More time that was granted stays granted, where the new class grants any.
        extended = 0 if rule.extension is None else clock.extended_days
        kept = _counted(case, replace(clock, target=target, extended_days=extended), rule, running=True)
        renewed = rules.renewed(_current(case, clock), kept, rule, target, now=case.now, extended=extended)
        _moved(case, clock, renewed, "reclassified")
    known = {clock.kind for clock in case.clocks.values() if clock.attempt == case.matter.attempt}
    for kind in rule.clocks:
        if kind not in known and kind != _OF_CALLS:
            start(case, kind, case.matter.attempt_at)
    if case.matter.state is State.SUSPENDED:
        pause(case)


def _moved(case: Case, old: SlaClock, new: SlaClock, cause: str) -> None:
    case.put(new)
    case.work.emit(
        dispatch.ClockMoved(
            clock_id=new.id, matter_id=new.matter_id, kind=new.kind, unit=case.matter.unit, cause=cause,
            from_due_at=old.due_at, due_at=new.due_at, original_due_at=new.original_due_at, target=new.words,
            provisional=new.provisional, response_class=new.response_class,
        )
    )  # fmt: skip


def on_time(case: Case) -> bool:
    """Whether no resolve clock of the first attempt was breached."""
    return all(
        clock.outcome != "breached" for clock in case.clocks.values() if clock.kind == "resolve" and clock.attempt == 1
    )
