"""Processes that die, stand still, are told to stop, or are away for an hour."""

from __future__ import annotations

import os
import signal
import time
from concurrent.futures import ThreadPoolExecutor

from sqlalchemy import select

from shared.contracts.topology import SERVICES
from shared.ledger.engines import reading
from shared.ledger.lease import DURATION
from shared.ledger.tables import leases
from tests.chaos.faults.fault import FULL, Fault, Struck, nothing_to_heal

#: Seconds within which a service that is told to stop must have ended (the issue's "graceful stop inside 10 s").
GRACE_S = 10.0
_LEASE_S = DURATION.total_seconds()
#: Seconds within which a process that was ended must be there again.
AGAIN_S = 30.0
#: Seconds within which another process must lead.
TAKEN_OVER_S = 60.0
#: Seconds that a leader stands still at least: most often its lease has ended and been taken by then.
_TAKEN_OVER_AFTER_S = (_LEASE_S + 1, _LEASE_S + 4)
#: Leaders of several kinds may stand still at once.
_LEADERS = "leaders"
_WAITERS = ThreadPoolExecutor(3, thread_name_prefix="taken-over")


def _any(world, dice, kind, service=None):
    """A process of a kind that runs, by name; another fault may just have ended all of them."""

    def found():
        return sorted(
            each["name"]
            for each in world.running()
            if each["kind"] == kind and each["pid"] is not None and service in (None, each["service"])
        )

    seen = []
    world.until(lambda: seen.extend(found()) or seen, AGAIN_S)
    return dice.choice(seen)


def _kill(kind, service):
    def strike(world, dice):
        name = _any(world, dice, kind, service)
        world.kill(name)
        return Struck(what=name)

    return strike


def _pause(kind, service):
    def strike(world, dice):
        name = _any(world, dice, kind, service)
        return Struck(what=name, detail={"pid": world.pause(name)})

    return strike


def _overtaken(service, lease, relay):
    """The one process that leads stands still; `_wake` waits until another one has taken over."""

    def strike(world, dice):
        del dice
        world.until(lambda: _leader(world, service, lease, relay) is not None, TAKEN_OVER_S)
        name, pid = _leader(world, service, lease, relay)
        os.kill(pid, signal.SIGSTOP)
        began = time.monotonic()

        def another_leads():
            world.until(
                lambda: (now := _leader(world, service, lease, relay)) is not None and now[1] != pid, TAKEN_OVER_S
            )
            return time.monotonic() - began

        # Others stand still at the same time; each is waited for by a thread of its own.
        return Struck(what=name, detail={"pid": pid, "taken": _WAITERS.submit(another_leads), "measured": {}})

    return strike


def _wake(world, struck):
    """Whoever stood still goes on, beside whoever leads now."""
    try:
        struck.detail["measured"]["another process leads"] = struck.detail["taken"].result()
    finally:
        _resume(world, struck)


def _leader(world, service, lease, relay):
    """(name, pid) of the process that holds a lease; None when it is none that runs."""
    with reading(world.engines[service]) as db:
        holder = db.execute(select(leases.c.holder).where(leases.c.name == lease)).scalar_one_or_none()
    pids = {each["pid"]: each["name"] for each in world.running() if (each["kind"] == "relay") is relay}
    found = [int(part) for part in (holder or "").split(":") if part.isdecimal() and int(part) in pids]
    return (pids[found[0]], found[0]) if found else None


def _resume(world, struck):
    world.resume(struck.detail["pid"])


def _terminate(world, dice):
    """SIGTERM under load: whoever is told to stop must be gone in ten seconds."""
    name = _any(world, dice, "serve")
    pid = world.found(name)["pid"]
    began = time.monotonic()
    os.kill(pid, signal.SIGTERM)
    world.until(lambda: world.found(name)["pid"] != pid, GRACE_S + 5)
    seconds = time.monotonic() - began
    complaint = None if seconds <= GRACE_S else f"{name} took {seconds:.1f} s to stop"
    return Struck(what=name, detail={"measured": {"gone after SIGTERM": seconds}, "complaint": complaint})


