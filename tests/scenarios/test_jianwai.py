"""Jianwai's scenarios, and its demo week: in this process, and all of them on one suite in full mode."""

from __future__ import annotations

import json

import pytest
from click.testing import CliRunner

from deploy.launcher.cli import scenario as scenario_command
from deploy.launcher.installation import pack_folder
from deploy.launcher.scenario import form, player
from deploy.launcher.scenario.embedded import EmbeddedStage
from shared import jurisdiction as packs

SCENARIOS = sorted(pack_folder("jianwai").glob("scenarios/*.yaml"))


@pytest.fixture(scope="module")
def pack():
    return packs.load(pack_folder("jianwai"))


def test_there_are_those_that_the_suite_promises():
    assert {path.stem for path in SCENARIOS} >= {
        "stairwell-lights-door-and-ramp",
        "blocked-drain",
        "enterprise-through-zone",
        "four-level-climb",
        "hazard-two-hours",
        "hazard-on-a-holiday-night",
        "five-ramps",
        "school-places",
        "parts-on-order",
        "micro-wish-claimed",
        "rectification-orders",
    }


@pytest.mark.parametrize("path", SCENARIOS, ids=lambda path: path.stem)
def test_embedded(pack, path):
    with EmbeddedStage(pack) as stage:
        played = player.play(form.read(path), stage)
    assert played.unmet == ()
    assert played.checked > 0


def test_the_command_fails_and_says_why_when_an_expectation_is_not_met(tmp_path):
    text = next(path for path in SCENARIOS if path.stem == "blocked-drain").read_text(encoding="utf-8")
    wrong = tmp_path / "wrong.yaml"
    wrong.write_text(text.replace("rule: same-day-drain", "rule: month-parking"), encoding="utf-8")
    result = CliRunner().invoke(scenario_command.command, ["run", "--json", str(wrong)], standalone_mode=False)
    assert result.return_value == 1
    content = json.loads(result.stdout)
    assert content["passed"] is False
    assert content["scenarios"][0]["unmet"] == [
        {
            "place": "expectation 2",
            "expected": content["scenarios"][0]["unmet"][0]["expected"],
            "found": "0 (others of it: with rule='same-day-drain')",
        }
    ]


#: Played in full mode every day: what crosses services in ways of its own. The others take the same paths.
DAILY = ("five-ramps", "hazard-on-a-holiday-night", "school-places")


def plays_in_full_mode(paths):
    arguments = ["run", "--mode", "full", "--json", *map(str, paths)]
    result = CliRunner().invoke(scenario_command.command, arguments, standalone_mode=False)
    assert result.exception is None, result.output
    content = json.loads(result.stdout)
    assert {one["scenario"]: one["unmet"] for one in content["scenarios"]} == {path.stem: [] for path in paths}
    assert result.return_value == 0


@pytest.mark.integration
@pytest.mark.timeout(600)
def test_full_mode_plays_them_on_one_suite():
    paths = [path for path in SCENARIOS if path.stem in DAILY]
    assert len(paths) == len(DAILY)
    plays_in_full_mode(paths)


@pytest.mark.integration
@pytest.mark.soak
@pytest.mark.timeout(900)
def test_full_mode_plays_all_of_them_on_one_suite():
    plays_in_full_mode(SCENARIOS)
