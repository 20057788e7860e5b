"""Claims: posted, taken by one at a time, fulfilled with evidence, lost in time, led in an emergency (D6, D12, N2)."""

from __future__ import annotations

from datetime import timedelta

import pytest

from shared.kernel.actor import Actor
from shared.kernel.errors import Refusal
from tests.unit.dispatch.conftest import CLERK, COMMUNITY, GRID, HEAD, PHOTO, STREET, STREET_CLERK, WORKER

OTHER_COMMUNITY = "jianguo-li"
MEMBER = Actor(id="member-1", roles=frozenset({"party-member"}), unit=COMMUNITY)
SECOND = Actor(id="member-2", roles=frozenset({"party-member"}), unit=GRID)
VOLUNTEER = Actor(id="volunteer-1", roles=frozenset({"volunteer"}), unit=COMMUNITY)
STRANGER = Actor(id="member-3", roles=frozenset({"party-member"}), unit=OTHER_COMMUNITY)
BANK = Actor(id="bank", roles=frozenset({"member-unit"}), unit=STREET)
WISH = {"kind": "micro-wish", "title": "一副老花镜", "text": "老人想要一副老花镜"}


def refused(code, call, *args, **kwargs):
    with pytest.raises(Refusal) as error:
        call(*args, **kwargs)
    assert error.value.code == code
    assert error.value.remedy
    return error.value


@pytest.fixture
def ask(desk):
    def ask(who, command, **content):
        how = {"if_match": content.pop("if_match")} if "if_match" in content else {}
        return desk.suite.execute(f"dispatch.{command}", content, who, **how).body

    return ask


@pytest.fixture
def posted(ask):
    return ask(CLERK, "post-claim", **WISH, hold_hours=48)["claim_id"]


def listed(desk, who, **parameters):
    actor = desk.suite.actor(who) if isinstance(who, str) else who
    route = next(one for one in desk.app.definition.routes if one.path == "/api/v1/claims" and one.query is not None)
    return desk.app.ask(route.query, parameters, actor)


def ids(page):
    return [item["claim_id"] for item in page["items"]]


def test_a_wish_is_posted_taken_and_fulfilled(desk, ask, posted):
    assert ids(listed(desk, MEMBER)) == [posted]
    taken = ask(MEMBER, "take-claim", claim=posted)
    assert (taken["state"], taken["taker"], taken["expires_at"]) == ("taken", "member-1", "2026-11-18T01:00:00Z")
    assert ids(listed(desk, SECOND)) == []
    assert ids(listed(desk, MEMBER, mine="true")) == [posted]
    done = ask(MEMBER, "fulfil-claim", claim=posted, outcome="送到了", evidence=[PHOTO])
    assert done["state"] == "fulfilled"
    names = [name for name, _ in desk.events() if name.startswith("claim-")]
    assert names == ["claim-posted", "claim-taken", "claim-fulfilled"]
    desk.wait(days=10)
    assert desk.events("claim-expired") == []


def test_one_at_a_time(ask, posted):
    ask(MEMBER, "take-claim", claim=posted)
    error = refused("illegal-transition", ask, SECOND, "take-claim", claim=posted)
    assert "taken" in error.what
    refused("not-your-claim", ask, SECOND, "fulfil-claim", claim=posted, outcome="…", evidence=[PHOTO])
    refused("not-your-claim", ask, SECOND, "release-claim", claim=posted, reason="…")


def test_without_evidence_nothing_is_fulfilled(ask, posted):
    ask(MEMBER, "take-claim", claim=posted)
    assert refused("evidence-missing", ask, MEMBER, "fulfil-claim", claim=posted, outcome="好了").where == "evidence"


def test_given_back_it_is_open_for_others(desk, ask, posted):
    ask(MEMBER, "take-claim", claim=posted)
    assert ask(MEMBER, "release-claim", claim=posted, reason="出差")["state"] == "open"
    assert ask(SECOND, "take-claim", claim=posted)["taker"] == "member-2"
    assert desk.events("claim-released")[0]["taker"] == "member-1"


