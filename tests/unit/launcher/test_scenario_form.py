"""A scenario file's faults: all at once, each with its step and remedy, before anything is played."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from deploy.launcher import services
from deploy.launcher.installation import pack_folder
from deploy.launcher.scenario import doors, form, meaning
from deploy.launcher.scenario.form import InvalidScenario
from shared import jurisdiction as packs

STEP = {"as": "street-clerk-jianwai", "do": "intake.register-demand", "with": {}}


def written(*steps, expect=(), **more):
    plain = {"scenario": "s", "jurisdiction": "jianwai", "start": "2025-09-08T09:00:00+08:00"}
    return plain | {"steps": list(steps) or [STEP], "expect": list(expect)} | more


def problems(value):
    with pytest.raises(InvalidScenario) as caught:
        form.build(value)
    assert all(problem.remedy for problem in caught.value.problems)
    return [(problem.path, problem.code) for problem in caught.value.problems]


def test_a_whole_scenario_is_built():
    made = form.build(
        written(
            STEP | {"save": {"matter": "matter_id"}},
            {"wait": "1h30m"},
            {"await": "oversight.evaluation-requested", "where": {"matter_id": "$matter"}, "within": "2d"},
            STEP | {"after": "20m", "expect_refusal": {"code": "not-permitted"}},
            expect=[
                {"event": "intake.matter-opened", "count": 1},
                {"matter": "$matter", "state": "closed", "clock": {"kind": "resolve", "outcome": "met"}},
                {"report": {"closed": 1}},
            ],
        )
    )
    assert made.start == datetime(2025, 9, 8, 1, tzinfo=UTC)
    assert [step.number for step in made.steps] == [1, 2, 3, 4]
    assert made.steps[1].wait == timedelta(minutes=90)
    assert made.steps[2].within == timedelta(days=2)
    assert made.steps[3].refusal == "not-permitted"
    assert made.expectations[1].clocks[0].outcome == "met"


@pytest.mark.parametrize(
    ("step", "code"),
    [
        ({"do": "intake.register-demand"}, "nobody-acts"),
        (STEP | {"wait": "1h"}, "too-many-acts"),
        (STEP | {"await": "intake.matter-opened"}, "too-many-acts"),
        ({"as": "somebody", "wait": "1h"}, "stray-field"),
        ({"wait": "1h", "save": {"a": "b"}}, "stray-field"),
        ({"after": "1h"}, "no-act"),
        (STEP | {"after": "1h", "at": "2025-09-08T10:00:00+08:00"}, "two-times"),
        (STEP | {"expect_refusal": {"code": "x"}, "save": {"a": "b"}}, "stray-field"),
        (STEP | {"after": "an hour"}, "invalid-value"),
        (STEP | {"at": "2025-09-08 10:00"}, "invalid-value"),
        (STEP | {"then": "go"}, "unknown-field"),
        ("wait", "wrong-type"),
    ],
)
def test_a_faulty_step_is_named(step, code):
    found = problems(written(STEP, step))
    assert all(path.startswith("step 2") for path, _ in found)
    assert code in {one for _, one in found}


@pytest.mark.parametrize(
    ("expectation", "code"),
    [
        ({}, "unclear-expectation"),
        ({"event": "a.b", "matter": "$m"}, "unclear-expectation"),
        ({"matter": "$m"}, "empty-expectation"),
        ({"report": {"closed": 1}, "count": 2}, "stray-field"),
        ({"event": "a.b", "count": 2, "at_most": 3}, "two-counts"),
        ({"event": "a.b", "count": "two"}, "invalid-value"),
        ({"matter": "$m", "clock": {"kind": "resolve", "outcome": "good"}}, "invalid-value"),
    ],
)
def test_a_faulty_expectation_is_named(expectation, code):
    found = problems(written(expect=[expectation]))
    assert code in {one for _, one in found}
    assert all(path.startswith("expectation 1") for path, _ in found)


def test_every_fault_is_told_at_once():
    found = problems(written({"wait": "x"}, {"do": "y"}, start="tomorrow"))
    assert {path.split(",")[0] for path, _ in found} == {"start", "step 1", "step 2"}


PLAIN = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
    max_leaves=20,
)


@given(PLAIN)
def test_whatever_stands_in_the_file_ends_in_named_problems(value):
    for content in (value, written(value), written(expect=[value])):
        with pytest.raises(InvalidScenario) as caught:
            form.build(content)
        assert caught.value.problems


def test_a_file_that_is_no_yaml_or_not_there_is_a_problem(tmp_path):
    bad = tmp_path / "bad.yaml"
    bad.write_text("steps: [", encoding="utf-8")
    for path, code in ((bad, "not-yaml"), (tmp_path / "none.yaml", "file-unreadable")):
        with pytest.raises(InvalidScenario) as caught:
            form.read(path)
        assert [problem.code for problem in caught.value.problems] == [code]


# -- meaning


@pytest.fixture(scope="module")
def known():
    return packs.load(pack_folder("jianwai")), doors.commands(services.definitions().values())


REGISTER = STEP | {"with": {"channel": "hotline", "text": "灯不亮", "location": {}}, "save": {"matter": "matter_id"}}


def meant(known, *steps, expect=()):
    with pytest.raises(InvalidScenario) as caught:
        meaning.check(form.build(written(*steps, expect=expect)), *known)
    return [(problem.path, problem.code) for problem in caught.value.problems]


@pytest.mark.parametrize(
    ("step", "code"),
    [
        (REGISTER | {"as": "nobody"}, "unknown-person"),
        (REGISTER | {"do": "intake.register-demnd"}, "unknown-command"),
        (REGISTER | {"with": {"channel": "web", "text": "x", "location": {}, "txt": "y"}}, "unknown-field"),
        (REGISTER | {"with": {"channel": "web", "text": "x"}}, "missing-field"),
        ({"as": "street-clerk-jianwai", "do": "dispatch.accept", "with": {"matter": "$mater"}}, "unknown-name"),
        ({"await": "dispatch.matter-clsed"}, "unknown-event"),
        ({"await": "dispatch.matter-closed", "where": {"matter": "$matter"}}, "unknown-field"),
        ({"await": "dispatch.matter-closed", "save": {"a": "nothing"}}, "unknown-field"),
        (REGISTER | {"at": "2025-09-07T09:00:00+08:00"}, "backwards"),
    ],
)
def test_what_does_not_exist_is_named(known, step, code):
    assert meant(known, REGISTER, step) == [("step 2", code)]


def test_an_asker_needs_a_demand(known):
    words = {"topic": "t", "stance": "support", "text": "x"}
    opinion = {"as": "asker", "do": "deliberation.give-opinion", "with": words}
    assert meant(known, opinion, REGISTER) == [("step 1", "no-asker")]


def test_a_misspelt_field_cannot_make_an_expectation_true(known):
    expect = [{"event": "dispatch.matter-escalated", "where": {"mater_id": "$matter"}, "count": 0}]
    assert meant(known, REGISTER, expect=expect) == [("expectation 1", "unknown-field")]


def test_the_remedy_guesses_what_was_meant(known):
    scenario = form.build(written(REGISTER | {"do": "intake.register-demnd"}))
    with pytest.raises(InvalidScenario) as caught:
        meaning.check(scenario, *known)
    assert caught.value.problems[0].remedy == "did you mean intake.register-demand?"


@pytest.mark.parametrize("path", sorted(pack_folder("jianwai").glob("scenarios/*.yaml")), ids=lambda path: path.stem)
def test_the_pack_s_own_scenarios_mean_something(known, path: Path):
    meaning.check(form.read(path), *known)
