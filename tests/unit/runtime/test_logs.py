"""Log lines: JSON, with the time first and the correlation id of what is being done."""

from __future__ import annotations

import io
import json
import logging

import pytest

from shared.runtime import logs


@pytest.fixture
def lines(monkeypatch):
    root = logging.getLogger()
    before = root.handlers[:], root.level
    stream = io.StringIO()
    monkeypatch.setattr("sys.excepthook", None)
    logs.configure("dispatch-1", "INFO", stream)
    yield lambda: [json.loads(line) for line in stream.getvalue().splitlines()]
    root.handlers[:], _ = before
    root.setLevel(before[1])
    logging.captureWarnings(capture=False)


def test_a_line_says_when_where_and_what(lines):
    logging.getLogger("services.dispatch").warning("breach", extra={"clock": "resolve"})
    (line,) = lines()
    assert next(iter(line)) == "time"
    assert line["time"].endswith("+00:00")
    assert (line["level"], line["logger"], line["process"]) == ("WARNING", "services.dispatch", "dispatch-1")
    assert (line["message"], line["clock"]) == ("breach", "resolve")
    assert "correlation_id" not in line


def test_what_is_logged_while_correlating_carries_the_id_and_nothing_after_it_does(lines):
    with logs.correlating("c-1"):
        logging.getLogger("a").info("inside")
    logging.getLogger("a").info("after")
    inside, after = lines()
    assert inside["correlation_id"] == "c-1"
    assert "correlation_id" not in after


def test_an_exception_is_one_line(lines):
    try:
        raise ZeroDivisionError  # noqa: TRY301
    except ZeroDivisionError:
        logging.getLogger("a").exception("failed")
    (line,) = lines()
    assert "ZeroDivisionError" in line["exc_info"]
