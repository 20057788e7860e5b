"""The broker compared with the suite's topology and policies, through the management interface. Changes nothing.

Pure comparison of what the interface lists; the queues' members and the users' rights are looked at elsewhere.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from shared.contracts import topology, whistles
from shared.wire import arrangement
from shared.wire.drift import Drift
from shared.wire.management import Management
from shared.wire.policies import Policy, policies

_DECLARE = "run `gridwhistle declare`"
_OURS, _DEPARTMENTS = "gridwhistle.", whistles.key_of("")
Rows = list[dict[str, Any]]


@dataclass(frozen=True, kw_only=True)
class Found:
    """What the virtual host has."""

    exchanges: Rows
    queues: Rows
    bindings: Rows
    policies: Rows
    operator_policies: Rows
    #: Whose queues and exchanges there should be; None: nobody knows which departments there are.
    departments: tuple[str, ...] | None = None

    def wanted_exchanges(self) -> tuple[arrangement.Exchange, ...]:
        """What should be there."""
        return arrangement.exchanges(self.departments or ())

    def wanted_queues(self) -> tuple[arrangement.Queue, ...]:
        """What should be there."""
        return arrangement.queues(self.departments or ())


def found(management: Management, departments: Sequence[str] | None = None) -> Found:
    """Ask for everything that is compared. Raises BrokerAway, ManagementDenied."""
    return Found(
        departments=None if departments is None else tuple(departments),
        exchanges=management.get("exchanges/{vhost}"),
        queues=management.get("queues/{vhost}"),
        bindings=management.get("bindings/{vhost}"),
        policies=management.get("policies/{vhost}"),
        operator_policies=management.get("operator-policies/{vhost}"),
    )


def compare(has: Found) -> Iterator[Drift]:
    """Everything that is not as the suite needs it, exchanges first."""
    yield from _exchanges(has)
    yield from _queues(has)
    yield from _bindings(has)
    yield from _dead_letters(has)
    yield from _policies(has)


def _exchanges(has: Found) -> Iterator[Drift]:
    rows = {row["name"]: row for row in has.exchanges}
    for exchange in has.wanted_exchanges():
        row = rows.get(exchange.name)
        where = f"exchange {exchange.name}"
        if row is None:
            yield Drift(code="missing-exchange", where=where, what="is not there", remedy=_DECLARE)
        elif (row["type"], row["durable"], row["auto_delete"], row["internal"]) != (exchange.kind, True, False, False):
            kind = f"{row['type']}, durable {row['durable']}, auto-delete {row['auto_delete']}"
            remedy = f"stop the suite, delete the exchange, {_DECLARE}"
            yield Drift(code="wrong-exchange", where=where, what=f"is {kind}; not {exchange.kind}", remedy=remedy)


def _queues(has: Found) -> Iterator[Drift]:
    rows = {row["name"]: row for row in has.queues}
    wanted = {queue.name: queue for queue in has.wanted_queues()}
    for name, queue in wanted.items():
        row = rows.get(name)
        where = f"queue {name}"
        if row is None:
            yield Drift(code="missing-queue", where=where, what="is not there", remedy=_DECLARE)
        elif row["arguments"] != queue.arguments:
            yield _arguments(where, row["arguments"], queue.arguments)
    for name in sorted(rows.keys() - wanted.keys()):
        if name.startswith(_OURS) or (name.startswith(_DEPARTMENTS) and has.departments is not None):
            remedy = "another release's? Else look what it holds, then delete it: nobody reads it, and it grows"
            what = "is none of this release's"
            yield Drift(code="unknown-queue", where=f"queue {name}", what=what, remedy=remedy, fault=False)


def _arguments(where: str, has: dict[str, Any], wanted: dict[str, Any]) -> Drift:
    if has == arrangement.ARGUMENTS_0_1:
        limit = has["x-delivery-limit"]
        return Drift(
            code="arguments-of-0.1",
            where=where,
            what=f"carries x-delivery-limit={limit} as an argument: the policy can lower the limit, not raise it",
            remedy="nothing need be done; docs/runbook.md says how to make the queue anew",
            fault=False,
        )
    differs = sorted(key for key in has.keys() | wanted.keys() if has.get(key) != wanted.get(key))
    what = ", ".join(f"{key} is {has.get(key, 'absent')}, not {wanted.get(key, 'absent')}" for key in differs)
    remedy = "make it anew, losing nothing: docs/runbook.md, WrongQueue"
    return Drift(code="wrong-arguments", where=where, what=what, remedy=remedy)


def _bindings(has: Found) -> Iterator[Drift]:
    bound = {
        (row["source"], row["routing_key"], row["destination"])
        for row in has.bindings
        if row["source"] and row["destination_type"] == "queue"
    }
    wanted = {(source, key, queue.name) for queue in has.wanted_queues() for source, key in queue.bindings}
    ours = {queue.name for queue in has.wanted_queues()}
    exchanges = {exchange.name for exchange in has.wanted_exchanges()}
    for source, key, queue in sorted(wanted - bound):
        what = f"is not bound to {source} by {key or 'the empty key'}"
        yield Drift(code="missing-binding", where=f"queue {queue}", what=what, remedy=_DECLARE)
    for source, key, queue in sorted(bound - wanted):
        if has.departments is None and whistles.department_of(source) is not None:
            continue
        if queue in ours:
            what = f"is also bound to {source} by {key or 'the empty key'}"
            remedy = "a newer release's? Else unbind it: what comes that way is not meant for this queue"
            yield Drift(code="extra-binding", where=f"queue {queue}", what=what, remedy=remedy)
    limits = {row["name"]: row["arguments"] for row in has.queues}
    for source, queue in sorted({(source, queue) for source, _, queue in bound - wanted if queue not in ours}):
        if source in exchanges:
            yield _foreign(source, queue, limits.get(queue, {}))


def _foreign(exchange: str, queue: str, arguments: dict[str, Any]) -> Drift:
    refuses = arguments.get("x-overflow", "").startswith("reject-publish")
    if refuses and (arguments.keys() & {"x-max-length", "x-max-length-bytes"}):
        what = f"hears {exchange} and refuses what does not fit: full, it stops the relay of that service"
        remedy = "give it x-overflow=drop-head, or a queue of its owner's own virtual host behind a shovel"
        return Drift(code="foreign-queue", where=f"queue {queue}", what=what, remedy=remedy)
    what = f"hears {exchange}; every publish waits for its confirm as well"
    remedy = "known (a department's own service)? Then nothing. Else unbind it: it reads events of residents' matters"
    return Drift(code="foreign-queue", where=f"queue {queue}", what=what, remedy=remedy, fault=False)


def _dead_letters(has: Found) -> Iterator[Drift]:
    if not any(row["source"] == topology.DEAD_EXCHANGE for row in has.bindings):
        yield Drift(
            code="no-dead-letter-target",
            where=f"exchange {topology.DEAD_EXCHANGE}",
            what="no queue hears it: dead letters stay in their queues, unseen, until one does",
            remedy=f"{_DECLARE}; what waits moves within three minutes",
        )


def _policies(has: Found) -> Iterator[Drift]:
    rows = {row["name"]: row for row in has.policies}
    names = [queue.name for queue in has.wanted_queues()]
    for policy in policies():
        row = rows.get(policy.name)
        where = f"policy {policy.name}"
        if row is None:
            remedy = f"{_DECLARE} with the management address, or import deploy/rabbitmq/policies.json"
            yield Drift(code="missing-policy", where=where, what="is not there", remedy=remedy)
            continue
        if not _same(row, policy):
            what = f"is {_shown(row)}, as shipped {_shown(policy.as_json())}"
            remedy = "yours on purpose? Then keep it. Else `gridwhistle declare --reset-policies`"
            yield Drift(code="wrong-policy", where=where, what=what, remedy=remedy, fault=not _tuned(row, policy))
        covered = [name for name in names if policy.covers(name)]
        for other in has.policies:
            if other["name"] == policy.name or other.get("priority", 0) < row.get("priority", 0):
                continue
            hit = [name for name in covered if _may_cover(other, name)]
            if hit:
                what = f"takes its place on {len(hit)} queue(s), {hit[0]} the first: {_shown(other)}"
                remedy = f"give {other['name']} another pattern or a lower priority: one policy applies, not both"
                yield Drift(code="displaced-policy", where=f"policy {other['name']}", what=what, remedy=remedy)
    for other in has.operator_policies:
        hit = [name for name in names if _may_cover(other, name)]
        if hit:
            what = f"limits {len(hit)} of our queues: {_shown(other)}"
            remedy = (
                "is it meant? A limit of length stops relays when reached, message-ttl sends events to the dead queue"
            )
            where = f"operator policy {other['name']}"
            yield Drift(code="operator-policy", where=where, what=what, remedy=remedy, fault=False)


def _same(row: dict[str, Any], policy: Policy) -> bool:
    wanted = policy.as_json()
    return {key: row.get(key) for key in wanted} == wanted


def _tuned(row: dict[str, Any], policy: Policy) -> bool:
    """An operator's own figures in the shipped policy: same queues, nothing missing, nothing that discards events."""
    discards = {"message-ttl", "expires", "max-length", "max-length-bytes", "overflow", "dead-letter-exchange"}
    return (
        row["pattern"] == policy.pattern
        and row["apply-to"] in ("queues", "quorum_queues", "all")
        and row["definition"].keys() >= policy.definition.keys()
        and not row["definition"].keys() & discards
    )


def _may_cover(row: dict[str, Any], queue: str) -> bool:
    if row.get("apply-to") not in ("queues", "quorum_queues", "all"):
        return False
    try:
        return re.search(row["pattern"], queue) is not None
    except re.error:  # Erlang's dialect knows more than ours: take it for a hit, a person looks
        return True


def _shown(row: dict[str, Any]) -> str:
    settings = ", ".join(f"{key}={value}" for key, value in sorted(row["definition"].items()))
    return f"{row['pattern']} -> {settings} (priority {row.get('priority', 0)})"
