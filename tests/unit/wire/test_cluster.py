"""Members of queues and feature flags, judged from what the management interface lists."""

from __future__ import annotations

import pytest

from shared.contracts import topology
from shared.wire import cluster

QUEUE = topology.subscriptions()[0].queue


def _queue(members, online, name=QUEUE):
    return {"name": name, "type": "quorum", "members": list(members), "online": list(online)}


@pytest.mark.parametrize(
    ("nodes", "members", "online", "code"),
    [
        ("a", "a", "a", None),
        ("abc", "abc", "abc", None),
        ("abc", "abc", "ab", "member-offline"),
        ("abcde", "abc", "abc", None),
        ("abc", "abc", "a", "no-majority"),
        ("abc", "ab", "a", "no-majority"),
        ("a", "a", "", "no-majority"),
        ("abc", "a", "a", "few-members"),
        ("ab", "a", "a", "few-members"),
    ],
)
def test_members_of_a_queue(nodes, members, online, code):
    found = list(cluster.judge_members([{"name": node} for node in nodes], [_queue(members, online)]))
    assert [one.code for one in found] == ([code] if code else [])
    assert all(one.fault and one.where == f"queue {QUEUE}" for one in found)


def test_the_queues_of_others_are_not_judged():
    assert list(cluster.judge_members([{"name": "a"}], [_queue("abc", "a", name="department")])) == []


@pytest.mark.parametrize(("state", "codes"), [("enabled", []), ("disabled", ["feature-flag-off"])])
def test_dead_letters_need_the_flag(state, codes):
    rows = [{"name": "quorum_queue", "state": "disabled"}, {"name": "stream_queue", "state": state}]
    assert [one.code for one in cluster.judge_flags(rows)] == codes
    assert list(cluster.judge_flags([])) == []
