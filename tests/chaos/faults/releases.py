"""Two releases side by side: a process of every service is of the next release for a while, and of this one again."""

from __future__ import annotations

import signal

from shared.contracts.topology import SERVICES
from tests.chaos.builds.release import roll_out, take_back
from tests.chaos.faults.fault import FULL, Fault, Struck

#: Seconds until both releases work; it may be that a database waits for whoever another fault has just stopped.
READY_WITHIN_S = 90


def _forward(world, dice):
    """The first of them migrates each database and binds its queues, under those that run."""
    names = [dice.choice(sorted(_of(world, "serve", service))) for service in SERVICES]
    relays = [dice.choice(sorted(_of(world, "relay", service))) for service in SERVICES]
    names += dice.sample(relays, dice.randint(0, len(relays)))
    roll_out(world, names, "next-release", by=signal.SIGTERM)
    world.until_ready(READY_WITHIN_S)
    return Struck(what=f"next release: {' '.join(names)}", detail={"names": names})


def _of(world, kind, service):
    return [each["name"] for each in world.running() if (each["kind"], each["service"]) == (kind, service)]


def _back(world, struck):
    """As docs/upgrading.md has it: the old processes find revisions that they do not know, and leave them alone."""
    take_back(world, struck.detail["names"], by=signal.SIGTERM)


FAULTS = (
    Fault(
        kind="two-releases", modes=frozenset({FULL}), hold_s=(6, 12), strike=_forward, heal=_back, apart="two-releases",
        how="one process of every service, and some relays, of the next release (more columns, fields and events)"
        " beside those of this one, under load; then back",
    ),
)  # fmt: skip
