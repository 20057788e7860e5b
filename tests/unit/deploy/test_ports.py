"""Ports for private servers: free, below the range of outgoing connections, the same after a restart."""

from __future__ import annotations

import socket
import subprocess
import sys
from pathlib import Path

import pytest

from deploy.servers import ports
from deploy.servers.errors import ServerError


def test_a_port_is_handed_out_once():
    handed_out = [ports.free_port() for _ in range(20)]
    assert len(set(handed_out)) == 20


def test_ports_lie_below_the_range_of_outgoing_connections():
    first, _last = ports.EPHEMERAL_RANGE.read_text(encoding="ascii").split()
    assert ports.LOWEST_PORT <= ports.free_port() < int(first)


def test_a_port_someone_listens_on_is_not_free():
    with socket.socket() as listener:
        listener.bind((ports.LOOPBACK, 0))
        listener.listen()
        taken = listener.getsockname()[1]
        assert not ports.is_free(taken)
        assert ports.kept_port(taken) != taken
    assert ports.is_free(taken)


def test_the_remembered_port_is_kept_when_it_is_free():
    port = ports.free_port()
    ports._handed_out.discard(port)
    assert ports.kept_port(port) == port


HOLDER = """
import sys
from deploy.servers import ports
base = ports.free_block((1, 2, 5))
print(base, flush=True)
sys.stdin.read()
"""


@pytest.fixture
def theirs():
    """The base of ports that another process was handed: base + 1, 2 and 5."""
    project = Path(__file__).parents[3]
    with subprocess.Popen(
        [sys.executable, "-c", HOLDER], cwd=project, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as process:
        yield int(process.stdout.readline())
        process.stdin.close()


def test_what_another_process_was_handed_is_passed_by(theirs, monkeypatch):
    for port in (1, 2, 5):
        monkeypatch.setattr(ports, "LOWEST_PORT", theirs + port)
        monkeypatch.setattr(ports, "_first_ephemeral_port", lambda port=port: theirs + port + 1)
        with pytest.raises(ServerError):
            ports.free_port()
    # As a block, too: one of its ports is theirs.
    monkeypatch.setattr(ports, "LOWEST_PORT", theirs - 1)
    monkeypatch.setattr(ports, "_first_ephemeral_port", lambda: theirs + 3)
    with pytest.raises(ServerError):
        ports.free_block((0, 3))


def test_a_server_listens_on_a_port_that_is_held_and_again_after_it_was_stopped(theirs):
    port = theirs + 1
    for _ in range(2):
        assert ports.is_free(port)
        with socket.create_server((ports.LOOPBACK, port)) as server:
            assert not ports.is_free(port)
            with socket.create_connection((ports.LOOPBACK, port)) as client:
                server.accept()[0].close()
                assert client.recv(1) == b""


def test_nobody_answers_on_a_port_that_is_only_held():
    with pytest.raises(ConnectionRefusedError):
        socket.create_connection((ports.LOOPBACK, ports.free_port()))


def test_the_oldest_holds_are_let_go():
    for _ in range(3):
        ports.free_block(range(ports.HELD_AT_MOST // 2))
    assert len(ports._held) == ports.HELD_AT_MOST


def test_no_free_port_says_what_to_do(monkeypatch):
    monkeypatch.setattr(ports, "_hold", lambda _ports: False)
    with pytest.raises(ServerError, match="End servers that are no longer needed"):
        ports.free_port()


@pytest.mark.parametrize("content", ["", "nonsense", "1024 65535"])
def test_an_unusable_range_falls_back_to_the_kernels_default(monkeypatch, tmp_path, content):
    described = tmp_path / "range"
    described.write_text(content, encoding="ascii")
    monkeypatch.setattr(ports, "EPHEMERAL_RANGE", described)
    assert ports._first_ephemeral_port() == ports.DEFAULT_EPHEMERAL_START
