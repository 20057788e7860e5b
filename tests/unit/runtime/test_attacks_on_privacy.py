"""Attacks by people of the town: reading, changing and answering what is not theirs."""

from __future__ import annotations

import json

import pytest

from shared.jurisdiction import load
from tests.unit.runtime.town import (
    CLERK,
    COMMUNITY,
    GRID,
    HEAD,
    MAIL,
    NAME,
    PACK,
    PHONE,
    SIBLING,
    STREET,
    STREET_CLERK,
    WORDS,
    WORKER,
    Town,
)  # fmt: skip

FIRE, WATER = "department-officer-dept-fire", "department-officer-dept-water"
#: A department of the street itself.
SECTION = "department-officer-dept-urban-management"
HOST = f"deliberation-host-{COMMUNITY}"
READ = "/api/v1/matters/{}"


@pytest.fixture(scope="module")
def pack():
    return load(PACK)


@pytest.fixture
def town(pack):
    town = Town(pack)
    yield town
    town.suite.close()


def get(town, service, path, who=None, **how):
    return town.send(service, "GET", path, who=who, **how)


def post(town, service, path, body, who=None, **how):
    return town.send(service, "POST", path, body=body, who=who, **how)


# -- departments


def test_a_department_sees_only_what_it_was_whistled_for_and_nothing_of_the_asker(town):
    called, other = town.register()["matter_id"], town.register(text="另一件事")["matter_id"]
    whistle = town.act(called, "whistles", CLERK, departments=["dept-fire"], request="请到现场")["whistle_id"]
    seen = get(town, "dispatch", READ.format(called), FIRE)
    assert seen.status_code == 200
    told = seen.get_data(as_text=True)
    for secret in (WORDS, NAME, PHONE, MAIL, "asker_kind", "channel", '"text"'):
        assert secret not in told
    assert get(town, "dispatch", READ.format(other), FIRE).status_code == 404
    assert get(town, "dispatch", READ.format(called), WATER).status_code == 404
    assert [one["whistle_id"] for one in get(town, "dispatch", "/api/v1/whistles", FIRE).json["items"]] == [whistle]
    assert get(town, "dispatch", "/api/v1/whistles", WATER).json["items"] == []
    crossing = get(town, "dispatch", "/api/v1/whistles", WATER, query={"department": "dept-fire"})
    assert (crossing.status_code, crossing.json["code"]) == (403, "out-of-scope")
    for service, path in (
        ("dispatch", "/api/v1/matters"), ("oversight", f"/api/v1/matters/{called}/timeline"),
        ("oversight", f"/api/v1/matters/{called}/evaluations"), ("notify", "/api/v1/messages"),
        ("intake", "/api/v1/unlocated"), ("oversight", "/api/v1/reports/preview"), ("dispatch", "/api/v1/operations"),
    ):  # fmt: skip
        assert get(town, service, path, FIRE).status_code == 403, path


def test_a_department_answers_for_itself_alone(town):
    matter = town.register()["matter_id"]
    whistle = town.act(matter, "whistles", CLERK, departments=["dept-fire"], request="请到现场")["whistle_id"]
    path = f"/api/v1/whistles/{whistle}/answers"
    refused = post(town, "dispatch", path, {"answer": "accepted", "note": "来了"}, WATER)
    assert (refused.status_code, refused.json["code"]) == (403, "not-whistled")
    forged = post(town, "dispatch", path, {"answer": "accepted", "note": "来了", "department": "dept-fire"}, WATER)
    assert set(forged.json["errors"]) == {"department"}
    assert post(town, "dispatch", path, {"answer": "accepted", "note": "来了"}, STREET_CLERK).status_code == 403
    assert town.done("dispatch", path, {"answer": "completed", "note": "好了"}, FIRE)["outcome"] == "completed"
    ended = post(town, "dispatch", path, {"answer": "progressed", "note": "还没有"}, FIRE)
    assert (ended.status_code, ended.json["code"]) == (409, "whistle-ended")


