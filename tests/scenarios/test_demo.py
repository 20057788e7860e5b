"""`gridwhistle demo`: a week is played, shown truthfully, and served by one process that survives being killed."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from datetime import timedelta

import pytest
import requests
from click.testing import CliRunner

from deploy.launcher.cli import demo, verify_trace
from deploy.launcher.demo import folder as folders
from deploy.launcher.demo.cast import Cast
from deploy.launcher.installation import pack_folder
from deploy.launcher.scenario import doors
from deploy.servers.ports import free_block
from shared import jurisdiction as packs
from shared.contracts.topology import SERVICES
from shared.runtime.operations import not_at_rest
from shared.runtime.setup import clock_of, gatekeeper_of

pytestmark = pytest.mark.timeout(300)
#: Seconds until the serving process answers, and until an event has gone all the way.
_UP_WITHIN_S, _THERE_WITHIN_S = 60, 30


@pytest.fixture(scope="module")
def played(tmp_path_factory):
    """A demo's folder, and what it printed."""
    base = free_block(range(1, 6))
    path = tmp_path_factory.mktemp("demo") / "data"
    arguments = ["--once", "--data-dir", str(path), "--port-base", str(base)]
    result = CliRunner().invoke(demo.command, arguments, standalone_mode=False, env={"COLUMNS": "150"})
    assert result.exception is None, result.output
    assert result.return_value == 0
    return folders.found(path), result.stdout


def test_once_prints_timeline_and_table_and_ends(played):
    _, text = played
    figures = ("受理事项 Matters opened", "按时办结率 On-time share", "群众满意率", "按办理层级")
    for said in ("一件事项的全过程", "吹哨：", *figures):
        assert said in text
    opened = next(line for line in text.splitlines() if "Matters opened" in line)
    assert opened.split()[-2:] == ["65", "65"]
    assert "http://" not in text  # nobody serves there


def test_the_trace_of_the_week_verifies(played):
    folder, _ = played
    result = CliRunner().invoke(verify_trace.command, ["--data-dir", str(folder.path)], standalone_mode=False)
    assert result.return_value == 0, result.output
    assert "ok" in result.stdout


class Serving:
    """The demo's serving process, as `gridwhistle demo` becomes it."""

    def __init__(self, folder):
        self.folder = folder
        self.settings = folder.settings()
        pack = packs.load(pack_folder(folder.pack))
        self.cast = Cast(pack)
        self.gatekeeper = gatekeeper_of(self.settings, clock_of(self.settings))
        self.observer = doors.observer(pack)
        self.process = None

    def __enter__(self):
        kept = {name: value for name, value in os.environ.items() if not name.startswith("GRIDWHISTLE_")}
        self.process = subprocess.Popen(
            [sys.executable, "-m", "deploy.launcher.embedded_process", "--log", str(self.folder.log)],
            env=kept | self.settings.environment(), stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
        )  # fmt: skip
        self.until(lambda: all(self.ask(name, "/health/ready").ok for name in SERVICES), _UP_WITHIN_S)
        return self

    def __exit__(self, *_raised):
        if self.process.poll() is None:
            self.process.kill()
        self.process.communicate()

    def until(self, condition, within):
        deadline = time.monotonic() + within
        while True:
            try:
                if condition():
                    return
            except requests.ConnectionError:
                pass
            assert self.process.poll() is None, self.process.communicate()
            assert time.monotonic() < deadline, "not within the time"
            time.sleep(0.1)  # noqa: TID251 - watching another process

    def ask(self, service, path, actor=None, body=None):
        headers = {}
        if actor is not None:
            token = self.gatekeeper.issue(
                subject=actor.id, roles=actor.roles, unit=actor.unit, lasting=timedelta(hours=1)
            )
            headers["Authorization"] = f"Bearer {token}"
        url = f"http://{self.settings.host}:{self.settings.port_for(service, SERVICES)}{path}"
        if body is None:
            return requests.get(url, headers=headers, timeout=10)
        return requests.post(url, headers=headers, json=body, timeout=10)

    def at_rest(self):
        answers = {name: self.ask(name, doors.OPERATIONS, self.observer).json() for name in SERVICES}
        return not_at_rest(answers) == []


def test_served_without_a_broker_killed_and_served_again(played):
    folder, _ = played
    with Serving(folder) as serving:
        desk = serving.cast.desk("street")
        words = {"channel": "hotline", "text": "楼道里有煤气味，请马上来人。", "location": {"grid": "yongan-nanli-6"}}
        answer = serving.ask("intake", "/api/v1/demands", desk, words)
        assert answer.status_code == 201, answer.text
        # Killed at once: the event may or may not have been handed over.
        serving.process.kill()
    matter = answer.json()["matter_id"]
    with Serving(folder) as serving:
        desk = serving.cast.desk("street")
        path = f"/api/v1/matters/{matter}"
        serving.until(lambda: serving.ask("dispatch", path, desk).ok, _THERE_WITHIN_S)
        seen = serving.ask("dispatch", path, desk).json()
        assert (seen["response_class"], seen["state"]) == ("hazard", "assigned")
        serving.until(serving.at_rest, _THERE_WITHIN_S)
        timeline = serving.ask("oversight", f"{path}/timeline", serving.observer).json()["items"]
        names = [row["event"] for row in timeline]
        assert names.count("intake.matter-opened") == names.count("dispatch.matter-assigned") == 1
        metrics = serving.ask("dispatch", "/metrics").text
        assert 'gridwhistle_outbox_pending{service="dispatch"} 0' in metrics
        serving.process.send_signal(signal.SIGINT)
        out, _ = serving.process.communicate(timeout=20)
        assert serving.process.returncode == 0
        assert "Stopped." in out
    assert "broker away" not in folder.log.read_text(encoding="utf-8")
