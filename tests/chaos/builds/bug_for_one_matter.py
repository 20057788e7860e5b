"""Broken: a release of dispatch with a bug that only some matters meet. Five attempts each, then quarantine."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any
from unittest.mock import patch

from services.dispatch.definition import DEFINITION
from shared.ledger.unit_of_work import UnitOfWork

#: The words that the bug chokes on.
CURSED = "（此处有咒）"


@contextmanager
def planted() -> Iterator[None]:
    """Raise for every event that carries the words."""

    def choking(handler: Callable[[Any, UnitOfWork], None]) -> Callable[[Any, UnitOfWork], None]:
        def choke(event: Any, work: UnitOfWork) -> None:
            handler(event, work)
            if CURSED in repr(event):
                message = "a planted bug: these words were not foreseen"
                raise ZeroDivisionError(message)

        return choke

    choking_handlers = {name: choking(handler) for name, handler in DEFINITION.subscriptions.items()}
    with patch.dict(DEFINITION.subscriptions, choking_handlers):  # type: ignore[arg-type]
        yield