def test_in_time_is_up_to_the_last_instant(desk, ask, posted):
    ask(MEMBER, "take-claim", claim=posted)
    desk.until(desk.now + timedelta(hours=48))
    assert ask(MEMBER, "fulfil-claim", claim=posted, outcome="刚好", evidence=[PHOTO])["state"] == "fulfilled"


def test_who_is_too_late_loses_it_once_and_others_may_take_it(desk, ask, posted):
    ask(MEMBER, "take-claim", claim=posted)
    desk.wait(hours=49)
    (told,) = desk.events("claim-expired")
    assert (told["taker"], told["open_again"], told["due_at"]) == ("member-1", True, "2026-11-18T01:00:00Z")
    refused("illegal-transition", ask, MEMBER, "fulfil-claim", claim=posted, outcome="…", evidence=[PHOTO])
    assert ask(SECOND, "take-claim", claim=posted)["state"] == "taken"
    assert ask(SECOND, "fulfil-claim", claim=posted, outcome="好", evidence=[PHOTO])["state"] == "fulfilled"


def test_what_a_deadline_means_does_not_depend_on_the_scan(desk, ask, posted):
    """No scan ran: the claim has expired all the same, for who holds it and for who takes it next."""
    ask(MEMBER, "take-claim", claim=posted)
    desk.suite.clock.set(desk.now + timedelta(hours=48, microseconds=1))
    app = desk.app
    with pytest.raises(Refusal) as error:
        app.execute("dispatch.fulfil-claim", {"claim": posted, "outcome": "…", "evidence": [PHOTO]}, MEMBER)
    assert error.value.code == "claim-expired"
    assert app.execute("dispatch.take-claim", {"claim": posted}, SECOND).body["taker"] == "member-2"
    assert [name for name, _ in desk.events()][-2:] == ["claim-expired", "claim-taken"]
    assert app.run_due() == 0


def test_nobody_took_it_in_time(desk, ask):
    until = "2026-11-16T09:00:00+08:00"
    assert refused("in-the-past", ask, CLERK, "post-claim", **WISH, open_until=until).where == "open_until"
    claim = ask(CLERK, "post-claim", **WISH, open_until="2026-11-17T09:00:00+08:00")["claim_id"]
    desk.wait(days=2)
    (told,) = desk.events("claim-expired")
    assert (told["taker"], told["open_again"]) == (None, False)
    refused("claim-over", ask, MEMBER, "take-claim", claim=claim)
    assert ids(listed(desk, CLERK, state="lapsed")) == [claim]


def test_for_whom_it_is(ask):
    claim = ask(CLERK, "post-claim", **WISH, takers=["volunteer"])["claim_id"]
    refused("claim-not-for-you", ask, MEMBER, "take-claim", claim=claim)
    assert ask(VOLUNTEER, "take-claim", claim=claim)["state"] == "taken"


def test_a_member_unit_takes_for_itself_and_no_other_one_has_it(desk, ask):
    claim = ask(STREET_CLERK, "post-claim", kind="project", title="停车场共享", text="夜间开放车位")["claim_id"]
    assert ask(BANK, "take-claim", claim=claim)["taker"] == BANK.id
    other = Actor(id="hotel", roles=frozenset({"member-unit"}), unit=STREET)
    assert ids(listed(desk, other, mine="true")) == []
    refused("not-your-claim", ask, other, "fulfil-claim", claim=claim, outcome="…", evidence=[PHOTO])
    assert ask(BANK, "fulfil-claim", claim=claim, outcome="开放了", evidence=[PHOTO])["state"] == "fulfilled"


