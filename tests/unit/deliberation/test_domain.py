"""The machine of a topic and the count of a ballot, as rules."""

from __future__ import annotations

import re
from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.deliberation import domain
from services.deliberation.domain import FINAL, TRANSITIONS, Step, Tally, TopicState
from shared.kernel.errors import Conflict, Forbidden, IllegalTransition, Refusal

steps = st.lists(st.sampled_from(Step), max_size=30)


def walk(taken: list[Step]) -> tuple[TopicState, list[Step]]:
    """Try every step; the refused ones change nothing."""
    state, done = TopicState.DELIBERATING, []
    for step in taken:
        try:
            state = domain.next_state(state, step)
        except IllegalTransition:
            continue
        done.append(step)
    return state, done


@given(steps)
def test_whatever_is_tried_there_is_one_ballot_and_one_resolution(taken):
    _, done = walk(taken)
    assert done.count(Step.OPEN_BALLOT) <= 1
    assert done.count(Step.ADOPT) + done.count(Step.REJECT) + done.count(Step.DROP) <= 1


@given(steps)
def test_nothing_is_adopted_without_a_carried_ballot(taken):
    state, done = walk(taken)
    if state is TopicState.ADOPTED:
        assert done.index(Step.OPEN_BALLOT) < done.index(Step.CLOSE_CARRIED) < done.index(Step.ADOPT)


@given(steps)
def test_opinions_come_before_the_ballot_and_votes_within_it(taken):
    _, done = walk(taken)
    order = "".join(step.value + " " for step in done)
    assert re.fullmatch(
        r"(give-opinion )*"
        r"(open-ballot (cast-vote )*(close-carried (adopt )?|close-failed (reject )?)?|reject )?(drop )?",
        order,
    )


@given(st.sampled_from(TopicState), st.sampled_from(Step))
def test_every_refused_step_says_what_to_do(state, step):
    if (state, step) in TRANSITIONS:
        assert domain.next_state(state, step) is TRANSITIONS[state, step]
        return
    with pytest.raises(IllegalTransition) as caught:
        domain.next_state(state, step)
    assert re.fullmatch(r"[a-z]+(-[a-z]+)+", caught.value.code)
    assert caught.value.remedy


def test_every_state_can_be_reached_and_left_unless_final():
    reached = {TopicState.DELIBERATING} | set(TRANSITIONS.values())
    left = {before for before, _ in TRANSITIONS}
    assert reached == set(TopicState)
    assert set(TopicState) - left == FINAL


def test_every_open_topic_can_be_dropped():
    assert {before for before, step in TRANSITIONS if step is Step.DROP} == set(TopicState) - FINAL


@pytest.mark.parametrize(
    ("state", "step", "code"),
    [
        ("voting", "open-ballot", "ballot-exists"),
        ("failed", "open-ballot", "ballot-exists"),
        ("voting", "give-opinion", "opinions-closed"),
        ("deliberating", "adopt", "not-carried"),
        ("failed", "adopt", "not-carried"),
        ("adopted", "adopt", "resolution-exists"),
        ("voting", "reject", "ballot-open"),
        ("carried", "reject", "ballot-carried"),
        ("carried", "cast-vote", "ballot-closed"),
        ("rejected", "give-opinion", "illegal-transition"),
    ],
)
def test_codes(state, step, code):
    with pytest.raises(IllegalTransition) as caught:
        domain.next_state(TopicState(state), Step(step))
    assert caught.value.code == code


def test_allowed_names_commands():
    assert domain.allowed(TopicState.VOTING) == ("cast-vote", "close-ballot")
    assert domain.allowed(TopicState.ADOPTED) == ()


counts = st.tuples(*[st.integers(0, 50)] * 3, st.integers(0, 50))
shares = st.integers(0, 100).map(lambda percent: percent / 100)


@given(counts, shares, shares)
def test_the_count_follows_the_shares(figures, quorum, adopt):
    yes, no, abstain, stayed_away = figures
    tally = Tally(voters=max(1, yes + no + abstain + stayed_away), yes=yes, no=no, abstain=abstain)
    cast = yes + no + abstain
    result = domain.outcome(tally, quorum_share=quorum, adopt_share=adopt)
    if cast == 0 or Fraction(cast, tally.voters) < Fraction(round(quorum * 100), 100):
        assert result == "inquorate"
    else:
        assert (result == "carried") == (Fraction(yes, cast) > Fraction(round(adopt * 100), 100))


@given(counts, shares, shares)
def test_one_more_yes_never_turns_a_carried_ballot(figures, quorum, adopt):
    yes, no, abstain, away = figures
    before = Tally(voters=yes + no + abstain + away + 1, yes=yes, no=no, abstain=abstain)
    after = Tally(voters=before.voters, yes=yes + 1, no=no, abstain=abstain)
    if domain.outcome(before, quorum_share=quorum, adopt_share=adopt) == "carried":
        assert domain.outcome(after, quorum_share=quorum, adopt_share=adopt) == "carried"


@pytest.mark.parametrize(
    ("yes", "no", "abstain", "expected"),
    [
        (3, 0, 1, "carried"),
        (2, 2, 0, "lost"),  # half is not more than half
        (2, 0, 2, "lost"),  # abstentions count as votes cast
        (2, 0, 0, "inquorate"),  # 2 of 5
        (3, 0, 0, "carried"),
        (0, 0, 0, "inquorate"),
    ],
)
def test_examples_with_five_voters(yes, no, abstain, expected):
    tally = Tally(voters=5, yes=yes, no=no, abstain=abstain)
    assert domain.outcome(tally, quorum_share=0.5, adopt_share=0.5) == expected


def test_a_tenth_is_a_tenth():
    tally = Tally(voters=10, yes=1, no=0, abstain=0)
    assert domain.outcome(tally, quorum_share=0.1, adopt_share=0.0) == "carried"


@pytest.mark.parametrize(
    ("roles", "kind"),
    [
        ({"citizen"}, "resident"),
        ({"resident-representative"}, "resident"),
        ({"expert"}, "expert"),
        ({"department-officer"}, "department"),
        ({"community-clerk"}, "unit"),
        (set(), "unit"),
    ],
)
def test_as_whom_one_speaks(roles, kind):
    assert domain.party_kind(roles) == kind


def test_parties_voters_and_books():
    domain.check_party(resident=True, invited=False, in_scope=False)
    with pytest.raises(Forbidden, match="no party"):
        domain.check_party(resident=False, invited=False, in_scope=False)
    with pytest.raises(Forbidden, match="list"):
        domain.check_voter(listed=False, has_voted=False)
    with pytest.raises(Conflict, match="have voted"):
        domain.check_voter(listed=True, has_voted=True)
    domain.check_books(marked=2, receipts=2, choices=2)
    with pytest.raises(domain.Miscounted):
        domain.check_books(marked=2, receipts=2, choices=3)
    with pytest.raises(Refusal, match="a, b"):
        domain.once_each(("b", "a", "a", "b", "c"), code="voter-twice", where="voters")
