"""Looking the whole broker over, and setting the policies that are missing: for `gridwhistle declare` and `doctor`.

With the management address everything is compared; without it, what AMQP shows, and the rest is said to be unknown.
"""

from __future__ import annotations

from collections.abc import Sequence

from shared.wire import cluster, comparison, rights
from shared.wire.declare import check
from shared.wire.drift import Drift
from shared.wire.management import Management, ManagementDenied
from shared.wire.policies import policies

_UNSEEN = "bindings, policies, rights and members"
_GIVE_ADDRESS = "set GRIDWHISTLE_BROKER_MANAGEMENT_URL (http://user:password@host:15672)"


def inspect(broker_url: str, management_url: str | None, departments: Sequence[str] | None = None) -> tuple[Drift, ...]:
    """What is otherwise than the suite needs it, faults first. Changes nothing. Raises BrokerAway, Misconfigured.

    `departments`: those of the pack; None when no pack is at hand: then nothing of theirs is looked at.
    """
    if not management_url:
        unseen = "AMQP does not show them"
        note = Drift(code="not-looked-at", where=_UNSEEN, what=unseen, remedy=_GIVE_ADDRESS, fault=False)
        return (*check(broker_url, departments or ()), note)
    management = Management(management_url, broker_url)
    try:
        has = comparison.found(management, departments)
    except ManagementDenied as denied:
        remedy = "give the user the tag policymaker and rights in the virtual host, or another address"
        note = Drift(code="not-looked-at", where=_UNSEEN, what=str(denied), remedy=remedy, fault=False)
        return (*check(broker_url, departments or ()), note)
    found = (
        *comparison.compare(has),
        *rights.compare(management, departments or ()),
        *cluster.compare(management, departments or ()),
    )
    return tuple(sorted(found, key=lambda one: not one.fault))


def set_policies(broker_url: str, management_url: str, *, reset: bool = False) -> tuple[str, ...]:
    """Set the policies that are missing, or all of them; returns the names of those set.

    One that is there is an operator's own and stays, unless `reset`.
    Raises BrokerAway, Misconfigured, ManagementDenied.
    """
    management = Management(management_url, broker_url)
    there = {row["name"] for row in management.get("policies/{vhost}")}
    wanted = [policy for policy in policies() if reset or policy.name not in there]
    for policy in wanted:
        management.put(f"policies/{{vhost}}/{policy.name}", policy.as_json())
    return tuple(policy.name for policy in wanted)