def test_a_unit_that_leads_is_its_staff_and_nobody_else_of_its_territory(ask):
    claim = ask(STREET_CLERK, "post-claim", kind="task", title="抢险", text="…", emergency=True)["claim_id"]
    ask(STREET_CLERK, "appoint-lead", claim=claim, unit=COMMUNITY, reason="就近")
    refused("not-your-claim", ask, MEMBER, "fulfil-claim", claim=claim, outcome="…", evidence=[PHOTO])
    assert ask(CLERK, "fulfil-claim", claim=claim, outcome="好", evidence=[PHOTO])["state"] == "fulfilled"


def test_lists_reach_as_far_as_the_territory(desk, ask, posted):
    central = ask(STREET_CLERK, "post-claim", kind="project", title="集中认领", text="九个社区的项目")["claim_id"]
    # The street's list is for everybody in it; a community's own for its people and those above.
    assert ids(listed(desk, STRANGER)) == [central]
    assert ids(listed(desk, MEMBER)) == [posted, central]
    assert ids(listed(desk, SECOND)) == [posted, central]
    assert ids(listed(desk, STREET_CLERK)) == [posted, central]
    assert ids(listed(desk, STREET_CLERK, kind="project")) == [central]
    refused("unknown-claim", ask, STRANGER, "take-claim", claim=posted)
    refused("unknown-claim", ask, MEMBER, "take-claim", claim="no-such")
    refused("out-of-scope", ask, CLERK, "withdraw-claim", claim=central, reason="…")
    refused("out-of-scope", ask, CLERK, "post-claim", **WISH, unit=STREET)
    refused("not-permitted", ask, WORKER, "post-claim", **WISH)
    nowhere = Actor(id="x", roles=frozenset({"volunteer"}))
    refused("out-of-scope", listed, desk, nowhere)


def test_pages_stay_in_order_while_claims_come_and_go(desk, ask):
    made = [ask(CLERK if n % 2 else STREET_CLERK, "post-claim", **WISH)["claim_id"] for n in range(7)]
    first = listed(desk, MEMBER, limit="3")
    assert ids(first) == made[:3]
    ask(MEMBER, "take-claim", claim=made[1])
    late = ask(CLERK, "post-claim", **WISH)["claim_id"]
    second = listed(desk, MEMBER, limit="3", cursor=first["next"])
    third = listed(desk, MEMBER, limit="3", cursor=second["next"])
    assert ids(second) + ids(third) == [*made[3:], late]
    assert third["next"] is None


def test_an_emergency_is_led_at_once(desk, ask):
    plain = ask(STREET_CLERK, "post-claim", kind="project", title="汛前清淤", text="…")["claim_id"]
    refused("not-an-emergency", ask, STREET_CLERK, "appoint-lead", claim=plain, unit=COMMUNITY, reason="急")
    claim = ask(STREET_CLERK, "post-claim", kind="task", title="积水抢排", text="…", emergency=True)["claim_id"]
    refused("unknown-unit", ask, STREET_CLERK, "appoint-lead", claim=claim, unit="nowhere", reason="急")
    named = {"claim": claim, "unit": COMMUNITY, "person": HEAD, "reason": "急"}
    refused("not-in-territory", ask, STREET_CLERK, "appoint-lead", **named)
    refused("out-of-scope", ask, CLERK, "appoint-lead", claim=claim, unit=COMMUNITY, reason="急")
    ask(MEMBER, "take-claim", claim=claim)
    led = ask(STREET_CLERK, "appoint-lead", claim=claim, unit="dept-water", reason="需要抽水车")
    assert (led["state"], led["taker"]) == ("taken", "dept-water")
    assert [name for name, _ in desk.events()][-2:] == ["claim-released", "claim-taken"]
    assert desk.events("claim-taken")[-1]["appointed_by"] == STREET_CLERK
    water = "department-officer-dept-water"
    assert ask(water, "fulfil-claim", claim=claim, outcome="排干了", evidence=[PHOTO])["state"] == "fulfilled"


