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


class _Answer:
    """What requests would have got."""

    def __init__(self, status, content):
        self.status_code, self._content, self.text, self.ok = status, content, str(content), status < 400

    def json(self):
        return self._content


def test_an_answer_that_nobody_knows_the_outcome_is_asked_for_again(monkeypatch):
    """What this client sends is safe to repeat: it bears a key, or tells its rows apart by itself."""
    answers = [_Answer(504, {"code": "outcome-unknown"}), _Answer(503, {}), _Answer(200, {"registered": 1})]
    client = SuiteClient({"intake": "http://127.0.0.1:1"}, "t")
    monkeypatch.setattr(client._session, "request", lambda *_args, **_more: answers.pop(0))
    assert client.post("intake", "/x", {}, key="k") == {"registered": 1}
    assert answers == []
