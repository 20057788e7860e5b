"""The network between the suite and its broker or its databases: cut, refusing, swallowing, late, losing commits.

A swallowing network accepts connections and loses nothing for ever: what it held back arrives when it is healed, as
with a router that comes back. Half of the times it is cut then instead, as with one that forgot its connections.
"""

from __future__ import annotations

import time

from tests.chaos.faults.fault import FULL, Fault, Struck
from tests.chaos.proxy import ANSWERS, BOTH, REQUESTS

#: Cuts of one stroke, and the seconds between two.
_CUTS, _BETWEEN_S = 3, 0.3
#: Seconds that answers are late, at least and at most.
_LATE_S = (0.5, 6.0)
#: Answers to COMMIT lost by one stroke, at least and at most; how a COMMIT ends on the wire.
_COMMITS = (1, 8)
_COMMIT = b"COMMIT\x00"


def _heal(side):
    def heal(world, struck):
        proxy = getattr(world, side)
        if struck.detail.get("forgotten"):
            proxy.cut()
        proxy.heal()

    return heal


def _cut(side):
    def strike(world, dice):
        cut = 0
        for _ in range(dice.randint(1, _CUTS)):
            cut += getattr(world, side).cut()
            time.sleep(_BETWEEN_S)  # noqa: TID251 -- they connect anew, and are cut again
        return Struck(what=_NAMES[side], detail={"connections": cut})

    return strike


def _refuse(side):
    def strike(world, dice):
        del dice
        getattr(world, side).refuse()
        return Struck(what=_NAMES[side])

    return strike


def _black_hole(side, way):
    def strike(world, dice):
        getattr(world, side).black_hole(way)
        return Struck(what=_NAMES[side], detail={"way": way, "forgotten": dice.random() < 0.5})

    return strike


def _late(side):
    def strike(world, dice):
        seconds = dice.uniform(*_LATE_S)
        getattr(world, side).delay(seconds)
        return Struck(what=_NAMES[side], detail={"late_s": round(seconds, 1)})

    return strike


def _lose_commits(world, dice):
    times = dice.randint(*_COMMITS)
    before = world.database_proxy.counts()["lost"]
    world.database_proxy.lose_answer_to(_COMMIT, times)
    return Struck(what="answers to COMMIT", detail={"wanted": times, "lost_before": before})


def _fault(kind, hold_s, strike, side, how):
    return Fault(kind=kind, modes=frozenset({FULL}), hold_s=hold_s, strike=strike, heal=_heal(side), how=how)


_NAMES = {"broker_proxy": "network to the broker", "database_proxy": "network to the databases"}
_BROKER, _DATABASE = "broker_proxy", "database_proxy"
FAULTS = (
    _fault(
        "broker-link-cut", (0, 0), _cut(_BROKER), _BROKER,
        "Every connection to RabbitMQ reset, up to three times in a second, in the midst of confirms and deliveries",
    ),
    _fault("broker-link-refused", (1, 5), _refuse(_BROKER), _BROKER, "RabbitMQ's port closed for some seconds"),
    _fault(
        "broker-link-swallows", (2, 10), _black_hole(_BROKER, BOTH), _BROKER,
        "Nothing passes between the suite and RabbitMQ, and nobody is told; then all arrives late, or is reset",
    ),
    _fault(
        "confirms-swallowed", (2, 10), _black_hole(_BROKER, ANSWERS), _BROKER,
        "Publishes and acks reach RabbitMQ, confirms and deliveries do not come back",
    ),
    _fault(
        "publishes-swallowed", (2, 10), _black_hole(_BROKER, REQUESTS), _BROKER,
        "Deliveries come, publishes and acks do not reach RabbitMQ",
    ),
    _fault(
        "confirms-late", (2, 10), _late(_BROKER), _BROKER,
        "Every answer of RabbitMQ half a second to six seconds late, confirms among them",
    ),
    _fault(
        "database-link-cut", (0, 0), _cut(_DATABASE), _DATABASE,
        "Every connection to PostgreSQL reset, up to three times in a second, in the midst of transactions",
    ),
    _fault("database-link-refused", (1, 5), _refuse(_DATABASE), _DATABASE, "PostgreSQL's port closed for some seconds"),
    _fault(
        "database-link-swallows", (2, 8), _black_hole(_DATABASE, BOTH), _DATABASE,
        "Nothing passes between the suite and PostgreSQL, and nobody is told; then all arrives late, or is reset",
    ),
    _fault(
        "database-answers-swallowed", (2, 8), _black_hole(_DATABASE, ANSWERS), _DATABASE,
        "Statements and commits reach PostgreSQL, its answers do not come back",
    ),
    _fault(
        "database-answers-late", (2, 6), _late(_DATABASE), _DATABASE,
        "Every answer of PostgreSQL half a second to six seconds late",
    ),
    _fault(
        "commit-answers-lost", (1, 3), _lose_commits, _DATABASE,
        "COMMIT reaches PostgreSQL, which answers; the proxy throws the answer away and resets the connection",
    ),
)  # fmt: skip
