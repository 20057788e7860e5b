"""The demo's demands: read strictly, and what the issue promises of them is so."""

from __future__ import annotations

from datetime import date

import pytest

from deploy.launcher.demo import demands
from deploy.launcher.demo.cast import Cast, NobodyThere
from deploy.launcher.demo.demands import InvalidDemands
from deploy.launcher.demo.plays import PLAYS
from deploy.launcher.installation import pack_folder
from shared import jurisdiction as packs
from shared.jurisdiction import Inputs

FOLDER = pack_folder("jianwai")


@pytest.fixture(scope="module")
def pack():
    return packs.load(FOLDER)


@pytest.fixture(scope="module")
def asked():
    return demands.read(FOLDER)


def test_they_are_as_many_and_as_various_as_promised(asked):
    assert len(asked) >= 60
    assert {one.kind for one in asked} >= {"resident", "enterprise"}
    assert {one.expect_class for one in asked} == {"immediate", "same-day", "within-week", "within-month", "hazard"}
    assert {one.play for one in asked} == set(PLAYS)
    assert sum(one.private for one in asked) == 1
    assert sum(one.anonymous for one in asked) == 1
    assert any("🙏" in one.text and len(one.text) >= 2_000 for one in asked)
    assert any("樓" in one.text for one in asked)
    assert len({(one.text, str(one.location)) for one in asked}) < len(asked)


def test_the_rules_give_each_the_class_that_its_author_expects(pack, asked):
    for one in asked:
        unit = pack.locate(grid=one.location.get("grid"), address=one.location.get("address"))
        inputs = Inputs(text=one.text, asker=one.kind, channel=one.channel, unit_kind=unit.kind if unit else None)
        assert (one.id, pack.classify(inputs).class_id) == (one.id, one.expect_class)


def test_whoever_is_whistled_for_and_why_matters_climb_is_in_the_pack(pack, asked):
    departments = {unit.id for unit in pack.departments()}
    for one in asked:
        if one.play.startswith("whistle"):
            assert one.department in departments
        assert one.reason is None or one.reason in pack.policy.escalation.reasons


@pytest.mark.parametrize(
    ("text", "named"),
    [
        ("- {id: d1}", "[0].at"),
        ("- [1, 2]", "[0]"),
        ("{", "not-yaml"),
        ("- {id: d1, play: dance, at: 0d09:00}", "[0].play"),
        ("- {id: d1, at: 9d09:00}", "[0].at"),
    ],
)
def test_faults_are_named(tmp_path, text, named):
    (tmp_path / "demo").mkdir()
    (tmp_path / demands.FILE).write_text(text, encoding="utf-8")
    with pytest.raises(InvalidDemands, match=named.replace("[", r"\[")):
        demands.read(tmp_path)


def test_a_pack_without_demands_says_so(tmp_path):
    with pytest.raises(InvalidDemands, match="cannot be read"):
        demands.read(tmp_path)


def test_the_week_has_five_working_days_whatever_the_holidays(pack):
    days = demands.working_days(pack, date(2025, 9, 29))
    assert len(days) == 5
    assert date(2025, 10, 1) not in days
    assert all(pack.calendar.is_working_day(day) for day in days)


def test_everybody_acts_with_their_own_role_and_unit(pack):
    cast = Cast(pack)
    head = cast.handler("yongan-nanli-6")
    assert head.unit == "yongan-nanli-6"
    assert head.may("handle-matter")
    checker = cast.verifier("yongan-nanli-6", head.id)
    assert checker.id != head.id
    assert checker.may("verify-matter")
    assert cast.officer("dept-water").may("answer-whistle")
    assert cast.host("yongan-nanli-6").may("host-topic")
    assert cast.registrar("web", None).unit is None
    assert cast.registrar("patrol", "yongan-nanli-6").unit == "yongan-nanli-6"
    assert cast.registrar("hotline", "yongan-nanli-6").unit == "jianwai"
    with pytest.raises(NobodyThere):
        cast.officer("chaoyang")
