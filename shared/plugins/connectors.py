"""The contract of a connector: a way by which a department without a bus is reached (group `gridwhistle.connectors`).

A connector hands one message of the whistle contract to a department's own system and says whether that took it. It
must never retry on its own (dispatch does, by its own back-off), never log a body or a secret, and never answer for
anybody.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime
from typing import Protocol


@dataclass(frozen=True, kw_only=True)
class Delivery:
    """One message to hand over."""

    #: The message's own id, the same over all attempts: whoever has it drops it.
    id: str
    department: str
    #: The bytes as they are on the bus: a CloudEvent.
    body: bytes = field(repr=False)
    #: When this attempt began.
    at: datetime


class Connector(Protocol):
    """A way to some departments."""

    def reaches(self, department: str) -> bool:
        """Whether it is configured for that department."""
        ...

    def deliver(self, delivery: Delivery) -> None:
        """Hand it over within seconds. Raises TemporaryFailure or PermanentFailure (shared.plugins.notifiers)."""
        ...
