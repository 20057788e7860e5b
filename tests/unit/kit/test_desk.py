"""The kit without a network: nothing lost at any crash, nothing twice, a failing handler stops only its own message."""

from __future__ import annotations

import json
import multiprocessing
import subprocess
import sys
from datetime import UTC, datetime
from pathlib import Path

import pytest

from shared.contracts import whistles
from shared.contracts.whistles import AnswerRefused, AnswerTaken, Called, Changed, Ended, NamedUnit
from shared.kit import CannotAnswer, Desk, Handlers, Spool
from shared.kit.desk import MOST_ATTEMPTS, UNREADABLE
from shared.kit.spool import SpoolInUse

NOW = datetime(2026, 11, 16, 1, 0, tzinfo=UTC)
ROOT = Path(__file__).parents[3]


@pytest.fixture
def desk(tmp_path):
    spool = Spool(tmp_path / "spool")
    yield Desk("dept-water", spool, now=lambda: NOW)
    spool.close()


def call(whistle="w-1", **more):
    return Called(
        whistle=whistle, department="dept-water", matter="m-1", lead=True, lead_department="dept-water",
        departments=("dept-water",), whistler=NamedUnit(id="jianwai", name="建外街道"), response_class="week",
        request="请到场", blown_at=NOW, report_in_by=NOW, **more,
    )  # fmt: skip


def raw(message, version=1):
    about = {"correlation_id": "c", "causation_id": None, "traceparent": None}
    return whistles.envelope(message, version=version, at=NOW, **about).to_bytes()


def verdict(desk, answer_id, code=None):
    about = {"department": "dept-water", "answer_id": answer_id, "whistle": "w-1"}
    message = (
        AnswerTaken(**about, answer="accepted", late=False, taken_at=NOW)
        if code is None
        else AnswerRefused(**about, digest="0" * 64, code=code, detail="no")
    )
    desk.receive(raw(message))


def test_a_call_is_handled_once_however_often_it_comes(desk):
    seen = []
    handlers = Handlers(called=lambda message, _desk: seen.append(message.whistle))
    for _ in range(3):
        desk.receive(raw(call()))
    while desk.work(handlers):
        pass
    assert seen == ["w-1"]
    assert [one.whistle for one in desk.calls()] == ["w-1"]


def test_messages_are_handled_in_the_order_in_which_they_came(desk):
    seen = []
    for number in range(20):
        desk.receive(raw(call(f"w-{number}")))
    while desk.work(Handlers(called=lambda message, _desk: seen.append(message.whistle))):
        pass
    assert seen == [f"w-{number}" for number in range(20)]


def test_an_answer_is_what_the_suite_reads(desk):
    until = datetime(2026, 11, 20, tzinfo=UTC)
    desk.answer("w-1", "extension-requested", "等材料", until=until)
    (given,) = desk.outgoing()
    answering = whistles.read_answer(given.body)
    assert (answering.id, answering.answer) == (given.id, "extension-requested")
    assert (answering.content.whistle, answering.content.note, answering.content.until) == ("w-1", "等材料", until)


def test_a_handler_that_ran_before_a_crash_says_nothing_twice(desk):
    """The handler answers and then dies, again and again."""

    def dies(message, at):
        at.answer(message.whistle, "accepted", "已出发")
        at.answer(message.whistle, "progressed", "到场查看")
        message = "power cut"
        raise RuntimeError(message)

    desk.receive(raw(call()))
    for _ in range(3):
        assert desk.work(Handlers(called=dies)) is False
    assert [given.answer for given in desk.outgoing()] == ["accepted", "progressed"]


def test_a_failing_handler_is_set_aside_with_its_message_and_others_go_on(desk):
    seen = []

    def called(message, _desk):
        if message.whistle == "w-1":
            message = "bug"
            raise ValueError(message)
        seen.append(message.whistle)

    desk.receive(raw(call("w-1")))
    desk.receive(raw(call("w-2")))
    for _ in range(MOST_ATTEMPTS + 2):
        desk.work(Handlers(called=called))
    assert seen == ["w-2"]
    (failed,) = desk.spool.told(state="failed")
    assert (failed.whistle, failed.attempts) == ("w-1", MOST_ATTEMPTS)


def test_the_same_answer_is_one_answer_and_different_notes_are_different(desk):
    first = desk.answer("w-1", "accepted", "已出发")
    assert desk.answer("w-1", "accepted", "又说一遍") == first
    assert desk.answer("w-2", "accepted", "已出发") != first
    notes = [desk.answer("w-1", "progressed", note) for note in ("一", "二", "一")]
    assert notes[0] == notes[2] != notes[1]
    assert len(desk.outgoing()) == 4


