"""What the broker is told of settled messages: of each that was done, of no other, in as few words as may be."""

from __future__ import annotations

from types import SimpleNamespace

from hypothesis import given
from hypothesis import strategies as st

from shared.runtime.queues import RawQueueConsumer


class Channel:
    """A channel as the broker sees it: what it has handed over and was not told of."""

    def __init__(self, many):
        self.connection = object()
        self.outstanding = set(range(1, many + 1))
        self.words = 0

    def basic_ack(self, tag, multiple=False):
        assert tag in self.outstanding, "acknowledged twice: the broker closes the channel"
        self.words += 1
        self.outstanding -= {one for one in self.outstanding if one <= tag} if multiple else {tag}


def handed_over(many):
    consumer, channel = RawQueueConsumer(), Channel(many)
    messages = {tag: SimpleNamespace(channel=channel, delivery_tag=tag) for tag in channel.outstanding}
    for message in messages.values():
        consumer.take(message)
    return consumer, channel, messages


@given(rounds=st.lists(st.dictionaries(st.integers(1, 40), st.booleans(), max_size=40), max_size=6))
def test_the_broker_hears_of_what_was_done_and_of_nothing_else(rounds):
    consumer, channel, messages = handed_over(40)
    settled = set()
    left = set(messages)
    for round_ in rounds:
        for tag, done in round_.items():
            if tag not in settled:
                settled.add(tag)
                consumer.settle(messages[tag], acknowledge=done)
                left -= {tag} if done else set()
        consumer.acknowledge()
        assert channel.outstanding == left


def test_a_batch_with_nothing_older_at_work_takes_one_word():
    consumer, channel, messages = handed_over(400)
    for tag in range(1, 201):
        consumer.settle(messages[tag], acknowledge=True)
    consumer.acknowledge()
    assert (channel.words, len(channel.outstanding)) == (1, 200)


def test_what_comes_after_one_that_is_held_is_told_one_by_one():
    consumer, channel, messages = handed_over(5)
    for tag in (1, 2, 4, 5):
        consumer.settle(messages[tag], acknowledge=True)
    consumer.acknowledge()
    assert (channel.words, channel.outstanding) == (3, {3})


def test_a_connection_that_is_gone_is_told_nothing():
    consumer, channel, messages = handed_over(2)
    consumer.settle(messages[1], acknowledge=True)
    channel.connection = None
    consumer.acknowledge()
    assert channel.words == 0