def test_a_department_is_no_party_because_its_street_is_one(town):
    """A department under the street's roof sees and says nothing in its topics unless it was invited itself."""
    matter = town.register()["matter_id"]
    asked = {"matter": matter, "title": "加装扶手", "parties": [STREET, "dept-water"]}
    topic = town.done("deliberation", "/api/v1/topics", asked, STREET_CLERK)["topic_id"]
    path = f"/api/v1/topics/{topic}"
    assert get(town, "deliberation", path, WATER).status_code == 200
    assert get(town, "deliberation", path, SECTION).status_code == 404
    assert get(town, "deliberation", "/api/v1/topics", SECTION).json["items"] == []
    opinion = {"stance": "oppose", "text": "不同意"}
    refused = post(town, "deliberation", f"{path}/opinions", opinion, SECTION)
    assert (refused.status_code, refused.json["code"]) == (403, "not-a-party")
    assert post(town, "deliberation", f"{path}/opinions", opinion, WATER).status_code == 201


# -- private matters


def test_a_private_matter_exists_for_its_handlers_alone(town):
    matter = town.register(private=True, text="家里的私事")["matter_id"]
    assert get(town, "dispatch", READ.format(matter), WORKER).status_code == 200
    assert get(town, "dispatch", READ.format(matter), STREET_CLERK).status_code == 200
    strangers = (f"grid-worker-{SIBLING}", "grid-worker-nanlang-jiayuan-1", FIRE, "community-clerk-nanlang-jiayuan")
    for who in (*strangers, HOST):
        answer = get(town, "dispatch", READ.format(matter), who)
        assert (answer.status_code, answer.json["code"]) == (404, "unknown-matter"), who
        assert get(town, "deliberation", "/api/v1/topics", who).json["items"] == []
    assert matter not in get(town, "dispatch", "/api/v1/matters", HOST).get_data(as_text=True)
    for who in strangers[:2]:
        told = get(town, "dispatch", "/api/v1/matters", who).get_data(as_text=True)
        assert matter not in told
        refused = post(town, "dispatch", f"/api/v1/matters/{matter}/accept", {}, who)
        unknown = post(town, "dispatch", "/api/v1/matters/no-such/accept", {}, who)
        assert (refused.status_code, refused.json["code"]) == (unknown.status_code, unknown.json["code"])
    topic = post(town, "deliberation", "/api/v1/topics", {"matter": matter, "title": "x"}, HOST)
    assert (topic.status_code, topic.json["code"]) == (403, "matter-is-private")


def test_calls_about_a_private_matter_are_not_listed_to_those_who_only_read(town):
    matter = town.register(private=True, text="家里的私事")["matter_id"]
    town.act(matter, "whistles", CLERK, departments=["dept-fire"], request="家中有险情")
    assert get(town, "dispatch", "/api/v1/whistles", CLERK).json["items"]
    assert get(town, "dispatch", "/api/v1/whistles", HOST).json["items"] == []
    assert get(town, "dispatch", "/api/v1/whistles", FIRE).json["items"]


# -- territory


def test_a_grid_worker_acts_in_its_own_grid_only(town):
    mine, theirs = town.register()["matter_id"], town.register(location={"grid": SIBLING}, text="邻格的事")["matter_id"]
    for action, body in (("accept", {}), ("escalate", {"reason": "safety"}), ("return", {"reason": "不归我管"})):
        refused = post(town, "dispatch", f"/api/v1/matters/{theirs}/{action}", body, WORKER)
        assert (refused.status_code, refused.json["code"]) == (403, "out-of-scope")
    assert get(town, "dispatch", READ.format(theirs), WORKER).status_code == 404
    town.act(mine, "escalate", WORKER, reason="beyond-authority")
    refused = post(town, "dispatch", f"/api/v1/matters/{mine}/accept", {}, WORKER)
    assert (refused.status_code, refused.json["code"]) == (403, "out-of-scope")
    for unit in (SIBLING, COMMUNITY, STREET, "dept-fire"):
        refused = get(town, "dispatch", "/api/v1/matters", WORKER, query={"unit": unit})
        assert (refused.status_code, refused.json["code"]) == (403, "out-of-scope"), unit


def test_a_cursor_of_somebody_elses_list_shows_nothing_more(town):
    for number in range(3):
        town.register(text=f"第{number}件")
        town.register(text=f"邻格第{number}件", location={"grid": SIBLING})
    street = get(town, "dispatch", "/api/v1/matters", STREET_CLERK, query={"limit": "1"}).json["next"]
    worker = get(town, "dispatch", "/api/v1/matters", WORKER, query={"cursor": street})
    assert {one["unit"]["id"] for one in worker.json["items"]} <= {GRID}