def test_a_refused_answer_may_be_given_again_and_an_accepted_one_not(desk):
    first = desk.answer("w-1", "completed", "修好了")
    desk.sent(first)
    verdict(desk, first, "whistle-disputed")
    refusal = desk.refusal(first)
    assert (refusal.code, refusal.detail) == ("whistle-disputed", "no")
    second = desk.answer("w-1", "completed", "修好了")
    assert second != first
    desk.sent(second)
    verdict(desk, second)
    assert desk.answer("w-1", "completed", "再说一次") == second
    assert desk.outgoing() == []


def test_after_a_decision_about_a_refusal_of_ours_we_may_refuse_again(desk):
    first = desk.answer("w-1", "declined", "不属本单位职责", ground="三定方案")
    upheld = Changed(whistle="w-1", department="dept-water", matter="m-1", cause="dispute-upheld")
    desk.receive(raw(upheld))
    assert desk.answer("w-1", "declined", "不属本单位职责", ground="三定方案") != first


def test_an_answer_that_does_not_fit_is_refused_at_once_and_nothing_is_kept(desk):
    for answer, note, fault in (
        ("blessed", "x", "answer"),
        ("accepted", " ", "note"),
        ("accepted", "x" * 4_001, "note"),
    ):
        with pytest.raises(CannotAnswer) as error:
            desk.answer("w-1", answer, note)
        assert list(error.value.faults) == [fault]
    assert desk.outgoing() == []


def test_unreadable_and_unknown_messages_are_kept_with_their_bytes(desk):
    newer = json.loads(raw(call())) | {"type": "gridwhistle.whistle.sung.v1", "id": "n-1"}
    added = json.loads(raw(call("w-2")))
    added["data"]["added_later"] = {"deep": 1}
    for body in (b"\xff", b"{}", json.dumps(newer).encode(), json.dumps(added).encode()):
        desk.receive(body)
    states = [(told.type, told.state) for told in desk.spool.told()]
    assert states == [
        (UNREADABLE, "kept"), (UNREADABLE, "kept"), ("gridwhistle.whistle.sung.v1", "kept"),
        ("gridwhistle.whistle.called.v1", "new"),
    ]  # fmt: skip
    assert desk.spool.told()[0].body == b"\xff"


def test_calls_that_are_over_leave_the_list(desk):
    desk.receive(raw(call("w-1")))
    desk.receive(raw(call("w-2")))
    desk.receive(raw(Ended(whistle="w-1", department="dept-water", matter="m-1", outcome="completed")))
    assert [one.whistle for one in desk.calls()] == ["w-2"]
    assert [one.whistle for one in desk.calls(open_only=False)] == ["w-1", "w-2"]


def test_a_spool_is_served_by_one_process_and_may_be_written_by_others(tmp_path, desk):
    desk.spool.serve_alone()
    other = Spool(tmp_path / "spool")
    with pytest.raises(SpoolInUse):
        other.serve_alone()
    Desk("dept-water", other, now=lambda: NOW).answer("w-1", "accepted", "柜台录入")
    other.close()
    assert [given.answer for given in desk.outgoing()] == ["accepted"]


def _die_in_the_middle(folder, ready):
    spool = Spool(folder)
    desk = Desk("dept-water", spool)
    for number in range(1_000_000):
        desk.receive(raw(call(f"w-{number}")))
        desk.answer(f"w-{number}", "accepted", "已出发")
        ready.put(number)


def test_killed_at_any_instant_everything_promised_is_there(tmp_path):
    """What `receive` or `answer` had returned for, at SIGKILL, is in the spool."""
    context = multiprocessing.get_context("spawn")
    ready = context.Queue()
    process = context.Process(target=_die_in_the_middle, args=(tmp_path / "spool", ready))
    process.start()
    promised = [ready.get(timeout=60) for _ in range(20)]
    process.kill()
    process.join()
    spool = Spool(tmp_path / "spool")
    desk = Desk("dept-water", spool)
    kept = {told.whistle for told in spool.told()}
    assert {f"w-{number}" for number in promised} <= kept
    assert {f"w-{number}" for number in promised} <= {given.whistle for given in desk.outgoing(10_000)}
    spool.close()


def test_the_kit_needs_pika_and_the_contracts_and_nothing_else_of_the_suite():
    script = (
        "import sys; import shared.kit; "
        "print(sorted({name.split('.')[0] for name in sys.modules} & "
        "{'kombu','amqp','nameko','eventlet','sqlalchemy','werkzeug','click','rich','cryptography','uuid_utils'}), "
        "sorted(name for name in sys.modules if name.startswith('shared.') and name.count('.') == 1))"
    )
    done = subprocess.run([sys.executable, "-c", script], cwd=ROOT, capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[] ['shared.contracts', 'shared.kernel', 'shared.kit']"
