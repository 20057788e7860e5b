"""The kit on a real broker: calls in, answers out, through crashes, lost links, long work and a clean stop."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path

import pika
import pytest

from deploy.kit.__main__ import build
from shared.kit import Desk, Handlers, KitSettings, Spool
from shared.kit.link import Link
from tests.chaos.proxy import Proxy
from tests.integration.departments.bridge import Bridge
from tests.integration.departments.conftest import WATER, url_of

EXAMPLE = Path(__file__).parents[3] / "deploy" / "examples" / "department" / "department.py"
PATIENCE_S = 60.0


@pytest.fixture
def bridge(declared):
    made = Bridge(declared)
    yield made
    made.close()


def eventually(satisfied):
    deadline = time.monotonic() + PATIENCE_S
    ticking = threading.Event()
    while not satisfied():
        assert time.monotonic() < deadline, "what was expected did not come"
        ticking.wait(0.05)


class Office:
    """The kit's parts in threads of this process, as `serve` wires them."""

    def __init__(self, url, folder, handlers):
        self.settings = KitSettings(department=WATER, broker_url=url, spool=folder)
        self.desk = Desk(WATER, Spool(folder))
        self.link = Link(self.settings, self.desk, jitter=lambda: 0.0)
        self.desk.on_answer = self.link.wake
        self._stopping = threading.Event()
        self._handlers = handlers
        self._threads = [threading.Thread(target=self.link.run), threading.Thread(target=self._work)]
        for thread in self._threads:
            thread.start()

    def _work(self):
        while not self._stopping.is_set():
            if not self.desk.work(self._handlers):
                self.desk.fresh.wait(0.05)

    def close(self):
        self._stopping.set()
        self.link.finish()
        for thread in self._threads:
            thread.join(PATIENCE_S)
        self.desk.spool.close()


@pytest.fixture
def office_of(tmp_path):
    opened = []

    def open_(url, handlers, folder=tmp_path / "spool"):
        opened.append(Office(url, folder, handlers))
        return opened[-1]

    yield open_
    for office in opened:
        office.close()


def accept(call, desk):
    desk.answer(call.whistle, "accepted", "已出发")


def test_a_call_is_answered_and_the_answer_counts(declared, bridge, office_of):
    office = office_of(url_of(declared, WATER), Handlers(called=accept))
    whistle = bridge.whistle()
    bridge.until(lambda: bridge.answered() == [(whistle, WATER, "accepted")])
    bridge.until(lambda: [given.verdict for given in office.desk.spool.answers()] == ["taken"])
    assert office.desk.outgoing() == []


def test_a_refusal_reaches_the_handler(declared, bridge, office_of):
    refusals = []
    handlers = Handlers(called=accept, refused=lambda refusal, _desk: refusals.append(refusal))
    office = office_of(url_of(declared, WATER), handlers)
    answer_id = office.desk.answer("no-such-call", "accepted", "已出发")
    bridge.until(lambda: refusals)
    assert (refusals[0].code, refusals[0].answer_id) == ("unknown-whistle", answer_id)
    assert office.desk.refusal(answer_id) == refusals[0]


def test_heartbeats_are_kept_while_a_handler_works_longer_than_they_allow(declared, bridge, office_of, monkeypatch):
    """With beats every second the broker would drop a silent client after two."""
    monkeypatch.setattr("shared.kit.link.HEARTBEAT_S", 1)
    done = threading.Event()
    links = []

    def long_work(call, desk):
        links.append(office.link.connected.is_set())
        done.wait(6)
        links.append(office.link.connected.is_set())
        accept(call, desk)

    office = office_of(url_of(declared, WATER), Handlers(called=long_work))
    bridge.whistle()
    bridge.until(lambda: len(bridge.answered()) == 1)
    assert links == [True, True]


def test_a_lost_link_is_made_again_and_what_was_written_meanwhile_leaves(declared, bridge, office_of):
    with Proxy("127.0.0.1", pika.URLParameters(declared).port) as proxy:
        office = office_of(proxy.url(url_of(declared, WATER)), Handlers(called=accept))
        eventually(office.link.connected.is_set)
        proxy.refuse()
        proxy.cut()
        eventually(lambda: not office.link.connected.is_set())
        whistle = bridge.whistle()
        bridge.carry()
        office.desk.answer(whistle, "accepted", "断线时录入")
        assert [given.sent_at for given in office.desk.outgoing()] == [None]
        proxy.heal()
        bridge.until(lambda: len(bridge.answered()) == 1)


