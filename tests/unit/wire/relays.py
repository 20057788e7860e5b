"""A relay with a broker that answers what the test says."""

from __future__ import annotations

from sqlalchemy import insert, select

from shared.contracts.intake import MatterOpened
from shared.kernel.clock import parse_instant
from shared.ledger import tables
from shared.ledger.engines import writing
from shared.wire.connection import BrokerAway
from shared.wire.metrics import RelayMetrics
from shared.wire.publisher import Answers
from shared.wire.relay import Relay

NOW = parse_instant("2026-11-22T08:00:00Z")
TYPE = "gridwhistle.intake.matter-opened.v1"
assert MatterOpened  # the type is registered


class Broker:
    """Answers as told; remembers what it was sent."""

    def __init__(self):
        self.sent = []
        self.refuse = set()
        self.return_ = set()
        self.away_after = None
        #: (queue, exchange, key) bound; queues that may not be bound.
        self.bound = []
        self.keep_from = set()
        self.asked = 0
        self.silent = False
        #: Connections that refuse whatever they are sent, counted from the first.
        self.stale = 0
        self.connections = 0

    def waited(self):
        """Called whenever somebody waits for answers."""

    def connect(self):
        self.connections += 1
        return Link(self, stale=self.connections <= self.stale)


class Link:
    """A publisher on that broker."""

    def __init__(self, broker, *, stale=False):
        self._broker = broker
        self._stale = stale
        self._flying = []
        self._answers = Answers()
        self.blocked = None
        self.closed = False

    @property
    def unanswered(self):
        return len(self._flying)

    def bind(self, queue, exchange, routing_key):
        self._broker.asked += 1
        if queue in self._broker.keep_from:
            return "not allowed"
        self._broker.bound.append((queue, exchange, routing_key))
        return None

    def send(self, message):
        self._broker.sent.append(message)
        self._flying.append(message.message_id)

    def wait(self, seconds):
        self._broker.waited()
        for message_id in [] if self._broker.silent else list(self._flying):
            if self._broker.away_after is not None:
                if self._broker.away_after == 0:
                    self._flying.clear()
                    raise BrokerAway("gone")
                self._broker.away_after -= 1
            self._flying.remove(message_id)
            if self._stale or message_id in self._broker.refuse:
                self._answers.refused.append(message_id)
            elif message_id in self._broker.return_:
                self._answers.returned[message_id] = "NO_ROUTE"
            else:
                self._answers.confirmed.append(message_id)

    def take_answers(self):
        answers, self._answers = self._answers, Answers()
        return answers

    def close(self):
        self.closed = True


class Seconds:
    """A monotonic clock that the test moves."""

    now = 1_000.0

    def __call__(self):
        return self.now


def relay_of(engine, broker, clock, seconds, holder):
    metrics = RelayMetrics("intake")
    made = Relay(
        "intake", engine=engine, clock=clock, holder=holder, connect=broker.connect, metrics=metrics, monotonic=seconds
    )
    made.metrics = metrics
    return made


def emit(engine, *streams):
    with writing(engine) as db:
        for stream in streams:
            version = len(db.execute(select(tables.outbox).where(tables.outbox.c.stream == stream)).all()) + 1
            row = {
                "message_id": f"{stream}{version}", "stream": stream, "stream_version": version, "type": TYPE,
                "envelope": b'{"correlationid":"c"}', "created_at": NOW,
            }  # fmt: skip
            db.execute(insert(tables.outbox).values(row))
        db.commit()


def unpublished(engine):
    with engine.connect() as db:
        query = select(tables.outbox.c.message_id).where(tables.outbox.c.published_at.is_(None))
        return set(db.execute(query).scalars())
