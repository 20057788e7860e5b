"""The broker's map: every exchange, queue and binding. Names of queues exist only here.

A consumer subscribes to whole stream kinds of a source, never to single events, so that the stream versions it sees are
1, 2, 3 … and a hole always means a message still on its way.
"""

from __future__ import annotations

from dataclasses import dataclass

from shared.contracts import registry, whistles

SERVICES = ("intake", "deliberation", "dispatch", "oversight", "notify")

#: Exchange that refused messages go to, and the queue that keeps them.
DEAD_EXCHANGE = "gridwhistle.dead"
DEAD_QUEUE = "gridwhistle.dead"

#: Who whistles for departments, and its queue for their answers: bound to every department's own exchange.
WHISTLER = "dispatch"
ANSWERS_QUEUE = f"gridwhistle.{WHISTLER}.from.departments"

#: consumer -> source -> stream kinds; "*" is every kind.
LISTENS: dict[str, dict[str, tuple[str, ...]]] = {
    "intake": {"dispatch": ("matter",)},
    "deliberation": {"intake": ("matter",), "dispatch": ("matter",)},
    "dispatch": {
        "intake": ("demand", "matter", "resource"),
        "deliberation": ("topic",),
        "oversight": ("evaluation", "order"),
    },
    "oversight": dict.fromkeys(SERVICES, ("*",)),
    "notify": {
        "intake": ("demand", "matter"),
        "dispatch": ("matter", "clock", "claim", "rectification"),
        "oversight": ("evaluation", "order"),
    },
}


@dataclass(frozen=True, kw_only=True)
class Subscription:
    """One queue: what one consuming service hears from one source."""

    consumer: str
    source: str
    streams: tuple[str, ...]

    @property
    def queue(self) -> str:
        """The queue's name."""
        return f"gridwhistle.{self.consumer}.from.{self.source}"

    @property
    def exchange(self) -> str:
        """The exchange it is bound to."""
        return exchange_of(self.source)

    def hears(self, stream_kind: str) -> bool:
        """Whether events of that stream kind of the source come through this queue."""
        return self.hears_everything or stream_kind in self.streams

    @property
    def hears_everything(self) -> bool:
        """Whether it is bound to all that its source tells, whatever that is."""
        return "*" in self.streams

    def binding_keys(self) -> tuple[str, ...]:
        """Routing keys to bind: every event of the stream kinds, or `#`."""
        if self.hears_everything:
            return ("#",)
        return tuple(
            row.routing_key for row in registry.all_types() if row.owner == self.source and row.stream in self.streams
        )


def exchange_of(service: str) -> str:
    """The topic exchange on which a service's events leave."""
    return f"gridwhistle.{service}"


def way_of(service: str, type_: str, stream: str) -> tuple[str, str]:
    """(exchange, routing key) of what a service's outbox holds, also of types of a newer release that runs beside.

    Raises registry.UnknownType for what is no event type at all.
    """
    if whistles.addressee(stream) is not None:
        return whistles.EXCHANGE, whistles.key_in(stream)
    return exchange_of(service), registry.routing_key_in(type_)


def subscriptions() -> tuple[Subscription, ...]:
    """Every queue of the suite, by consumer and source."""
    return tuple(
        Subscription(consumer=consumer, source=source, streams=kinds)
        for consumer, sources in LISTENS.items()
        for source, kinds in sources.items()
    )


def subscriptions_of(consumer: str) -> tuple[Subscription, ...]:
    """The queues that a service reads."""
    return tuple(row for row in subscriptions() if row.consumer == consumer)


def hearers(stream: str) -> tuple[Subscription, ...]:
    """Who hears a stream, whichever release its events are of; nobody hears what departments are told.

    `stream`: whole, or what comes before its colon.
    """
    source, _, kind = stream.partition(":")[0].partition(".")
    return tuple(sub for sub in subscriptions() if sub.source == source and sub.hears(kind))
