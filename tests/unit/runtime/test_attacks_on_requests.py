"""Attacks with headers, keys and tokens: what is kept, what leaves in events, what a repetition may see."""

from __future__ import annotations

import json
import logging

import pytest
from sqlalchemy import select

from services.intake.tables import contact_access
from shared.jurisdiction import load
from shared.ledger import tables as ledger
from shared.ledger.engines import reading
from tests.unit.runtime.town import GRID, HEAD, MAIL, NAME, PACK, PHONE, STREET_CLERK, WORDS, WORKER, Town


@pytest.fixture(scope="module")
def pack():
    return load(PACK)


@pytest.fixture
def town(pack):
    town = Town(pack)
    yield town
    town.suite.close()


def everything_stored(town: Town, service: str, table) -> str:
    with reading(town.suite.applications[service].at_hand.engine) as db:
        return json.dumps([[str(value) for value in row] for row in db.execute(select(table))], ensure_ascii=False)


def quarantined(town: Town) -> dict[str, int]:
    return {name: town.rows(name)["quarantine"] + town.rows(name)["parked"] for name in town.clients}


@pytest.mark.parametrize(
    "traceparent", ["x" * 5_000, "00-zz-zz-01", "", "é", "00-" + "0" * 32 + "-" + "0" * 16 + "-01"]
)
def test_a_hostile_trace_context_keeps_no_event_from_arriving(town, traceparent):
    answer = town.send(
        "intake", "POST", "/api/v1/demands", who=WORKER, headers={"traceparent": traceparent},
        body={"channel": "web", "text": WORDS, "location": {"grid": GRID}},
    )  # fmt: skip
    assert answer.status_code == 201
    assert set(quarantined(town).values()) == {0}
    assert town.send("dispatch", "GET", f"/api/v1/matters/{answer.json['matter_id']}", who=WORKER).status_code == 200


def test_kept_replies_hold_no_tracking_code_and_no_contact_data(town):
    made = town.register(text="另一件事", location={"grid": GRID})
    key = {"Idempotency-Key": "k"}
    first = town.done("intake", "/api/v1/demands", demand(), WORKER, headers=key)
    assert town.done("intake", "/api/v1/demands", demand(), WORKER, headers=key) == first
    contact = f"/api/v1/demands/{made['demand_id']}/contact"
    town.done("intake", contact, {"reason": "核实"}, WORKER, headers=key)
    stored = everything_stored(town, "intake", ledger.idempotency)
    assert stored.count("register-demand")
    for secret in (first["tracking_code"], PHONE, MAIL, NAME):
        assert secret not in stored


def test_every_look_at_contact_data_is_judged_and_logged_even_with_a_key(town):
    made = town.register()
    contact, key = f"/api/v1/demands/{made['demand_id']}/contact", {"Idempotency-Key": "k"}
    for _ in range(3):
        town.done("intake", contact, {"reason": "核实"}, WORKER, headers=key)
    assert town.rows("intake")[contact_access.name] == 3
    town.act(made["matter_id"], "escalate", WORKER, reason="beyond-authority")
    answer = town.send("intake", "POST", contact, body={"reason": "核实"}, who=WORKER, headers=key)
    assert (answer.status_code, answer.json["code"]) == (403, "out-of-scope")


def test_strangers_do_not_meet_in_one_key(town):
    codes = [town.register(text=words)["tracking_code"] for words in ("第一件", "第二件")]
    path, key = "/api/v1/demands/supplement", {"Idempotency-Key": "1"}
    for code in codes:
        body = {"tracking_code": code, "text": "又坏了"}
        assert [town.send("intake", "POST", path, body=body, headers=key).status_code for _ in range(2)] == [201, 200]
    assert town.rows("intake")["supplements"] == 2


