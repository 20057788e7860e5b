"""The player on a stage of paper: time, names, askers, refusals, awaiting, expectations."""

from __future__ import annotations

from datetime import datetime, timedelta

import pytest

from deploy.launcher.installation import pack_folder
from deploy.launcher.scenario import form
from deploy.launcher.scenario.player import play
from deploy.launcher.scenario.stage import ClockView, Happening, MatterView
from shared import jurisdiction as packs
from shared.kernel.errors import Refusal

START = "2025-09-08T09:00:00+08:00"


class Paper:
    """A stage that notes what it is asked and answers from a script."""

    def __init__(self, jurisdiction):
        self.jurisdiction = jurisdiction
        self.clock = None
        self.executed = []
        self.happened = []
        #: (instant, event name, data) that happen by themselves.
        self.coming = []
        self.view = MatterView(
            state="closed", unit="u", level="grid", clocks=(ClockView(kind="resolve", outcome="met"),)
        )
        self.figures = {"closed": {"value": 1}, "on_time_share": {"value": None, "denominator": 0}}

    def now(self):
        return self.clock

    def begin(self, start):
        self.clock = start

    def happen(self, name, **data):
        self.happened.append(
            Happening(position=len(self.happened) + 1, name=name, subject="m", time=self.clock, data=data)
        )

    def execute(self, command, content, actor):
        self.executed.append((self.clock, command, dict(content), actor))
        if command == "dispatch.close":
            raise Refusal("not yet", code="not-verified")
        if command == "intake.register-demand":
            number = sum(1 for each in self.executed if each[1] == command)
            self.happen("intake.matter-opened", matter_id=f"m{number}", place={"grid": "g"})
            return {"demand_id": f"d{number}", "matter_id": f"m{number}"}
        return {"evaluation": "e"}

    def advance(self, to):
        for entry in sorted(one for one in self.coming if one[0] <= to):
            self.coming.remove(entry)
            self.clock = entry[0]
            self.happen(entry[1], **entry[2])
        self.clock = max(self.clock, to)

    def next_due(self):
        return min((entry[0] for entry in self.coming), default=None)

    def events(self):
        return self.happened

    def matter(self, matter):
        if matter == "unknown":
            raise Refusal("no such matter", code="unknown-matter")
        return self.view

    def report(self):
        return self.figures

    def evaluation_token(self, evaluation):
        return f"token-of-{evaluation}"


@pytest.fixture(scope="module")
def pack():
    return packs.load(pack_folder("jianwai"))


@pytest.fixture
def stage(pack):
    return Paper(pack)


REGISTER = {"as": "street-clerk-jianwai", "do": "intake.register-demand", "save": {"matter": "matter_id"}}
ACCEPT = {"as": "grid-head-yongan-nanli-6", "do": "dispatch.accept", "with": {"matter": "$matter"}}


def played(stage, *steps, expect=()):
    content = {"scenario": "s", "jurisdiction": "jianwai", "start": START, "steps": list(steps), "expect": list(expect)}
    return play(form.build(content), stage)


def after_start(**delta):
    return datetime.fromisoformat(START) + timedelta(**delta)


def test_steps_happen_when_written_by_whom_written(stage):
    result = played(
        stage, REGISTER, ACCEPT | {"after": "20m"}, {"wait": "1h"}, ACCEPT | {"at": "2025-09-08T12:00:00+08:00"}
    )
    assert result.passed
    assert [each[0] for each in stage.executed] == [after_start(), after_start(minutes=20), after_start(hours=3)]
    assert stage.executed[1][2] == {"matter": "m1"}
    actor = stage.executed[1][3]
    assert (actor.id, actor.unit, actor.roles) == (
        "grid-head-yongan-nanli-6",
        "yongan-nanli-6",
        frozenset({"grid-head"}),
    )


def test_after_counts_from_the_step_before_however_late_the_stage_is(stage):
    class Late(Paper):
        def execute(self, command, content, actor):
            reply = super().execute(command, content, actor)
            self.clock += timedelta(minutes=3)  # a slow machine
            return reply

    late = Late(stage.jurisdiction)
    played(late, REGISTER, ACCEPT | {"after": "10m"}, ACCEPT | {"after": "10m"})
    assert [each[0] for each in late.executed] == [after_start(), after_start(minutes=10), after_start(minutes=20)]


def test_the_asker_is_the_one_of_the_last_demand_unless_named(stage):
    opinion = {"as": "asker", "do": "deliberation.give-opinion", "with": {"topic": "t"}}
    first = REGISTER | {"save": {"matter": "matter_id", "demand": "demand_id"}}
    played(stage, first, opinion, REGISTER, opinion, opinion | {"as": "asker:$demand"})
    askers = [each[3].id for each in stage.executed if each[1] == "deliberation.give-opinion"]
    assert askers == ["asker:d1", "asker:d2", "asker:d1"]


