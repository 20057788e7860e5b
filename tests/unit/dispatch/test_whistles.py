"""Whistle calls: who may blow, who may answer, what absence and refusal do, what a department never learns."""

from __future__ import annotations

import json
from dataclasses import replace
from datetime import timedelta

import pytest

from shared.kernel.errors import Forbidden, Refusal
from tests.unit.dispatch.conftest import (
    CLERK,
    COMMUNITY,
    DISTRICT,
    DISTRICT_CLERK,
    GAS,
    HEAD,
    LIGHT,
    PHOTO,
    RAMP,
    START,
    STREET,
    STREET_CLERK,
    WORKER,
)  # fmt: skip

WATER, HOUSING = "department-officer-dept-water", "department-officer-dept-housing"
CALL = {"departments": ["dept-water", "dept-housing"], "request": "请到场查看管线"}


def refused(code, call, *args, **kwargs):
    with pytest.raises(Refusal) as error:
        call(*args, **kwargs)
    assert error.value.code == code
    return error.value


@pytest.fixture
def called(desk):
    desk.open(text=RAMP)
    desk.do(WORKER, "accept")
    return desk.do(CLERK, "blow-whistle", **CALL)["whistle_id"]


def test_blowing(desk, called):
    (told,) = desk.events("whistle-blown")
    assert (told["whistle_id"], told["whistler"], told["lead"]) == (called, COMMUNITY, "dept-water")
    assert told["report_in_by"] == "2026-11-16T06:30:00Z"
    assert desk.view()["state"] == "in-progress"
    assert desk.view()["whistles"][0]["departments"][0]["part"] == "waiting"


def test_who_may_blow_and_on_whom(desk):
    desk.open()
    refused("not-permitted", desk.do, HEAD, "blow-whistle", **CALL)
    error = refused(
        "unknown-department", desk.do, CLERK, "blow-whistle", departments=["dept-water", STREET], request="…"
    )
    assert error.where == "departments[1]"
    refused("lead-not-called", desk.do, CLERK, "blow-whistle", **CALL, lead="dept-fire")
    refused("invalid-input", desk.do, CLERK, "blow-whistle", departments=[], request="…")
    desk.do(CLERK, "blow-whistle", **CALL, lead="dept-housing", legal_basis="条例第十六条")
    told = desk.events("whistle-blown")[0]
    assert (told["lead"], told["departments"][0], told["legal_basis"]) == (
        "dept-housing",
        "dept-housing",
        "条例第十六条",
    )


def test_answering_to_the_end(desk, called):
    assert desk.do(WATER, "answer-whistle", called, answer="accepted", note="下午到")["part"] == "accepted"
    desk.do(WATER, "answer-whistle", called, answer="progressed", note="已开挖")
    desk.do(WATER, "answer-whistle", called, answer="completed", note="已修复")
    refused("illegal-transition", desk.do, WATER, "answer-whistle", called, answer="progressed", note="…")
    refused("whistle-open", desk.do, WORKER, "resolve", outcome="好了", evidence=[PHOTO])
    last = desk.do(HOUSING, "answer-whistle", called, answer="completed", note="无需处理")
    assert last["outcome"] == "completed"
    assert [one["outcome"] for one in desk.events("whistle-ended")] == ["completed"]
    refused("whistle-ended", desk.do, HOUSING, "answer-whistle", called, answer="progressed", note="…")
    assert desk.do(WORKER, "resolve", outcome="好了", evidence=[PHOTO])["state"] == "resolved"
    desk.wait(days=1)
    assert desk.events("whistle-overdue") == []
    assert [one["report_in_seconds"] for one in desk.events("whistle-answered")] == [0, None, None, 0]


def test_only_those_called_answer(desk, called):
    assert (
        refused(
            "not-whistled",
            desk.do,
            "department-officer-dept-fire",
            "answer-whistle",
            called,
            answer="accepted",
            note="…",
        ).status
        == 403
    )
    refused("unknown-whistle", desk.do, WATER, "answer-whistle", "nothing", answer="accepted", note="…")
    refused("not-permitted", desk.do, CLERK, "answer-whistle", called, answer="accepted", note="…")


def test_absence_is_told_once_and_climbs(desk, called):
    desk.do(WATER, "answer-whistle", called, answer="accepted", note="到")
    desk.wait(hours=6)
    (told,) = desk.events("whistle-overdue")
    assert told["departments"] == ["dept-housing"]
    assert desk.climbs() == [(STREET, "rule", "whistle-overdue")]  # above the community that whistled
    assert desk.events("matter-escalated")[0]["skipped_because"] == ["not-above-whistler"]
    late = desk.do(HOUSING, "answer-whistle", called, answer="accepted", note="晚到")
    assert late["late"] is True
    desk.wait(minutes=30)
    assert len(desk.events("whistle-overdue")) == 1
    seats = {one["department"]["id"]: one["late"] for one in desk.view()["whistles"][0]["departments"]}
    assert seats == {"dept-water": False, "dept-housing": True}


def test_reporting_in_exactly_at_the_deadline_is_in_time(desk, called):
    desk.until(desk.now + timedelta(hours=5, minutes=30))
    assert desk.do(WATER, "answer-whistle", called, answer="accepted", note="准点")["late"] is False
    desk.do(HOUSING, "answer-whistle", called, answer="accepted", note="准点")
    desk.wait(minutes=5)
    assert desk.events("whistle-overdue") == []


