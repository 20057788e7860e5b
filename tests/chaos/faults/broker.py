"""The broker stopped, killed, restarted, and holding publishers back by alarm."""

from __future__ import annotations

from tests.chaos.faults.fault import FULL, Fault, Struck, nothing_to_heal


def _start(world, struck):
    del struck
    world.broker.start()  # no-op while it runs


def _stop(world, dice):
    del dice
    world.broker.stop()
    return Struck(what="broker")


def _kill(world, dice):
    del dice
    world.broker.settle()
    world.broker.kill()
    return Struck(what="broker")


def _restart(world, dice):
    del dice
    world.broker.stop()
    world.broker.start()
    return Struck(what="broker", detail={"away_s": world.broker.started_in})


def _memory_alarm(world, dice):
    del dice
    world.broker.raise_memory_alarm()
    return Struck(what="broker")


def _disk_alarm(world, dice):
    del dice
    world.broker.raise_disk_alarm()
    return Struck(what="broker")


def _calm(world, struck):
    del struck
    world.broker.clear_alarms()


def _fault(kind, hold_s, strike, heal, how):
    return Fault(
        kind=kind, modes=frozenset({FULL}), hold_s=hold_s, strike=strike, heal=heal, needs=frozenset({"one-broker"}),
        how=how,
    )  # fmt: skip


FAULTS = (
    _fault("broker-stopped", (1, 6), _stop, _start, "RabbitMQ stopped cleanly, started some seconds later"),
    _fault("broker-killed", (0, 4), _kill, _start, "SIGKILL of RabbitMQ, started some seconds later"),
    _fault("broker-restarted", (0, 0), _restart, nothing_to_heal, "RabbitMQ stopped cleanly and started at once"),
    _fault(
        "broker-memory-alarm", (2, 8), _memory_alarm, _calm,
        "The memory limit set below what RabbitMQ uses: it holds publishers back; then set as it was",
    ),
    _fault(
        "broker-disk-alarm", (2, 8), _disk_alarm, _calm,
        "The disk limit set above what is free: RabbitMQ holds publishers back; then set as it was",
    ),
)  # fmt: skip