def test_the_asker_evaluates_by_the_link_and_a_person_does_not(stage):
    answer = {"as": "asker", "do": "oversight.evaluate", "with": {"evaluation": "e1", "satisfied": True}}
    played(stage, REGISTER, answer, answer | {"as": "street-supervisor-jianwai"})
    tokens = [each[2].get("token") for each in stage.executed if each[1] == "oversight.evaluate"]
    assert tokens == ["token-of-e1", None]


def test_an_expected_refusal_passes_and_any_other_end_fails(stage):
    close = {"as": "community-clerk-yongan-nanli", "do": "dispatch.close", "with": {"matter": "$matter"}}
    assert played(stage, REGISTER, close | {"expect_refusal": {"code": "not-verified"}}).passed
    other = played(Paper(stage.jurisdiction), REGISTER, close | {"expect_refusal": {"code": "forbidden"}})
    assert [unmet.place for unmet in other.unmet] == ["step 2"]
    assert "not-verified" in other.unmet[0].found
    succeeded = played(Paper(stage.jurisdiction), REGISTER, ACCEPT | {"expect_refusal": {"code": "x"}})
    assert succeeded.unmet[0].found == "it succeeded"


def test_an_unexpected_refusal_ends_the_play(stage):
    close = {"as": "community-clerk-yongan-nanli", "do": "dispatch.close", "with": {"matter": "$matter"}}
    result = played(stage, REGISTER, close, ACCEPT, expect=[{"event": "dispatch.matter-closed"}])
    assert len(stage.executed) == 2
    assert [unmet.place for unmet in result.unmet] == ["step 2"]
    assert result.checked == 0


def test_saving_what_the_answer_lacks_is_told(stage):
    result = played(stage, REGISTER | {"save": {"matter": "mater_id"}})
    assert result.unmet[0].expected == "an answer with 'mater_id'"


def test_awaiting_lets_time_pass_until_the_event(stage):
    stage.coming = [
        (after_start(hours=2), "dispatch.matter-closed", {"matter_id": "m1"}),
        (after_start(hours=3), "oversight.evaluation-requested", {"matter_id": "m1", "evaluation_id": "e7"}),
        (after_start(hours=4), "dispatch.matter-reopened", {"matter_id": "m1"}),
    ]
    wait = {
        "await": "oversight.evaluation-requested",
        "where": {"matter_id": "$matter"},
        "save": {"evaluation": "evaluation_id"},
    }
    result = played(stage, REGISTER, wait)
    assert result.passed
    assert result.saved["evaluation"] == "e7"
    assert result.ended_at == after_start(hours=3)


def test_awaiting_ends_at_the_deadline(stage):
    result = played(stage, REGISTER, {"await": "dispatch.matter-closed", "within": "2h"})
    assert [unmet.place for unmet in result.unmet] == ["step 2"]
    assert stage.now() == after_start(hours=2)


@pytest.mark.parametrize(
    ("expectation", "holds"),
    [
        ({"event": "intake.matter-opened"}, True),
        ({"event": "intake.matter-opened", "count": 2}, True),
        ({"event": "intake.matter-opened", "count": 1}, False),
        ({"event": "intake.matter-opened", "where": {"matter_id": "$matter"}, "count": 1}, True),
        ({"event": "intake.matter-opened", "where": {"place.grid": "g"}, "at_least": 2}, True),
        ({"event": "intake.matter-opened", "where": {"place.grid": "h"}}, False),
        ({"event": "intake.matter-opened", "at_least": 3}, False),
        ({"event": "intake.matter-opened", "at_most": 1}, False),
        ({"event": "dispatch.matter-closed", "count": 0}, True),
        ({"event": "dispatch.matter-closed"}, False),
        ({"matter": "$matter", "state": "closed", "level": "grid", "unit": "u"}, True),
        ({"matter": "$matter", "state": "assigned"}, False),
        ({"matter": "$matter", "clock": {"kind": "resolve", "outcome": "met"}}, True),
        ({"matter": "$matter", "clock": {"kind": "resolve", "outcome": "breached"}}, False),
        ({"matter": "$matter", "clock": {"kind": "accept", "outcome": "met"}}, False),
        ({"matter": "unknown", "state": "closed"}, False),
        ({"report": {"closed": 1, "on_time_share": None, "on_time_share.denominator": 0}}, True),
        ({"report": {"closed": 2}}, False),
        ({"report": {"no-such-figure": 1}}, False),
    ],
)
def test_expectations(stage, expectation, holds):
    result = played(stage, REGISTER, REGISTER, expect=[expectation])
    assert result.passed is holds
    assert all(unmet.place == "expectation 1" for unmet in result.unmet)


def test_what_happened_before_the_scenario_does_not_count(stage):
    stage.begin(after_start())
    stage.happen("intake.matter-opened", matter_id="old")
    assert played(stage, REGISTER, expect=[{"event": "intake.matter-opened", "count": 1}]).passed
