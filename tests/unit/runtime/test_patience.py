"""Holding messages: which pauses, when to give up, and that only what is dealt with is settled."""

from __future__ import annotations

from threading import Event

import pytest

from shared.ledger.errors import HandlerFailed, Transient
from shared.ledger.reception import Outcome, Received
from shared.runtime.patience import BUG_PAUSE_S, FIRST_PAUSE_S, LONGEST_PAUSE_S, PATIENCE_S, Abandoned, Sick, hold

DONE = Received(envelope=None, outcome=Outcome.HANDLED)
AWAY = Received(envelope=None, outcome=None, kept=Transient("away"))
BUG = Received(envelope=None, outcome=None, kept=HandlerFailed("bug"))


class Waiting(Event):
    """An event whose waits take no time and are remembered."""

    def __init__(self, stop_after=10_000):
        super().__init__()
        self.pauses = []
        self.stop_after = stop_after

    def wait(self, timeout=None):
        self.pauses.append(timeout)
        return len(self.pauses) > self.stop_after

    def elapsed(self):
        return sum(self.pauses)


def _hold(rounds, raws=(b"a",), stopping=None):
    """Hold messages against prepared answers; gives the places settled, the pauses, and what was sent each time."""
    stopping = stopping or Waiting()
    settled, sent = [], []
    answers = iter(rounds)

    def receive(given):
        sent.append(list(given))
        return next(answers)

    hold(receive, raws, settled.append, stopping=stopping, monotonic=stopping.elapsed, jitter=lambda: 1.0)
    return settled, stopping.pauses, sent


def test_while_the_database_is_away_pauses_double_up_to_the_longest():
    settled, pauses, _ = _hold([*([[AWAY]] * 12), [DONE]])
    assert settled == [0]
    assert pauses[:4] == pytest.approx([FIRST_PAUSE_S, 0.2, 0.4, 0.8])
    assert max(pauses) == LONGEST_PAUSE_S


def test_only_what_is_left_is_tried_again_and_each_is_settled_once():
    settled, _, sent = _hold([[DONE, BUG, AWAY], [BUG, DONE], [DONE]], raws=(b"a", b"b", b"c"))
    assert settled == [0, 2, 1]
    assert sent == [[b"a", b"b", b"c"], [b"b", b"c"], [b"b"]]


def test_a_bug_is_tried_again_after_its_own_pauses():
    _, pauses, _ = _hold([[BUG], [BUG], [BUG], [DONE]])
    assert pauses[1:] == [BUG_PAUSE_S * 2, BUG_PAUSE_S * 4, BUG_PAUSE_S * 8]


def test_a_database_that_stays_away_makes_the_process_sick_after_five_minutes():
    stopping = Waiting()
    with pytest.raises(Sick):
        _hold([[AWAY]] * 1_000, stopping=stopping)
    assert PATIENCE_S < stopping.elapsed() < PATIENCE_S + 2 * LONGEST_PAUSE_S


def test_told_to_stop_it_abandons_what_is_left():
    with pytest.raises(Abandoned, match="1 message"):
        _hold([[DONE, AWAY], [AWAY]], raws=(b"a", b"b"), stopping=Waiting(stop_after=2))
