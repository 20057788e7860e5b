"""Disputes: who declined does not get away by a word; the level above decides, at last finally."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

import pytest

from tests.unit.dispatch.conftest import CLERK, COMMUNITY, DISTRICT, DISTRICT_CLERK, RAMP, STREET, STREET_CLERK, WORKER
from tests.unit.dispatch.test_whistles import CALL, HOUSING, WATER, refused


@pytest.fixture
def called(desk):
    desk.open(text=RAMP)
    desk.do(WORKER, "accept")
    return desk.do(CLERK, "blow-whistle", **CALL)["whistle_id"]


def decline(desk, called, officer=WATER, **more):
    return desk.do(officer, "answer-whistle", called, answer="declined", note="非我管辖", **more)


def decide(desk, called, who, decision, department="dept-water"):
    return desk.do(who, "decide-contest", called, department=department, decision=decision, reason="已研究")


def test_declining_takes_the_dispute_to_the_level_above_the_whistler(desk, called):
    reply = decline(desk, called, ground="《水法》第十二条")
    assert (reply["part"], reply["outcome"], reply["contest_unit"]) == ("declined", None, STREET)
    (told,) = desk.events("whistle-contested")
    assert (told["to_unit"], told["hop"], told["final"], told["ground"]) == (STREET, 1, False, "《水法》第十二条")
    assert desk.events("whistle-answered")[0]["ground"] == "《水法》第十二条"
    (mine,) = desk.ask(STREET_CLERK, "/api/v1/whistles", to_decide="true")["items"]
    assert mine["whistle_id"] == called
    assert desk.ask(DISTRICT_CLERK, "/api/v1/whistles", to_decide="true")["items"] == []
    refused("whistle-open", desk.do, WORKER, "resolve", outcome="…", evidence=[{"kind": "note", "description": "…"}])


def test_upheld_means_come_by_a_new_deadline(desk, called):
    decline(desk, called)
    desk.do(HOUSING, "answer-whistle", called, answer="accepted", note="到")
    desk.wait(hours=2)
    reply = decide(desk, called, STREET_CLERK, "upheld")
    assert (reply["part"], reply["final"]) == ("waiting", False)
    (told,) = desk.events("whistle-contest-decided")
    assert (told["decision"], told["unit"], told["lead"]) == ("upheld", STREET, "dept-water")
    assert told["report_in_by"] > desk.events("whistle-blown")[0]["report_in_by"]
    desk.wait(hours=4)  # past the first deadline, not past the new one
    assert desk.events("whistle-overdue") == []
    desk.wait(days=1)
    (missed,) = desk.events("whistle-overdue")
    assert (missed["departments"], missed["report_in_by"]) == (["dept-water"], told["report_in_by"])


def test_released_need_not_come_and_the_lead_passes_to_who_came_first(desk, called):
    desk.do(HOUSING, "answer-whistle", called, answer="accepted", note="到")
    decline(desk, called)
    decide(desk, called, STREET_CLERK, "released")
    assert desk.events("whistle-contest-decided")[0]["lead"] == "dept-housing"
    leads = {one["department"]["id"]: one["lead"] for one in desk.view()["whistles"][0]["departments"]}
    assert leads == {"dept-water": False, "dept-housing": True}
    last = desk.do(HOUSING, "answer-whistle", called, answer="completed", note="好了")
    assert last["outcome"] == "completed"


def test_all_released_ends_the_call_and_the_matter_goes_above_the_whistler(desk, called):
    for officer, department in ((WATER, "dept-water"), (HOUSING, "dept-housing")):
        decline(desk, called, officer)
        reply = decide(desk, called, STREET_CLERK, "released", department)
    assert reply["outcome"] == "declined"
    assert desk.climbs() == [(STREET, "rule", "whistle-declined")]
    refused("no-contest", decide, desk, called, STREET_CLERK, "upheld")


def test_upheld_again_and_again_until_it_is_final(desk, called):
    decline(desk, called)
    decide(desk, called, STREET_CLERK, "upheld")
    desk.wait(minutes=10)
    assert decline(desk, called)["contest_unit"] == DISTRICT  # nobody stands above: final
    refused("out-of-scope", decide, desk, called, STREET_CLERK, "released")
    assert decide(desk, called, DISTRICT_CLERK, "upheld")["final"] is True
    error = refused("decision-final", decline, desk, called)
    assert error.status == 409
    assert [(one["hop"], one["final"]) for one in desk.events("whistle-contested")] == [(1, False), (2, True)]
    desk.do(WATER, "answer-whistle", called, answer="accepted", note="到了")
    refused("decision-final", decline, desk, called)


def test_the_hop_limit_makes_the_first_decision_final(desk_of, pack):
    policy = replace(pack.policy, whistle=replace(pack.policy.whistle, hop_limit=1))
    desk = desk_of(replace(pack, policy=policy))
    desk.open(text=RAMP)
    called = desk.do(CLERK, "blow-whistle", **CALL)["whistle_id"]
    decline(desk, called)
    assert desk.events("whistle-contested")[0]["final"] is True
    decide(desk, called, STREET_CLERK, "upheld")
    refused("decision-final", decline, desk, called)


def test_who_came_after_all_has_no_dispute_any_more(desk, called):
    decline(desk, called)
    desk.do(WATER, "answer-whistle", called, answer="accepted", note="还是来了")
    refused("no-contest", decide, desk, called, STREET_CLERK, "released")
    (kept,) = desk.view()["whistles"][0]["contests"]
    assert kept["decision"] == "given-up"


def test_a_dispute_that_nobody_decides_goes_on_to_the_next_level_and_stays_flagged_at_the_last(desk, called):
    desk.do(HOUSING, "answer-whistle", called, answer="accepted", note="到")
    decline(desk, called)
    desk.wait(hours=6)
    assert [(one["to_unit"], one["hop"]) for one in desk.events("whistle-contested")] == [(STREET, 1), (DISTRICT, 2)]
    desk.wait(days=3)
    assert len(desk.events("whistle-contested")) == 2
    assert "contest-undecided" in desk.view()["flags"]
    (skipped,) = [one for one in desk.events("escalation-skipped") if one["reason"] == "whistle-contested"]
    assert skipped["because"] == "no-level-above"
    decide(desk, called, DISTRICT_CLERK, "released")
    assert "contest-undecided" not in desk.view()["flags"]
    assert [one["decision"] for one in desk.view()["whistles"][0]["contests"]] == ["undecided", "released"]


def test_who_may_decide(desk, called):
    decline(desk, called)
    refused("not-permitted", decide, desk, called, CLERK, "released")
    refused("not-whistled", decide, desk, called, STREET_CLERK, "released", "dept-fire")
    refused("no-contest", decide, desk, called, STREET_CLERK, "released", "dept-housing")
    refused("invalid-input", decide, desk, called, STREET_CLERK, "perhaps")
    assert decide(desk, called, DISTRICT_CLERK, "released")["part"] == "declined"  # one above may too


def test_a_department_sees_its_own_dispute_alone(desk, called):
    decline(desk, called)
    seen = desk.ask(HOUSING, "/api/v1/whistles/<whistle>", whistle=called)
    assert (seen["contests"], seen["answers"]) == ([], [])
    mine = desk.ask(WATER, "/api/v1/whistles/<whistle>", whistle=called)
    assert [one["unit"]["id"] for one in mine["contests"]] == [STREET]
    refused("unknown-whistle", desk.ask, "department-officer-dept-fire", "/api/v1/whistles/<whistle>", whistle=called)
    refused("unknown-whistle", desk.ask, "community-clerk-guanghua-li", "/api/v1/whistles/<whistle>", whistle=called)


def test_a_private_matters_dispute_is_seen_by_who_decides_it(desk):
    desk.open(text=RAMP, private=True)
    called = desk.do(CLERK, "blow-whistle", **CALL)["whistle_id"]
    decline(desk, called)
    assert decide(desk, called, STREET_CLERK, "upheld")["part"] == "waiting"
    assert desk.ask(STREET_CLERK, "/api/v1/whistles/<whistle>", whistle=called)["contests"][0]["hop"] == 1


# -- more time ---------------------------------------------------------------------------------------------------------


def ask(desk, called, until=None, officer=WATER):
    more = {} if until is None else {"until": until.isoformat()}
    return desk.do(officer, "answer-whistle", called, answer="extension-requested", note="要等材料", **more)


def grant(desk, called, who=CLERK, *, granted=True, until=None):
    more = {} if until is None else {"until": until.isoformat()}
    content = {"department": "dept-water", "granted": granted, "reason": "同意"}
    return desk.do(who, "decide-whistle-extension", called, **content, **more)


def test_who_is_not_done_by_the_deadline_is_told_once_and_it_climbs(desk):
    desk.open(text=RAMP)
    by = desk.now + timedelta(days=1)
    called = desk.do(CLERK, "blow-whistle", **CALL, complete_by=by.isoformat())["whistle_id"]
    for officer in (WATER, HOUSING):
        desk.do(officer, "answer-whistle", called, answer="accepted", note="到")
    desk.do(HOUSING, "answer-whistle", called, answer="completed", note="好了")
    desk.until(by)
    assert desk.events("whistle-overdue") == []
    desk.wait(days=3)
    (missed,) = desk.events("whistle-overdue")
    assert (missed["stage"], missed["departments"]) == ("complete", ["dept-water"])
    assert (STREET, "rule", "whistle-unfinished") in desk.climbs()
    desk.do(WATER, "answer-whistle", called, answer="completed", note="迟了但好了")
    assert desk.events("whistle-ended")[0]["outcome"] == "completed"


def test_more_time_is_the_whistlers_to_grant(desk):
    desk.open(text=RAMP)
    by = desk.now + timedelta(days=1)
    called = desk.do(CLERK, "blow-whistle", **CALL, complete_by=by.isoformat())["whistle_id"]
    desk.do(HOUSING, "answer-whistle", called, answer="completed", note="好了")
    refused("no-extension-asked", grant, desk, called)
    assert ask(desk, called, by + timedelta(days=2))["part"] == "accepted"  # asking for time is reporting in
    grant(desk, called)
    (told,) = desk.events("whistle-extension-decided")
    assert (told["granted"], told["until"], told["decided_by"]) == (True, "2026-11-19T01:00:00Z", CLERK)
    desk.until(by + timedelta(days=1))
    assert desk.events("whistle-overdue") == []
    desk.wait(days=2)
    assert desk.events("whistle-overdue")[0]["report_in_by"] == "2026-11-19T01:00:00Z"
    refused("no-extension-asked", grant, desk, called)


def test_what_is_wrong_with_more_time(desk, called):
    refused("in-the-past", ask, desk, called, desk.now)
    ask(desk, called)
    refused("until-missing", grant, desk, called)
    refused("in-the-past", grant, desk, called, until=desk.now - timedelta(hours=1))
    refused("out-of-scope", grant, desk, called, "community-clerk-guanghua-li")
    assert grant(desk, called, STREET_CLERK, granted=False)["granted"] is False
    assert desk.view()["whistles"][0]["extensions"][0]["granted"] is False


def test_more_time_ends_at_the_packs_limit(desk, called):
    for day in (1, 2):
        ask(desk, called, desk.now + timedelta(days=day))
        grant(desk, called)
        desk.wait(minutes=10)
    error = refused("whistle-extension-limit", ask, desk, called, desk.now + timedelta(days=3))
    assert "2 times" in error.what
    assert len(desk.events("whistle-answered")) == 2  # what was refused is not kept as an answer


def test_a_deadline_in_the_past_is_refused(desk):
    desk.open()
    refused("in-the-past", desk.do, CLERK, "blow-whistle", **CALL, complete_by=desk.now.isoformat())


# -- scores ------------------------------------------------------------------------------------------------------------


def score(desk, called, who=CLERK, department="dept-water", **more):
    given = {"arrival": 4, "quality": 5, "result": 3} | more
    return desk.do(who, "score-whistle", called, department=department, **given)


def test_the_whistler_scores_each_department_once(desk, called):
    refused("part-not-over", score, desk, called)
    desk.do(WATER, "answer-whistle", called, answer="completed", note="好了")
    score(desk, called)  # its part is over though the call is not
    (told,) = desk.events("whistle-scored")
    assert [told[name] for name in ("whistler", "department", "arrival", "quality", "result")] == [
        COMMUNITY, "dept-water", 4, 5, 3,
    ]  # fmt: skip
    refused("already-scored", score, desk, called, arrival=1)
    desk.do(HOUSING, "answer-whistle", called, answer="completed", note="好了")
    score(desk, called, department="dept-housing", result=1)
    assert [one["result"] for one in desk.view()["whistles"][0]["scores"]] == [1, 3]
    assert [one["department"] for one in desk.ask(WATER, "/api/v1/whistles")["items"][0]["scores"]] == ["dept-water"]


def test_who_may_score_and_what(desk, called):
    desk.do(WATER, "answer-whistle", called, answer="completed", note="好了")
    refused("not-the-whistler", score, desk, called, STREET_CLERK)
    refused("out-of-scope", score, desk, called, "community-clerk-guanghua-li")
    refused("not-permitted", score, desk, called, WORKER)
    refused("not-whistled", score, desk, called, department="dept-fire")
    refused("invalid-input", score, desk, called, arrival=6)
    refused("invalid-input", score, desk, called, quality=0)


def test_who_never_came_can_be_scored_when_the_call_is_over(desk, called):
    refused("part-not-over", score, desk, called, arrival=1)
    desk.do(STREET_CLERK, "end-whistle", called, reason="部门始终未到,街道自行处置")
    score(desk, called, arrival=1, quality=1, result=1)
    assert desk.events("whistle-scored")[0]["arrival"] == 1


@pytest.mark.parametrize("command", ["score-whistle", "end-whistle", "decide-contest"])
def test_a_version_that_is_not_the_calls_is_stale(desk, called, command):
    desk.do(HOUSING, "answer-whistle", called, answer="accepted", note="到")
    decline(desk, called)
    content = {
        "score-whistle": {"department": "dept-water", "arrival": 1, "quality": 1, "result": 1},
        "end-whistle": {"reason": "…"},
        "decide-contest": {"department": "dept-water", "decision": "released", "reason": "…"},
    }[command]
    who = CLERK if command == "score-whistle" else STREET_CLERK
    if command == "score-whistle":
        decide(desk, called, STREET_CLERK, "released")
    refused("stale-version", desk.do, who, command, called, **content, if_match=1)
