"""The relay's decisions, with a broker that answers what the test says."""

from __future__ import annotations

from datetime import timedelta
from threading import Event

import pytest
from prometheus_client import generate_latest
from sqlalchemy import insert, select, update
from sqlalchemy.exc import OperationalError

from shared.contracts.intake import MatterOpened
from shared.kernel.clock import ManualClock, parse_instant
from shared.ledger import lease, tables
from shared.ledger.engines import open_engine, writing
from shared.ledger.errors import Transient
from shared.wire.connection import BrokerAway
from shared.wire.metrics import RelayMetrics
from shared.wire.publisher import Answers
from shared.wire.relay import COUNT_EVERY_S, FIRST_REST_S, POLL_S, RENEW_EVERY_S, WINDOW, Relay

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


@pytest.fixture
def engine(tmp_path):
    engine = open_engine(f"sqlite:///{tmp_path}/intake.db")
    tables.metadata.create_all(engine)
    yield engine
    engine.dispose()


@pytest.fixture
def broker():
    return Broker()


@pytest.fixture
def clock():
    return ManualClock(NOW)


@pytest.fixture
def seconds():
    return Seconds()


@pytest.fixture
def relay(engine, broker, clock, seconds):
    return _relay(engine, broker, clock, seconds, "first")


def _relay(engine, broker, clock, seconds, holder):
    metrics = RelayMetrics("intake")
    made = Relay(
        "intake", engine=engine, clock=clock, holder=holder, connect=broker.connect, metrics=metrics, monotonic=seconds
    )
    made.metrics = metrics
    return made


def _emit(engine, *streams):
    with writing(engine) as db:
        for stream in streams:
            version = len(db.execute(select(tables.outbox).where(tables.outbox.c.stream == stream)).all()) + 1
            row = {
                "message_id": f"{stream}{version}", "stream": stream, "stream_version": version, "type": TYPE,
                "envelope": b'{"correlationid":"c"}', "created_at": NOW,
            }  # fmt: skip
            db.execute(insert(tables.outbox).values(row))
        db.commit()


def _unpublished(engine):
    with engine.connect() as db:
        query = select(tables.outbox.c.message_id).where(tables.outbox.c.published_at.is_(None))
        return set(db.execute(query).scalars())


def test_a_round_publishes_in_order_and_marks_what_was_confirmed(engine, broker, relay):
    _emit(engine, "a", "b", "a")
    relay.run_once(Event())
    assert [message.message_id for message in broker.sent] == ["a1", "b1", "a2"]
    assert broker.sent[0].exchange == "gridwhistle.intake"
    assert broker.sent[0].routing_key == "matter-opened"
    assert broker.sent[0].correlation_id == "c"
    assert _unpublished(engine) == set()


def _of_the_next_release(engine, message_id):
    newer = update(tables.outbox).where(tables.outbox.c.message_id == message_id)
    with writing(engine) as db:
        db.execute(newer.values(type="gridwhistle.intake.matter-numbered.v1"))
        db.commit()


def test_an_event_of_the_next_release_leaves_once_everybody_who_hears_its_stream_gets_it(engine, broker, relay):
    stream = "intake.matter:1"
    _emit(engine, stream, stream)
    _of_the_next_release(engine, f"{stream}1")
    relay.run_once(Event())
    assert [(message.exchange, message.routing_key) for message in broker.sent] == [
        ("gridwhistle.intake", "matter-numbered"), ("gridwhistle.intake", "matter-opened"),
    ]  # fmt: skip
    hearers = {"deliberation", "dispatch", "notify"}  # oversight's queue gets everything as it is
    assert sorted(broker.bound) == [
        (f"gridwhistle.{hearer}.from.intake", "gridwhistle.intake", "matter-numbered") for hearer in sorted(hearers)
    ]
    assert _unpublished(engine) == set()


def test_an_event_of_the_next_release_that_may_not_be_bound_waits_with_its_stream(engine, broker, relay, seconds):
    broker.keep_from = {"gridwhistle.notify.from.intake"}
    stream, other, third = "intake.matter:1", "intake.matter:2", "intake.matter:3"
    _emit(engine, stream, other, stream, third)
    _of_the_next_release(engine, f"{stream}1")
    _of_the_next_release(engine, f"{third}1")
    relay.run_once(Event())
    assert [message.message_id for message in broker.sent] == [f"{other}1"]
    assert broker.asked == 3  # once for all streams: the others of the round are not asked for again
    assert _unpublished(engine) == {f"{stream}1", f"{stream}2", f"{third}1"}
    broker.keep_from = set()
    seconds.now += FIRST_REST_S + 0.1
    relay.run_once(Event())
    assert [message.message_id for message in broker.sent[1:]] == [f"{stream}1", f"{stream}2", f"{third}1"]
    assert _unpublished(engine) == set()


