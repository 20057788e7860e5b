"""Whatever comes over the wire, reading ends in an envelope, Undecodable or SchemaViolation.

Never in another exception, never in a crash of the consumer, and never in a message that vanishes.
"""

from __future__ import annotations

import gzip
import json
import sqlite3
from datetime import UTC, datetime
from typing import Any

import jsonschema
import pytest
from hypothesis import given
from hypothesis import strategies as st
from sqlalchemy import select

from deploy.launcher.documents import asyncapi, samples
from deploy.launcher.installation import PACKS
from deploy.launcher.suite import Suite
from shared import jurisdiction
from shared.contracts import envelope, registry
from shared.ledger import tables
from shared.ledger.reception import Outcome

GOOD = samples.envelope_of(registry.by_name("dispatch.matter-escalated")).to_bytes()
ENVELOPE_SCHEMA = jsonschema.Draft202012Validator(asyncapi.envelope_schema())
REQUIRED = asyncapi.envelope_schema()["required"]

UNDECODABLE = {
    "nothing": b"",
    "spaces": b"  \n",
    "not-json": b"hello",
    "half": GOOD[:-1],
    "trailing": GOOD + b"{}",
    "null": b"null",
    "number": b"1e3",
    "list": b"[" + GOOD + b"]",
    "string": json.dumps(GOOD.decode()).encode(),
    "invalid-utf-8": GOOD.replace("已".encode(), b"\xff\xfe"),
    "cut-utf-8": b'{"id":"\xe6\xa5"}',
    "gb18030": GOOD.decode().encode("gb18030"),
    "utf-16": GOOD.decode().encode("utf-16"),
    "byte-order-mark": b"\xef\xbb\xbf" + GOOD,
    "gzip": gzip.compress(GOOD),
    "two-megabytes": GOOD.replace("已到现场".encode(), "楼".encode() * 700_000),
    "deep-lists": b'{"data":' + b"[" * 100_000 + b"]" * 100_000 + b"}",
    "deep-objects": b'{"a":' * 50_000 + b"1" + b"}" * 50_000,
    "not-a-number": GOOD.replace(b'"skipped":', b'"weight":NaN,"skipped":'),
    "infinity": GOOD.replace(b'"skipped":', b'"weight":-Infinity,"skipped":'),
    "endless-number": GOOD.replace(b'"streamversion":1', b'"streamversion":' + b"9" * 5_000),
}

WRONG_VALUES: dict[str, list[Any]] = {
    "specversion": ["0.3", 1.0, None, ""],
    "id": ["", 7, None, ["a"], "x" * 201, "a\x00b", "\ud800"],
    "source": ["", 7, None, "x" * 201, "urn:\x00", "\ud800"],
    "type": ["", 7, None, {}, "x" * 201, "t\x00", "\ud800"],
    "subject": [7, None, "x" * 201, "\x00", "\ud800"],
    "time": [
        "", "yesterday", "2026-11-22", "2026-11-22T09:30:00", 1732260000, None, "2026-13-01T00:00:00Z",
        "9999-12-31T23:59:59-23:59",
    ],
    "stream": ["", 7, None, "x" * 301, "\x00", "\ud800"],
    "streamversion": [-1, 1.5, "1", True, None, [], 2**31],
    "correlationid": ["", 7, None, "x" * 201, "\x00", "\ud800"],
    "causationid": [7, [], "x" * 201, "\x00", "\ud800"],
    "traceparent": [7, {}, "x" * 201, "\x00", "\ud800"],
    "classification": ["secret", "", 7, None],
    "datacontenttype": ["text/xml", 7],
    "data": [None, [], "x", 7],
}  # fmt: skip

BYTES = [pytest.param(name, raw, id=name) for name, raw in UNDECODABLE.items()]
VALUES = [
    pytest.param(name, value, id=f"{name}-{value!r:.40}") for name, values in WRONG_VALUES.items() for value in values
]


@pytest.mark.parametrize(("name", "raw"), BYTES)
def test_bytes_that_are_no_envelope(name, raw):
    with pytest.raises(envelope.Undecodable):
        envelope.from_bytes(raw)


