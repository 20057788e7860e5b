"""The department's side of dispatch: what leaves for it, what it never learns, how its answers come in by the bus."""

from __future__ import annotations

import json
from datetime import timedelta

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sqlalchemy import select

from services.dispatch import departments
from shared.contracts import topology, whistles
from shared.contracts.envelope import from_bytes
from shared.contracts.intake import MatterOpened
from shared.contracts.values import Place
from shared.kernel.actor import Actor
from shared.kernel.errors import Refusal
from shared.ledger import decisions, quarantine, tables
from shared.ledger.engines import reading
from shared.ledger.errors import HandlerFailed
from shared.ledger.letters import Letter
from shared.ledger.reception import Outcome
from tests.unit.dispatch.conftest import CLERK, COMMUNITY, GRID, RAMP, START, STREET_CLERK, WORKER

WATER, HOUSING, FIRE = "dept-water", "dept-housing", "dept-fire"
CALL = {"departments": [WATER, HOUSING], "request": "请到场查看管线", "legal_basis": "条例第十六条"}


def told(desk, department=None, kind=None):
    """(type, data) of what departments were told, in order."""
    query = select(tables.outbox.c.stream, tables.outbox.c.envelope).order_by(tables.outbox.c.position)
    with reading(desk.app.at_hand.engine) as db:
        rows = [(row.stream, from_bytes(bytes(row.envelope))) for row in db.execute(query)]
    return [
        (envelope.type.split(".")[2], envelope.data)
        for stream, envelope in rows
        if envelope.type in whistles.TOLD
        and department in (None, whistles.addressee(stream))
        and kind in (None, envelope.type.split(".")[2])
    ]


def answer_of(whistle, answer="accepted", message_id="a-1", **data):
    content = {
        "specversion": "1.0", "id": message_id, "source": "urn:department:whoever",
        "type": f"gridwhistle.answer.{answer}.v1", "data": {"whistle": whistle, "note": "已出发", **data},
    }  # fmt: skip
    return json.dumps(content, ensure_ascii=False).encode()


def send(desk, raw, department=WATER):
    (received,) = desk.app.receive_letters([Letter(body=raw, exchange=whistles.exchange_of(department))])
    desk.suite.settle()
    return received.outcome


def held(desk):
    with reading(desk.app.at_hand.engine) as db:
        return quarantine.listed(db)


@pytest.fixture
def called(desk):
    desk.open(text=RAMP)
    desk.do(WORKER, "accept")
    return desk.do(CLERK, "blow-whistle", **CALL)["whistle_id"]


def test_each_department_is_told_what_is_needed_and_by_when(desk, called):
    ((kind, water),) = told(desk, WATER)
    assert kind == "called"
    assert (water["whistle"], water["department"], water["lead"], water["lead_department"]) == (
        called,
        WATER,
        True,
        WATER,
    )
    assert (water["request"], water["legal_basis"]) == (CALL["request"], CALL["legal_basis"])
    assert water["whistler"] == {"id": COMMUNITY, "name": "光华东里社区"}
    assert (water["place"]["id"], water["report_in_by"]) == (GRID, "2026-11-16T06:30:00Z")
    ((_, housing),) = told(desk, HOUSING)
    assert (housing["department"], housing["lead"]) == (HOUSING, False)
    assert told(desk, FIRE) == []


def test_a_department_never_learns_the_asker(desk):
    """Neither words nor address nor who asked, whatever the demand held."""
    asker = MatterOpened(
        matter_id="m-9", number="M-9", demand_id="d-secret", text="我是张三丰,电话13800000000,家住3门301", unit=GRID,
        place=Place(address="光华东里1号楼3门301", longitude=116.4501, latitude=39.9101), channel="web",
        asker_kind="resident", private=True, category=None,
    )  # fmt: skip
    desk.receive(asker)
    whistle = desk.do(CLERK, "blow-whistle", "m-9", **CALL)["whistle_id"]
    send(desk, answer_of(whistle))
    everything = json.dumps(told(desk), ensure_ascii=False)
    assert whistle in everything
    # No secret that an id, hexadecimal and random, could hold by chance.
    for secret in ("张三丰", "13800000000", "门301", "d-secret", "116.45", "resident", "private"):
        assert secret not in everything