def test_a_claim_of_a_matter_stands_among_its_steps_and_ends_with_it(desk, ask):
    desk.open()
    claim = ask(CLERK, "post-claim", **WISH, matter="m-1")["claim_id"]
    other = ask(CLERK, "post-claim", **WISH, matter="m-1")["claim_id"]
    ask(MEMBER, "take-claim", claim=claim)
    ask(MEMBER, "fulfil-claim", claim=claim, outcome="送到了", evidence=[PHOTO])
    actions = [step["action"] for step in desk.view()["steps"]]
    assert [one for one in actions if one.startswith("claim-")] == [
        "claim-posted", "claim-posted", "claim-taken", "claim-fulfilled",
    ]  # fmt: skip
    desk.close()
    assert [one["claim_id"] for one in desk.events("claim-withdrawn")] == [other]
    assert {one["claim_id"]: one["state"] for one in desk.view()["claims"]} == {claim: "fulfilled", other: "off-list"}
    refused("matter-not-open", ask, CLERK, "post-claim", **WISH, matter="m-1")
    refused("claim-over", ask, MEMBER, "take-claim", claim=other)


def test_who_takes_never_learns_which_matter_it_is(desk, ask):
    desk.open(private=True)
    refused("unknown-matter", ask, "community-clerk-jianguo-li", "post-claim", **WISH, matter="m-1")
    claim = ask(CLERK, "post-claim", **WISH, matter="m-1")["claim_id"]
    (shown,) = listed(desk, MEMBER)["items"]
    assert (shown["claim_id"], shown["matter_id"]) == (claim, None)
    assert listed(desk, CLERK)["items"][0]["matter_id"] == "m-1"
    assert "m-1" not in str(listed(desk, "department-officer-dept-water"))


def test_withdrawn_by_the_desk(desk, ask, posted):
    assert ask(CLERK, "withdraw-claim", claim=posted, reason="不再需要")["state"] == "off-list"
    refused("claim-over", ask, CLERK, "withdraw-claim", claim=posted, reason="再撤")
    assert ids(listed(desk, MEMBER)) == []


def test_a_stale_version_is_refused(ask, posted):
    refused("stale-version", ask, MEMBER, "take-claim", claim=posted, if_match=9)
    assert ask(MEMBER, "take-claim", claim=posted, if_match=1)["version"] == 2


# -- what was done is looked at


@pytest.fixture
def fulfilled(ask, posted):
    ask(MEMBER, "take-claim", claim=posted)
    ask(MEMBER, "fulfil-claim", claim=posted, outcome="送到了", evidence=[PHOTO])
    return posted


def test_the_desk_accepts_what_was_done(desk, ask, fulfilled):
    done = ask(CLERK, "review-claim", claim=fulfilled, decision="approved")
    assert (done["state"], done["taker"]) == ("approved", "member-1")
    (told,) = desk.events("claim-reviewed")
    assert (told["decision"], told["taker"], told["posted_by"]) == ("approved", "member-1", CLERK)
    assert (told["reason"], told["expires_at"]) == (None, None)
    assert ids(listed(desk, CLERK, state="approved")) == [fulfilled]
    refused("claim-over", ask, CLERK, "review-claim", claim=fulfilled, decision="sent-back", reason="不清楚")
    refused("claim-over", ask, CLERK, "withdraw-claim", claim=fulfilled, reason="…")
    desk.wait(days=10)
    assert desk.events("claim-expired") == []


def test_sent_back_it_is_done_again_with_as_much_time_as_at_first(desk, ask, fulfilled):
    desk.wait(hours=40)
    unsaid = refused("reason-missing", ask, CLERK, "review-claim", claim=fulfilled, decision="sent-back")
    assert unsaid.where == "reason"
    back = ask(CLERK, "review-claim", claim=fulfilled, decision="sent-back", reason="照片看不清")
    assert (back["state"], back["taker"], back["expires_at"]) == ("taken", "member-1", "2026-11-19T17:00:00Z")
    assert desk.events("claim-reviewed")[0]["expires_at"] == "2026-11-19T17:00:00Z"
    assert ask(MEMBER, "fulfil-claim", claim=fulfilled, outcome="补拍了", evidence=[PHOTO])["state"] == "fulfilled"
    assert ask(CLERK, "review-claim", claim=fulfilled, decision="approved")["state"] == "approved"


