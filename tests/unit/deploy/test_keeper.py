"""The keeper: a server obeys its signals and never outlives the process that started it."""

from __future__ import annotations

import os
import select
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from deploy.servers import process
from deploy.servers.errors import ServerFailed
from deploy.servers.process import KeptProcess, Program

#: Stands for a server: says what it received, ends on TERM, ignores INT.
OBEDIENT = """
import signal, sys
signal.signal(signal.SIGINT, lambda *_: print("noted INT", flush=True))
signal.signal(signal.SIGTERM, lambda *_: (print("ended cleanly", flush=True), sys.exit(7)))
print("ready", flush=True)
while True: signal.pause()
"""
#: Stands for a server that does not want to end.
STUBBORN = OBEDIENT.replace("sys.exit(7)", "None")
#: Stands for our process, which will be killed: starts a server and waits.
OWNER = """
import sys
from pathlib import Path
from deploy.servers.process import KeptProcess, Program
kept = KeptProcess(Program("Example", [sys.executable, "-c", sys.argv[1]], Path(sys.argv[2]), grace=0.5))
kept.wait_until(lambda: "ready" in Path(sys.argv[2]).read_text(), 20)
print(kept.pid, kept._keeper.pid, flush=True)
sys.stdin.read()
"""
PROJECT = Path(__file__).parents[3]


def _kept(tmp_path, code, grace=20.0):
    log = tmp_path / "log"
    kept = KeptProcess(Program("Example", [sys.executable, "-c", code], log, grace=grace))
    kept.wait_until(lambda: "ready" in log.read_text(encoding="utf-8"), 20)
    return kept, log


def _ended(pid, seconds=20.0):
    """Wait for a process that is not our child."""
    try:
        handle = os.pidfd_open(pid)
    except ProcessLookupError:
        return True
    try:
        return bool(select.select([handle], [], [], seconds)[0])
    finally:
        os.close(handle)


def test_end_sends_the_stop_signal_and_returns_the_exit_code(tmp_path):
    kept, log = _kept(tmp_path, OBEDIENT)
    kept.signal("INT")
    kept.wait_until(lambda: "noted INT\n" in log.read_text(encoding="utf-8"), 20)
    assert kept.running
    assert kept.end() == 7
    assert log.read_text(encoding="utf-8").split("\n")[:3] == ["ready", "noted INT", "ended cleanly"]
    assert not kept.running
    kept.signal("TERM")  # after the end: nothing happens


def test_what_does_not_end_in_time_is_killed(tmp_path):
    kept, log = _kept(tmp_path, STUBBORN, grace=0.3)
    assert kept.end() == 128 + signal.SIGKILL
    assert "ended cleanly" in log.read_text(encoding="utf-8")


def test_kill_does_not_ask(tmp_path):
    kept, log = _kept(tmp_path, OBEDIENT)
    assert kept.end("KILL") == 128 + signal.SIGKILL
    assert "ended cleanly" not in log.read_text(encoding="utf-8")


def test_a_server_that_ends_while_starting_shows_its_log(tmp_path):
    kept = KeptProcess(Program("Example", ["/bin/sh", "-c", "echo no such disk; exit 3"], tmp_path / "log"))
    with pytest.raises(ServerFailed, match=r"ended while starting.*(?s:.*)no such disk"):
        kept.wait_until(lambda: False, 20)


def test_a_server_that_is_never_ready_is_ended(tmp_path):
    kept, _log = _kept(tmp_path, OBEDIENT)
    with pytest.raises(ServerFailed, match="was not ready after 0 s"):
        kept.wait_until(lambda: False, 0.0)
    assert _ended(kept.pid)


def test_a_program_that_is_not_there_is_a_clear_failure(tmp_path):
    with pytest.raises(ServerFailed, match="could not be started"):
        KeptProcess(Program("Example", ["/nowhere/exampled"], tmp_path / "log"))


@pytest.mark.parametrize("code", [OBEDIENT, STUBBORN])
def test_the_server_ends_when_its_owner_is_killed(tmp_path, code):
    owner = subprocess.Popen(
        [sys.executable, "-c", OWNER, code, str(tmp_path / "log")],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        cwd=PROJECT,
    )
    with owner:
        server, keeper = (int(word) for word in owner.stdout.readline().split())
        owner.kill()
        assert _ended(server)
        assert _ended(keeper)
    assert "ended cleanly" in (tmp_path / "log").read_text(encoding="utf-8")


def test_the_server_ends_when_its_keeper_is_killed(tmp_path):
    kept, log = _kept(tmp_path, OBEDIENT)
    kept._keeper.kill()
    assert _ended(kept.pid)
    assert "ended cleanly" in log.read_text(encoding="utf-8")
    kept.end()


def test_the_keeper_itself_obeys_term(tmp_path):
    kept, log = _kept(tmp_path, OBEDIENT)
    kept._keeper.terminate()
    assert _ended(kept.pid)
    assert kept.end() == 7
    assert "ended cleanly" in log.read_text(encoding="utf-8")


def test_a_folder_has_one_server_and_the_next_waits_for_its_end(tmp_path, monkeypatch):
    kept, log = _kept(tmp_path, OBEDIENT)
    program = Program("Example", [sys.executable, "-c", OBEDIENT], log)
    monkeypatch.setattr(process, "PREDECESSOR_GRACE_S", 0.0)
    with pytest.raises(ServerFailed, match="already running in"):
        KeptProcess(program)
    kept._keeper.kill()  # the server is still ending when the next one is asked for
    monkeypatch.setattr(process, "PREDECESSOR_GRACE_S", 20.0)
    KeptProcess(program).end()
    assert _ended(kept.pid, 0.0)
    kept.end()
