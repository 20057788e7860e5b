"""Attacks on the state machine and the clocks: done twice, done too late, done while a machine's clock goes back."""

from __future__ import annotations

from datetime import timedelta

import pytest

from shared.contracts import registry
from shared.contracts.intake import DemandWithdrawn
from shared.contracts.oversight import EvaluationReceived
from shared.contracts.shapes import load
from shared.kernel.errors import Refusal
from tests.unit.dispatch.conftest import (
    CLERK,
    DISTRICT_CLERK,
    GAS,
    HEAD,
    PHOTO,
    RAMP,
    STREET_CLERK,
    WORKER,
)  # fmt: skip

FIRE = "department-officer-dept-fire"
BACK = timedelta(seconds=-3)


def refused(call, *args, **content) -> str:
    with pytest.raises(Refusal) as error:
        call(*args, **content)
    assert error.value.remedy
    return error.value.code


def sound(desk) -> None:
    """Every event emitted is one that its consumers take, and no clock used less than no time."""
    for name, data in desk.events():
        load(SHAPES[f"dispatch.{name}"], data, tolerant=True)


SHAPES = {row.name: row.shape for row in registry.all_types()}


def withdrawn(matter="m-1", *, last=True):
    return DemandWithdrawn(demand_id=f"d-{matter}", matter_id=matter, reason="不用了", last_of_matter=last)


def unsatisfied(number=1, matter="m-1"):
    return EvaluationReceived(
        evaluation_id=f"e-{number}", matter_id=matter, demand_id=f"d-{matter}", satisfied=False, wants_reopening=True
    )


STEPS = (
    (WORKER, "accept", {}), (WORKER, "progress", {"note": "…"}), (WORKER, "return", {"reason": "…"}),
    (WORKER, "escalate", {"reason": "safety"}), (CLERK, "assign", {"unit": "guanghua-dongli-1"}),
    (CLERK, "reclassify", {"response_class": "within-month", "reason": "…"}),
    (STREET_CLERK, "suspend", {"reason": "…"}), (STREET_CLERK, "resume", {}),
    (CLERK, "blow-whistle", {"departments": ["dept-fire"], "request": "…"}),
    (WORKER, "resolve", {"outcome": "…", "evidence": [PHOTO]}), (HEAD, "verify", {"passed": True}),
    (HEAD, "verify", {"passed": False}), (HEAD, "close", {}),
)  # fmt: skip


def test_nothing_but_reopening_moves_a_closed_matter(desk):
    desk.open()
    desk.close()
    before = desk.events()
    for who, step, content in STEPS:
        assert refused(desk.do, who, step, **content) == "illegal-transition", step
    desk.receive(withdrawn())
    assert desk.view()["state"] == "closed"
    assert desk.events() == before


def test_nothing_at_all_moves_a_withdrawn_matter(desk):
    desk.open()
    whistle = desk.do(CLERK, "blow-whistle", departments=["dept-fire"], request="…")["whistle_id"]
    desk.receive(withdrawn())
    before = desk.events()
    for who, step, content in (*STEPS, (HEAD, "reopen", {"reason": "…"})):
        assert refused(desk.do, who, step, **content) == "illegal-transition", step
    assert refused(desk.do, FIRE, "answer-whistle", whistle, answer="accepted", note="…") == "whistle-ended"
    desk.receive(unsatisfied())
    desk.wait(days=60)
    assert desk.events() == before
    assert desk.view()["state"] == "withdrawn"


def test_the_limit_of_reopenings_holds_whoever_asks_and_however_often(desk):
    desk.open()
    for _ in range(2):
        desk.close()
        desk.do(HEAD, "reopen", reason="又坏了")
    desk.close()
    for who in (HEAD, CLERK, STREET_CLERK, DISTRICT_CLERK):
        assert refused(desk.do, who, "reopen", reason="再来") == "reopen-limit"
    for number in range(5):
        desk.receive(unsatisfied(number))
    assert desk.view()["state"] == "closed"
    assert desk.view()["flags"].count("reopen-limit-reached") == 1
    assert len(desk.events("matter-reopened")) == 2


