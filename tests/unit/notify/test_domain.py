"""Whom news concerns, when a message is tried again, how an address is masked."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.notify import domain
from services.notify.domain import BACK_OFF, Result, State
from shared.kernel.errors import Conflict

NOW = datetime(2025, 9, 8, 1, 30, tzinfo=UTC)
instants = st.datetimes(datetime(2020, 1, 1), datetime(2030, 1, 1), timezones=st.just(UTC))


def test_the_pauses_are_those_promised_and_then_a_desk_calls():
    waits = [domain.after(Result.TEMPORARY, tries, NOW).next_attempt_at for tries in range(1, 6)]
    minutes = [(at - NOW) / timedelta(minutes=1) for at in waits]
    assert minutes == [1, 5, 30, 120, 720]
    assert domain.after(Result.TEMPORARY, 6, NOW) == domain.Verdict(state=State.FAILED)


@given(st.sampled_from(Result), st.integers(1, 20), instants)
def test_every_attempt_leads_somewhere_and_only_waiting_has_a_time(result, tries, now):
    verdict = domain.after(result, tries, now)
    assert verdict.state is not State.SENDING
    assert (verdict.next_attempt_at is not None) == (verdict.state is State.PENDING)
    if verdict.next_attempt_at is not None:
        assert verdict.next_attempt_at > now


@given(st.lists(st.sampled_from([Result.TEMPORARY, Result.UNKNOWN]), min_size=10, max_size=10))
def test_no_message_is_tried_for_ever(results):
    tries, state = 0, State.PENDING
    for result in results:
        if state is not State.PENDING:
            break
        tries += 1
        state = domain.after(result, tries, NOW).state
    assert (state, tries) == (State.FAILED, len(BACK_OFF) + 1)


@given(instants, instants)
def test_the_first_asker_hears_everything_and_a_later_one_what_comes_after(news_at, registered_at):
    assert domain.concerns(news_at=news_at, registered_at=registered_at, joined=False)
    told = domain.concerns(news_at=news_at, registered_at=registered_at, joined=True)
    assert told == (news_at >= registered_at)


@pytest.mark.parametrize(
    ("address", "shown"),
    [
        ("13812345678", "138****5678"),
        ("zhang.san@example.org", "z***@example.org"),
        ("12345", "*****"),
        ("65004321", "****21"),
        ("010-650043", "****43"),
        ("@example.org", "***@example.org"),
    ],
)
def test_masks(address, shown):
    assert domain.masked(address) == shown


@given(st.text(st.characters(codec="utf-8", exclude_characters="@*"), min_size=1, max_size=40))
def test_a_mask_never_shows_more_than_its_ends(address):
    shown = domain.masked(address)
    assert sum(sign != "*" for sign in shown) <= 7
    assert shown != address


@pytest.mark.parametrize("state", [state for state in State if state is not State.FAILED])
def test_only_a_failed_message_is_retried_by_hand(state):
    domain.check_retry(State.FAILED)
    with pytest.raises(Conflict) as caught:
        domain.check_retry(state)
    assert caught.value.code == "message-not-failed"