def test_a_stream_held_back_in_the_middle_of_a_round_rests(engine, broker, relay, seconds):
    broker.keep_from = {"gridwhistle.notify.from.intake"}
    stream = "intake.matter:1"
    _emit(engine, stream, stream)
    _of_the_next_release(engine, f"{stream}2")
    relay.run_once(Event())
    relay.run_once(Event())
    assert [message.message_id for message in broker.sent] == [f"{stream}1"]
    assert 'gridwhistle_relay_stopped_streams{service="intake"} 1.0' in generate_latest(relay.metrics.registry).decode()


def test_a_binding_is_made_again_on_another_connection(engine, broker, relay):
    stream = "intake.matter:1"
    _emit(engine, stream)
    _of_the_next_release(engine, f"{stream}1")
    broker.away_after = 0
    with pytest.raises(BrokerAway):
        relay.run_once(Event())
    broker.away_after = None
    relay.run_once(Event())
    assert len(broker.bound) == 2 * 3


def test_full_rounds_follow_at_once_and_an_empty_outbox_is_polled(engine, broker, relay):
    _emit(engine, *(f"s{number}-" for number in range(WINDOW + 1)))
    assert relay.run_once(Event()) == 0
    assert 0 < relay.run_once(Event()) < POLL_S
    assert relay.run_once(Event()) == POLL_S


def test_a_refused_stream_waits_and_the_others_go_on(engine, broker, relay, seconds):
    broker.refuse = {"a1"}
    _emit(engine, "a", "b")
    relay.run_once(Event())
    assert _unpublished(engine) == {"a1"}
    _emit(engine, "a", "b")
    broker.sent.clear()
    relay.run_once(Event())
    assert [message.message_id for message in broker.sent] == ["b2"]
    broker.refuse = set()
    seconds.now += 1.1
    broker.sent.clear()
    relay.run_once(Event())
    assert [message.message_id for message in broker.sent] == ["a1", "a2"]
    assert _unpublished(engine) == set()


def test_a_stream_refused_again_waits_longer(engine, broker, relay, seconds):
    broker.return_ = {"a1"}
    _emit(engine, "a", "b")
    relay.run_once(Event())
    seconds.now += 1.1
    _emit(engine, "b")
    relay.run_once(Event())  # the second refusal: two seconds now
    seconds.now += 1.1
    broker.sent.clear()
    relay.run_once(Event())
    assert broker.sent == []
    seconds.now += 1.0
    with pytest.raises(BrokerAway, match="none of 1"):
        relay.run_once(Event())


def test_returned_events_are_counted_and_kept(engine, broker, relay):
    broker.return_ = {"a1"}
    _emit(engine, "a", "b")
    relay.run_once(Event())
    assert _unpublished(engine) == {"a1"}
    text = generate_latest(relay.metrics.registry).decode()
    assert 'gridwhistle_relay_confirms_total{result="returned",service="intake"} 1.0' in text
    assert 'gridwhistle_relay_confirms_total{result="confirmed",service="intake"} 1.0' in text
    assert 'gridwhistle_relay_returned_total{service="intake"} 1.0' in text


def test_what_was_confirmed_before_the_link_broke_is_marked_and_the_rest_sent_again(engine, broker, relay):
    _emit(engine, "a", "b", "c")
    broker.away_after = 2
    with pytest.raises(BrokerAway):
        relay.run_once(Event())
    assert _unpublished(engine) == {"c1"}
    broker.away_after = None
    broker.sent.clear()
    relay.run_once(Event())
    assert [message.message_id for message in broker.sent] == ["c1"]
    assert broker.connections == 2


def test_only_the_holder_of_the_lease_works_until_it_ends(engine, broker, clock, seconds, relay):
    second = _relay(engine, broker, clock, seconds, "second")
    relay.run_once(Event())
    _emit(engine, "a")
    second.run_once(Event())
    assert broker.sent == []
    clock.advance(lease.DURATION + timedelta(seconds=1))
    seconds.now += 11
    second.run_once(Event())
    assert [message.message_id for message in broker.sent] == ["a1"]


