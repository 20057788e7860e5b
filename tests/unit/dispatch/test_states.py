"""The state machine of matters and of a department's part in a call: exactly the table, nothing else."""

from __future__ import annotations

import re
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from deploy.launcher.documents.states import text
from services.dispatch.domain import states
from services.dispatch.domain.states import ANSWERING, BEGINNINGS, FINAL, OPEN, TRANSITIONS, Action, Part, State
from shared.contracts.dispatch import ANSWERS
from shared.kernel.errors import IllegalTransition


@given(state=st.sampled_from(State), action=st.sampled_from(Action))
def test_every_allowed_pair_passes_and_every_other_fails_naming_both(state, action):
    if (state, action) in TRANSITIONS:
        assert states.after(state, action) is TRANSITIONS[state, action]
        assert action in states.allowed(state)
        return
    with pytest.raises(IllegalTransition) as refused:
        states.after(state, action)
    assert refused.value.code == "illegal-transition"
    assert str(state) in refused.value.what
    assert str(action) in refused.value.what
    assert all(str(one) in refused.value.remedy for one in states.allowed(state))


def test_every_state_can_be_reached():
    reached = set(BEGINNINGS)
    while found := {there for (here, _), there in TRANSITIONS.items() if here in reached} - reached:
        reached |= found
    assert reached == set(State)


def test_every_state_but_the_final_ones_leads_to_an_end():
    ended = {State.CLOSED, *FINAL}
    while found := {here for (here, _), there in TRANSITIONS.items() if there in ended} - ended:
        ended |= found
    assert ended == set(State)
    assert {state for state in State if not states.allowed(state)} == FINAL


def test_whoever_is_open_may_be_withdrawn():
    assert all(states.allows(state, Action.WITHDRAW) for state in OPEN)


@given(actions=st.lists(st.sampled_from(Action), max_size=40), start=st.sampled_from(sorted(BEGINNINGS)))
def test_no_way_around_verification(actions, start):
    """Whatever is tried, a matter is closed only right after it was verified, verified only after resolved."""
    state, way = start, [start]
    for action in actions:
        if states.allows(state, action):
            state = states.after(state, action)
            way.append(state)
    for before, here in pairwise(way):
        assert here is not State.CLOSED or before is State.VERIFIED
        assert here is not State.VERIFIED or before is State.RESOLVED


def test_the_diagram_shows_every_step():
    page = text(("dispatch",))
    drawn = page[page.index("states.TRANSITIONS") : page.index("states.ANSWERING")]
    for (here, action), there in TRANSITIONS.items():
        assert re.search(rf"{_node(here)} --> {_node(there)}: [^\n]*\b{action}\b", drawn), (here, action)
    assert all(f"[*] --> {_node(state)}" in drawn for state in BEGINNINGS)
    assert all(f"{_node(state)} --> [*]" in drawn for state in FINAL)


def _node(state):
    return state.value.replace("-", "_")


@given(part=st.sampled_from(Part), answer=st.sampled_from(ANSWERS))
def test_answers_of_departments(part, answer):
    if (part, answer) in ANSWERING:
        assert states.after_answer(part, answer) is ANSWERING[part, answer]
        return
    with pytest.raises(IllegalTransition, match=answer):
        states.after_answer(part, answer)


def test_a_department_that_waits_may_say_anything():
    assert {answer for (part, answer) in ANSWERING if part is Part.WAITING} == set(ANSWERS)
