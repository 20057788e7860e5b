"""The broker's map and the registry agree: what is emitted is heard whole, and nobody waits for what never comes."""

from __future__ import annotations

import re

import pytest

from deploy.launcher import services
from shared.contracts import registry, topology

TYPES = registry.all_types()
SUBSCRIPTIONS = topology.subscriptions()


def heard_by(subscription: topology.Subscription) -> set[str]:
    return {row.name for row in TYPES if row.owner == subscription.source and subscription.hears(row.stream)}


def through_the_binding(subscription: topology.Subscription) -> set[str]:
    """What a topic exchange lets through: `#` everything, a plain key itself."""
    keys = set(subscription.binding_keys())
    return {row.name for row in TYPES if row.owner == subscription.source and ("#" in keys or row.routing_key in keys)}


def test_every_service_owns_events_and_every_event_has_an_owner():
    assert {row.owner for row in TYPES} == set(topology.SERVICES)


@pytest.mark.parametrize("subscription", SUBSCRIPTIONS, ids=lambda row: row.queue)
def test_every_stream_kind_listened_to_exists(subscription):
    kinds = {row.stream for row in TYPES if row.owner == subscription.source}
    assert subscription.streams == ("*",) or set(subscription.streams) <= kinds


@pytest.mark.parametrize("subscription", SUBSCRIPTIONS, ids=lambda row: row.queue)
def test_bindings_let_exactly_the_streams_through(subscription):
    assert through_the_binding(subscription) == heard_by(subscription)
    assert all(key == "#" or re.fullmatch(r"[a-z]+(-[a-z]+)*", key) for key in subscription.binding_keys())


@pytest.mark.parametrize("subscription", SUBSCRIPTIONS, ids=lambda row: row.queue)
def test_a_stream_is_heard_whole_or_not_at_all(subscription):
    """A consumer that missed one event of a stream would wait for its version for ever."""
    through = through_the_binding(subscription)
    for kind in {row.stream for row in TYPES if row.owner == subscription.source}:
        stream = {row.name for row in TYPES if row.owner == subscription.source and row.stream == kind}
        assert stream <= through or not stream & through


@pytest.mark.parametrize("row", TYPES, ids=lambda row: row.name)
def test_the_loopback_and_the_broker_deliver_to_the_same_queues(row):
    bound = {sub.queue for sub in SUBSCRIPTIONS if sub.source == row.owner and row.name in through_the_binding(sub)}
    assert {sub.queue for sub in topology.hearers(row.type)} == bound
    assert "gridwhistle.oversight.from." + row.owner in bound, "oversight's trace has every event"


def test_names_are_unique():
    queues = [subscription.queue for subscription in SUBSCRIPTIONS] + [topology.DEAD_QUEUE]
    assert len(set(queues)) == len(queues)
    assert len({(row.owner, row.routing_key, row.version) for row in TYPES}) == len(TYPES)


@pytest.mark.parametrize("row", TYPES, ids=lambda row: row.name)
def test_a_stream_kind_has_one_key(row):
    same = {other.key for other in TYPES if (other.owner, other.stream) == (row.owner, row.stream)}
    assert same == {row.key}
    assert row.key in row.shape.__dataclass_fields__


@pytest.mark.parametrize("name", topology.SERVICES)
def test_a_service_handles_only_what_it_hears(name):
    heard = set().union(*(heard_by(subscription) for subscription in topology.subscriptions_of(name)))
    handled = set(services.definition(name).subscriptions)
    assert handled <= heard, f"{name} has handlers for events that never reach it"