def test_keys_do_not_cross_persons_commands_or_matters(town):
    one, two = (town.register(text=words)["matter_id"] for words in ("第一件", "第二件"))
    key = {"Idempotency-Key": "same"}
    town.done("dispatch", f"/api/v1/matters/{one}/accept", {}, WORKER, headers=key)
    other = town.send("dispatch", "POST", f"/api/v1/matters/{two}/accept", body={}, who=WORKER, headers=key)
    assert (other.status_code, other.json["code"]) == (409, "idempotency-key-reused")
    again = town.send("dispatch", "POST", f"/api/v1/matters/{one}/accept", body={}, who=HEAD, headers=key)
    assert (again.status_code, again.json["code"]) == (409, "illegal-transition")
    assert town.done("dispatch", f"/api/v1/matters/{one}/progress", {"note": "…"}, WORKER, headers=key)


def test_a_kept_reply_whose_key_is_gone_is_no_500(town, monkeypatch):
    town.done("intake", "/api/v1/demands", demand(), WORKER, headers={"Idempotency-Key": "k"})
    fresh = Town(town.suite.jurisdiction)
    monkeypatch.setattr(town.suite.applications["intake"].at_hand.sealer, "_ciphers", fresh_ciphers(fresh))
    answer = town.send("intake", "POST", "/api/v1/demands", body=demand(), who=WORKER, headers={"Idempotency-Key": "k"})
    assert (answer.status_code, answer.json["code"]) == (409, "reply-no-longer-kept")
    fresh.suite.close()


def fresh_ciphers(town: Town):
    return town.suite.applications["intake"].at_hand.sealer._ciphers


def test_an_if_match_is_never_left_unheeded(town):
    answer = town.send("intake", "POST", "/api/v1/demands", body=demand(), who=WORKER, headers={"If-Match": '"7"'})
    assert (answer.status_code, set(answer.json["errors"])) == (400, {"If-Match"})
    assert town.rows("intake")["demands"] == 0
    assert town.emitted("intake") == []


def test_a_stale_if_match_is_refused_wherever_there_is_a_version(town):
    matter = town.register()["matter_id"]
    stale = {"If-Match": '"999"'}
    for path, body in (
        ("accept", {}), ("escalate", {"reason": "safety"}), ("return", {"reason": "x"}),
        ("assign", {"unit": GRID}), ("reclassify", {"response_class": "hazard", "reason": "x"}),
        ("whistles", {"departments": ["dept-fire"], "request": "x"}),
    ):  # fmt: skip
        answer = town.send(
            "dispatch", "POST", f"/api/v1/matters/{matter}/{path}", body=body, who=STREET_CLERK, headers=stale
        )
        assert (answer.status_code, answer.json["code"]) == (412, "stale-version"), path


@pytest.mark.parametrize("subject", ["", " ", "x" * 201, "a\x00b", "a\nb"])
def test_a_subject_that_no_event_can_carry_is_an_invalid_token(town, subject):
    token = town.token(["grid-worker"], GRID, subject)
    answer = town.send("intake", "POST", "/api/v1/demands", body=demand(), token=token)
    assert (answer.status_code, answer.json["code"]) == (401, "invalid-token")


@pytest.mark.parametrize("unit", ["another-town", "dept-fire", None])
def test_a_unit_that_is_no_territory_gives_no_scope(town, unit):
    """Not the 422 of an unknown unit: nothing in the request could be mended."""
    town.register(location={"address": "很远的地方"}, text="别处的事")
    matter = town.register()["matter_id"]
    token = town.token(["street-clerk"], unit)
    for service, method, path, body in (
        ("dispatch", "POST", f"/api/v1/matters/{matter}/accept", {}),
        ("intake", "GET", "/api/v1/unlocated", None),
        ("oversight", "GET", f"/api/v1/matters/{matter}/timeline", None),
    ):
        answer = town.send(service, method, path, body=body, token=token)
        assert (answer.status_code, answer.json["code"]) == (403, "out-of-scope"), path