def ended(process):
    """SIGKILL, and its output let go; again changes nothing."""
    process.kill()
    process.wait()
    process.stderr.close()


# -- as a process of its own -------------------------------------------------------------------------------------------


@pytest.fixture
def example(declared, tmp_path):
    """The example of deploy/examples, run as a department would."""
    environment = {
        **os.environ, "DEPARTMENT": WATER, "DEPARTMENT_BROKER_URL": url_of(declared, WATER),
        "DEPARTMENT_SPOOL": str(tmp_path / "spool"), "PYTHONPATH": str(EXAMPLE.parents[3]),
    }  # fmt: skip
    running = []

    def run(*arguments, wait=True, **more):
        command = [sys.executable, str(EXAMPLE), *arguments]
        if wait:
            return subprocess.run(
                command, env=environment | more, capture_output=True, text=True, check=False, timeout=60
            )
        running.append(subprocess.Popen(command, env=environment | more, stderr=subprocess.PIPE, text=True))
        return running[-1]

    yield run
    for process in running:
        ended(process)


def test_the_example_reports_in_and_its_officers_answer(bridge, example, tmp_path):
    process = example("serve", wait=False)
    whistle = bridge.whistle()
    bridge.until(lambda: bridge.answered() == [(whistle, WATER, "accepted")])
    (line,) = example("calls").stdout.splitlines()
    assert json.loads(line)["whistle"] == whistle
    assert example("answer", whistle, "completed", "阀门已更换").returncode == 0
    bridge.until(lambda: len(bridge.answered()) == 2)
    bridge.until(lambda: example("calls").stdout == "")
    wrong = example("answer", whistle, "blessed", "x")
    assert (wrong.returncode, "不能答复" in wrong.stderr) == (1, True)
    assert example("calls", DEPARTMENT="").returncode == 1
    process.send_signal(signal.SIGTERM)
    assert process.wait(30) == 0
    book = [json.loads(line) for line in (tmp_path / "spool" / "case-book.jsonl").read_text().splitlines()]
    assert [line["what"] for line in book] == ["called", "ended"]


def test_killed_again_and_again_every_call_is_answered_once(bridge, example):
    """SIGKILL at moments that differ; at the end each call has its one answer, and the queue is empty."""
    calls = [bridge.whistle() for _ in range(12)]
    bridge.carry()
    for round_ in range(4):
        process = example("serve", wait=False)
        before = len(bridge.answered())
        deadline = time.monotonic() + 3 + round_
        while len(bridge.answered()) < before + 2 and time.monotonic() < deadline:
            bridge.carry()
        ended(process)
    example("serve", wait=False)
    bridge.until(lambda: len(bridge.answered()) >= len(calls))
    assert sorted(bridge.answered()) == sorted((call, WATER, "accepted") for call in calls)


def test_two_programs_do_not_serve_from_one_spool(example):
    first = example("serve", wait=False)
    eventually(lambda: "linked to the broker" in (first.stderr.readline() or ""))
    second = example("serve")
    assert second.returncode != 0
    assert "another process serves" in second.stderr


def test_the_wheel_alone_answers_a_call(bridge, declared, tmp_path):
    """Installed beside pika and marshmallow, with nothing of this repository in reach."""
    wheel = build(tmp_path)
    site = tmp_path / "site"
    pip = [sys.executable, "-m", "pip", "install", "--quiet", "--no-deps", "--no-index", "--target", str(site)]
    subprocess.run([*pip, str(wheel)], check=True)
    for name in ("pika", "marshmallow"):
        (site / name).symlink_to(Path(__import__(name).__file__).parent)
    script = tmp_path / "department.py"
    script.write_text(EXAMPLE.read_text(encoding="utf-8"), encoding="utf-8")
    environment = {
        "PATH": os.environ["PATH"], "PYTHONPATH": str(site), "DEPARTMENT": WATER,
        "DEPARTMENT_BROKER_URL": url_of(declared, WATER), "DEPARTMENT_SPOOL": str(tmp_path / "spool"),
    }  # fmt: skip
    process = subprocess.Popen([sys.executable, "-S", str(script), "serve"], env=environment, cwd=tmp_path)
    try:
        whistle = bridge.whistle()
        bridge.until(lambda: bridge.answered() == [(whistle, WATER, "accepted")])
    finally:
        process.terminate()
        assert process.wait(30) == 0
