"""Accept, work, hand on, close, reopen: who may, what is refused, what the clocks make of it."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

import pytest

from shared.contracts.oversight import EvaluationReceived
from shared.kernel.errors import Forbidden, Invalid, Refusal, Stale
from tests.unit.dispatch.conftest import (
    CLERK,
    COMMUNITY,
    DISTRICT,
    DISTRICT_CLERK,
    GAS,
    GATE,
    GRID,
    HEAD,
    LIGHT,
    PHOTO,
    RAMP,
    STREET,
    STREET_CLERK,
    WORKER,
)  # fmt: skip


def refused(code, call, *args, **kwargs):
    with pytest.raises(Refusal) as error:
        call(*args, **kwargs)
    assert error.value.code == code
    assert error.value.remedy
    return error.value


def test_the_whole_way(desk):
    desk.open()
    assert desk.do(WORKER, "accept")["state"] == "in-progress"
    desk.do(WORKER, "progress", note="已联系物业")
    resolved = desk.do(WORKER, "resolve", outcome="换了灯泡", evidence=[PHOTO])
    assert resolved["state"] == "resolved"
    assert desk.clock("resolve")["status"] == "held"
    desk.do(HEAD, "verify", passed=True)
    closed = desk.do(HEAD, "close")
    assert (closed["state"], closed["on_time"]) == ("closed", True)
    assert [name for name, _ in desk.events() if name.startswith("matter-")] == [
        "matter-classified", "matter-assigned", "matter-accepted", "matter-progressed", "matter-resolved",
        "matter-verified", "matter-closed",
    ]  # fmt: skip
    assert {(one["kind"], one["outcome"]) for one in desk.events("clock-stopped")} == {
        ("accept", "met"), ("resolve", "met"), ("feedback", "met"),
    }  # fmt: skip
    assert desk.app.next_due() is None
    (told,) = desk.events("matter-closed")
    assert (told["on_time"], told["attempt"], told["unit"]) == (True, 1, GRID)


def test_illegal_steps_name_the_state_and_what_it_allows(desk):
    desk.open()
    error = refused("illegal-transition", desk.do, WORKER, "resolve", outcome="x", evidence=[PHOTO])
    assert "assigned" in error.what
    assert "accept" in error.remedy
    assert refused("illegal-transition", desk.do, HEAD, "close").status == 409


def test_unknown_matter(desk):
    assert refused("unknown-matter", desk.do, WORKER, "accept", "nothing").status == 404


def test_scope_and_permission(desk):
    desk.open()
    assert refused("out-of-scope", desk.do, "grid-worker-guanghua-dongli-2", "accept").status == 403
    assert refused("not-permitted", desk.do, "department-officer-dept-fire", "accept").status == 403
    assert desk.do(STREET_CLERK, "accept")["unit"] == GRID


def test_if_match(desk):
    desk.open()
    version = desk.view()["version"]
    desk.do(WORKER, "accept", if_match=version)
    with pytest.raises(Stale):
        desk.do(WORKER, "progress", note="…", if_match=version)
    assert desk.view()["version"] == version + 1


def test_closure_needs_evidence_and_another_pair_of_eyes(desk):
    desk.open()
    desk.do(HEAD, "accept")
    refused("evidence-missing", desk.do, HEAD, "resolve", outcome="好了")
    desk.do(HEAD, "resolve", outcome="好了", evidence=[PHOTO])
    refused("verifier-is-handler", desk.do, HEAD, "verify", passed=True)
    refused("verifier-is-handler", desk.do, HEAD, "verify", passed=False)
    refused("illegal-transition", desk.do, CLERK, "close")
    assert desk.view()["state"] == "resolved"
    desk.do(CLERK, "verify", passed=True)


def test_a_pack_may_do_without_either(desk_of, pack):
    closure = replace(pack.policy.closure, evidence_required=False, verify_by_other=False)
    desk = desk_of(replace(pack, policy=replace(pack.policy, closure=closure)))
    desk.open()
    desk.do(HEAD, "accept")
    desk.do(HEAD, "resolve", outcome="好了")
    assert desk.do(HEAD, "verify", passed=True)["state"] == "verified"


def test_verification_takes_nothing_from_the_handler(desk):
    desk.open()
    desk.do(WORKER, "accept")
    desk.do(WORKER, "resolve", outcome="好了", evidence=[PHOTO])
    desk.wait(days=3)
    desk.do(HEAD, "verify", passed=True)
    (stop,) = [one for one in desk.events("clock-stopped") if one["kind"] == "resolve"]
    assert (stop["outcome"], stop["stopped_at"]) == ("met", "2026-11-16T01:00:00Z")
    assert desk.climbs() == []


def test_rework_gives_nothing_away(desk):
    desk.open()
    desk.do(WORKER, "accept")
    due = desk.clock("resolve")["due_at"]
    desk.do(WORKER, "resolve", outcome="好了", evidence=[PHOTO])
    desk.wait(days=1)
    desk.do(HEAD, "verify", passed=False, note="还是不亮")
    assert desk.events("matter-reworked")[0]["reason"] == "还是不亮"
    assert desk.clock("resolve")["due_at"] == due
    # It had fallen due while it stood: the next look breaches it, once, and it climbs.
    assert desk.climbs() == [(COMMUNITY, "breach", "resolve")]


def test_resolved_too_late_is_breached_though_nobody_scanned(desk):
    desk.open()
    desk.do(WORKER, "accept")
    desk.suite.clock.advance(timedelta(days=2))
    desk.app.execute(
        "dispatch.resolve", {"matter": "m-1", "outcome": "好了", "evidence": [PHOTO]}, desk.suite.actor(WORKER)
    )
    desk.do(HEAD, "verify", passed=True)
    assert [one["outcome"] for one in desk.events("clock-stopped") if one["kind"] == "resolve"] == ["breached"]
    assert len([one for one in desk.events("clock-breached") if one["kind"] == "resolve"]) == 1
    assert desk.do(HEAD, "close")["on_time"] is False


def test_milestones_stop_hazard_clocks_and_the_rest_end_with_resolution(desk):
    desk.open(text=GAS)
    desk.do(WORKER, "accept")
    desk.do(WORKER, "progress", note="已到场", milestone="hazard-on-site")
    desk.wait(hours=3)
    assert desk.clock("hazard-on-site")["outcome"] == "met"
    breached = [one["kind"] for one in desk.events("clock-breached") if one["kind"] != "accept"]
    assert sorted(breached) == ["hazard-plan", "hazard-survey"]
    desk.do(DISTRICT_CLERK, "accept")  # danger has gone up to the district by now
    desk.do(DISTRICT_CLERK, "resolve", outcome="关阀换管", evidence=[PHOTO])
    assert desk.clock("hazard-plan")["outcome"] == "breached"


def test_escalation_by_reason(desk):
    desk.open(text=RAMP)
    error = refused("unknown-reason", desk.do, WORKER, "escalate", reason="tired")
    assert "beyond-authority" in error.remedy
    reply = desk.do(WORKER, "escalate", reason="beyond-authority", note="需要街道出面")
    assert (reply["unit"], reply["state"], reply["skipped"]) == (COMMUNITY, "assigned", [])
    assert refused("out-of-scope", desk.do, WORKER, "accept").status == 403
    assert desk.view(WORKER)["unit"]["id"] == COMMUNITY
    desk.do(CLERK, "accept")
    desk.do(CLERK, "escalate", reason="needs-funds")
    desk.do(STREET_CLERK, "escalate", reason="contested")
    refused("no-level-above", desk.do, DISTRICT_CLERK, "escalate", reason="contested")
    assert [unit for unit, _, _ in desk.climbs()] == [COMMUNITY, STREET, DISTRICT]
    assert len([one for one in desk.events("clock-started") if one["kind"] == "resolve"]) == 1
    assert [one["unit"] for one in desk.events("clock-started") if one["kind"] == "accept"] == [
        GRID, COMMUNITY, STREET, DISTRICT,
    ]  # fmt: skip


def test_a_missing_level_is_skipped_with_a_record(desk_of, pack):
    staff = {key: person for key, person in pack.staff.items() if person.unit != COMMUNITY}
    desk = desk_of(replace(pack, staff=staff))
    desk.open()
    assert desk.do(WORKER, "escalate", reason="safety")["skipped"] == [COMMUNITY]
    (told,) = desk.events("matter-escalated")
    assert (told["from_unit"], told["to_unit"], told["skipped"]) == (GRID, STREET, [COMMUNITY])


def test_the_second_return_climbs_by_rule(desk):
    desk.open()
    assert desk.do(WORKER, "return", reason="不属于本网格")["unit"] == COMMUNITY
    desk.do(CLERK, "assign", unit=GRID)
    assert desk.do(WORKER, "return", reason="仍不属于")["unit"] == STREET
    assert [(one["to_unit"], one["returns"]) for one in desk.events("matter-returned")] == [
        (COMMUNITY, 1),
        (COMMUNITY, 2),
    ]
    assert desk.climbs() == [(STREET, "rule", "after-returns")]


def test_assignment(desk):
    desk.open()
    refused("out-of-scope", desk.do, CLERK, "assign", unit="guanghua-li-1")
    refused("not-territory", desk.do, DISTRICT_CLERK, "assign", unit="dept-fire")
    refused("person-not-in-unit", desk.do, CLERK, "assign", unit=GRID, person=STREET_CLERK)
    refused("unknown-unit", desk.do, CLERK, "assign", unit="atlantis")
    assert desk.do(CLERK, "assign", unit="guanghua-dongli-2")["unit"] == "guanghua-dongli-2"
    desk.do(CLERK, "assign", unit="guanghua-dongli-2", person="grid-worker-guanghua-dongli-2")
    assert desk.view("grid-worker-guanghua-dongli-2")["person"] == "grid-worker-guanghua-dongli-2"
    assert len([one for one in desk.events("clock-started") if one["kind"] == "accept"]) == 2


def test_suspension_moves_the_due_time_and_keeps_the_first_promise(desk):
    desk.open(text=RAMP)
    desk.do(CLERK, "accept")
    refused("not-permitted", desk.do, CLERK, "suspend", reason="等材料")
    desk.do(STREET_CLERK, "suspend", reason="等设计方案")
    assert desk.view()["band"] == "paused"
    before = desk.clock("resolve")
    desk.wait(days=60)
    assert desk.events("clock-breached") == []
    desk.do(STREET_CLERK, "resume")
    after = desk.clock("resolve")
    assert after["original_due_at"] == before["due_at"] < after["due_at"]
    assert [one["cause"] for one in desk.events("clock-moved")] == ["resumed", "resumed"]
    assert [one["kind"] for one in desk.events("clock-paused")] == ["feedback", "resolve"]
    assert desk.view()["suspensions"][0]["ended_at"] is not None


def test_suspension_with_an_end_goes_on_by_itself(desk):
    desk.open(text=RAMP)
    desk.do(WORKER, "accept")
    past = (desk.now - timedelta(hours=1)).isoformat()
    refused("in-the-past", desk.do, STREET_CLERK, "suspend", reason="等", until=past)
    desk.do(STREET_CLERK, "suspend", reason="等供暖季", until=(desk.now + timedelta(days=5)).isoformat())
    desk.wait(days=4)
    assert desk.view()["state"] == "suspended"
    desk.wait(days=2)
    assert desk.view()["state"] == "in-progress"
    assert desk.events("matter-resumed")[0]["resumed_by"] == "system"


def test_only_the_level_above_suspends_and_some_classes_never_rest(desk):
    desk.open(text=RAMP)
    desk.do(WORKER, "escalate", reason="needs-funds")
    desk.do(CLERK, "escalate", reason="needs-funds")
    desk.do(STREET_CLERK, "accept")
    refused("out-of-scope", desk.do, STREET_CLERK, "suspend", reason="等")
    desk.do(DISTRICT_CLERK, "suspend", reason="等")
    desk.open("m-2", GATE)
    desk.do(WORKER, "accept", "m-2")
    refused("not-pausable", desk.do, STREET_CLERK, "suspend", "m-2", reason="等")


def test_reopening_is_a_new_attempt_and_the_first_outcome_stays(desk):
    desk.open()
    desk.close()
    reply = desk.do(CLERK, "reopen", reason="又不亮了")
    assert (reply["state"], reply["attempt"]) == ("assigned", 2)
    view = desk.view()
    assert view["first_attempt"] == {"outcome": "换了灯泡", "on_time": True}
    resolves = [clock for clock in view["clocks"] if clock["kind"] == "resolve"]
    assert [(clock["attempt"], clock["outcome"]) for clock in resolves] == [(1, "met"), (2, None)]
    desk.close()
    assert [one["attempt"] for one in desk.events("matter-closed")] == [1, 2]
    desk.do(CLERK, "reopen", reason="再次")
    desk.close()
    assert "2" in refused("reopen-limit", desk.do, CLERK, "reopen", reason="第三次").what


def test_reopening_ends_with_the_packs_days(desk):
    desk.open()
    desk.close()
    desk.open("m-2")
    desk.close("m-2")
    desk.wait(days=7)
    desk.do(CLERK, "reopen", reason="第七天整")
    desk.wait(seconds=1)
    refused("reopen-limit", desk.do, CLERK, "reopen", "m-2", reason="晚了")


@pytest.mark.parametrize(
    ("mode", "state", "flags"),
    [("ask", "closed", ["asker-wants-reopening"]), ("always", "assigned", []), ("never", "closed", [])],
)
def test_an_unsatisfied_asker(desk_of, pack, mode, state, flags):
    evaluation = replace(pack.policy.evaluation, reopen_when_unsatisfied=mode)
    desk = desk_of(replace(pack, policy=replace(pack.policy, evaluation=evaluation)))
    desk.open()
    desk.close()
    desk.receive(answer("e-1", wants=False))
    assert desk.view()["state"] == "closed"
    desk.receive(answer("e-2", wants=True))
    view = desk.view()
    assert (view["state"], view["flags"]) == (state, flags)


def test_an_unsatisfied_asker_beyond_the_limit_leaves_a_flag(desk_of, pack):
    evaluation = replace(pack.policy.evaluation, reopen_when_unsatisfied="always")
    desk = desk_of(replace(pack, policy=replace(pack.policy, evaluation=evaluation)))
    desk.open()
    desk.close()
    desk.wait(days=8)
    desk.receive(answer("e-1", wants=True))
    assert (desk.view()["state"], desk.view()["flags"]) == ("closed", ["reopen-limit-reached"])


def answer(evaluation, *, wants):
    return EvaluationReceived(
        evaluation_id=evaluation,
        matter_id="m-1",
        demand_id="d",
        satisfied=False,
        wants_reopening=wants,
        comment="没修好",
    )


def test_lists_are_sorted_by_the_next_due_time_and_paged(desk):
    for number, text in enumerate((RAMP, LIGHT, GAS, GATE, "树枝伸进窗户")):
        desk.open(f"m-{number}", text)
    desk.open("m-9", unit="guanghua-li-1")
    desk.close("m-1")
    first = desk.ask(CLERK, "/api/v1/matters", limit="3")
    assert [one["response_class"] for one in first["items"]] == ["hazard", "immediate", "within-week"]
    rest = desk.ask(CLERK, "/api/v1/matters", limit="3", cursor=first["next"])
    assert [(one["response_class"], one["state"]) for one in rest["items"]] == [
        ("within-month", "assigned"), ("same-day", "closed"),
    ]  # fmt: skip
    assert rest["next"] is None
    assert len(desk.ask(STREET_CLERK, "/api/v1/matters")["items"]) == 6
    assert len(desk.ask(STREET_CLERK, "/api/v1/matters", unit="guanghua-li")["items"]) == 1
    assert [one["matter_id"] for one in desk.ask(CLERK, "/api/v1/matters", **{"class": "hazard"})["items"]] == ["m-2"]
    desk.suite.clock.advance(timedelta(minutes=20))
    late = desk.ask(CLERK, "/api/v1/matters", band="overdue")["items"]
    assert [one["matter_id"] for one in late] == ["m-2", "m-3"]
    assert {one["band"] for one in late} == {"overdue"}
    with pytest.raises(Forbidden):
        desk.ask(CLERK, "/api/v1/matters", unit=STREET)
    for wrong in ({"limit": "0"}, {"limit": "x"}, {"cursor": "???"}, {"state": "lost"}, {"band": "red"}):
        with pytest.raises(Invalid) as error:
            desk.ask(CLERK, "/api/v1/matters", **wrong)
        assert set(error.value.fields) == set(wrong)


def test_every_stored_text_is_the_askers_alone_in_the_view_of_handlers(desk):
    desk.open()
    view = desk.view(WORKER)
    assert (view["text"], view["asker_kind"]) == (LIGHT, "resident")
    assert [unit["id"] for unit in view["ladder"]] == [GRID, COMMUNITY, STREET, DISTRICT]
    assert view["actions"][0] == "assign"


def test_a_note_moves_no_due_instant_in_lists(desk):
    """Progress leaves the clocks unread; the instants that lists sort by must stay as the clocks say."""
    desk.open()
    desk.do(WORKER, "accept")
    (before,) = desk.ask(DISTRICT_CLERK, "/api/v1/matters")["items"]
    desk.do(WORKER, "progress", note="已联系物业")
    (after,) = desk.ask(DISTRICT_CLERK, "/api/v1/matters")["items"]
    assert before["next_due_at"] is not None
    assert after == before | {"version": before["version"] + 1}
