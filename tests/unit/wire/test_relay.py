"""The relay's decisions, with a broker that answers what the test says."""

from __future__ import annotations

from datetime import timedelta
from threading import Event

import pytest
from prometheus_client import generate_latest
from sqlalchemy import update
from sqlalchemy.exc import OperationalError

from shared.ledger import lease, tables
from shared.ledger.engines import writing
from shared.ledger.errors import Transient
from shared.wire.connection import BrokerAway
from shared.wire.relay import COUNT_EVERY_S, FIRST_REST_S, POLL_S, RENEW_EVERY_S, WINDOW
from tests.unit.wire.relays import NOW, Link, emit, relay_of, unpublished


def test_a_round_publishes_in_order_and_marks_what_was_confirmed(engine, broker, relay):
    emit(engine, "a", "b", "a")
    relay.run_once(Event())
    assert [message.message_id for message in broker.sent] == ["a1", "b1", "a2"]
    assert broker.sent[0].exchange == "gridwhistle.intake"
    assert broker.sent[0].routing_key == "matter-opened"
    assert broker.sent[0].correlation_id == "c"
    assert unpublished(engine) == set()


def test_full_rounds_follow_at_once_and_an_empty_outbox_is_polled(engine, broker, relay):
    emit(engine, *(f"s{number}-" for number in range(WINDOW + 1)))
    assert relay.run_once(Event()) == 0
    assert 0 < relay.run_once(Event()) < POLL_S
    assert relay.run_once(Event()) == POLL_S


def test_a_refused_stream_waits_and_the_others_go_on(engine, broker, relay, seconds):
    broker.refuse = {"a1"}
    emit(engine, "a", "b")
    relay.run_once(Event())
    assert unpublished(engine) == {"a1"}
    emit(engine, "a", "b")
    broker.sent.clear()
    relay.run_once(Event())
    assert [message.message_id for message in broker.sent] == ["b2"]
    broker.refuse = set()
    seconds.now += 1.1
    broker.sent.clear()
    relay.run_once(Event())
    assert [message.message_id for message in broker.sent] == ["a1", "a2"]
    assert unpublished(engine) == set()


def test_a_stream_refused_again_waits_longer(engine, broker, relay, seconds):
    broker.return_ = {"a1"}
    emit(engine, "a", "b")
    relay.run_once(Event())
    seconds.now += 1.1
    emit(engine, "b")
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
    emit(engine, "a", "b")
    relay.run_once(Event())
    assert unpublished(engine) == {"a1"}
    text = generate_latest(relay.metrics.registry).decode()
    assert 'gridwhistle_relay_confirms_total{result="returned",service="intake"} 1.0' in text
    assert 'gridwhistle_relay_confirms_total{result="confirmed",service="intake"} 1.0' in text
    assert 'gridwhistle_relay_returned_total{service="intake"} 1.0' in text


def test_what_was_confirmed_before_the_link_broke_is_marked_and_the_rest_sent_again(engine, broker, relay):
    emit(engine, "a", "b", "c")
    broker.away_after = 2
    with pytest.raises(BrokerAway):
        relay.run_once(Event())
    assert unpublished(engine) == {"c1"}
    broker.away_after = None
    broker.sent.clear()
    relay.run_once(Event())
    assert [message.message_id for message in broker.sent] == ["c1"]
    assert broker.connections == 2


def test_only_the_holder_of_the_lease_works_until_it_ends(engine, broker, clock, seconds, relay):
    second = relay_of(engine, broker, clock, seconds, "second")
    relay.run_once(Event())
    emit(engine, "a")
    second.run_once(Event())
    assert broker.sent == []
    clock.advance(lease.DURATION + timedelta(seconds=1))
    seconds.now += 11
    second.run_once(Event())
    assert [message.message_id for message in broker.sent] == ["a1"]


def test_a_relay_that_slept_through_a_takeover_marks_nothing(engine, broker, clock, seconds, relay):
    relay.run_once(Event())  # leads
    emit(engine, "a")
    with writing(engine) as db:  # another one took over while the first was stopped
        db.execute(update(tables.leases).values(holder="second", token=tables.leases.c.token + 1))
        db.commit()
    relay.run_once(Event())  # still believes it leads: sends, but the fence keeps it from marking
    assert unpublished(engine) == {"a1"}
    assert relay._token is None


def test_the_lease_is_renewed_while_an_answer_is_waited_for(engine, broker, clock, seconds, relay):
    relay.run_once(Event())
    emit(engine, "a")
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
    assert unpublished(engine) == set()


def test_a_clean_stop_gives_the_lease_up(engine, broker, clock, seconds, relay):
    stop = Event()
    emit(engine, "a")
    relay._pause = lambda _seconds, _stop: stop.set()
    relay.run(stop)
    assert unpublished(engine) == set()
    second = relay_of(engine, broker, clock, seconds, "second")
    second.run_once(Event())
    assert second._token is not None


def test_backlog_and_age_are_measured_even_without_the_lease(engine, broker, clock, seconds, relay):
    relay.run_once(Event())
    emit(engine, "a", "b")
    clock.advance(timedelta(seconds=5))
    second = relay_of(engine, broker, clock, seconds, "second")
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
    emit(engine, "a", "b")
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
    emit(engine, "c")
    relay.run_once(Event())
    assert unpublished(engine) == set()
    assert broker.connections == 2


def test_while_publishers_are_held_back_the_backlog_is_counted_on(engine, broker, clock, seconds, relay):
    emit(engine, "a")
    broker.silent = True

    def time_passes():
        seconds.now += COUNT_EVERY_S
        clock.advance(timedelta(seconds=COUNT_EVERY_S))
        if seconds.now < 1_000 + 4 * COUNT_EVERY_S:
            emit(engine, "more")
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
    emit(engine, "a", "b")
    for pause in (0.0, FIRST_REST_S):
        seconds.now += pause
        with pytest.raises(BrokerAway, match="took none"):
            relay.run_once(Event())
    seconds.now += FIRST_REST_S * 2
    relay.run_once(Event())
    assert unpublished(engine) == set()
    assert broker.connections == 3


def test_a_queue_that_is_full_costs_one_connection_a_second_at_most(engine, broker, relay, seconds):
    broker.stale = 1_000
    for number in range(20):
        emit(engine, f"s{number}")
        with pytest.raises(BrokerAway, match="took none"):
            relay.run_once(Event())
        seconds.now += FIRST_REST_S / 10
    assert broker.connections == 3
