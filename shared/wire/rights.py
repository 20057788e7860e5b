"""Who may do what with the suite's queues and exchanges: enough for the suite, and nobody else unawares.

Looks through the management interface, which shows rights to administrators only. Never sets a right.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

from shared.wire import arrangement
from shared.wire.drift import Drift
from shared.wire.management import Management, ManagementDenied


def compare(management: Management) -> Iterator[Drift]:
    """What the suite's user lacks, and who else may take messages away. Raises BrokerAway."""
    try:
        rows: list[dict[str, Any]] = management.get("vhosts/{vhost}/permissions")
    except ManagementDenied as denied:
        yield Drift(
            code="not-looked-at",
            where="permissions",
            what=str(denied),
            remedy="look with a user that has the tag administrator",
            fault=False,
        )
        return
    yield from judge(rows, management.user)


def judge(rows: list[dict[str, Any]], suite_user: str) -> Iterator[Drift]:
    """Compare the virtual host's permissions, as the interface lists them, with what the suite's user needs."""
    own: dict[str, str] = next((row for row in rows if row["user"] == suite_user), {})
    exchanges = [exchange.name for exchange in arrangement.exchanges()]
    queues = [queue.name for queue in arrangement.queues()]
    for right, names, why in (
        ("configure", [*exchanges, *queues], "a starting process cannot make what a new release needs"),
        ("write", [*exchanges, *queues], "relays cannot publish, or new bindings cannot be made"),
        ("read", [*exchanges, *queues], "services cannot take their messages, or new bindings cannot be made"),
    ):
        lacking = [name for name in names if not _allows(own.get(right, ""), name)]
        if lacking:
            ours = r"'^gridwhistle\.'"
            yield Drift(
                code="permission-missing",
                where=f"user {suite_user}",
                what=f"has no right to {right} {lacking[0]} and {len(lacking) - 1} more: {why}",
                remedy=f"rabbitmqctl set_permissions -p VHOST {suite_user} {ours} {ours} {ours}",
                fault=right != "configure",
            )
    for row in rows:
        readable = [name for name in queues if _allows(row["read"], name)]
        if row["user"] != suite_user and readable:
            what = f"may take messages from {len(readable)} of our queues, {readable[0]} the first"
            remedy = "an administrator who is meant to? Else take the right away: rabbitmqctl set_permissions"
            yield Drift(code="others-may-read", where=f"user {row['user']}", what=what, remedy=remedy, fault=False)


def _allows(pattern: str, name: str) -> bool:
    try:
        return bool(pattern) and re.search(pattern, name) is not None
    except re.error:  # Erlang's dialect: a person looks
        return True
