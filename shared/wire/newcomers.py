"""Events of a newer release that runs beside this one: bound to the queues of their hearers before they leave.

Who declares a release's queues binds what that release knows. An event of a newer one may be in the outbox before that
one has declared: published then, it would be confirmed, since oversight's queue gets everything, and reach nobody else.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol

from shared.contracts import registry, topology

#: Seconds for which a binding that was made counts as being there, and for which a refusal is believed.
BOUND_FOR_S, REFUSED_FOR_S = 60.0, 1.0


class Binds(Protocol):
    """What is needed of a publisher (`shared.wire.publisher.Publisher`)."""

    def bind(self, queue: str, exchange: str, routing_key: str) -> str | None: ...  # noqa: D102 -- see there


@dataclass(frozen=True)
class _Found:
    until: float
    refused: str | None


class Newcomers:
    """What one relay has found out about types that it does not know."""

    def __init__(self, service: str, monotonic: Callable[[], float]) -> None:
        """Nothing is known yet."""
        self._service = service
        self._monotonic = monotonic
        self._found: dict[tuple[str, str], _Found] = {}

    def forget(self) -> None:
        """Another connection, perhaps to another broker."""
        self._found.clear()

    def refused(self, type_: str, stream: str, publisher: Binds) -> str | None:
        """Why an event may not leave yet; None when everybody who hears its stream will get it. Raises BrokerAway."""
        if registry.is_known(type_):
            return None
        key = (type_, stream.partition(":")[0])
        found = self._found.get(key)
        if found is None or found.until <= self._monotonic():
            refused = self._bind(type_, stream, publisher)
            lasts = BOUND_FOR_S if refused is None else REFUSED_FOR_S
            found = self._found[key] = _Found(self._monotonic() + lasts, refused)
        return found.refused

    def _bind(self, type_: str, stream: str, publisher: Binds) -> str | None:
        exchange, routing_key = topology.way_of(self._service, type_, stream)
        for subscription in topology.hearers(stream):
            if subscription.hears_everything:
                continue
            refused = publisher.bind(subscription.queue, exchange, routing_key)
            if refused is not None:
                return (
                    f"of a newer release, and not bound to {subscription.queue} ({refused}); let that release declare"
                )
        return None
