"""Structured logs: one JSON object a line, on standard error, with the correlation id of what is being done.

`correlating` says what that is; whatever is logged inside carries the id without asking for it. Contact data, tokens
and the words of a demand are never logged.
"""

from __future__ import annotations

import logging
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from datetime import UTC, datetime
from types import TracebackType
from typing import Any, TextIO

from pythonjsonlogger.json import JsonFormatter

_correlation: ContextVar[str] = ContextVar("correlation", default="")

#: Libraries that say at INFO what only their developers want to know.
_TALKATIVE = ("alembic", "amqp", "kombu", "nameko", "urllib3", "werkzeug", "eventlet")


@contextmanager
def correlating(correlation_id: str) -> Iterator[None]:
    """Give everything logged inside this correlation id."""
    token = _correlation.set(correlation_id)
    try:
        yield
    finally:
        _correlation.reset(token)


def configure(process: str, level: str = "INFO", stream: TextIO | None = None) -> None:
    """Log as JSON lines from now on. `process` names this process, for example `dispatch-2` or `relay-intake`."""
    handler = logging.StreamHandler(stream or sys.stderr)
    handler.setFormatter(_Lines(process))
    root = logging.getLogger()
    root.handlers[:] = [handler]
    root.setLevel(level.upper())
    for name in _TALKATIVE:
        logging.getLogger(name).setLevel(max(logging.WARNING, root.level))
    logging.captureWarnings(capture=True)
    sys.excepthook = _last_words


def _last_words(kind: type[BaseException], error: BaseException, trace: TracebackType | None) -> None:
    """What kills the process is a log line too."""
    logging.getLogger(__name__).critical("the process ends", exc_info=(kind, error, trace))


class _Lines(JsonFormatter):
    """Time, level, logger, process, message, correlation id, then whatever the call gave as `extra`."""

    def __init__(self, process: str) -> None:
        super().__init__(
            "%(levelname)s %(name)s %(message)s",
            rename_fields={"levelname": "level", "name": "logger"},
            static_fields={"process": process},
            json_ensure_ascii=False,
        )

    def add_fields(self, log_data: dict[str, Any], record: logging.LogRecord, message_dict: dict[str, Any]) -> None:
        """Put the time first and the correlation id in."""
        log_data["time"] = datetime.fromtimestamp(record.created, tz=UTC).isoformat(timespec="milliseconds")
        super().add_fields(log_data, record, message_dict)
        if current := _correlation.get():
            log_data.setdefault("correlation_id", current)
