"""One node of three lost, by force or cleanly, while events flow. Only where the broker is a cluster."""

from __future__ import annotations

from tests.chaos.faults.fault import FULL, Fault, Struck


def _lose(world, dice, end):
    node = dice.choice(world.broker.nodes)
    getattr(node, end)()
    return Struck(what=node.node, detail={"node": node.node})


def _kill(world, dice):
    return _lose(world, dice, "kill")


def _stop(world, dice):
    return _lose(world, dice, "stop")


def _back(world, struck):
    del struck
    world.broker.start()  # starts what does not run


def _fault(kind, strike, how):
    return Fault(
        kind=kind, modes=frozenset({FULL}), hold_s=(2, 10), strike=strike, heal=_back, needs=frozenset({"cluster"}),
        how=how,
    )  # fmt: skip


FAULTS = (
    _fault("node-killed", _kill, "SIGKILL of one of three nodes of RabbitMQ, started again some seconds later"),
    _fault("node-stopped", _stop, "One of three nodes of RabbitMQ stopped cleanly, started again some seconds later"),
)
