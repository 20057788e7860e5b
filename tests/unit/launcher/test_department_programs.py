"""Scenarios in which departments answer by their own programs: form, meaning, and a play without a broker."""

from __future__ import annotations

import copy

import pytest

from deploy.launcher import services
from deploy.launcher.installation import pack_folder
from deploy.launcher.scenario import doors, form, meaning, player
from deploy.launcher.scenario.embedded import EmbeddedStage
from shared import jurisdiction as packs

FEDERATION, HOUSING = "dept-disabled-federation", "dept-housing"
SCENARIO = {
    "scenario": "through-the-kit", "jurisdiction": "jianwai", "start": "2025-09-08T09:05:00+08:00",
    "departments": {FEDERATION: "reports-in", HOUSING: "by-hand"},
    "steps": [
        {
            "as": "street-clerk-jianwai", "do": "intake.register-demand", "save": {"matter": "matter_id"},
            "with": {"channel": "hotline", "text": "单元门坡道破损", "location": {"grid": "guanghua-dongli-1"}},
        },
        {
            "as": "street-clerk-jianwai", "do": "dispatch.blow-whistle", "save": {"whistle": "whistle_id"},
            "with": {"matter": "$matter", "departments": [FEDERATION, HOUSING], "request": "五处坡道需修缮"},
        },
        {
            "after": "1h", "as": f"department:{HOUSING}", "do": "dispatch.answer-whistle",
            "with": {"whistle": "$whistle", "answer": "completed", "note": "已配合"}, "save": {"id": "answer_id"},
        },
        {
            "after": "1h", "as": f"department:{FEDERATION}", "do": "dispatch.answer-whistle",
            "with": {"whistle": "$whistle", "answer": "completed", "note": "五处坡道已修好"},
        },
        {
            "after": "1h", "as": f"department:{HOUSING}", "do": "dispatch.answer-whistle",
            "with": {"whistle": "$whistle", "answer": "progressed", "note": "太晚了"},
            "expect_refusal": {"code": "whistle-ended"},
        },
        {
            "as": f"department:{HOUSING}", "do": "dispatch.answer-whistle",
            "with": {"whistle": "$whistle", "answer": "blessed", "note": "x"},
            "expect_refusal": {"code": "cannot-answer"},
        },
    ],
    "expect": [
        {
            "event": "dispatch.whistle-answered", "count": 1,
            "where": {"answer": "accepted", "department": FEDERATION, "answered_by": f"department.{FEDERATION}"},
        },
        {"event": "dispatch.whistle-answered", "count": 3},
        {"event": "dispatch.whistle-ended", "where": {"outcome": "completed"}, "count": 1},
    ],
}  # fmt: skip


@pytest.fixture(scope="module")
def pack():
    return packs.load(pack_folder("jianwai"))


def faults(pack, **changes):
    def checked():
        scenario = form.build(copy.deepcopy(SCENARIO) | changes)
        meaning.check(scenario, pack, doors.commands(services.definitions().values()))

    with pytest.raises(form.InvalidScenario) as error:
        checked()
    return {(problem.code, problem.path) for problem in error.value.problems}


def test_programs_hear_and_officers_answer_by_them(pack):
    scenario = form.build(copy.deepcopy(SCENARIO))
    meaning.check(scenario, pack, doors.commands(services.definitions().values()))
    with EmbeddedStage(pack) as stage:
        for _ in range(2):
            played = player.play(scenario, stage)
            assert played.unmet == ()


def test_what_cannot_be_is_said_before_anything_is_played(pack):
    assert faults(pack, departments={FEDERATION: "reports-in"}) == {
        ("no-program", "step 3"), ("no-program", "step 5"), ("no-program", "step 6"),
    }  # fmt: skip
    assert faults(pack, departments=SCENARIO["departments"] | {"jianwai": "by-hand"}) == {
        ("unknown-department", "departments")
    }
    assert faults(pack, departments={FEDERATION: "sometimes", HOUSING: "by-hand"}) == {
        ("invalid-value", f"departments.{FEDERATION}.value")
    }
    steps = copy.deepcopy(SCENARIO["steps"])
    steps[2] = {"as": f"department:{HOUSING}", "do": "dispatch.accept", "with": {"matter": "$matter"}}
    assert ("not-by-program", "step 3") in faults(pack, steps=steps)
