"""The five services in this process, on real PostgreSQL and RabbitMQ, with relays and consumers moved by hand.

For faults that must strike between two steps: nothing moves here but what the test moves. The applications, relays,
publishers and receptions are the product's; only the consumers' loop is the bench's own (take, receive, acknowledge).
"""

from __future__ import annotations

import time
from collections import defaultdict
from contextlib import ExitStack
from dataclasses import replace
from datetime import UTC, datetime
from threading import Event

from deploy.launcher import services
from deploy.launcher.demo.cast import Cast
from deploy.launcher.installation import trial_settings
from deploy.servers import PrivatePostgreSQL, PrivateRabbitMQ
from shared import jurisdiction
from shared.contracts import topology
from shared.contracts.topology import SERVICES
from shared.kernel.clock import ManualClock
from shared.kernel.ids import RandomIds
from shared.ledger import outbox
from shared.ledger.engines import open_engine, reading
from shared.ledger.migrate import migrate
from shared.runtime.setup import application_of
from shared.wire import connection as connections
from shared.wire.declare import declare
from shared.wire.metrics import RelayMetrics
from shared.wire.publisher import Publisher
from shared.wire.relay import Relay
from tests.chaos.book import ACCEPTED, Book, Entry

#: A Monday morning of the pack's office.
START = datetime(2026, 11, 16, 1, 0, tzinfo=UTC)
#: A grid that somebody is responsible for.
GRID = "guanghua-dongli-1"
#: Messages taken from a queue at once.
BATCH = 50
#: Seconds within which the suite must come to rest.
WITHIN_S = 30.0


