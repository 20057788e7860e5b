"""More time 延期 and rest 挂账: asked for by the unit responsible, decided by the level above, within limits."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

import pytest

from services.dispatch.definition import DEFINITION
from shared.jurisdiction.policy import Suspension
from shared.kernel.actor import Actor
from shared.kernel.clock import parse_instant
from shared.kernel.errors import Refusal
from tests.unit.dispatch.conftest import (
    CLERK,
    COMMUNITY,
    DISTRICT_CLERK,
    GAS,
    GATE,
    HEAD,
    LIGHT,
    PHOTO,
    RAMP,
    STREET,
    STREET_CLERK,
    WORKER,
)


def refused(code, call, *args, **kwargs):
    with pytest.raises(Refusal) as found:
        call(*args, **kwargs)
    assert found.value.code == code
    assert found.value.what
    return found.value


@pytest.fixture
def ramp(desk):
    """A matter of a month, in hand at its grid; resolved by 2026-12-16 17:30 in Beijing."""
    desk.open(text=RAMP)
    desk.do(WORKER, "accept")
    assert desk.clock("resolve")["due_at"] == "2026-12-16T09:30:00Z"
    return desk


def test_more_time_is_asked_for_granted_and_both_due_times_are_kept(ramp):
    asked = ramp.do(WORKER, "request-extension", days=5, reason="等设计单位出图")
    assert ramp.clock("resolve")["due_at"] == "2026-12-16T09:30:00Z"
    ramp.wait(hours=1)
    reply = ramp.do(STREET_CLERK, "decide-extension", granted=True, note="同意")
    assert (reply["request_id"], reply["granted"], reply["days"]) == (asked["request_id"], True, 5)
    clock = ramp.clock("resolve")
    assert clock["original_due_at"] == "2026-12-16T09:30:00Z"
    assert clock["due_at"] == "2026-12-23T09:30:00Z"
    assert "批准延期 5 个工作日" in clock["target_words"]
    assert [(one["kind"], one["cause"]) for one in ramp.events("clock-moved")] == [
        ("feedback", "extended"), ("resolve", "extended"),
    ]  # fmt: skip
    (requested,), (decided,) = ramp.events("extension-requested"), ramp.events("extension-decided")
    assert (requested["days"], requested["due_at"]) == (5, "2026-12-16T09:30:00Z")
    assert (decided["days"], decided["decided_by"], decided["unit"]) == (5, STREET_CLERK, "guanghua-dongli-1")


def test_what_is_due_later_breaches_later(ramp):
    ramp.do(WORKER, "request-extension", days=5, reason="等")
    ramp.do(STREET_CLERK, "decide-extension", granted=True)
    ramp.until(parse_instant("2026-12-23T09:30:00Z"))
    assert ramp.events("clock-breached") == []
    ramp.wait(seconds=1)
    assert [one["kind"] for one in ramp.events("clock-breached")] == ["resolve"]
    assert ramp.climbs() == [(COMMUNITY, "breach", "resolve")]


def test_fewer_days_may_be_granted_and_none(ramp):
    ramp.do(WORKER, "request-extension", days=5, reason="等")
    assert ramp.do(STREET_CLERK, "decide-extension", granted=True, days=2)["days"] == 2
    assert ramp.clock("resolve")["due_at"] == "2026-12-18T09:30:00Z"
    ramp.do(WORKER, "request-extension", days=5, reason="还等")
    ramp.do(STREET_CLERK, "decide-extension", granted=False, note="抓紧办")
    assert ramp.clock("resolve")["due_at"] == "2026-12-18T09:30:00Z"
    assert [one["days"] for one in ramp.events("extension-decided")] == [2, 0]


def test_the_packs_limits_of_more_time(ramp):
    assert "10" in refused("beyond-limit", ramp.do, WORKER, "request-extension", days=11, reason="等").remedy
    for days in (10, 1):
        ramp.do(WORKER, "request-extension", days=days, reason="等")
        refused("beyond-limit", ramp.do, STREET_CLERK, "decide-extension", granted=True, days=11)
        ramp.do(STREET_CLERK, "decide-extension", granted=True)
    refused("extension-limit", ramp.do, WORKER, "request-extension", days=1, reason="再等")
    assert ramp.clock("resolve")["due_at"] == "2026-12-31T09:30:00Z"


def test_what_cannot_wait_gets_no_more_time(desk):
    for matter, text in (("m-1", GAS), ("m-2", GATE)):
        desk.open(matter, text)
        desk.do(WORKER, "accept", matter)
        refused("not-extendable", desk.do, WORKER, "request-extension", matter, days=1, reason="等")


def test_it_is_asked_for_in_time_and_once(desk):
    desk.open(text=LIGHT)
    desk.do(WORKER, "accept")
    due = parse_instant(desk.clock("resolve")["due_at"])
    desk.until(due)
    desk.do(WORKER, "request-extension", days=1, reason="正好到期")
    refused("request-pending", desk.do, WORKER, "request-extension", days=1, reason="又")
    desk.open("m-2", LIGHT)
    desk.do(WORKER, "accept", "m-2")
    desk.until(parse_instant(desk.clock("resolve", "m-2")["due_at"]) + timedelta(microseconds=1))
    # The breach has taken it to the community; whoever holds it now is too late all the same.
    desk.do(CLERK, "accept", "m-2")
    refused("extension-too-late", desk.do, CLERK, "request-extension", "m-2", days=1, reason="晚了")


def test_who_decides(ramp):
    refused("no-request", ramp.do, STREET_CLERK, "decide-extension", granted=True)
    ramp.do(STREET_CLERK, "request-extension", days=1, reason="替网格申请")
    refused("not-permitted", ramp.do, HEAD, "decide-extension", granted=True)
    refused("not-permitted", ramp.do, CLERK, "decide-extension", granted=True)
    refused("own-request", ramp.do, STREET_CLERK, "decide-extension", granted=True)
    ramp.do(DISTRICT_CLERK, "decide-extension", granted=True)


def test_the_street_does_not_decide_about_the_streets_own_matter(ramp):
    ramp.do(WORKER, "escalate", reason="needs-funds")
    ramp.do(CLERK, "escalate", reason="needs-funds")
    ramp.do(STREET_CLERK, "accept")
    ramp.do(STREET_CLERK, "request-extension", days=1, reason="等资金")
    refused("out-of-scope", ramp.do, STREET_CLERK, "decide-extension", granted=True)
    ramp.do(DISTRICT_CLERK, "decide-extension", granted=True)


def test_at_the_top_nobody_stands_above(ramp):
    for who in (WORKER, CLERK, STREET_CLERK):
        ramp.do(who, "escalate", reason="needs-funds")
    ramp.do(DISTRICT_CLERK, "accept")
    ramp.do(DISTRICT_CLERK, "request-extension", days=1, reason="等资金")
    assert ramp.do(DISTRICT_CLERK, "decide-extension", granted=True)["granted"]


def test_a_request_lapses_when_another_unit_takes_the_matter_over(ramp):
    ramp.do(WORKER, "request-extension", days=1, reason="等")
    ramp.do(WORKER, "escalate", reason="needs-funds")
    refused("no-request", ramp.do, STREET_CLERK, "decide-extension", granted=True)
    ramp.do(CLERK, "accept")
    ramp.do(CLERK, "request-extension", days=1, reason="社区也等")
    ramp.do(STREET_CLERK, "decide-extension", granted=True)


def test_nothing_is_asked_for_once_it_is_done(ramp):
    ramp.do(WORKER, "request-extension", days=1, reason="等")
    ramp.do(WORKER, "resolve", outcome="好了", evidence=[PHOTO])
    refused("illegal-transition", ramp.do, STREET_CLERK, "decide-extension", granted=True)
    refused("illegal-transition", ramp.do, WORKER, "request-extension", days=1, reason="等")
    # Not found done: the request is what it was.
    ramp.do(HEAD, "verify", passed=False, note="没修好")
    ramp.do(STREET_CLERK, "decide-extension", granted=True)
    assert ramp.clock("resolve")["due_at"] == "2026-12-17T09:30:00Z"


def test_a_rest_after_more_time_was_granted_moves_what_was_granted(ramp):
    ramp.do(WORKER, "request-extension", days=5, reason="等")
    ramp.do(STREET_CLERK, "decide-extension", granted=True)
    ramp.until(parse_instant("2026-12-18T01:00:00Z"))  # after the first promise, before the one extended
    ramp.do(STREET_CLERK, "suspend", reason="停工", until="2026-12-21T01:00:00Z")
    ramp.wait(days=4)
    assert ramp.clock("resolve")["due_at"] == "2026-12-24T09:30:00Z"
    assert ramp.clock("resolve")["original_due_at"] == "2026-12-16T09:30:00Z"


def test_a_granted_extension_stays_with_another_class_that_grants_any(ramp):
    ramp.do(WORKER, "request-extension", days=5, reason="等")
    ramp.do(STREET_CLERK, "decide-extension", granted=True)
    ramp.do(CLERK, "reclassify", response_class="within-week", reason="小修即可")
    assert ramp.clock("resolve")["due_at"] == "2026-11-30T09:30:00Z"
    ramp.do(CLERK, "reclassify", response_class="hazard", reason="有危险")
    assert ramp.clock("resolve")["due_at"] == "2026-11-17T01:00:00Z"


def test_an_attempt_begins_with_what_the_class_promises(ramp):
    ramp.do(WORKER, "request-extension", days=10, reason="等")
    ramp.do(STREET_CLERK, "decide-extension", granted=True)
    ramp.do(WORKER, "resolve", outcome="好了", evidence=[PHOTO])
    ramp.do(HEAD, "verify", passed=True)
    ramp.do(HEAD, "close")
    ramp.do(CLERK, "reopen", reason="又坏了")
    assert ramp.clock("resolve")["due_at"] == "2026-12-16T09:30:00Z"
    ramp.do(WORKER, "accept")
    for _ in range(2):
        ramp.do(WORKER, "request-extension", days=10, reason="等")
        ramp.do(STREET_CLERK, "decide-extension", granted=True)
    refused("extension-limit", ramp.do, WORKER, "request-extension", days=1, reason="等")


def test_rest_is_asked_for_and_granted(ramp):
    until = (ramp.now + timedelta(days=10)).isoformat()
    ramp.do(WORKER, "request-suspension", reason="等供暖季", until=until)
    assert ramp.view()["state"] == "in-progress"
    refused("request-pending", ramp.do, WORKER, "request-suspension", reason="再次")
    reply = ramp.do(STREET_CLERK, "decide-suspension", granted=True, note="同意")
    assert reply["state"] == "suspended"
    (rest,) = ramp.view()["suspensions"]
    assert (rest["reason"], rest["approved_by"]) == ("等供暖季", STREET_CLERK)
    names = [name for name, _ in ramp.events()]
    assert names.index("suspension-requested") < names.index("suspension-decided") < names.index("matter-suspended")
    ramp.wait(days=11)
    assert ramp.view()["state"] == "in-progress"


def test_rest_is_refused(ramp):
    ramp.do(WORKER, "request-suspension", reason="等")
    ramp.do(STREET_CLERK, "decide-suspension", granted=False, note="可以先修")
    assert ramp.view()["state"] == "in-progress"
    assert ramp.events("matter-suspended") == []
    refused("no-request", ramp.do, STREET_CLERK, "decide-suspension", granted=True)


def test_the_packs_limits_of_rest(desk_of, pack):
    limits = Suspension(times=1, longest=timedelta(days=30))
    desk = desk_of(replace(pack, policy=replace(pack.policy, suspension=limits)))
    desk.open(text=RAMP)
    desk.do(WORKER, "accept")
    late = (desk.now + timedelta(days=30, seconds=1)).isoformat()
    for who, command in ((WORKER, "request-suspension"), (STREET_CLERK, "suspend")):
        assert "30 days" in refused("beyond-limit", desk.do, who, command, reason="等", until=late).what
    desk.do(STREET_CLERK, "suspend", reason="等")  # no end given: the longest
    assert desk.view()["suspensions"][0]["until"] == "2026-12-16T01:00:00Z"
    desk.wait(days=31)
    assert desk.view()["state"] == "in-progress"
    refused("suspension-limit", desk.do, WORKER, "request-suspension", reason="等")
    refused("suspension-limit", desk.do, STREET_CLERK, "suspend", reason="等")


def test_hazards_never_rest(desk):
    desk.open(text=GAS)
    desk.do(WORKER, "accept")
    refused("not-pausable", desk.do, WORKER, "request-suspension", reason="等")


def test_who_decides_sees_what_waits_and_the_matter_shows_it_all(ramp):
    asked = ramp.do(WORKER, "request-extension", days=5, reason="等出图")["request_id"]
    ramp.do(WORKER, "request-suspension", reason="等供暖季")
    ramp.open("m-2", RAMP, private=True)
    ramp.do(WORKER, "accept", "m-2")
    ramp.do(WORKER, "request-extension", "m-2", days=1, reason="等")
    page = ramp.ask(STREET_CLERK, "/api/v1/time-requests", limit="2")
    assert [(one["kind"], one["matter_id"]) for one in page["items"]] == [("extension", "m-1"), ("suspension", "m-1")]
    rest = ramp.ask(STREET_CLERK, "/api/v1/time-requests", limit="2", cursor=page["next"])
    assert ([one["matter_id"] for one in rest["items"]], rest["next"]) == (["m-2"], None)
    only = ramp.ask(STREET_CLERK, "/api/v1/time-requests", kind="suspension")
    assert [one["kind"] for one in only["items"]] == ["suspension"]
    # Who only reads sees nothing of private matters.
    host = Actor(id="host", roles=frozenset({"deliberation-host"}), unit=STREET)
    query = next(route.query for route in DEFINITION.routes if route.path == "/api/v1/time-requests")
    seen = ramp.app.ask(query, {}, host)
    assert {one["matter_id"] for one in seen["items"]} == {"m-1"}
    ramp.do(STREET_CLERK, "decide-extension", granted=True, days=3, note="先批三天")
    assert asked not in {one["request_id"] for one in ramp.ask(STREET_CLERK, "/api/v1/time-requests")["items"]}
    (extension, suspension) = ramp.view()["time_requests"]
    assert (extension["days"], extension["granted_days"], extension["note"]) == (5, 3, "先批三天")
    assert (suspension["granted"], suspension["decided_at"]) == (None, None)


def test_a_clock_says_step_by_step_why_it_is_due_then(ramp):
    ramp.do(WORKER, "request-extension", days=5, reason="等")
    ramp.do(STREET_CLERK, "decide-extension", granted=True)
    ramp.do(STREET_CLERK, "suspend", reason="等")
    ramp.wait(days=1)
    ramp.do(STREET_CLERK, "resume")
    clock = ramp.clock("resolve")
    said = ramp.ask(WORKER, "/api/v1/matters/<matter>/clocks/<clock>", matter="m-1", clock=clock["clock_id"])
    assert [step["code"] for step in said["steps"]] == ["started", "promised", "extended", "paused"]
    assert said["counted_due_at"] == said["due_at"] == clock["due_at"] == "2026-12-24T09:30:00Z"
    assert said["extended_days"] == 5
    path = "/api/v1/matters/<matter>/clocks/<clock>"
    refused("unknown-clock", ramp.ask, WORKER, path, matter="m-1", clock="no-such")
    refused("unknown-matter", ramp.ask, "grid-worker-nanlang-jiayuan-1", path, matter="m-1", clock=clock["clock_id"])
