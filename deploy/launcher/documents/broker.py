"""`deploy/rabbitmq/*.json`: what RabbitMQ imports to have the suite's topology, policies and users, made from the code.

Three files, because they are imported at different times: definitions.json (everything but users) and policies.json at
any time, users.json once, when the virtual host is new. No secret is ever in one of them.
"""

from __future__ import annotations

import json
from typing import Any

from shared.wire import arrangement
from shared.wire.policies import policies

#: The virtual host in the files; the suite uses whichever its address names.
VHOST = "gridwhistle"
_OURS = r"^gridwhistle\."
#: And what belongs to departments: their queues and exchanges.
_ALL = r"^(gridwhistle|whistle|department)\."
#: User -> (tags, right to configure, write, read).
USERS: dict[str, tuple[list[str], str, str, str]] = {
    # Services and relays.
    "gridwhistle-suite": ([], _OURS, _OURS, _OURS),
    # `gridwhistle declare` and its --check: sets policies, publishes nothing, reads what it binds. Making departments'
    # users takes an administrator.
    "gridwhistle-declare": (["policymaker", "monitoring"], _ALL, _ALL, _ALL),
}


def definitions() -> str:
    """Virtual host, exchanges, queues, bindings and policies. Importing it again changes nothing."""
    return _text(
        {"vhosts": [{"name": VHOST}]}
        | {"policies": _policies()}
        | {
            "exchanges": [
                _in_vhost({"name": one.name, "type": one.kind, "internal": False} | _lasting())
                for one in arrangement.exchanges()
            ],
            "queues": [
                _in_vhost({"name": one.name} | _lasting() | {"arguments": one.arguments})
                for one in arrangement.queues()
            ],
            "bindings": [
                _in_vhost(
                    {"source": source, "destination": one.name, "destination_type": "queue"}
                    | {"routing_key": key, "arguments": {}}
                )
                for one in arrangement.queues()
                for source, key in one.bindings
            ],
        }
    )


def policies_alone() -> str:
    """The policies, for an installation whose queues are there."""
    return _text({"vhosts": [{"name": VHOST}], "policies": _policies()})


def users() -> str:
    """The users, without a password: nobody can log in before `rabbitmqctl change_password`."""
    return _text(
        {
            "users": [
                {"name": name, "password_hash": "", "hashing_algorithm": "rabbit_password_hashing_sha256", "tags": tags}
                for name, (tags, *_) in USERS.items()
            ],
            "vhosts": [{"name": VHOST}],
            "permissions": [
                _in_vhost({"user": name, "configure": configure, "write": write, "read": read})
                for name, (_, configure, write, read) in USERS.items()
            ],
        }
    )


def _policies() -> list[dict[str, Any]]:
    return [_in_vhost({"name": policy.name} | policy.as_json()) for policy in policies()]


def _lasting() -> dict[str, Any]:
    return {"durable": True, "auto_delete": False, "arguments": {}}


def _in_vhost(row: dict[str, Any]) -> dict[str, Any]:
    return {"vhost": VHOST} | row


def _text(content: dict[str, Any]) -> str:
    return json.dumps(content, indent=2, ensure_ascii=False) + "\n"
