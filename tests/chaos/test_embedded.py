"""Embedded mode under every fault that one process meets: the short form of `python -m tests.chaos --mode embedded`."""

from __future__ import annotations

from contextlib import ExitStack

from tests.chaos import faults, run
from tests.chaos.embedded import embedded_world

MATTERS = 60
#: Those that one process alone can meet.
KINDS = sorted(kind for kind in faults.every() if kind.startswith("embedded-"))


def test_nothing_lost_nothing_twice_when_the_one_process_dies_stands_still_and_is_restarted(tmp_path):
    assert len(KINDS) >= 5
    with ExitStack() as stack:
        world = embedded_world(stack, tmp_path)
        verdict, monkey = run.play(
            world, matters=MATTERS, strokes=len(KINDS), seed=11, kinds=KINDS, clients=8, together=0.0, hold=0.5
        )
        assert verdict.ok, str(verdict)
        assert {stroke.fault.kind for stroke in monkey.strokes} == set(KINDS)
        # Every kill was one: the process was started again after each, and twice after the one during its start.
        assert world.started == 1 + len(KINDS)
