"""Ports for private servers: free, below the range of outgoing connections, the same after a restart."""

from __future__ import annotations

import socket

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


def test_no_free_port_says_what_to_do(monkeypatch):
    monkeypatch.setattr(ports, "is_free", lambda _port: False)
    with pytest.raises(ServerError, match="End servers that are no longer needed"):
        ports.free_port()


@pytest.mark.parametrize("content", ["", "nonsense", "1024 65535"])
def test_an_unusable_range_falls_back_to_the_kernels_default(monkeypatch, tmp_path, content):
    described = tmp_path / "range"
    described.write_text(content, encoding="ascii")
    monkeypatch.setattr(ports, "EPHEMERAL_RANGE", described)
    assert ports._first_ephemeral_port() == ports.DEFAULT_EPHEMERAL_START