def test_a_relay_that_slept_through_a_takeover_marks_nothing(engine, broker, clock, seconds, relay):
    relay.run_once(Event())  # leads
    _emit(engine, "a")
    with writing(engine) as db:  # another one took over while the first was stopped
        db.execute(update(tables.leases).values(holder="second", token=tables.leases.c.token + 1))
        db.commit()
    relay.run_once(Event())  # still believes it leads: sends, but the fence keeps it from marking
    assert _unpublished(engine) == {"a1"}
    assert relay._token is None


def test_the_lease_is_renewed_while_an_answer_is_waited_for(engine, broker, clock, seconds, relay):
    relay.run_once(Event())
    _emit(engine, "a")
    link = relay._publisher = Link(broker)
    patience = iter(range(20))

    def slow(_seconds):
        if next(patience) < 10:
            clock.advance(timedelta(seconds=RENEW_EVERY_S))
            seconds.now += RENEW_EVERY_S
        else:
            Link.wait(link, _seconds)

    link.wait = slow
    relay.run_once(Event())
    assert _unpublished(engine) == set()


def test_a_clean_stop_gives_the_lease_up(engine, broker, clock, seconds, relay):
    stop = Event()
    _emit(engine, "a")
    relay._pause = lambda _seconds, _stop: stop.set()
    relay.run(stop)
    assert _unpublished(engine) == set()
    second = _relay(engine, broker, clock, seconds, "second")
    second.run_once(Event())
    assert second._token is not None


def test_backlog_and_age_are_measured_even_without_the_lease(engine, broker, clock, seconds, relay):
    relay.run_once(Event())
    _emit(engine, "a", "b")
    clock.advance(timedelta(seconds=5))
    second = _relay(engine, broker, clock, seconds, "second")
    second.run_once(Event())
    text = generate_latest(second.metrics.registry).decode()
    assert 'gridwhistle_outbox_pending{service="intake"} 2.0' in text
    assert 'gridwhistle_outbox_oldest_age_seconds{service="intake"} 5.0' in text


def _away(*_arguments):
    raise OperationalError("SELECT 1", {}, Exception("gone"))


def test_answers_that_come_after_the_database_went_away_are_about_nobody(
    engine, broker, clock, seconds, relay, monkeypatch
):
    """In flight when the lease could not be renewed; by the time they are answered another relay has led."""
    _emit(engine, "a", "b")
    broker.silent = True

    def database_goes():
        seconds.now += RENEW_EVERY_S
        monkeypatch.setattr(lease, "take", _away)

    broker.waited = database_goes
    with pytest.raises(Transient):
        relay.run_once(Event())
    monkeypatch.undo()
    broker.waited, broker.silent = (lambda: None), False
    with writing(engine) as db:
        db.execute(update(tables.outbox).values(published_at=NOW))
        db.commit()
    _emit(engine, "c")
    relay.run_once(Event())
    assert _unpublished(engine) == set()
    assert broker.connections == 2


def test_while_publishers_are_held_back_the_backlog_is_counted_on(engine, broker, clock, seconds, relay):
    _emit(engine, "a")
    broker.silent = True

    def time_passes():
        seconds.now += COUNT_EVERY_S
        clock.advance(timedelta(seconds=COUNT_EVERY_S))
        if seconds.now < 1_000 + 4 * COUNT_EVERY_S:
            _emit(engine, "more")
        else:
            broker.silent = False

    broker.waited = time_passes
    relay.run_once(Event())
    text = generate_latest(relay.metrics.registry).decode()
    assert 'gridwhistle_outbox_pending{service="intake"} 4.0' in text
    assert f'gridwhistle_outbox_oldest_age_seconds{{service="intake"}} {4 * COUNT_EVERY_S}' in text


def test_a_channel_that_refuses_because_it_knows_a_lost_leader_is_left_for_another(engine, broker, relay, seconds):
    """RabbitMQ 3.10: the leader is asked for once a channel (tests/chaos/test_faults_cluster.py)."""
    broker.stale = 2
    _emit(engine, "a", "b")
    for pause in (0.0, FIRST_REST_S):
        seconds.now += pause
        with pytest.raises(BrokerAway, match="took none"):
            relay.run_once(Event())
    seconds.now += FIRST_REST_S * 2
    relay.run_once(Event())
    assert _unpublished(engine) == set()
    assert broker.connections == 3


def test_a_queue_that_is_full_costs_one_connection_a_second_at_most(engine, broker, relay, seconds):
    broker.stale = 1_000
    for number in range(20):
        _emit(engine, f"s{number}")
        with pytest.raises(BrokerAway, match="took none"):
            relay.run_once(Event())
        seconds.now += FIRST_REST_S / 10
    assert broker.connections == 3