def _kill_every_replica(world, dice):
    service = dice.choice(SERVICES)
    names = [each["name"] for each in world.running() if each["service"] == service and each["pid"] is not None]
    for name in names:
        world.kill(name)
    return Struck(what=" ".join(names))


def _reverse(world, dice):
    """Everything stopped in the midst of it, and started again: the last service first, intake's relay last."""
    del dice
    world.stop()
    world.up(reverse=True)
    return Struck(what="every process")


def _hour_down(world, dice):
    """Kept down; the clock moves on an hour, and what fell due without it is done when it is back."""
    service = dice.choice(SERVICES)
    names = [each["name"] for each in world.running() if each["service"] == service and each["kind"] == "serve"]
    for name in names:
        world.hold_down(name)
    world.step_clock(3_600)
    return Struck(what=service, detail={"names": names})


def _back(world, struck):
    for name in struck.detail["names"]:
        world.let_up(name)


FAULTS = (
    *(
        Fault(
            kind=f"{service}-killed", modes=frozenset({FULL}), hold_s=(0, 0), strike=_kill("serve", service),
            heal=nothing_to_heal, how=f"SIGKILL of a process of {service}, its scanners and handlers with it",
        )
        for service in SERVICES
    ),
    *(
        Fault(
            kind=f"relay-{service}-killed", modes=frozenset({FULL}), hold_s=(0, 0), strike=_kill("relay", service),
            heal=nothing_to_heal, how=f"SIGKILL of the relay of {service}",
        )
        for service in SERVICES
    ),
    *(
        Fault(
            kind=f"{service}-paused", modes=frozenset({FULL}), hold_s=(2, _LEASE_S + 4),
            strike=_pause("serve", service), heal=_resume,
            how=f"SIGSTOP of a process of {service} in the midst of whatever it did, SIGCONT later",
        )
        for service in SERVICES
    ),
    *(
        Fault(
            kind=f"relay-{service}-paused", modes=frozenset({FULL}), hold_s=(2, _LEASE_S + 4),
            strike=_pause("relay", service), heal=_resume,
            how=f"SIGSTOP of the relay of {service}, in some cases for longer than its lease lasts, SIGCONT later",
        )
        for service in SERVICES
    ),
    *(
        Fault(
            kind=f"relay-{service}-overtaken", modes=frozenset({FULL}), hold_s=_TAKEN_OVER_AFTER_S,
            strike=_overtaken(service, "relay", relay=True), heal=_wake, apart=_LEADERS,
            how=f"SIGSTOP of the relay of {service} that leads until the one in reserve does, SIGCONT later",
        )
        for service in ("intake", "dispatch")
    ),
    Fault(
        kind="scanner-overtaken", modes=frozenset({FULL}), hold_s=_TAKEN_OVER_AFTER_S,
        strike=_overtaken("dispatch", "due:clocks", relay=False), heal=_wake, apart=_LEADERS,
        how="SIGSTOP of the process of dispatch that scans its clocks until the other one does, SIGCONT later",
    ),
    Fault(
        kind="service-killed-whole", modes=frozenset({FULL}), hold_s=(0, 0), strike=_kill_every_replica,
        heal=nothing_to_heal, how="SIGKILL of every process of one service at once, its relay too",
    ),
    Fault(
        kind="service-terminated", modes=frozenset({FULL}), hold_s=(0, 0), strike=_terminate, heal=nothing_to_heal,
        how="SIGTERM of a service under load; it has to be gone within ten seconds",
    ),
    Fault(
        kind="start-order-reversed", modes=frozenset({FULL}), hold_s=(0, 0), strike=_reverse, heal=nothing_to_heal,
        apart="start-order-reversed",
        how="Ctrl-C for the whole suite under load, then started last service first",
    ),
    Fault(
        kind="service-down-an-hour", modes=frozenset({FULL}), hold_s=(2, 5), strike=_hour_down, heal=_back,
        how="Every process of one service kept down while the suite's clock moves on an hour",
    ),
)  # fmt: skip
