"""Broken: acknowledged when handed over. A process that dies with messages in hand takes them along."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any
from unittest.mock import patch

from shared.runtime.entrypoints import ReliableConsumer
from shared.runtime.queues import RawQueueConsumer


@contextmanager
def planted() -> Iterator[None]:
    """Acknowledge first; what is done with the message afterwards tells the broker nothing."""
    handle, settle = ReliableConsumer.handle_message, RawQueueConsumer.settle

    def handle_message(self: Any, message: Any) -> None:
        message.ack()
        handle(self, message)

    def say_nothing(self: Any, message: Any, *, acknowledge: bool) -> None:
        del acknowledge
        settle(self, message, acknowledge=False)

    with (
        patch.object(ReliableConsumer, "handle_message", handle_message),
        patch.object(RawQueueConsumer, "settle", say_nothing),
    ):
        yield
