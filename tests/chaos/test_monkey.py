"""The monkey's plan: what is struck in which round, for any seed."""

from __future__ import annotations

from collections import Counter

import pytest

from tests.chaos import faults
from tests.chaos.faults.fault import EMBEDDED, FULL, Fault, Struck
from tests.chaos.monkey import Monkey, _family

SEEDS = range(40)


class Place:
    """What the plan asks of a world."""

    offers = frozenset({"root", "one-broker", "small-disk"})

    def __init__(self, mode):
        self.mode = mode


def plan(seed, *, mode=FULL, strokes=1, together=12):
    return Monkey(Place(mode), None, faults.every(), strokes=strokes, seed=seed, together=together)


@pytest.mark.parametrize("mode", [FULL, EMBEDDED])
@pytest.mark.parametrize(("strokes", "together"), [(1, 12), (200, 3), (70, 0.15)])
def test_every_kind_is_struck_and_nothing_is_broken_twice_at_once(mode, strokes, together):
    for seed in SEEDS:
        made = plan(seed, mode=mode, strokes=strokes, together=together)
        kinds = Counter(fault.kind for round_ in made._plan for fault in round_)
        assert set(kinds) == set(faults.every()) - set(made.left_out)
        assert kinds.total() == made.planned == max(strokes, len(kinds))
        for round_ in made._plan:
            assert len({fault.kind for fault in round_}) == len(round_)
            families = [_family(fault) for fault in round_ if not fault.apart]
            assert len(set(families)) == len(families)
            assert len(round_) <= max(together, 2)


def test_once_each_takes_as_few_rounds_as_there_are_kinds_of_one_family():
    for seed in SEEDS:
        made = plan(seed)
        largest = Counter(_family(fault) for round_ in made._plan for fault in round_ if not fault.apart)
        assert len(made._plan) == max(largest.values())


def test_the_same_seed_gives_the_same_rounds():
    def kinds(made):
        return [[fault.kind for fault in round_] for round_ in made._plan]

    assert kinds(plan(7)) == kinds(plan(7)) != kinds(plan(8))


def test_whatever_was_struck_is_healed_though_another_stroke_or_healing_fails():
    done = []

    def fault(kind, *, strikes=True, heals=True):
        def strike(world, dice):
            if not strikes:
                raise AssertionError(f"{kind} found nothing to strike")
            return Struck(what=kind)

        def heal(world, struck):
            done.append(struck.what)
            if not heals:
                raise AssertionError(f"{kind} was not healed")

        return Fault(kind=kind, modes=frozenset({FULL}), hold_s=(0, 0), strike=strike, heal=heal)

    monkey = plan(1)
    with pytest.raises(AssertionError, match="second was not healed"):
        monkey._break_and_heal([fault("first"), fault("second", heals=False), fault("third")])
    assert done == ["third", "second", "first"]
    done.clear()
    with pytest.raises(AssertionError, match="found nothing"):
        monkey._break_and_heal([fault("first"), fault("second", strikes=False), fault("third")])
    assert done == ["first"]