def test_a_storm_of_escalations_ends_at_the_top(desk):
    desk.open()
    for _ in range(3):
        desk.do(DISTRICT_CLERK, "escalate", reason="safety")
    for _ in range(17):
        assert refused(desk.do, DISTRICT_CLERK, "escalate", reason="safety") == "no-level-above"
    assert len(desk.climbs()) == 3
    desk.wait(days=60)
    sound(desk)


def test_rework_does_not_let_the_resolver_verify_in_the_end(desk):
    desk.open()
    desk.do(HEAD, "accept")
    desk.do(HEAD, "resolve", outcome="好了", evidence=[PHOTO])
    desk.do(CLERK, "verify", passed=False, note="没修好")
    assert refused(desk.do, HEAD, "verify", passed=True) == "illegal-transition"
    desk.do(HEAD, "resolve", outcome="好了", evidence=[PHOTO])
    assert refused(desk.do, HEAD, "verify", passed=True) == "verifier-is-handler"


def test_a_hazard_keeps_running_however_it_is_turned(desk):
    desk.open(text=GAS)
    desk.do(WORKER, "accept")
    assert refused(desk.do, STREET_CLERK, "suspend", reason="等") == "not-pausable"
    promised = desk.clock("hazard-on-site")["due_at"]
    desk.do(CLERK, "reclassify", response_class="within-week", reason="看错了")
    desk.do(STREET_CLERK, "suspend", reason="等")
    desk.wait(hours=1)
    desk.do(STREET_CLERK, "resume")
    desk.do(CLERK, "reclassify", response_class="hazard", reason="还是隐患")
    # 24 hours after it came, and the hour that it rested with approval: a change of class keeps pauses (issue 4). This
    # line once wanted 01:00, the hour taken back; but rest that was granted and used is not undone by a later word.
    assert desk.clock("resolve")["due_at"] == "2026-11-17T02:00:00Z"
    assert desk.clock("hazard-on-site")["due_at"] == promised
    desk.wait(hours=30)
    assert desk.clock("resolve")["breached_at"]
    sound(desk)


def test_two_suspensions_in_one_instant(desk):
    """Simulated time stands still between two steps; so may a coarse clock."""
    desk.open(text=RAMP)
    desk.do(WORKER, "accept")
    for reason in ("等材料", "等设计", "等审批"):
        desk.do(STREET_CLERK, "suspend", reason=reason)
        desk.do(STREET_CLERK, "resume")
    desk.do(STREET_CLERK, "suspend", reason="等供暖季")
    desk.wait(days=2)
    desk.do(STREET_CLERK, "resume")
    assert desk.clock("resolve")["due_at"] > desk.clock("resolve")["original_due_at"]
    sound(desk)


def test_a_clock_set_back_breaks_no_suspension(desk):
    desk.open(text=RAMP)
    desk.do(WORKER, "accept")
    desk.do(STREET_CLERK, "suspend", reason="等材料")
    desk.suite.clock.advance(BACK)
    assert desk.do(STREET_CLERK, "resume")["state"] == "in-progress"
    assert desk.clock("resolve")["due_at"] == desk.clock("resolve")["original_due_at"]
    desk.do(WORKER, "resolve", outcome="好了", evidence=[PHOTO])
    desk.do(HEAD, "verify", passed=True)
    desk.do(HEAD, "close")
    sound(desk)


def test_a_clock_set_back_does_not_keep_a_suspended_matter_from_being_withdrawn(desk):
    desk.open(text=RAMP)
    desk.do(WORKER, "accept")
    desk.do(STREET_CLERK, "suspend", reason="等材料")
    desk.suite.clock.advance(BACK)
    desk.receive(withdrawn())
    assert desk.view()["state"] == "withdrawn"
    sound(desk)


def test_an_answer_by_a_machine_that_is_behind_reports_in_after_no_time(desk):
    desk.open()
    whistle = desk.do(CLERK, "blow-whistle", departments=["dept-fire"], request="请到现场")["whistle_id"]
    desk.suite.clock.advance(BACK)
    desk.do(FIRE, "answer-whistle", whistle, answer="completed", note="好了")
    (answer,) = desk.events("whistle-answered")
    assert answer["report_in_seconds"] == 0
    sound(desk)
