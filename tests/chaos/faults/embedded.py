"""What can happen to the one process of embedded mode. After each the same folder is started again."""

from __future__ import annotations

import signal
import time

from tests.chaos.faults.fault import EMBEDDED, Fault, Struck

#: Seconds within which it must have ended when told to stop.
GRACE_S = 10.0
#: Longest time, in seconds, until it is killed: anywhere between two demands, and while it starts.
_ANYWHERE_S, _STARTING_S = 0.3, 2.5


def _killed(world, dice):
    time.sleep(dice.uniform(0.0, _ANYWHERE_S))  # noqa: TID251 -- a random instant
    world.kill()
    return Struck(what="the process, at any instant")


def _killed_while_writing(world, dice):
    """The instant at which a database grows; its transaction is half in the file or just finished."""
    service = dice.choice(("intake", "dispatch", "oversight", "notify"))
    seen = world.until_written(service)
    world.kill()
    return Struck(what=f"the process, while {service} writes" if seen else "the process, with nothing to write")


def _killed_while_starting(world, dice):
    world.kill()
    world.launch()
    time.sleep(dice.uniform(0.0, _STARTING_S))  # noqa: TID251 -- a random instant of its start
    world.kill()
    return Struck(what="the process, twice: once while it starts")


def _paused(world, dice):
    del dice
    return Struck(what="the process, stopped (SIGSTOP)", detail={"pid": world.pause()})


def _resumed(world, struck):
    world.resume(struck.detail["pid"])


def _told_to_stop(world, dice):
    del dice
    world.process.send_signal(signal.SIGTERM)
    began = time.monotonic()
    world.process.wait(2 * GRACE_S)
    seconds = time.monotonic() - began
    complaint = None if seconds <= GRACE_S else f"it took {seconds:.1f} s to stop"
    return Struck(what="the process, told to stop", detail={"seconds": seconds, "complaint": complaint})


def _start_again(world, struck):
    del struck
    world.launch()


def _fault(kind, strike, heal, *, hold_s=(0.0, 1.0), how):
    return Fault(
        kind=kind, modes=frozenset({EMBEDDED}), hold_s=hold_s, strike=strike, heal=heal, apart=kind, how=how
    )  # fmt: skip


FAULTS = (
    _fault("embedded-killed", _killed, _start_again, how="SIGKILL at a random instant; started again"),
    _fault(
        "embedded-killed-mid-write", _killed_while_writing, _start_again,
        how="SIGKILL as a database's write-ahead log grows; started again",
    ),
    _fault(
        "embedded-killed-starting", _killed_while_starting, _start_again,
        how="SIGKILL, started, SIGKILL within 2.5 s; started again",
    ),
    _fault("embedded-paused", _paused, _resumed, hold_s=(1.0, 6.0), how="SIGSTOP, then SIGCONT"),
    _fault("embedded-restarted", _told_to_stop, _start_again, how="SIGTERM under load; started again"),
)  # fmt: skip