def test_citizens_reach_no_staff_list(town):
    made = town.register()
    token = town.token(["citizen"], None, "resident-1")
    for service, path in (
        ("dispatch", "/api/v1/matters"), ("dispatch", "/api/v1/whistles"), ("dispatch", READ.format(made["matter_id"])),
        ("notify", "/api/v1/messages"), ("oversight", f"/api/v1/matters/{made['matter_id']}/timeline"),
        ("oversight", "/api/v1/reports/preview"), ("intake", "/api/v1/unlocated"),
    ):  # fmt: skip
        assert town.send(service, "GET", path, token=token).status_code == 403, path
        assert town.send(service, "GET", path).status_code == 401, path
    contact = f"/api/v1/demands/{made['demand_id']}/contact"
    assert post(town, "intake", contact, {"reason": "好奇"}, token=token).status_code == 403


# -- what outside ids give away


def test_an_outside_id_gives_nobody_another_persons_tracking_code(town):
    """Ids of other systems can be guessed: whoever repeats one learns nothing of the demand behind it."""
    theirs = {"channel": "api", "text": WORDS, "location": {"grid": GRID}, "source": "12345", "source_ref": "2026-1"}
    made = town.done("intake", "/api/v1/demands", theirs, STREET_CLERK)
    guess = theirs | {"text": "我来猜"}
    citizen = town.token(["citizen"], None, "resident-1")
    for token in (citizen, town.token(["citizen"], None, "resident-2"), town.token_of(WORKER)):
        guessed = post(town, "intake", "/api/v1/demands", guess, token=token)
        assert guessed.status_code == 201
        assert not {made["demand_id"], made["number"], made["tracking_code"]} & set(map(str, guessed.json.values()))
    again = post(town, "intake", "/api/v1/demands", guess, token=citizen)
    assert (again.status_code, again.json["already_registered"]) == (200, True)
    colleague = post(town, "intake", "/api/v1/demands", guess, CLERK)
    assert (colleague.status_code, colleague.json["already_registered"]) == (200, True)
    assert made["tracking_code"] not in colleague.get_data(as_text=True)
    assert town.done("intake", "/api/v1/demands", theirs, STREET_CLERK)["tracking_code"] == made["tracking_code"]


def test_nobody_can_take_an_outside_id_before_its_system_does(town):
    taken = {"channel": "web", "text": "占位", "location": {"grid": GRID}, "source": "12345", "source_ref": "2026-2"}
    town.done("intake", "/api/v1/demands", taken, WORKER)
    rows = [{"text": WORDS, "location": {"grid": GRID}, "source_ref": "2026-2"}]
    imported = town.done("intake", "/api/v1/demands/import", {"source": "12345", "rows": rows}, STREET_CLERK)
    assert imported["registered"] == 1


# -- evaluations and codes


def test_a_link_answers_its_own_evaluation_once(town):
    matters = [town.register(text=words)["matter_id"] for words in ("第一件", "第二件")]
    for matter in matters:
        town.close(matter)
    (one, token), (other, _) = (town.evaluation(matter) for matter in matters)
    answer = {"satisfied": True}
    path = "/api/v1/evaluations/{}/answer".format
    for body, status, code in (
        (answer, 401, "link-token-needed"),
        (answer | {"token": "0" * 40}, 403, "invalid-link"),
        (answer | {"token": ""}, 403, "invalid-link"),
        (answer | {"token": "é"}, 403, "invalid-link"),
        (answer | {"token": token, "channel": "visit"}, 403, "not-your-channel"),
    ):
        refused = post(town, "oversight", path(one), body)
        assert (refused.status_code, refused.json["code"]) == (status, code), body
    crossing = post(town, "oversight", path(other), answer | {"token": token})
    assert (crossing.status_code, crossing.json["code"]) == (403, "invalid-link")
    assert post(town, "oversight", path(one), answer | {"token": token}).status_code == 200
    again = post(town, "oversight", path(one), {"satisfied": False, "token": token})
    assert (again.status_code, again.json["code"]) == (409, "already-evaluated")
    assert post(town, "oversight", path(other), answer, WORKER).status_code == 403


def test_the_status_by_code_shows_one_asker_nothing_of_the_other(town):
    first = town.register()
    second = town.register(asker={"kind": "resident", "name": "李另一", "phone": "13900000009"})
    assert second["joined"]
    secret = "我是三楼的李另一"
    town.done(
        "intake", "/api/v1/demands/supplement", {"tracking_code": second["tracking_code"], "text": secret}, WORKER
    )
    told = get(town, "intake", f"/api/v1/status/{first['tracking_code']}").get_data(as_text=True)
    for hidden in (secret, "李另一", second["number"], second["tracking_code"], NAME, PHONE):
        assert hidden not in told
    wrong = get(town, "intake", "/api/v1/status/0000-0000-0000-0000")
    assert (wrong.status_code, wrong.json["code"]) == (404, "unknown-tracking-code")