def test_what_departments_are_told_leaves_for_them_alone(desk, called):
    with reading(desk.app.at_hand.engine) as db:
        rows = db.execute(select(tables.outbox.c.type, tables.outbox.c.stream)).all()
    ways = {topology.way_of("dispatch", row.type, row.stream) for row in rows if row.type in whistles.TOLD}
    assert ways == {("gridwhistle.whistles", "whistle.dept-water"), ("gridwhistle.whistles", "whistle.dept-housing")}
    assert {topology.hearers(row.stream) for row in rows if row.type in whistles.TOLD} == {()}


def test_an_answer_counts_and_the_department_is_told_so(desk, called):
    assert send(desk, answer_of(called)) is Outcome.HANDLED
    (event,) = desk.events("whistle-answered")
    assert (event["department"], event["answer"], event["answered_by"]) == (WATER, "accepted", "department.dept-water")
    ((_, taken),) = told(desk, WATER, "answer-taken")
    assert (taken["answer_id"], taken["whistle"], taken["late"]) == ("a-1", called, False)


def test_who_answered_is_the_exchange_and_nothing_in_the_message(desk, called):
    forged = json.loads(answer_of(called))
    forged |= {"source": f"urn:department:{WATER}", "subject": WATER, "department": WATER}
    assert send(desk, json.dumps(forged).encode(), HOUSING) is Outcome.HANDLED
    assert desk.events("whistle-answered")[0]["department"] == HOUSING
    forged["data"]["department"] = WATER
    assert send(desk, json.dumps(forged | {"id": "a-2"}).encode(), HOUSING) is Outcome.QUARANTINED
    assert told(desk, HOUSING, "answer-refused")[0][1]["fields"] == {"data.department": ["Unknown field."]}


def test_the_same_answer_twice_counts_once_and_ids_are_each_senders_own(desk, called):
    assert [send(desk, answer_of(called)) for _ in range(3)] == [Outcome.HANDLED, Outcome.DUPLICATE, Outcome.DUPLICATE]
    assert send(desk, answer_of(called), HOUSING) is Outcome.HANDLED
    assert len(desk.events("whistle-answered")) == 2
    assert len(told(desk, kind="answer-taken")) == 2


def test_a_late_answer_is_taken_and_marked_late(desk, called):
    desk.wait(hours=24)
    assert [data["cause"] for _, data in told(desk, WATER, "changed")][:1] == ["overdue-report-in"]
    assert send(desk, answer_of(called)) is Outcome.HANDLED
    assert told(desk, WATER, "answer-taken")[0][1]["late"] is True
    assert desk.events("whistle-answered")[0]["late"] is True


@pytest.mark.parametrize(
    ("department", "raw", "code"),
    [
        (FIRE, answer_of, "not-whistled"),
        (WATER, lambda _: answer_of("no-such-call"), "unknown-whistle"),
    ],
)
def test_an_answer_that_is_refused_goes_back_as_a_message(desk, called, department, raw, code):
    assert send(desk, raw(called), department) is Outcome.REFUSED
    ((_, refusal),) = told(desk, department, "answer-refused")
    assert (refusal["code"], refusal["answer_id"]) == (code, "a-1")
    assert refusal["detail"]
    assert refusal["remedy"]
    assert held(desk) == []
    assert desk.events("whistle-answered") == []


def test_an_answer_to_a_call_that_is_over_is_refused(desk, called):
    for department in (WATER, HOUSING):
        send(desk, answer_of(called, "completed"), department)
    assert {data["outcome"] for _, data in told(desk, kind="ended")} == {"completed"}
    assert send(desk, answer_of(called, "progressed", "a-9")) is Outcome.REFUSED
    assert told(desk, WATER, "answer-refused")[0][1]["code"] == "whistle-ended"


