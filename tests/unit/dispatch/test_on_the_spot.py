"""Units that a matter climbed from: their people still stand on the spot, are heard, and decide nothing."""

from __future__ import annotations

import pytest

from shared.kernel.errors import Refusal
from tests.unit.dispatch.conftest import CLERK, COMMUNITY, GAS, GRID, HEAD, PHOTO, STREET, STREET_CLERK, WORKER


@pytest.fixture
def climbed(desk):
    """Danger that went from the grid to the street by rule."""
    desk.open(text=GAS)
    desk.do(WORKER, "accept")
    desk.wait(minutes=65)
    assert desk.view()["unit"]["id"] == STREET
    return desk


def noted(desk):
    return [(one["noted_by"], one["noted_from"], one["unit"]) for one in desk.events("matter-progressed")]


def test_who_stands_on_the_spot_is_heard_before_and_after_the_level_above_accepts(climbed):
    before = climbed.view()
    reply = climbed.do(WORKER, "progress", note="仍在现场,气味变浓", evidence=[PHOTO])
    assert (reply["state"], reply["unit"]) == ("assigned", STREET)
    climbed.do(STREET_CLERK, "accept")
    assert climbed.do(WORKER, "progress", note="居民已撤离")["state"] == "in-progress"
    climbed.do(STREET_CLERK, "progress", note="收到")
    assert noted(climbed) == [(WORKER, GRID, STREET), (WORKER, GRID, STREET), (STREET_CLERK, None, STREET)]
    step = next(one for one in climbed.view()["steps"] if one["action"] == "progress")
    assert (step["actor"], step["detail"]["noted_from"], step["detail"]["evidence"][0]["kind"]) == (
        WORKER,
        GRID,
        "photo",
    )
    running = [(one["kind"], one["due_at"]) for one in before["clocks"] if one["kind"].startswith("hazard")]
    assert [
        (one["kind"], one["due_at"]) for one in climbed.view()["clocks"] if one["kind"].startswith("hazard")
    ] == running
    assert climbed.view()["person"] == STREET_CLERK


#: All that decides something about a matter, as the unit that it climbed from might send it.
DECIDING = {
    "accept": {}, "assign": {"unit": GRID}, "return": {"reason": "…"}, "escalate": {"reason": "safety"},
    "hand-back": {"answer": "…"}, "estimate-cost": {"amount": 1},
    "reclassify": {"response_class": "same-day", "reason": "…"}, "request-extension": {"days": 1, "reason": "…"},
    "request-suspension": {"reason": "…"}, "resolve": {"outcome": "…", "evidence": [PHOTO]},
    "verify": {"passed": True}, "close": {}, "progress": {"note": "…", "milestone": "hazard-plan"},
    "blow-whistle": {"departments": ["dept-fire"], "request": "…"},
}  # fmt: skip


@pytest.mark.parametrize("command", DECIDING)
@pytest.mark.parametrize("who", [WORKER, HEAD, CLERK])
def test_and_decides_nothing(climbed, who, command):
    before = climbed.view()
    with pytest.raises(Refusal) as found:
        climbed.do(who, command, **DECIDING[command])
    assert found.value.code in {"out-of-scope", "not-permitted"}
    assert climbed.view() == before


@pytest.mark.parametrize(
    "who", ["grid-worker-guanghua-dongli-2", "grid-worker-guanghua-li-1", "community-clerk-guanghua-li"]
)
def test_units_beside_are_not_heard(climbed, who):
    with pytest.raises(Refusal) as found:
        climbed.do(who, "progress", note="路过")
    assert found.value.code == "out-of-scope"
    assert noted(climbed) == []


def test_nor_are_units_that_said_it_is_not_theirs(desk):
    """Returned is not climbed: they gave it away by a word of their own."""
    desk.open()
    desk.do(WORKER, "return", reason="不是我网格")
    with pytest.raises(Refusal) as found:
        desk.do(WORKER, "progress", note="…")
    assert found.value.code == "out-of-scope"


def test_a_private_matter_is_heard_about_by_those_who_had_it_and_unknown_beside_them(desk):
    desk.open(private=True)
    desk.do(WORKER, "escalate", reason="safety")
    desk.do(WORKER, "progress", note="仍在现场")
    assert noted(desk) == [(WORKER, GRID, COMMUNITY)]
    with pytest.raises(Refusal) as found:
        desk.do("grid-worker-guanghua-dongli-2", "progress", note="路过")
    assert found.value.code == "unknown-matter"


def test_when_it_is_over_nobody_notes_anything(climbed):
    climbed.do(STREET_CLERK, "accept")
    climbed.do(STREET_CLERK, "resolve", outcome="好了", evidence=[PHOTO])
    with pytest.raises(Refusal) as found:
        climbed.do(WORKER, "progress", note="…")
    assert found.value.code == "illegal-transition"
