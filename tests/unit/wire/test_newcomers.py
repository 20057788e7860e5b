"""Events of the next release in the outbox of this one: bound before they leave, or kept."""

from __future__ import annotations

from threading import Event

import pytest
from prometheus_client import generate_latest
from sqlalchemy import update

from shared.ledger import tables
from shared.ledger.engines import writing
from shared.wire.connection import BrokerAway
from shared.wire.relay import FIRST_REST_S
from tests.unit.wire.relays import emit, unpublished


def of_the_next_release(engine, message_id):
    newer = update(tables.outbox).where(tables.outbox.c.message_id == message_id)
    with writing(engine) as db:
        db.execute(newer.values(type="gridwhistle.intake.matter-numbered.v1"))
        db.commit()


def test_an_event_of_the_next_release_leaves_once_everybody_who_hears_its_stream_gets_it(engine, broker, relay):
    stream = "intake.matter:1"
    emit(engine, stream, stream)
    of_the_next_release(engine, f"{stream}1")
    relay.run_once(Event())
    assert [(message.exchange, message.routing_key) for message in broker.sent] == [
        ("gridwhistle.intake", "matter-numbered"), ("gridwhistle.intake", "matter-opened"),
    ]  # fmt: skip
    hearers = {"deliberation", "dispatch", "notify"}  # oversight's queue gets everything as it is
    assert sorted(broker.bound) == [
        (f"gridwhistle.{hearer}.from.intake", "gridwhistle.intake", "matter-numbered") for hearer in sorted(hearers)
    ]
    assert unpublished(engine) == set()


def test_an_event_of_the_next_release_that_may_not_be_bound_waits_with_its_stream(engine, broker, relay, seconds):
    broker.keep_from = {"gridwhistle.notify.from.intake"}
    stream, other, third = "intake.matter:1", "intake.matter:2", "intake.matter:3"
    emit(engine, stream, other, stream, third)
    of_the_next_release(engine, f"{stream}1")
    of_the_next_release(engine, f"{third}1")
    relay.run_once(Event())
    assert [message.message_id for message in broker.sent] == [f"{other}1"]
    assert broker.asked == 3  # once for all streams: the others of the round are not asked for again
    assert unpublished(engine) == {f"{stream}1", f"{stream}2", f"{third}1"}
    broker.keep_from = set()
    seconds.now += FIRST_REST_S + 0.1
    relay.run_once(Event())
    assert [message.message_id for message in broker.sent[1:]] == [f"{stream}1", f"{stream}2", f"{third}1"]
    assert unpublished(engine) == set()


def test_a_stream_held_back_in_the_middle_of_a_round_rests(engine, broker, relay, seconds):
    broker.keep_from = {"gridwhistle.notify.from.intake"}
    stream = "intake.matter:1"
    emit(engine, stream, stream)
    of_the_next_release(engine, f"{stream}2")
    relay.run_once(Event())
    relay.run_once(Event())
    assert [message.message_id for message in broker.sent] == [f"{stream}1"]
    assert 'gridwhistle_relay_stopped_streams{service="intake"} 1.0' in generate_latest(relay.metrics.registry).decode()


def test_a_binding_is_made_again_on_another_connection(engine, broker, relay):
    stream = "intake.matter:1"
    emit(engine, stream)
    of_the_next_release(engine, f"{stream}1")
    broker.away_after = 0
    with pytest.raises(BrokerAway):
        relay.run_once(Event())
    broker.away_after = None
    relay.run_once(Event())
    assert len(broker.bound) == 2 * 3