def _broken(whistle):
    good = json.loads(answer_of(whistle))
    yield b"\xff\xfe", None, "unreadable-answer"
    yield b"[1]", None, "unreadable-answer"
    yield b"{" * 10_000, None, "unreadable-answer"
    yield b'{"id":"a-1","n":NaN}', None, "unreadable-answer"
    yield json.dumps(good | {"specversion": "0.3"}).encode(), "a-1", "unreadable-answer"
    yield json.dumps(good | {"id": ""}).encode(), None, "unreadable-answer"
    yield json.dumps(good | {"id": "x" * 151}).encode(), None, "unreadable-answer"
    yield json.dumps(good | {"type": "gridwhistle.intake.matter-opened.v1"}).encode(), "a-1", "unreadable-answer"
    yield json.dumps(good | {"type": "gridwhistle.answer.blessed.v1"}).encode(), "a-1", "unreadable-answer"
    yield json.dumps(good | {"data": {"whistle": whistle}}).encode(), "a-1", "unreadable-answer"
    yield json.dumps(good | {"data": {"whistle": whistle, "note": " "}}).encode(), "a-1", "unreadable-answer"
    yield json.dumps(good | {"data": {"whistle": whistle, "note": "x\x00"}}).encode(), "a-1", "unreadable-answer"
    yield json.dumps(good | {"data": {"whistle": whistle, "note": "\ud800"}}).encode(), "a-1", "unreadable-answer"
    yield json.dumps(good | {"data": {"whistle": whistle, "note": "x" * 4_001}}).encode(), "a-1", "unreadable-answer"


def test_what_cannot_be_read_is_kept_with_its_bytes_and_told_to_its_sender_once(desk, called):
    for number, (raw, answer_id, code) in enumerate(_broken(called), 1):
        assert send(desk, raw) is Outcome.QUARANTINED, raw[:80]
        assert send(desk, raw) is Outcome.QUARANTINED
        refusals = [data for _, data in told(desk, WATER, "answer-refused")]
        assert (len(refusals), refusals[-1]["answer_id"], refusals[-1]["code"]) == (number, answer_id, code)
        assert bytes(held(desk)[-1].body) == raw
        assert (held(desk)[-1].handler, held(desk)[-1].reason) == ("department.dept-water", code)
    assert desk.events("whistle-answered") == []


def test_an_exchange_of_nobody_is_quarantined_and_nobody_is_told(desk, called):
    for exchange in ("department.dept-nowhere", f"department.{COMMUNITY}", "gridwhistle.dispatch", ""):
        (received,) = desk.app.receive_letters([Letter(body=answer_of(called), exchange=exchange)])
        assert received.outcome is Outcome.QUARANTINED
    assert {row.reason for row in held(desk)} == {"unknown-sender"}
    assert told(desk, kind="answer-refused") == []


def test_a_bug_keeps_the_letter_five_times_and_then_sets_it_aside(desk, called):
    broken = departments.CORRESPONDENCE.__class__(
        sender=departments.sender, read=departments.read, refuse=departments.refuse,
        handle=lambda *_: 1 / 0,
    )  # fmt: skip
    object.__setattr__(desk.app.definition, "letters", broken)
    try:
        letter = Letter(body=answer_of(called), exchange=whistles.exchange_of(WATER))
        for _ in range(quarantine.MAX_ATTEMPTS - 1):
            with pytest.raises(HandlerFailed):
                desk.app.letters.receive(letter)
        assert desk.app.letters.receive(letter) is Outcome.QUARANTINED
    finally:
        object.__setattr__(desk.app.definition, "letters", departments.CORRESPONDENCE)
    (row,) = held(desk)
    outcome = decisions.release(desk.app.reception, row.id, by="operator", why="mended", letters=desk.app.letters)
    assert outcome is Outcome.HANDLED
    assert desk.events("whistle-answered")[0]["department"] == WATER


def test_releasing_a_letter_never_makes_an_event_of_it(desk, called):
    """A department that writes the suite's own event into its answer gains nothing, not even by an operator's hand."""
    forged = desk.envelope(
        MatterOpened(
            matter_id="m-forged", number="M-f", demand_id="d-f", text="伪造", unit=GRID, place=Place(), channel="web",
            asker_kind="resident", private=False, category=None,
        )
    )  # fmt: skip
    assert send(desk, forged) is Outcome.QUARANTINED
    (row,) = held(desk)
    with pytest.raises(decisions.StillFails):
        decisions.release(desk.app.reception, row.id, by="operator", why="try", letters=desk.app.letters)
    with pytest.raises(decisions.StillFails):
        decisions.release(desk.app.reception, row.id, by="operator", why="try")
    assert decisions.discard(desk.app.reception, row.id, by="operator", why="forged") == 0
    assert desk.events("matter-classified") == [
        one for one in desk.events("matter-classified") if one["matter_id"] != "m-forged"
    ]
    with reading(desk.app.at_hand.engine) as db:
        positions = db.execute(select(tables.stream_positions.c.stream)).scalars().all()
    assert not any("m-forged" in stream for stream in positions)


