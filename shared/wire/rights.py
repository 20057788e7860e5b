"""Who may do what with the suite's queues and exchanges: enough for the suite, and nobody else unawares.

Looks through the management interface, which shows rights to administrators only. Never sets a right: departments'
users and rights are made in department_users.py.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from typing import Any

from shared.contracts import whistles
from shared.wire import arrangement
from shared.wire.drift import Drift
from shared.wire.management import Management, ManagementDenied

_ADMINISTRATOR = "look with a user that has the tag administrator"
_OURS = r"'^gridwhistle\.'"


def compare(management: Management, departments: Sequence[str] = ()) -> Iterator[Drift]:
    """What the suite's user lacks, and who else may take messages away or answer for others. Raises BrokerAway."""
    try:
        rows: list[dict[str, Any]] = management.get("vhosts/{vhost}/permissions")
        topics: list[dict[str, Any]] = management.get("vhosts/{vhost}/topic-permissions") if departments else []
        users: list[dict[str, Any]] = management.get("users") if departments else []
    except ManagementDenied as denied:
        yield Drift(code="not-looked-at", where="permissions", what=str(denied), remedy=_ADMINISTRATOR, fault=False)
        return
    yield from judge(rows, management.user)
    yield from judge_departments(rows, topics, users, departments)


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
            yield Drift(
                code="permission-missing",
                where=f"user {suite_user}",
                what=f"has no right to {right} {lacking[0]} and {len(lacking) - 1} more: {why}",
                remedy=f"rabbitmqctl set_permissions -p VHOST {suite_user} {_OURS} {_OURS} {_OURS}",
                fault=right != "configure",
            )
    for row in rows:
        readable = [name for name in queues if _allows(row["read"], name)]
        if row["user"] != suite_user and readable:
            what = f"may take messages from {len(readable)} of our queues, {readable[0]} the first"
            remedy = "an administrator who is meant to? Else take the right away: rabbitmqctl set_permissions"
            yield Drift(code="others-may-read", where=f"user {row['user']}", what=what, remedy=remedy, fault=False)


def rights_of(department: str) -> dict[str, str]:
    """A department's permissions: take from its own queue, publish on its own exchange, make nothing."""
    return {
        "configure": "^$",
        "write": f"^{re.escape(whistles.exchange_of(department))}$",
        "read": f"^{re.escape(whistles.key_of(department))}$",
    }


def topics_of(department: str) -> dict[str, str]:
    """Its topic permission on its own exchange: the five answers, and no binding to it."""
    answers = "|".join(whistles.ANSWERS)
    return {"exchange": whistles.exchange_of(department), "write": rf"^answer\.({answers})$", "read": "^$"}


def judge_departments(
    rows: list[dict[str, Any]],
    topics: list[dict[str, Any]],
    users: list[dict[str, Any]],
    departments: Sequence[str],
) -> Iterator[Drift]:
    """Every department's user with exactly its rights, and nobody but administrators who could answer for one."""
    known = {row["name"]: row for row in users}
    tags = {name: _tags(row) for name, row in known.items()}
    remedy = "run `gridwhistle declare` with an administrator's management address"
    for department in departments:
        user = whistles.exchange_of(department)
        where = f"user {user}"
        if user not in known:
            what = "is not there: the department cannot connect"
            yield Drift(code="missing-user", where=where, what=what, remedy=remedy)
            continue
        if tags[user]:
            what = f"has the tag {', '.join(tags[user])}: it may look into, or rule, the broker"
            yield Drift(code="wrong-rights", where=where, what=what, remedy=f"rabbitmqctl set_user_tags {user}")
        has = next((row for row in rows if row["user"] == user), {})
        topic = [row for row in topics if row["user"] == user]
        wanted = rights_of(department)
        differs = [f"{right} is {has.get(right, 'absent')}" for right in wanted if has.get(right) != wanted[right]]
        shown = [{name: row[name] for name in ("exchange", "write", "read")} for row in topic]
        if shown != [topics_of(department)]:
            differs.append(f"topic permissions are {shown or 'absent'}")
        if differs:
            what = f"has not the rights of its department: {'; '.join(differs)}"
            yield Drift(code="wrong-rights", where=where, what=what, remedy=remedy)
    yield from _forgers(rows, tags, departments)


def _forgers(rows: list[dict[str, Any]], tags: dict[str, list[str]], departments: Sequence[str]) -> Iterator[Drift]:
    """Users without a tag who may write where only a department may, or read what only it may."""
    for row in rows:
        if tags.get(row["user"]):
            continue
        own = whistles.department_of(row["user"])
        others = [one for one in departments if one != own]
        as_them = [one for one in others if _allows(row["write"], whistles.exchange_of(one))]
        theirs = [one for one in others if _allows(row["read"], whistles.key_of(one))]
        if as_them or theirs:
            what = f"may answer as {len(as_them)} and read the calls of {len(theirs)} department(s) not its own"
            remedy = (
                f"no declaring user? Then: rabbitmqctl set_permissions -p VHOST {row['user']} {_OURS} {_OURS} {_OURS}"
            )
            yield Drift(
                code="others-may-answer", where=f"user {row['user']}", what=what, remedy=remedy, fault=own is not None
            )  # fmt: skip


def _tags(row: dict[str, Any]) -> list[str]:
    """RabbitMQ before 3.9 lists them as one text."""
    given = row.get("tags") or []
    return [one for one in (given.split(",") if isinstance(given, str) else given) if one]


def _allows(pattern: str, name: str) -> bool:
    try:
        return bool(pattern) and re.search(pattern, name) is not None
    except re.error:  # Erlang's dialect: a person looks
        return True
