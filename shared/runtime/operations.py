"""What an operator and the scenario player may know of any service: whether it rests, and when it wakes up next.

`GET /api/v1/operations` (permission `operate`) is mounted beside every service's own routes. It shows counts and
instants only; it must never show what is in an event.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from sqlalchemy import Column, Connection, Table, case, func, select

from shared.contracts import registry, topology
from shared.kernel.clock import rfc3339
from shared.ledger import outbox, parking, quarantine, tables
from shared.ledger.unit_of_work import UnitOfWork
from shared.runtime.definition import Query, Route


def operations(work: UnitOfWork, parameters: Mapping[str, str]) -> Mapping[str, Any]:
    """Backlogs, the next due instant, and how many events of each stream kind were emitted and received.

    A suite is at rest when every outbox is empty, nothing is parked, and each consumer has received of every stream
    kind it hears as many events as the source emitted (`at_rest`).
    """
    del parameters
    service = work.at_hand.service
    pending, oldest = outbox.backlog(work.db)
    parked, _ = parking.backlog(work.db)
    next_due = work.at_hand.next_due(work.db) if work.at_hand.next_due is not None else None
    return {
        "service": service,
        "now": rfc3339(work.now),
        "outbox_pending": pending,
        "outbox_oldest_at": _text(oldest),
        "parked": parked,
        "quarantined": quarantine.held_count(work.db),
        "next_due": _text(next_due),
        "emitted": _versions(work.db, tables.stream_heads, tables.stream_heads.c.version, _kinds(service)),
        "received": _versions(work.db, tables.stream_positions, tables.stream_positions.c.version, _heard(service)),
    }


def not_at_rest(answers: Mapping[str, Mapping[str, Any]]) -> list[str]:
    """Why a suite is not at rest, from the operations answers of its services by name; empty when it is."""
    reasons = []
    for name, answer in answers.items():
        if answer["outbox_pending"]:
            reasons.append(f"{name}: {answer['outbox_pending']} event(s) wait in the outbox")
        if answer["parked"]:
            reasons.append(f"{name}: {answer['parked']} event(s) are parked")
        for kind, received in answer["received"].items():
            source = kind.split(".", 1)[0]
            emitted = answers.get(source, {}).get("emitted", {}).get(kind, received)
            if received < emitted:
                reasons.append(f"{name}: {emitted - received} event(s) of {kind} are still on their way")
    return reasons


def _kinds(service: str) -> set[str]:
    """Stream kinds, `<service>.<kind>`, that a service emits."""
    return {f"{row.owner}.{row.stream}" for row in registry.all_types() if row.owner == service}


def _heard(service: str) -> set[str]:
    """Stream kinds, `<source>.<kind>`, that a service hears."""
    return {
        f"{row.owner}.{row.stream}"
        for subscription in topology.subscriptions_of(service)
        for row in registry.all_types()
        if row.owner == subscription.source and subscription.hears(row.stream)
    }


def _versions(db: Connection, table: Table, version: Column[int], kinds: set[str]) -> dict[str, int]:
    # The last version of a stream is the number of its events, so one pass over the heads counts them all.
    stream: Column[str] = table.c.stream
    if not kinds:
        return {}
    kind = case(*[(stream.startswith(f"{name}:", autoescape=True), name) for name in sorted(kinds)], else_="")
    rows = db.execute(select(kind.label("kind"), func.sum(version).label("events")).group_by("kind"))
    counts: dict[str, int] = dict.fromkeys(sorted(kinds), 0)
    counts |= {row.kind: int(row.events) for row in rows if row.kind}
    return counts


def _text(instant: datetime | None) -> str | None:
    return None if instant is None else rfc3339(instant)


#: Mounted by every service beside its own routes.
COMMON_ROUTES: tuple[Route, ...] = (
    Route(
        method="GET",
        path="/api/v1/operations",
        query=Query(name="operations", run=operations, needs="operate", about="Backlogs and next due instant 运行状态"),
    ),
)
