"""Leases: one leader at a time, takeover by the clock or by watching, and a leader that slept can commit nothing."""

from __future__ import annotations

from datetime import timedelta

import pytest

from shared.ledger import lease
from shared.ledger.engines import writing
from shared.ledger.errors import LeaseLost
from shared.ledger.lease import Candidate

LASTS_S = lease.DURATION.total_seconds()


class Seconds:
    """A monotonic clock that the test moves."""

    now = 1_000.0

    def __call__(self):
        return self.now


@pytest.fixture
def at_hand(make_surroundings):
    return make_surroundings("dispatch", file=True)


@pytest.fixture
def seconds():
    return Seconds()


@pytest.fixture
def take(at_hand, seconds):
    candidates = {}

    def taking(holder, *, off=timedelta(0)):
        """`off`: how far this holder's clock is ahead."""
        candidate = candidates.setdefault(holder, Candidate(holder=holder, monotonic=seconds))
        with writing(at_hand.engine) as db:
            token = lease.take(db, "job", candidate, at_hand.clock.now() + off)
            db.commit()
        return token

    return taking


def test_one_leader_who_may_renew(at_hand, take):
    first = take("a")
    assert first is not None
    assert take("b") is None
    assert take("a") == first


def test_takeover_after_expiry_gives_a_higher_token(at_hand, take):
    first = take("a")
    at_hand.clock.advance(lease.DURATION)
    second = take("b")
    assert second > first
    assert take("a") is None


def test_a_leader_that_slept_is_fenced(at_hand, take):
    first = take("a")
    at_hand.clock.advance(lease.DURATION + timedelta(seconds=1))
    take("b")
    with writing(at_hand.engine) as db, pytest.raises(LeaseLost):
        lease.fence(db, "job", first)


def test_renewal_keeps_others_out_for_the_whole_duration(at_hand, take):
    take("a")
    at_hand.clock.advance(lease.DURATION - timedelta(seconds=1))
    take("a")
    at_hand.clock.advance(lease.DURATION - timedelta(seconds=1))
    assert take("b") is None


def test_a_clock_that_is_set_back_does_not_put_the_leader_to_sleep(at_hand, take):
    first = take("a")
    at_hand.clock.advance(-timedelta(days=2))
    assert take("a") == first
    at_hand.clock.advance(lease.DURATION)
    assert take("b") > first  # renewed by the clock as it is now: nobody waits for the old expiry


def test_release_lets_the_next_one_in_at_once(at_hand, take):
    token = take("a")
    with writing(at_hand.engine) as db:
        lease.release(db, "job", token)
        db.commit()
    assert take("b") == token + 1


def test_a_dead_leader_whose_clock_was_a_day_ahead_is_followed_as_soon_as_it_was_watched_for_the_duration(
    take, seconds
):
    token = take("a", off=timedelta(days=1))
    assert take("b") is None
    seconds.now += LASTS_S - 0.1
    assert take("b") is None
    seconds.now += 0.1
    assert take("b") == token + 1


def test_a_leader_whose_clock_was_set_back_a_day_keeps_others_out_by_its_signs_of_life(take, seconds):
    off = timedelta(days=-1)
    token = take("a")
    for _ in range(20):
        seconds.now += lease.RENEW_EVERY_S
        assert take("b", off=off) is None
        assert take("a", off=off) == token  # by a clock that stands still: still a sign of life


def test_watching_begins_anew_with_every_sign_of_life_and_with_every_holder(take, seconds):
    ahead = timedelta(days=1)
    take("a", off=ahead)
    assert take("b") is None
    seconds.now += LASTS_S - 1
    take("a", off=ahead)
    assert take("b") is None
    seconds.now += LASTS_S - 1
    assert take("b") is None
    assert take("c") is None
    seconds.now += 1
    assert take("c") is None  # c has not watched long enough
    assert take("b", off=ahead) == 2
    seconds.now += LASTS_S - 1
    assert take("c") is None  # and a new holder is new to it


def test_a_contender_that_slept_takes_nothing_from_a_leader_that_lives(take, seconds):
    ahead = timedelta(days=1)
    take("a", off=ahead)
    assert take("b") is None
    seconds.now += 3_600
    take("a", off=ahead)
    assert take("b") is None


def test_release_counts_by_any_clock(at_hand, take):
    token = take("a", off=timedelta(days=1))
    with writing(at_hand.engine) as db:
        lease.release(db, "job", token)
        db.commit()
    assert take("b", off=timedelta(days=-1)) == token + 1
