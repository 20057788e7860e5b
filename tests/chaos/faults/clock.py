"""Clocks that are set: of all processes at once, or of one alone. Nothing else is broken by these.

Only wall clocks: the machine's own, which nobody can set, goes on. What falls due by a step is done, once; what was due
is not lost by a step back; no two leaders commit.
"""

from __future__ import annotations

from datetime import timedelta

from shared.ledger.lease import DURATION
from tests.chaos import clocks
from tests.chaos.faults.fault import EMBEDDED, FULL, Fault, Struck

#: Steps: a wrong time zone's worth, and a day and a bit, over which promises of hours run out.
STEPS = (timedelta(hours=8), timedelta(hours=25))
#: Long enough for a lease to run out by the watch of those who wait for it.
_HOLD_S = (1.0, DURATION.total_seconds() + 2.0)


def _stepped(sign):
    def strike(world, dice):
        seconds = sign * dice.choice(STEPS).total_seconds()
        world.step_clock(seconds)
        return Struck(what=f"every clock {seconds / 3_600:+.0f} h", detail={"seconds": seconds})

    return strike


def _step_back(world, struck):
    if not struck.detail.get("healed"):
        world.step_clock(-struck.detail["seconds"])
        struck.detail["healed"] = True


def _stepped_alone(sign):
    def strike(world, dice):
        name = dice.choice(sorted(each["name"] for each in world.running()))
        seconds = sign * dice.choice(STEPS).total_seconds()
        clocks.step_alone(world.settings, name, world.clock.offset() + seconds)
        return Struck(what=f"the clock of {name} {seconds / 3_600:+.0f} h", detail={"name": name})

    return strike


def _rejoin(world, struck):
    clocks.rejoin(world.settings, struck.detail["name"])


FAULTS = (
    Fault(
        kind="clock-forward", modes=frozenset({FULL, EMBEDDED}), hold_s=_HOLD_S, strike=_stepped(+1), heal=_step_back,
        how="the clock file of all processes 8 or 25 h ahead, then back",
    ),
    Fault(
        kind="clock-back", modes=frozenset({FULL, EMBEDDED}), hold_s=_HOLD_S, strike=_stepped(-1), heal=_step_back,
        how="the clock file of all processes 8 or 25 h behind, then ahead again",
    ),
    Fault(
        kind="clock-of-one-ahead", modes=frozenset({FULL}), hold_s=_HOLD_S, strike=_stepped_alone(+1), heal=_rejoin,
        how="one process reads a clock file 8 or 25 h ahead of the others'",
    ),
    Fault(
        kind="clock-of-one-behind", modes=frozenset({FULL}), hold_s=_HOLD_S, strike=_stepped_alone(-1), heal=_rejoin,
        how="one process reads a clock file 8 or 25 h behind the others'",
    ),
)  # fmt: skip
