"""What an operator may tune about the queues without making them anew: the suite's policies.

Never anything that keeps a message from being lost: that travels in the queue's own arguments (docs/adr/0009), because
a policy may be absent, and one of higher priority displaces it whole and in silence.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from typing import Any

from shared.contracts import topology

#: Deliveries of one message before the broker sets it aside. Only a process that dies with it, or a lost link, counts
#: one: our consumers never requeue (shared/runtime/entrypoints.py). RabbitMQ 4's own default.
DELIVERY_LIMIT = 20
#: Looks that people may take at a dead letter (each "get, put back" of the management interface counts as a delivery).
#: RabbitMQ 4 would drop it after 20; "no limit" cannot be written in a policy that 3.10 accepts.
DEAD_LETTER_LOOKS = 1_000_000
#: One policy applies to a queue, whole: that of the highest priority. Above whatever somebody made for all queues, for
#: that may hold `overflow`, which in a policy goes before the queue's own argument (seen with 3.10.8).
_PRIORITY = 1_000


@dataclass(frozen=True, kw_only=True)
class Policy:
    """A policy to be there."""

    name: str
    #: Regular expression over queue names.
    pattern: str
    definition: dict[str, Any] = field(hash=False)
    priority: int = _PRIORITY

    def covers(self, queue: str) -> bool:
        """Whether it is about that queue."""
        return re.search(self.pattern, queue) is not None

    def as_json(self) -> dict[str, Any]:
        """As the management interface takes it; "queues" because 3.10 knows no "quorum_queues"."""
        return {
            "pattern": self.pattern,
            "apply-to": "queues",
            "definition": dict(self.definition),
            "priority": self.priority,
        }


def policies() -> tuple[Policy, ...]:
    """Every policy of the suite; each queue is covered by exactly one."""
    return (
        Policy(
            name="gridwhistle",
            pattern=r"^gridwhistle\.[a-z]+\.from\.[a-z]+$",
            definition={"delivery-limit": DELIVERY_LIMIT},
        ),
        Policy(
            name="gridwhistle-departments",
            pattern=r"^whistle\.",
            definition={"delivery-limit": DELIVERY_LIMIT},
        ),
        Policy(
            name="gridwhistle-dead",
            pattern="^" + re.escape(topology.DEAD_QUEUE) + "$",
            definition={"delivery-limit": DEAD_LETTER_LOOKS},
        ),
    )