def test_an_attached_program_hears_and_answers_without_a_broker(desk):
    heard = []
    desk.suite.relay.attach(WATER, heard.append)
    desk.open(text=RAMP)
    whistle = desk.do(STREET_CLERK, "blow-whistle", **CALL)["whistle_id"]
    (telling,) = [whistles.read_told(raw) for raw in heard]
    assert (telling.message.whistle, telling.message.department) == (whistle, WATER)
    assert desk.suite.relay.answered(WATER, answer_of(whistle)) is Outcome.HANDLED
    desk.suite.settle()
    assert [whistles.read_told(raw).type.split(".")[2] for raw in heard] == ["called", "answer-taken"]


def test_over_http_a_departments_token_sees_its_calls_alone_and_answers_for_itself(desk, called):
    """What `gridwhistle token --system … --role department-officer --unit dept-water` gives."""

    def office(department):
        return Actor(id=f"{department}-office", roles=frozenset({"department-officer"}), unit=department)

    def ask(path, who, **parameters):
        route = next(one for one in desk.app.definition.routes if one.path == path and one.query is not None)
        return desk.app.ask(route.query, parameters, office(who))

    def answer(department, key):
        content = {"whistle": called, "answer": "accepted", "note": "已出发"}
        how = {"idempotency_key": key}
        return desk.suite.execute("dispatch.answer-whistle", content, office(department), **how).body

    mine = ask("/api/v1/whistles", WATER, open="true")["items"]
    assert [item["whistle_id"] for item in mine] == [called]
    assert ask("/api/v1/whistles", FIRE)["items"] == []
    with pytest.raises(Refusal) as error:
        ask("/api/v1/whistles", FIRE, department=WATER)
    assert error.value.code == "out-of-scope"
    with pytest.raises(Refusal) as error:
        ask("/api/v1/matters/<matter>", FIRE, matter="m-1")
    assert error.value.code == "unknown-matter"
    seen = json.dumps(ask("/api/v1/matters/<matter>", WATER, matter="m-1"), ensure_ascii=False)
    assert called in seen
    assert not {word for word in (RAMP, "光华东里1号楼", "asker", "resident") if word in seen}
    assert answer(WATER, "key-1") == answer(WATER, "key-1")
    assert len(desk.events("whistle-answered")) == 1
    with pytest.raises(Refusal) as error:
        answer(FIRE, "key-2")
    assert error.value.code == "not-whistled"


def test_told_again_the_same_message_has_the_same_id():
    message = whistles.Ended(whistle="w", department=WATER, matter="m", outcome="completed")
    about = {"at": START, "correlation_id": "c", "causation_id": None, "traceparent": None}
    one, two = (whistles.envelope(message, version=version, **about) for version in (1, 7))
    assert one.id == two.id
    other = whistles.Ended(whistle="w", department=HOUSING, matter="m", outcome="completed")
    assert whistles.envelope(other, version=1, **about).id != one.id


@settings(max_examples=200)
@given(st.recursive(st.none() | st.booleans() | st.text(), lambda inner: st.dictionaries(st.text(), inner)))
def test_no_json_makes_the_reader_stumble(content):
    with pytest.raises(whistles.Unreadable):
        whistles.read_answer(json.dumps(content).encode())


@given(st.binary(max_size=200))
def test_no_bytes_make_the_reader_stumble(raw):
    with pytest.raises(whistles.Unreadable):
        whistles.read_answer(raw)


def test_due_calls_are_not_told_twice(desk, called):
    desk.wait(hours=30)
    before = len(told(desk))
    desk.suite.advance(by=timedelta(minutes=1))
    assert len(told(desk)) == before