@pytest.mark.parametrize("name", REQUIRED)
def test_a_missing_attribute(content, name):
    del content[name]
    with pytest.raises(envelope.SchemaViolation, match=name):
        envelope.from_bytes(json.dumps(content).encode())
    assert not ENVELOPE_SCHEMA.is_valid(content), "docs/asyncapi.yaml and envelope.py disagree"


@pytest.mark.parametrize(("name", "value"), VALUES)
def test_a_wrong_value(content, name, value):
    content[name] = value
    with pytest.raises(envelope.SchemaViolation, match=name):
        envelope.from_bytes(json.dumps(content).encode())


@pytest.mark.parametrize("name", sorted(samples.envelope_of(registry.by_name("dispatch.matter-escalated")).data))
@pytest.mark.parametrize("value", [7.5, {"a": 1}, [[]]], ids=repr)
def test_wrong_types_in_the_data(content, name, value):
    content["data"][name] = value
    read = envelope.from_bytes(json.dumps(content).encode())
    with pytest.raises(envelope.SchemaViolation):
        read.payload()


def test_missing_data_names_what_is_missing(content):
    content["data"] = {}
    with pytest.raises(envelope.SchemaViolation, match="to_unit"):
        envelope.from_bytes(json.dumps(content).encode()).payload()


def test_an_unknown_type_is_said_to_be_unknown(content):
    content["type"] = "gridwhistle.dispatch.matter-teleported.v1"
    read = envelope.from_bytes(json.dumps(content).encode())
    with pytest.raises(registry.UnknownType, match="teleported"):
        read.payload()


def test_unknown_attributes_are_tolerated(content):
    content["knativearrivaltime"] = "2026-11-22T01:30:01Z"
    assert envelope.from_bytes(json.dumps(content).encode()) == envelope.from_bytes(GOOD)
    assert ENVELOPE_SCHEMA.is_valid(content)


def test_data_as_deep_as_it_may_be_is_read(content):
    content["data"] = {"inputs": json.loads('{"a":' * 50 + "1" + "}" * 50)}
    assert envelope.from_bytes(json.dumps(content).encode()).data == content["data"]


json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=8,
)


@given(changes=st.dictionaries(st.sampled_from([*WRONG_VALUES, "extra"]), json_values, max_size=4))
def test_any_values_end_in_an_envelope_or_a_violation(changes):
    raw = json.dumps(json.loads(GOOD) | changes).encode()
    try:
        read = envelope.from_bytes(raw)
    except envelope.SchemaViolation:
        return
    assert envelope.from_bytes(read.to_bytes()) == read


@given(raw=st.binary(max_size=200) | st.text(max_size=200).map(str.encode))
def test_any_bytes_end_in_an_envelope_or_an_error_of_ours(raw):
    with pytest.raises((envelope.Undecodable, envelope.SchemaViolation)):
        envelope.from_bytes(raw)


@pytest.fixture(scope="module")
def consumer():
    """A service that hears dispatch, in memory."""
    pack = jurisdiction.load(PACKS / "jianwai")
    suite = Suite.in_memory(pack, datetime(2026, 11, 22, 2, tzinfo=UTC), only=("intake",))
    yield suite.applications["intake"]
    suite.close()


@pytest.mark.parametrize(("name", "raw"), BYTES)
def test_a_consumer_quarantines_what_it_cannot_read_with_its_bytes(consumer, name, raw):
    assert consumer.receive(raw) is Outcome.QUARANTINED
    with consumer.at_hand.engine.connect() as db:
        kept = db.execute(select(tables.quarantine.c.body, tables.quarantine.c.state)).all()
    assert (raw, "held") in [(bytes(body), state) for body, state in kept]


@pytest.mark.parametrize(("name", "value"), VALUES)
def test_a_consumer_quarantines_every_wrong_value(consumer, name, value):
    raw = json.dumps(json.loads(GOOD) | {name: value}).encode()
    assert consumer.receive(raw) is Outcome.QUARANTINED


def test_sqlite_is_what_the_consumer_stored_in(consumer):
    """Guards the tests above: an in-memory engine, not some server that happens to be configured."""
    with consumer.at_hand.engine.connect() as db:
        assert isinstance(db.connection.dbapi_connection, sqlite3.Connection)
