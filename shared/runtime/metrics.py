"""Prometheus metrics that every service has, one registry per service, names and labels as in design section 10.

One prefix, a `service` label, base units, no grid or matter id as a label. All label sets that are known start at 0.
"""

from __future__ import annotations

from collections.abc import Iterable
from datetime import UTC, datetime
from typing import Any, TypeVar

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, disable_created_metrics
from prometheus_client.openmetrics.exposition import generate_latest as generate_openmetrics

from shared.contracts import registry as events
from shared.contracts import topology
from shared.contracts.envelope import Envelope
from shared.ledger.reception import Outcome
from shared.ledger.retention import PURGES

disable_created_metrics()  # type: ignore[no-untyped-call]

_SECONDS = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10)
_LAG_SECONDS = (0.01, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60, 300, 3600)
#: Share of an SLA clock's budget used when it stopped; 1.0 is the compliance line.
BUDGET_SHARES = (0.1, 0.25, 0.5, 0.75, 0.9, 1.0, 1.25, 1.5, 2, 3, 5)
VERSION = "0.1.0"
#: What may become of a command: done, refused by a rule, failed by us.
RESULTS = ("ok", "rejected", "error")

Made = TypeVar("Made", Counter, Gauge, Histogram)


class ServiceMetrics:
    """The instruments of one service. Domain metrics are added by `counter`, `gauge` and `histogram`."""

    def __init__(self, service: str) -> None:
        self.service = service
        self.registry = CollectorRegistry(auto_describe=True)
        self._made: dict[str, Counter | Gauge | Histogram] = {}
        self._children: dict[tuple[Any, tuple[str, ...]], Any] = {}
        self.gauge("build_info", "Version that runs; always 1", ("version",)).labels(service, VERSION).set(1)
        self._requests = self.counter("requests_total", "Commands by result", ("command", "result"))
        self._request_seconds = self.histogram(
            "request_duration_seconds", "Time a command took", ("command",), _SECONDS
        )
        self._handled = self.counter("events_handled_total", "Events by result", ("event", "result"))
        self._lag = self.histogram(
            "event_lag_seconds", "From the event's time to its handling", ("event",), _LAG_SECONDS
        )
        self._emitted = self.counter("events_emitted_total", "Events committed to the outbox", ("event",))
        for row in events.all_types():
            if row.owner == service:
                self._emitted.labels(service, row.name)
        self._scan = self.gauge(
            "scan_last_success_timestamp_seconds", "Last scan for due work that succeeded", ("scan",)
        )
        self._purged = self.counter("purged_rows_total", "Rows of the ledger purged after their time", ("table",))
        for table in PURGES:
            self._purged.labels(service, table)
        self._purge = self.gauge(
            "purge_last_success_timestamp_seconds", "When the ledger last held nothing older than it is kept"
        )
        self.outbox_pending = self.gauge("outbox_pending", "Events not yet published")
        self.outbox_age = self.gauge("outbox_oldest_age_seconds", "Age of the oldest unpublished event")
        self.parked = self.gauge("parked", "Events waiting for their predecessor")
        self.parked_age = self.gauge("parked_oldest_age_seconds", "How long the one that waits longest has waited")
        self.quarantined = self.gauge("quarantined", "Messages waiting for an operator's decision")
        self.interventions = self.gauge(
            "interventions", "What operators ever did to the flow of events by hand", ("kind",)
        )
        for subscription in topology.subscriptions_of(service):
            for row in events.all_types():
                if row.owner == subscription.source and subscription.hears(row.stream):
                    for outcome in Outcome:
                        self._handled.labels(service, row.name, outcome.value)

    def counter(self, name: str, about: str, labels: tuple[str, ...] = ()) -> Counter:
        """A counter `gridwhistle_<name>` with a `service` label first; asking again gives the same one."""
        return self._instrument(Counter, name, about, labels)

    def gauge(self, name: str, about: str, labels: tuple[str, ...] = ()) -> Gauge:
        """A gauge, likewise."""
        return self._instrument(Gauge, name, about, labels)

    def histogram(self, name: str, about: str, labels: tuple[str, ...], buckets: tuple[float, ...]) -> Histogram:
        """A histogram, likewise."""
        return self._instrument(Histogram, name, about, labels, buckets=buckets)

    def _instrument(self, kind: type[Made], name: str, about: str, labels: tuple[str, ...], **more: Any) -> Made:
        if name not in self._made:
            labels = ("service", *labels)
            self._made[name] = kind(f"gridwhistle_{name}", about, labels, registry=self.registry, **more)
        made = self._made[name]
        if not isinstance(made, kind):
            message = f"metric {name} is a {type(made).__name__}, not a {kind.__name__}"
            raise TypeError(message)
        return made

    def expect_commands(self, names: Iterable[str]) -> None:
        """Start every command's counters at 0, so that `increase()` sees the first one."""
        for name in names:
            for result in RESULTS:
                self._requests.labels(self.service, name, result)

    def request(self, command: str, result: str, seconds: float) -> None:
        """Count a command."""
        self._labelled(self._requests, command, result).inc()
        self._labelled(self._request_seconds, command).observe(seconds)

    def event(self, envelope: Envelope | None, outcome: Outcome, now: datetime) -> None:
        """Count an event and measure how late it was; None stands for bytes that could not be read."""
        name = "undecodable"
        if envelope is not None:
            name = envelope.type.removeprefix("gridwhistle.").rsplit(".v", 1)[0]
            if outcome is not Outcome.QUARANTINED:
                self._labelled(self._lag, name).observe(max(0.0, (now - envelope.time).total_seconds()))
        self._labelled(self._handled, name, outcome.value).inc()

    def letter(self, outcome: Outcome) -> None:
        """Count a message from outside."""
        self._handled.labels(self.service, "letter", outcome.value).inc()

    def emitted(self, event: Any) -> None:
        """Count an event that was committed to the outbox."""
        self._labelled(self._emitted, events.by_shape(type(event)).name).inc()

    def _labelled(self, instrument: Any, *labels: str) -> Any:
        """`instrument.labels`, remembered: finding a child costs more than counting in it."""
        try:
            return self._children[instrument, labels]
        except KeyError:
            found = self._children[instrument, labels] = instrument.labels(self.service, *labels)
            return found

    def scan(self, name: str, now: datetime) -> None:
        """Note a successful scan."""
        self._scan.labels(self.service, name).set(now.astimezone(UTC).timestamp())

    def purged(self, table: str, rows: int) -> None:
        """Count purged rows of one of the ledger's tables."""
        self._purged.labels(self.service, table).inc(rows)

    def purged_all(self, now: datetime) -> None:
        """Note that nothing is left to purge."""
        self._purge.labels(self.service).set(now.astimezone(UTC).timestamp())

    def render(self) -> bytes:
        """The OpenMetrics text."""
        text: bytes = generate_openmetrics(self.registry)  # type: ignore[no-untyped-call]
        return text
