"""What a fault is: something real that is broken, held broken for a while, and healed. Nothing here breaks anything."""

from __future__ import annotations

import random
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from tests.chaos.world import World

#: The two ways the suite runs.
FULL, EMBEDDED = "full", "embedded"


@dataclass(frozen=True, kw_only=True)
class Struck:
    """What one stroke hit."""

    #: The victim, for the report: "dispatch-1", "broker", "database of intake".
    what: str
    #: What `heal` and the judge need to know: pids, planted message ids ("planted": (service, message id, reason)) …
    detail: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, kw_only=True)
class Fault:
    """One kind of fault."""

    #: Stable name, such as "broker-killed"; the row's name in docs/reliability.md.
    kind: str
    #: Where it can happen: FULL, EMBEDDED or both.
    modes: frozenset[str]
    #: Seconds between strike and heal, at least and at most; drawn by the monkey.
    hold_s: tuple[float, float]
    #: Breaks it. Picks the victim with the dice given and with nothing else, so that a seed means something.
    strike: Callable[[World, random.Random], Struck]
    #: Puts it right, or waits for what the suite itself does about it. Idempotent; called also after the rig itself
    #: failed, on whatever `strike` left.
    heal: Callable[[World, Struck], None]
    #: What it needs beside the suite: "root", "cluster" … The monkey leaves out what the world does not offer
    #: (`World.offers`).
    needs: frozenset[str] = frozenset()
    #: Not struck at once with others, but with those that have the same word here: what starts processes anew, what
    #: needs a broker that answers, what waits for something that another fault may be holding up. Empty: with any.
    apart: str = ""
    #: One line for docs/reliability.md: how it is produced.
    how: str = ""


def nothing_to_heal(world: World, struck: Struck) -> None:
    """For faults that the suite itself gets over: a killed process is started again by its supervisor."""
    del world, struck
