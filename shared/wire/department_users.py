"""Departments' users at the broker: made with exactly their rights, through the management interface.

For `gridwhistle declare` alone, with an administrator's address. A password is given or made, sent once to the broker
and handed back to the caller; it is never logged, and that of a user who is there is never changed unless asked for.
"""

from __future__ import annotations

import secrets
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from urllib.parse import quote

from shared.contracts import whistles
from shared.wire.management import Management
from shared.wire.rights import rights_of, topics_of

#: Connections and channels that one department may hold: a broken program cannot exhaust the broker.
LIMITS = {"max-connections": 10, "max-channels": 50}
#: Random bytes of a password that is made.
_STRENGTH = 32


@dataclass(frozen=True, kw_only=True)
class Made:
    """What was done for one department."""

    department: str
    user: str
    #: The password when it was set now; None when the user had one and keeps it.
    password: str | None = field(repr=False)


def set_users(
    broker_url: str,
    management_url: str,
    departments: Sequence[str],
    *,
    passwords: Mapping[str, str] | None = None,
    anew: Sequence[str] = (),
) -> tuple[Made, ...]:
    """Make the users that are missing, and set the rights of all. Raises BrokerAway, Misconfigured, ManagementDenied.

    `passwords`: department -> password, for those who shall not get one made. `anew`: who gets a new one though there.
    """
    if not departments:
        return ()
    management = Management(management_url, broker_url)
    there = {row["name"] for row in management.get("users")}
    given = passwords or {}
    return tuple(_set(management, one, there, given.get(one), anew=one in anew) for one in departments)


def _set(management: Management, department: str, there: set[str], given: str | None, *, anew: bool) -> Made:
    user = whistles.exchange_of(department)
    path = quote(user, safe="")
    password = None
    if user not in there or given is not None or anew:
        password = given or secrets.token_urlsafe(_STRENGTH)
        management.put(f"users/{path}", {"password": password, "tags": ""})
    management.put(f"permissions/{{vhost}}/{path}", rights_of(department))
    management.put(f"topic-permissions/{{vhost}}/{path}", topics_of(department))
    for limit, value in LIMITS.items():
        management.put(f"user-limits/{path}/{limit}", {"value": value})
    return Made(department=department, user=user, password=password)
