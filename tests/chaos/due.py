"""What fell due was done, and done once: warnings, breaches, calls nobody answered, ballots whose time was over."""

from __future__ import annotations

from collections import Counter
from datetime import timedelta

from sqlalchemy import func, select

from services.dispatch.tables import clock_steps, clocks
from shared.ledger.engines import reading

#: Event -> what it may say only once.
_ONCE = {
    "dispatch.clock-warned": ("clock_id", "due_at", "percent"),
    "dispatch.clock-breached": ("clock_id", "due_at"),
    "dispatch.clock-grossly-overdue": ("clock_id", "due_at"),
    "dispatch.whistle-overdue": ("whistle_id",),
    "deliberation.ballot-closed": ("ballot_id",),
}
#: Step of a clock that is always told -> the event that tells it.
_TOLD = {"due": "dispatch.clock-breached", "gross": "dispatch.clock-grossly-overdue"}
#: How long after its instant a step must have been done.
_WITHIN = timedelta(seconds=30)


def findings(world, evidence, found):
    """Findings, made with `found(kind, service, what, ids)`; none for no ids."""
    for name, keys in _ONCE.items():
        told = Counter(tuple(seen.ids[key] for key in keys) for seen in evidence.named(name))
        twice = ["/".join(map(str, key)) for key, number in told.items() if number > 1]
        yield from found("twice", name.split(".", 1)[0], f"{name} twice about the same", twice)
    with reading(world.engines["dispatch"]) as db:
        done = {
            (row.clock_id, row.step): row.times
            for row in db.execute(
                select(clock_steps.c.clock_id, clock_steps.c.step, func.count().label("times")).group_by(
                    clock_steps.c.clock_id, clock_steps.c.step
                )
            )
        }
        late = db.execute(select(clocks.c.id).where(clocks.c.next_step_at < world.now() - _WITHIN)).scalars().all()
    for step, name in _TOLD.items():
        told = Counter(seen.ids["clock_id"] for seen in evidence.named(name))
        silent = [clock for (clock, which), times in done.items() if which == step and told[clock] < times]
        yield from found("lost", "dispatch", f"clocks whose step {step} was done without {name}", silent)
    yield from found("lost", "dispatch", "clocks with a step that is due and not done", late)
