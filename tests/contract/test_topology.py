"""The broker's map and the registry agree: what is emitted is heard whole, and nobody waits for what never comes."""

from __future__ import annotations

import re

import pytest

from deploy.launcher import services
from shared.contracts import registry, topology, whistles

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
    assert {sub.queue for sub in topology.hearers(f"{row.owner}.{row.stream}:x")} == bound
    assert "gridwhistle.oversight.from." + row.owner in bound, "oversight's trace has every event"


def test_an_event_of_the_next_release_goes_where_its_stream_goes():
    type_, stream = "gridwhistle.dispatch.matter-welcomed.v1", "dispatch.matter:1"
    assert topology.way_of("dispatch", type_, stream) == ("gridwhistle.dispatch", "matter-welcomed")
    assert {sub.consumer for sub in topology.hearers(stream)} == {"intake", "deliberation", "oversight", "notify"}
    assert {sub.consumer for sub in topology.hearers("dispatch.welcome:1")} == {"oversight"}
    told = ("gridwhistle.whistle.cheered.v1", whistles.stream_of("dept-water", None))
    assert topology.way_of("dispatch", *told) == (whistles.EXCHANGE, whistles.key_of("dept-water"))


@pytest.mark.parametrize("row", TYPES, ids=lambda row: row.name)
def test_a_routing_key_is_in_the_type(row):
    assert registry.routing_key_in(row.type) == row.routing_key


@pytest.mark.parametrize(
    "type_", ["", "matter-opened", "gridwhistle.intake.v1", "other.intake.x.v1", "gridwhistle.a.b.v0"]
)
def test_what_is_no_event_type_has_no_routing_key(type_):
    with pytest.raises(registry.UnknownType):
        registry.routing_key_in(type_)


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
