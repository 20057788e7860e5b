"""The short run: every kind of fault once, several at a time, while lives go on; afterwards not one effect is amiss."""

from __future__ import annotations

import os

import pytest

from tests.chaos import faults, run

#: Another one shows other victims and other moments: CHAOS_SEED=7 make chaos ARGS=…
SEED = int(os.environ.get("CHAOS_SEED", "20261122"))


def the_kinds(world):
    return {
        fault.kind for fault in faults.every().values() if world.mode in fault.modes and fault.needs <= world.offers
    }


def say(line):
    print(line)  # noqa: T201 -- shown when the test failed


@pytest.mark.alone
@pytest.mark.timeout(600)
def test_every_kind_of_fault_in_full_mode_and_every_accepted_command_has_exactly_its_effects(full_world):
    verdict, monkey = run.play(
        full_world, matters=300, strokes=1, seed=SEED, together=12, hold=0.35, clients=20, spread=False, say=say
    )
    assert verdict.ok, str(verdict)
    assert verdict.figures["of unknown types"] > 0
    assert {stroke.fault.kind for stroke in monkey.strokes} == the_kinds(full_world)
