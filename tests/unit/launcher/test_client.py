"""The client of the command line: patient with a service that restarts, quick with an address that is none."""

from __future__ import annotations

import pytest

from deploy.launcher.client import SuiteClient, Unreachable
from deploy.servers.ports import free_port


def test_an_address_that_is_none_is_said_at_once():
    client = SuiteClient({"intake": "foo"}, "t")
    with pytest.raises(Unreachable, match="no address"):
        client.post("intake", "/x", {})


def test_nobody_there_is_waited_for_shortly_and_said():
    said = []
    client = SuiteClient({"intake": f"http://127.0.0.1:{free_port()}"}, "t", first_patience=4, say=said.append)
    with pytest.raises(Unreachable, match="connection refused"):
        client.post("intake", "/x", {})
    assert len(said) == 1
    assert "does not answer" in said[0]