class Bench:
    """A suite whose every step is taken by the test, and which the rig's judge can look at."""

    mode = "full"

    def __init__(self, folder, broker: PrivateRabbitMQ, postgresql: PrivatePostgreSQL, name):
        self.folder = folder
        self.broker = broker
        self.postgresql = postgresql
        self.name = name
        for service in SERVICES:
            _make_from_template(postgresql, f"{name}_{service}", service)
        base = postgresql.url_for("postgres").rsplit("/", 1)[0]
        self.settings = replace(
            trial_settings(folder, "jianwai"),
            broker_url=broker.url_for(name),
            database_url=f"{base}/{name}_{{service}}",
        )
        declare(self.settings.broker_url)
        self.clock = ManualClock(START)
        self.pack = jurisdiction.load(self.settings.jurisdiction)
        self.cast = Cast(self.pack)
        self._ids = RandomIds()
        self.book = Book(folder / "book.jsonl")
        self.applications = {service: self.application(service) for service in SERVICES}
        self.engines = {service: made.at_hand.engine for service, made in self.applications.items()}
        self.relays = {service: self.relay(service) for service in SERVICES}
        #: Receptions that hear a service's messages before it does, on its database: service -> receptions.
        self.listeners = defaultdict(list)
        self._connection = connections.connect(self.settings.broker_url, "bench")
        self._channel = self._connection.channel()

    def application(self, service):
        """A process's worth of one service."""
        return application_of(
            services.definition(service), self.settings, clock=self.clock, jurisdiction=self.pack
        )  # fmt: skip

    def relay(self, service, *, holder=None, clock=None):
        """A relay of the product, with a connection of its own once it needs one."""
        return Relay(
            service,
            engine=self.engines[service],
            clock=clock or self.clock,
            holder=holder or f"relay of {service}",
            connect=lambda: Publisher(self.settings.broker_url, f"bench relay of {service}"),
            metrics=RelayMetrics(service),
        )

    def end(self):
        """Let go of everything and throw it away."""
        with ExitStack() as stack:
            for relay in self.relays.values():
                stack.callback(relay._leave)
            stack.callback(connections.close, self._connection)
        for engine in self.engines.values():
            engine.dispose()
        self.book.close()
        self.broker.drop(self.name)
        for service in SERVICES:
            self.postgresql.drop(f"{self.name}_{service}")

    # -- moving it -----------------------------------------------------------------------------------------------

    def now(self):
        """The suite's present."""
        return self.clock.now()

    def dead_letters(self):
        """How many messages the broker gave up."""
        return self._channel.queue_declare(topology.DEAD_QUEUE, passive=True).message_count

    def execute(self, command, actor, **content):
        """Carry out a command, leave its events in the outbox, and write it into the book; returns the answer."""
        key = self._ids.new()
        application = self.applications[command.split(".", 1)[0]]
        reply = application.execute(command, content, actor, correlation_id=key).body
        self.book.write(
            Entry(key=key, command=command, actor=actor.id, content=content, result=ACCEPTED, reply=dict(reply))
        )
        return reply

    def register(self, words, *, phone=None):
        """A demand with a place, of somebody who can be told when there is a number; the matter it opened."""
        desk, asker = self.cast.desk("street"), {"kind": "resident", "name": "王女士", "phone": phone}
        answer = self.execute(
            "intake.register-demand", desk, channel="hotline", text=words, location={"grid": GRID}, asker=asker
        )  # fmt: skip
        return answer["matter_id"]

    def direct_broker(self):
        """The broker's address, for the rig's own connections."""
        return self.settings.broker_url

    def until(self, condition, seconds):
        """Move everything until something is so. Raises AssertionError."""
        deadline = time.monotonic() + seconds
        while not condition():
            assert time.monotonic() < deadline, "it did not happen in time"
            self.settle()

    def publish(self, service):
        """One round of a service's relay; True when rows left."""
        before = self.unpublished(service)
        self.relays[service].run_once(Event())
        return self.unpublished(service) < before

    def unpublished(self, service):
        """How many rows wait."""
        with reading(self.engines[service]) as db:
            return outbox.backlog(db)[0]

    def consume(self, service):
        """Take what a service's queues hold; returns how many messages were dealt with."""
        done = 0
        for subscription in topology.subscriptions_of(service):
            while messages := self._take(subscription.queue):
                raws = [bytes(each.body) for each in messages]
                for reception in self.listeners[service]:
                    reception.receive_many(raws)
                answers = self.applications[service].receive_many(raws)
                for message, answer in zip(messages, answers, strict=True):
                    if answer.outcome is None:
                        self._channel.basic_reject(message.delivery_tag, requeue=True)
                    else:
                        self._channel.basic_ack(message.delivery_tag)
                        done += 1
        return done

    def _take(self, queue):
        found = []
        while len(found) < BATCH and (message := self._channel.basic_get(queue)) is not None:
            found.append(message)
        return found

    def depth(self, service):
        """Messages that wait in a service's queues, without those handed over."""
        return sum(
            self._channel.queue_declare(row.queue, passive=True).message_count
            for row in topology.subscriptions_of(service)
        )

    def settle(self):
        """Publish, consume and do what is due until nothing moves any more. Raises AssertionError."""
        deadline = time.monotonic() + WITHIN_S
        while True:
            moved = [self.publish(service) for service in SERVICES]
            moved += [self.consume(service) > 0 for service in SERVICES]
            moved += [self.applications[service].run_due() > 0 for service in SERVICES]
            if not any(moved) and not any(self.depth(service) for service in SERVICES):
                return
            assert time.monotonic() < deadline, "the bench does not come to rest"


def _make_from_template(postgresql, database, service):
    template = f"bench_template_{service}"
    with open_engine(postgresql.url_for("postgres")).connect() as db:
        there = db.exec_driver_sql("SELECT 1 FROM pg_database WHERE datname = %s", (template,)).one_or_none()
    if there is None:
        engine = open_engine(postgresql.url_for(template), pool_size=1)
        migrate(engine, services.definition(service))
        engine.dispose()
    postgresql.drop(database)
    postgresql._command(f"CREATE DATABASE {database} TEMPLATE {template}")