def test_an_event_that_consumers_would_refuse_never_leaves(town, monkeypatch, caplog):
    """A bug that writes a blank reason into an event is a 500 that stores nothing, not a matter stuck for ever."""
    matter = town.register()["matter_id"]
    before = town.rows("dispatch")
    monkeypatch.setattr("services.dispatch.handlers.case.Case.actor", property(lambda _case: " "))
    with caplog.at_level(logging.ERROR):
        answer = town.send("dispatch", "POST", f"/api/v1/matters/{matter}/accept", body={}, who=WORKER)
    assert answer.status_code == 500
    assert town.rows("dispatch") == before


BLANK = " \n\u3000"


def test_blank_optional_texts_poison_no_event(town):
    """Optional texts may be blank; the events that carry them may not, or every other service would refuse them."""
    made = town.register(asker={"kind": "resident", "phone": PHONE}, category=None)
    matter = made["matter_id"]
    town.act(matter, "escalate", WORKER, reason="safety", note=BLANK)
    town.act(matter, "accept", STREET_CLERK)
    town.act(matter, "suspend", STREET_CLERK, reason="等材料")
    town.act(matter, "resume", STREET_CLERK, reason=BLANK)
    photo = {"kind": "photo", "description": "修好后的照片", "reference": BLANK}
    town.act(matter, "resolve", STREET_CLERK, outcome="好了", evidence=[photo])
    assert town.act(matter, "verify", HEAD_OF_COMMUNITY, passed=False, note=BLANK)["state"] == "in-progress"
    town.act(matter, "resolve", STREET_CLERK, outcome="好了", evidence=[photo])
    town.act(matter, "verify", HEAD_OF_COMMUNITY, passed=True, note=BLANK)
    town.act(matter, "close", HEAD_OF_COMMUNITY, note=BLANK)
    evaluation, token = town.evaluation(matter)
    answer = town.send(
        "oversight", "POST", f"/api/v1/evaluations/{evaluation}/answer",
        body={"satisfied": False, "comment": BLANK, "wants_reopening": True, "token": token},
    )  # fmt: skip
    assert answer.status_code == 200
    assert set(quarantined(town).values()) == {0}


HEAD_OF_COMMUNITY = "district-clerk-chaoyang"


def demand() -> dict:
    return {
        "channel": "web", "text": WORDS, "location": {"grid": GRID},
        "asker": {"kind": "resident", "name": NAME, "phone": PHONE, "mail": MAIL},
    }  # fmt: skip


def test_a_failing_database_tells_the_log_no_words(town, caplog, monkeypatch):
    """Logs are read by operators who must not learn what residents wrote."""

    def broken(db, **_values):
        db.execute(ledger.idempotency.insert().values(actor="a", command="b", key="c", fingerprint=WORDS))

    monkeypatch.setattr("services.intake.repository.add_demand", broken)
    monkeypatch.setattr("shared.runtime.application.time.sleep", lambda _seconds: None)
    with caplog.at_level(logging.DEBUG):
        assert town.send("intake", "POST", "/api/v1/demands", body=demand(), who=WORKER).status_code == 500
    told = caplog.text + str([vars(record) for record in caplog.records])
    for secret in (WORDS, PHONE, NAME, MAIL):
        assert secret not in told


def test_refusals_repeat_no_secret(town):
    code = town.register()["tracking_code"]
    town.done("intake", "/api/v1/demands/withdraw", {"tracking_code": code, "reason": "不用了"}, WORKER)
    for path in ("supplement", "withdraw"):
        body = {"tracking_code": code, "text": "x"} if path == "supplement" else {"tracking_code": code, "reason": "x"}
        answer = town.send("intake", "POST", f"/api/v1/demands/{path}", body=body)
        assert answer.status_code == 409
        assert code not in answer.get_data(as_text=True)


def test_metrics_carry_no_ids(town):
    made = town.register()
    town.close(made["matter_id"])
    for application in town.suite.applications.values():
        text = application.metrics.render().decode()
        for secret in (*(str(value) for key, value in made.items() if key != "unit" and len(str(value)) > 8), PHONE):
            assert secret not in text
