"""Leases: one leader at a time, takeover after expiry, and a leader that slept can commit nothing."""

from __future__ import annotations

from datetime import timedelta

import pytest

from shared.ledger import lease
from shared.ledger.engines import writing
from shared.ledger.errors import LeaseLost


@pytest.fixture
def at_hand(make_surroundings):
    return make_surroundings("dispatch", file=True)


def take(at_hand, holder):
    with writing(at_hand.engine) as db:
        token = lease.take(db, "job", holder, at_hand.clock.now())
        db.commit()
    return token


def test_one_leader_who_may_renew(at_hand):
    first = take(at_hand, "a")
    assert first is not None
    assert take(at_hand, "b") is None
    assert take(at_hand, "a") == first


def test_takeover_after_expiry_gives_a_higher_token(at_hand):
    first = take(at_hand, "a")
    at_hand.clock.advance(lease.DURATION)
    second = take(at_hand, "b")
    assert second > first
    assert take(at_hand, "a") is None


def test_a_leader_that_slept_is_fenced(at_hand):
    first = take(at_hand, "a")
    at_hand.clock.advance(lease.DURATION + timedelta(seconds=1))
    take(at_hand, "b")
    with writing(at_hand.engine) as db, pytest.raises(LeaseLost):
        lease.fence(db, "job", first)


def test_renewal_keeps_others_out_for_the_whole_duration(at_hand):
    take(at_hand, "a")
    at_hand.clock.advance(lease.DURATION - timedelta(seconds=1))
    take(at_hand, "a")
    at_hand.clock.advance(lease.DURATION - timedelta(seconds=1))
    assert take(at_hand, "b") is None


def test_a_clock_that_is_set_back_does_not_put_the_leader_to_sleep(at_hand):
    first = take(at_hand, "a")
    at_hand.clock.advance(-timedelta(days=2))
    assert take(at_hand, "a") == first
    at_hand.clock.advance(lease.DURATION)
    assert take(at_hand, "b") > first  # renewed by the clock as it is now: nobody waits for the old expiry


def test_release_lets_the_next_one_in_at_once(at_hand):
    token = take(at_hand, "a")
    with writing(at_hand.engine) as db:
        lease.release(db, "job", token, at_hand.clock.now())
        db.commit()
    assert take(at_hand, "b") == token + 1
