"""The relay's own metrics, in a registry of its own, served on a port of its own. Prefix and labels as everywhere."""

from __future__ import annotations

from datetime import datetime

from prometheus_client import CollectorRegistry, Counter, Gauge


class RelayMetrics:
    """The instruments of one service's relay; every label set starts at 0."""

    def __init__(self, service: str) -> None:
        self.registry = CollectorRegistry(auto_describe=True)
        self._confirms = self._counter("relay_confirms", "Broker's answers to published events", "result")
        self._answers = {
            result: self._confirms.labels(service, result) for result in ("confirmed", "refused", "returned")
        }
        self._returned = self._counter("relay_returned", "Events that no queue was bound for").labels(service)
        self._pending = self._gauge("outbox_pending", "Events not yet published").labels(service)
        self._age = self._gauge("outbox_oldest_age_seconds", "Age of the oldest unpublished event").labels(service)
        self._success = self._gauge(
            "relay_last_success_timestamp_seconds", "Last round of the relay that went well"
        ).labels(service)
        self._leads = self._gauge("relay_leader", "1 while this relay holds the lease").labels(service)
        self._connected = self._gauge("relay_connected", "1 while connected to the broker").labels(service)
        self._blocked = self._gauge("relay_blocked", "1 while the broker holds publishers back").labels(service)
        self._resting = self._gauge("relay_stopped_streams", "Streams waiting after a refusal").labels(service)

    def _counter(self, name: str, about: str, *labels: str) -> Counter:
        return Counter(f"gridwhistle_{name}", about, ("service", *labels), registry=self.registry)

    def _gauge(self, name: str, about: str) -> Gauge:
        return Gauge(f"gridwhistle_{name}", about, ("service",), registry=self.registry)

    def answered(self, *, confirmed: int, refused: int, returned: int) -> None:
        """Count answers."""
        self._answers["confirmed"].inc(confirmed)
        self._answers["refused"].inc(refused)
        self._answers["returned"].inc(returned)
        self._returned.inc(returned)

    def backlog(self, waiting: int, oldest_age_s: float) -> None:
        """Note how much waits, and for how long the oldest has."""
        self._pending.set(waiting)
        self._age.set(max(0.0, oldest_age_s))

    def success(self, at: datetime) -> None:
        """Note a round that went well."""
        self._success.set(at.timestamp())

    def leads(self, *, leading: bool) -> None:
        """Note whether this relay leads."""
        self._leads.set(leading)

    def connected(self, *, connected: bool) -> None:
        """Note whether the broker is connected."""
        self._connected.set(connected)

    def blocked(self, *, blocked: bool) -> None:
        """Note whether the broker holds publishers back."""
        self._blocked.set(blocked)

    def resting(self, streams: int) -> None:
        """Note how many streams wait after a refusal."""
        self._resting.set(streams)
