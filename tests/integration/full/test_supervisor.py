"""The supervisor as an operator meets it: one command up, one Ctrl-C down, nothing left behind whatever happens."""

from __future__ import annotations

import os
import signal
import subprocess
import sys

import pytest
import requests

from shared.contracts.topology import SERVICES


def _gone(pids):
    def check():
        for pid in pids:
            try:
                os.kill(pid, 0)
            except ProcessLookupError:
                continue
            return False
        return True

    return check


def _pids(suite):
    return [each["pid"] for each in suite.state()["processes"]]


@pytest.fixture
def running(full_suite):
    full_suite.start("--replicas", "dispatch=2")
    yield full_suite
    if full_suite.process.poll() is None:
        full_suite.stop()


def test_every_process_is_up_with_its_ports_and_stops_within_seconds(running):
    state = running.state()
    base = running.settings.port_base
    ports = {each["name"]: each["port"] - base for each in state["processes"]}
    assert ports == {
        "intake-1": 1, "deliberation-1": 2, "dispatch-1": 3, "dispatch-2": 23, "oversight-1": 4, "notify-1": 5,
        "relay-intake": 11, "relay-deliberation": 12, "relay-dispatch": 13, "relay-oversight": 14, "relay-notify": 15,
    }  # fmt: skip
    for each in state["processes"]:
        text = requests.get(f"http://127.0.0.1:{each['port']}/metrics", timeout=5).text
        assert f'service="{each["service"]}"' in text
    _a_second_one_on_the_same_folder_is_refused(running)
    pids = _pids(running)
    code, seconds = running.stop()
    assert code == 0
    assert seconds < 15
    assert _gone(pids)()
    assert running.state() is None


def _a_second_one_on_the_same_folder_is_refused(running):
    kept = {name: value for name, value in os.environ.items() if not name.startswith("GRIDWHISTLE_")}
    second = subprocess.run(
        [sys.executable, "-c", "from deploy.launcher.cli import main; main()", "up"],
        env=kept | running.settings.environment(), capture_output=True, text=True, timeout=30, check=False,
    )  # fmt: skip
    assert second.returncode == 1
    assert "runs from" in second.stderr
    for service in SERVICES:  # and the first one did not notice
        port = running.settings.port_for(service, SERVICES)
        assert requests.get(f"http://127.0.0.1:{port}/health/ready", timeout=5).ok


def test_a_supervisor_killed_by_force_leaves_no_process_behind(running):
    pids = _pids(running)
    running.process.send_signal(signal.SIGKILL)
    running.process.wait()
    running.process = subprocess.Popen(["sleep", "60"])  # so that `until` has something that lives
    try:
        running.until(_gone(pids), 15)
    finally:
        running.process.kill()
        running.process.wait()


def test_a_configuration_that_cannot_work_is_told_and_not_retried(full_suite, tmp_path):
    environment = full_suite.settings.environment() | {
        "GRIDWHISTLE_JURISDICTION": str(tmp_path), "GRIDWHISTLE_DATA_DIR": str(tmp_path / "data"),
    }  # fmt: skip
    kept = {name: value for name, value in os.environ.items() if not name.startswith("GRIDWHISTLE_")}
    done = subprocess.run(
        [sys.executable, "-c", "from deploy.launcher.cli import main; main()", "up"],
        env=kept | environment, capture_output=True, text=True, timeout=60, check=False,
    )  # fmt: skip
    assert done.returncode == 1
    assert "cannot start" in done.stdout