def test_missed_calls_climb_no_further_than_the_hop_limit(desk):
    desk.open(text=RAMP)
    for _ in range(5):
        desk.do("district-clerk-chaoyang", "blow-whistle", **CALL)
    desk.wait(hours=6)
    assert [unit for unit, _, reason in desk.climbs() if reason == "whistle-overdue"] == [COMMUNITY, STREET, DISTRICT]
    skipped = [step["detail"]["because"] for step in desk.view()["steps"] if step["action"] == "climb-skipped"]
    assert skipped == ["hop-limit", "hop-limit"]
    assert len(desk.events("whistle-overdue")) == 5


def test_only_the_level_above_ends_an_open_call_and_says_why(desk, called):
    refused("whistle-open", desk.do, STREET_CLERK, "resolve", outcome="街道已协调解决", evidence=[PHOTO])
    refused("not-permitted", desk.do, CLERK, "end-whistle", called, reason="不等了")
    reply = desk.do(STREET_CLERK, "end-whistle", called, reason="街道已另行安排抢修")
    assert reply["outcome"] == "withdrawn"
    (told,) = desk.events("whistle-ended")
    assert (told["outcome"], told["reason"], told["ended_by"]) == ("withdrawn", "街道已另行安排抢修", STREET_CLERK)
    assert desk.view()["whistles"][0]["ended_reason"] == "街道已另行安排抢修"
    assert desk.do(STREET_CLERK, "resolve", outcome="街道已协调解决", evidence=[PHOTO])["state"] == "resolved"
    refused("whistle-ended", desk.do, STREET_CLERK, "end-whistle", called, reason="再来一次")
    refused("unknown-whistle", desk.do, STREET_CLERK, "end-whistle", "nothing", reason="…")


def test_who_whistled_cannot_end_its_own_call(desk):
    desk.open(text=RAMP)
    called = desk.do(STREET_CLERK, "blow-whistle", **CALL)["whistle_id"]
    refused("level-above-decides", desk.do, STREET_CLERK, "end-whistle", called, reason="不等了")
    assert desk.do(DISTRICT_CLERK, "end-whistle", called, reason="区里统筹")["outcome"] == "withdrawn"
    top = desk.do(DISTRICT_CLERK, "blow-whistle", **CALL)["whistle_id"]
    assert desk.do(DISTRICT_CLERK, "end-whistle", top, reason="上面没有了")["outcome"] == "withdrawn"


def test_several_calls_and_one_open_is_enough_to_stand_in_the_way(desk, called):
    second = desk.do(STREET_CLERK, "blow-whistle", departments=["dept-fire"], request="查看通道")["whistle_id"]
    for officer in (WATER, HOUSING):
        desk.do(officer, "answer-whistle", called, answer="completed", note="好了")
    error = refused("whistle-open", desk.do, WORKER, "resolve", outcome="好了", evidence=[PHOTO])
    assert error.what.startswith("1 whistle")
    desk.do("department-officer-dept-fire", "answer-whistle", second, answer="completed", note="通道畅通")
    assert desk.do(WORKER, "resolve", outcome="好了", evidence=[PHOTO])["state"] == "resolved"


def test_a_foreign_department_is_not_called(desk_of, pack):
    fire = replace(pack.units["dept-fire"], parent="guanghua-li")  # of the community next door
    desk = desk_of(replace(pack, units={**pack.units, "dept-fire": fire}))
    desk.open()
    error = refused("foreign-department", desk.do, CLERK, "blow-whistle", departments=["dept-fire"], request="…")
    assert "guanghua-li" in error.what


def test_danger_does_not_wait_for_working_hours(desk_of, pack):
    desk = desk_of(pack)
    desk.until(START + timedelta(hours=14))  # 23:00 in Beijing
    desk.open(text=GAS)
    desk.do(STREET_CLERK, "blow-whistle", departments=["dept-gas"], request="关阀")
    assert desk.events("whistle-blown")[0]["report_in_by"] == "2026-11-16T15:30:00Z"


def test_a_department_learns_what_is_needed_and_never_who_asked(desk, called):
    seen = desk.ask(WATER, "/api/v1/matters/<matter>", matter="m-1")
    text = json.dumps(seen, ensure_ascii=False)
    assert RAMP not in text
    assert not {"text", "asker_kind", "channel", "steps", "why", "place"} & set(seen)
    assert seen["whistles"][0]["request"] == CALL["request"]
    desk.open("m-2", LIGHT)
    assert refused("unknown-matter", desk.ask, WATER, "/api/v1/matters/<matter>", matter="m-2").status == 404
    with pytest.raises(Forbidden):
        desk.ask(WATER, "/api/v1/matters")


def test_lists_of_calls(desk, called):
    desk.do(HOUSING, "answer-whistle", called, answer="declined", note="不归我")
    second = desk.do(CLERK, "blow-whistle", departments=["dept-fire"], request="查看通道")["whistle_id"]
    mine = desk.ask(WATER, "/api/v1/whistles")
    assert [one["whistle_id"] for one in mine["items"]] == [called]
    assert mine["items"][0]["place"]["id"] == "guanghua-dongli-1"
    assert mine["items"][0]["answers"] == []
    with pytest.raises(Forbidden):
        desk.ask(WATER, "/api/v1/whistles", department="dept-fire")
    page = desk.ask(STREET_CLERK, "/api/v1/whistles", limit="1")
    assert [one["whistle_id"] for one in page["items"]] == [called]
    assert [one["whistle_id"] for one in desk.ask(STREET_CLERK, "/api/v1/whistles", cursor=page["next"])["items"]] == [
        second
    ]
    assert desk.ask("community-clerk-guanghua-li", "/api/v1/whistles")["items"] == []
    assert [
        one["whistle_id"] for one in desk.ask(STREET_CLERK, "/api/v1/whistles", department="dept-fire")["items"]
    ] == [second]
