"""The state machine as the commands keep it: what the table allows passes, everything else is an illegal transition."""

from __future__ import annotations

import pytest

from services.dispatch.domain.states import TRANSITIONS, Action, State
from shared.contracts.intake import DemandWithdrawn
from shared.kernel.errors import Refusal
from tests.unit.dispatch.conftest import COMMUNITY, DISTRICT_CLERK, GRID, HEAD, PHOTO, RAMP, STREET_CLERK, WORKER

#: How a matter gets into each state.
WAYS = {
    State.UNLOCATED: (),
    State.ASSIGNED: (),
    State.IN_PROGRESS: ("accept",),
    State.SUSPENDED: ("accept", "suspend"),
    State.RESOLVED: ("accept", "resolve"),
    State.VERIFIED: ("accept", "resolve", "verify"),
    State.CLOSED: ("accept", "resolve", "verify", "close"),
    State.WITHDRAWN: (),
}
#: Action -> the command that takes it, and its content. Locating and withdrawing are intake's.
COMMANDS = {
    Action.ACCEPT: ("accept", {}),
    Action.ASSIGN: ("assign", {"unit": COMMUNITY}),
    Action.PROGRESS: ("progress", {"note": "…"}),
    Action.RETURN: ("return", {"reason": "…"}),
    Action.ESCALATE: ("escalate", {"reason": "needs-funds"}),
    Action.HAND_BACK: ("hand-back", {"answer": "…", "unit": GRID}),
    Action.ESTIMATE_COST: ("estimate-cost", {"amount": 100}),
    Action.RECLASSIFY: ("reclassify", {"response_class": "within-week", "reason": "…"}),
    Action.SUSPEND: ("suspend", {"reason": "…"}),
    Action.RESUME: ("resume", {"reason": "…"}),
    Action.BLOW_WHISTLE: ("blow-whistle", {"departments": ["dept-water"], "request": "…"}),
    Action.RESOLVE: ("resolve", {"outcome": "…", "evidence": [PHOTO]}),
    Action.VERIFY: ("verify", {"passed": True}),
    Action.REWORK: ("verify", {"passed": False}),
    Action.CLOSE: ("close", {}),
    Action.REOPEN: ("reopen", {"reason": "…"}),
}
#: Who stands high enough for it, and is not who resolved.
WHO = {Action.RESOLVE: WORKER, Action.VERIFY: HEAD, Action.REWORK: HEAD}


def do(desk, action, who=None):
    name, content = COMMANDS[action]
    return desk.do(who or WHO.get(action, DISTRICT_CLERK), name, **content)


def bring(desk, state):
    desk.open(text=RAMP, unit=None if state is State.UNLOCATED else COMMUNITY)
    if state is State.UNLOCATED:
        return
    if state is State.WITHDRAWN:
        desk.receive(DemandWithdrawn(demand_id="d-m-1", matter_id="m-1", reason="…", last_of_matter=True))
    for name in WAYS[state]:
        do(desk, Action(name), "community-clerk-guanghua-dongli" if name == "resolve" else DISTRICT_CLERK)


ALLOWED = [pair for pair in TRANSITIONS if pair[1] in COMMANDS]


@pytest.mark.parametrize(("state", "action"), ALLOWED, ids=lambda one: one.value)
def test_what_the_table_allows_passes(desk, state, action):
    bring(desk, state)
    assert do(desk, action, STREET_CLERK if action in WHO else None)["state"] == TRANSITIONS[state, action]


@pytest.mark.parametrize("state", State)
def test_everything_else_is_an_illegal_transition(desk, state):
    bring(desk, state)
    before = desk.view()
    assert before["state"] == state
    for action in COMMANDS:
        if (state, action) in TRANSITIONS:
            continue
        with pytest.raises(Refusal) as refusal:
            do(desk, action, STREET_CLERK if action in WHO else None)
        assert (refusal.value.code, refusal.value.status) == ("illegal-transition", 409), action
    assert desk.view() == before


def test_no_action_is_left_out():
    assert {*COMMANDS, Action.LOCATE, Action.WITHDRAW} == set(Action) - _TIME


#: Asked for and decided with rows of their own: tests/unit/dispatch/test_time_requests.py.
_TIME = {
    Action.REQUEST_EXTENSION, Action.DECIDE_EXTENSION, Action.REQUEST_SUSPENSION, Action.DECIDE_SUSPENSION,
}  # fmt: skip