# -- what reaches the public


def test_what_an_asker_said_when_leaving_is_not_told_on_the_platform(town):
    """Residents read topics; the words of an asker are not theirs."""
    made = town.register()
    asked = {"matter": made["matter_id"], "title": "加装扶手"}
    topic = town.done("deliberation", "/api/v1/topics", asked, HOST)["topic_id"]
    leaving = {"tracking_code": made["tracking_code"], "reason": f"我是{NAME}，{PHONE}，不想再提了"}
    town.done("intake", "/api/v1/demands/withdraw", leaving, WORKER)
    citizen = town.token(["citizen"], None, "resident-1")
    shown = town.send("deliberation", "GET", f"/api/v1/topics/{topic}", token=citizen)
    assert shown.json["state"] == "rejected"
    assert shown.json["reason"]
    for secret in (NAME, PHONE):
        assert secret not in shown.get_data(as_text=True)
        told = [data for name, data in town.emitted("deliberation")]
        assert secret not in json.dumps(told, ensure_ascii=False)


#: 1234*1235 would show as 1523990 only if a template ran it.
HOSTILE = "<script>alert(1)</script>\"'><img src=x onerror=alert(1)>{{1234*1235}}{% raw %}${1234*1235}=1+1"


def test_pages_and_letters_escape_what_residents_write(town):
    made = town.register(text=HOSTILE, asker={"kind": "resident", "name": "{{1234*1235}}", "phone": PHONE})
    more = {"tracking_code": made["tracking_code"], "text": HOSTILE}
    town.done("intake", "/api/v1/demands/supplement", more, WORKER)
    pages = [get(town, "intake", f"/status/{made['tracking_code']}")]
    pages.append(get(town, "intake", "/status", query={"code": HOSTILE}))
    town.act(made["matter_id"], "accept", WORKER)
    photo = {"kind": "photo", "description": HOSTILE}
    town.act(made["matter_id"], "resolve", WORKER, outcome=HOSTILE, evidence=[photo])
    town.act(made["matter_id"], "verify", HEAD, passed=True)
    town.act(made["matter_id"], "close", HEAD)
    evaluation, token = town.evaluation(made["matter_id"])
    pages.append(get(town, "oversight", f"/evaluate/{evaluation}", query={"t": token}))
    pages.append(get(town, "oversight", f"/evaluate/{HOSTILE.replace('/', '')}", query={"t": HOSTILE}))
    assert HOSTILE[:8] not in "".join(page.get_data(as_text=True) for page in pages)
    for page in pages:
        text = page.get_data(as_text=True)
        assert "<img" not in text
        assert "script" not in page.headers["Content-Security-Policy"]
        assert page.headers["X-Content-Type-Options"] == "nosniff"
        assert "no-store" in page.headers["Cache-Control"]
    letters = (town.suite.applications["notify"].at_hand.data_dir / "letters.jsonl").read_text()
    assert letters.count("\n") == len([json.loads(line) for line in letters.splitlines()])
    assert "<script>" not in letters
    assert "1523990" not in letters + "".join(page.get_data(as_text=True) for page in pages)
    report = {"period_from": "2026-11-01T00:00:00Z", "period_to": "2026-11-16T01:00:00Z"}
    published = town.done("oversight", "/api/v1/reports", report, STREET_CLERK)["report"]
    for form in ("html", "csv", "json"):
        text = get(town, "oversight", f"/reports/{published}.{form}").get_data(as_text=True)
        for secret in ("alert(1)", NAME, PHONE, WORDS):
            assert secret not in text


def test_who_merely_reads_learns_nothing_of_letters(town):
    """A masked number and the id of a private matter are still somebody's: letters are for those who handle."""
    matter = town.register(private=True, text="家里的私事")["matter_id"]
    assert matter in get(town, "notify", "/api/v1/messages", CLERK).get_data(as_text=True)
    for who in (HOST, f"branch-secretary-{GRID}", "street-supervisor-jianwai"):
        assert get(town, "notify", "/api/v1/messages", who).status_code == 403, who