def test_reopened_it_is_for_whoever_takes_it(desk, ask, fulfilled):
    opened = ask(CLERK, "review-claim", claim=fulfilled, decision="reopened", reason="没有送到")
    assert (opened["state"], opened["taker"]) == ("open", None)
    assert ids(listed(desk, SECOND)) == [fulfilled]
    assert ask(SECOND, "take-claim", claim=fulfilled)["taker"] == "member-2"


def test_nothing_is_reopened_that_nobody_could_take_any_more(desk, ask):
    claim = ask(CLERK, "post-claim", **WISH, open_until="2026-11-17T09:00:00+08:00")["claim_id"]
    ask(MEMBER, "take-claim", claim=claim)
    ask(MEMBER, "fulfil-claim", claim=claim, outcome="好", evidence=[PHOTO])
    desk.wait(days=2)
    refused("claim-expired", ask, CLERK, "review-claim", claim=claim, decision="reopened", reason="没有送到")
    assert ask(CLERK, "review-claim", claim=claim, decision="sent-back", reason="没有送到")["state"] == "taken"


def test_who_may_look_at_it(ask, posted, fulfilled):
    review = {"claim": fulfilled, "decision": "approved"}
    refused("not-permitted", ask, MEMBER, "review-claim", **review)
    refused("unknown-claim", ask, "community-clerk-jianguo-li", "review-claim", **review)
    refused("invalid-input", ask, CLERK, "review-claim", claim=fulfilled, decision="fine")
    refused("stale-version", ask, CLERK, "review-claim", **review, if_match=1)
    # The level above may too: it stands over the desk in whose name it was posted.
    assert ask(STREET_CLERK, "review-claim", **review)["state"] == "approved"


def test_a_desk_does_not_judge_its_own_work(ask, posted):
    refused("illegal-transition", ask, CLERK, "review-claim", claim=posted, decision="approved")
    ask(CLERK, "take-claim", claim=posted)
    ask(CLERK, "fulfil-claim", claim=posted, outcome="好", evidence=[PHOTO])
    refused("verifier-is-handler", ask, CLERK, "review-claim", claim=posted, decision="approved")
    assert ask(STREET_CLERK, "review-claim", claim=posted, decision="approved")["state"] == "approved"


def test_what_was_done_for_an_ended_matter_is_only_accepted(desk, ask):
    desk.open()
    claim = ask(CLERK, "post-claim", **WISH, matter="m-1")["claim_id"]
    ask(MEMBER, "take-claim", claim=claim)
    ask(MEMBER, "fulfil-claim", claim=claim, outcome="送到了", evidence=[PHOTO])
    desk.close()
    refused("matter-not-open", ask, CLERK, "review-claim", claim=claim, decision="sent-back", reason="不清楚")
    assert ask(CLERK, "review-claim", claim=claim, decision="approved")["state"] == "approved"


def test_whoever_holds_a_claim_is_warned_once_each_time(desk, ask, posted):
    ask(MEMBER, "take-claim", claim=posted)
    desk.wait(hours=38)
    assert desk.events("claim-warned") == []
    desk.wait(hours=1)
    (told,) = desk.events("claim-warned")
    assert (told["taker"], told["expires_at"], told["title"]) == ("member-1", "2026-11-18T01:00:00Z", WISH["title"])
    desk.wait(hours=12)
    ask(SECOND, "take-claim", claim=posted)
    desk.wait(hours=50)
    assert [one["taker"] for one in desk.events("claim-warned")] == ["member-1", "member-2"]
    assert [one["taker"] for one in desk.events("claim-expired")] == ["member-1", "member-2"]
