"""Whether the queues have the members they should on the nodes there are, and can do what they promise.

Looks through the management interface; mends nothing: members are added with `rabbitmq-queues`, beside the broker.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

from shared.wire import arrangement
from shared.wire.drift import Drift
from shared.wire.management import Management, ManagementDenied

#: Members that a queue should have where there are as many nodes.
MEMBERS = 3
#: Without it RabbitMQ dead-letters at most once, and says so only in its log. On in every broker that was new with 3.9.
_AT_LEAST_ONCE_FLAG = "stream_queue"


def compare(management: Management, departments: Sequence[str] = ()) -> Iterator[Drift]:
    """Members and feature flags. Raises BrokerAway."""
    try:
        yield from judge_members(management.get("nodes"), management.get("queues/{vhost}"), departments)
    except ManagementDenied as denied:
        yield _unseen("nodes", denied, "monitoring")
    try:
        yield from judge_flags(management.get("feature-flags"))
    except ManagementDenied as denied:
        yield _unseen("feature flags", denied, "administrator")


def _unseen(where: str, denied: ManagementDenied, tag: str) -> Drift:
    remedy = f"look with a user that has the tag {tag}"
    return Drift(code="not-looked-at", where=where, what=str(denied), remedy=remedy, fault=False)


def judge_flags(flags: list[dict[str, Any]]) -> Iterator[Drift]:
    """Whether dead-lettering is at least once: a flag that is listed and off says no (RabbitMQ 4 lists it no more)."""
    for row in flags:
        if row["name"] == _AT_LEAST_ONCE_FLAG and row["state"] != "enabled":
            yield Drift(
                code="feature-flag-off",
                where=f"feature flag {_AT_LEAST_ONCE_FLAG}",
                what="is off: dead letters are passed on at most once, and can be lost",
                remedy=f"rabbitmqctl enable_feature_flag {_AT_LEAST_ONCE_FLAG} (every node must run)",
            )


def judge_members(
    nodes: list[dict[str, Any]], queues: list[dict[str, Any]], departments: Sequence[str] = ()
) -> Iterator[Drift]:
    """Compare the members of our queues with the cluster's nodes (running or not)."""
    ours = {queue.name for queue in arrangement.queues(departments)}
    wanted = min(MEMBERS, len(nodes))
    for row in queues:
        if row["name"] not in ours or row.get("type") != "quorum":
            continue
        members, online = row.get("members", []), row.get("online", [])
        where = f"queue {row['name']}"
        if len(online) * 2 <= len(members):
            what = f"has {len(online)} of {len(members)} members online: it takes and gives nothing"
            remedy = "bring the nodes back: docs/runbook.md, GridwhistleQuorumLost"
            yield Drift(code="no-majority", where=where, what=what, remedy=remedy)
        elif len(online) < len(members):
            what = f"has {len(online)} of {len(members)} members online: it works, and does not survive the next loss"
            remedy = "bring the node back before another is touched: docs/runbook.md, GridwhistleBrokerNodeDown"
            yield Drift(code="member-offline", where=where, what=what, remedy=remedy)
        elif len(members) < wanted:
            what = f"has {len(members)} member(s) on {len(nodes)} nodes: it does not survive the loss of a node"
            remedy = r"on each node that lacks it: rabbitmq-queues grow NODE all --queue-pattern '^gridwhistle\.'"
            yield Drift(code="few-members", where=where, what=what, remedy=remedy)
