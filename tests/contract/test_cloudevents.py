"""Our envelopes are CloudEvents 1.0: the foundation's own SDK reads them, and we read what it writes."""

from __future__ import annotations

import dataclasses
import json
from datetime import UTC, datetime, timedelta, timezone

import pytest
from cloudevents.core.formats.json import JSONFormat
from cloudevents.core.v1.event import CloudEvent

from deploy.launcher.documents import samples
from shared.contracts import envelope, registry

FORMAT = JSONFormat()


def through_the_sdk(raw: bytes) -> CloudEvent:
    return FORMAT.read(CloudEvent, raw)


@pytest.mark.parametrize("row", registry.all_types(), ids=lambda row: row.name)
def test_the_sdk_reads_every_type_and_we_read_it_back(row):
    ours = samples.envelope_of(row)
    theirs = through_the_sdk(ours.to_bytes())
    assert theirs.get_id() == ours.id
    assert theirs.get_source() == f"urn:gridwhistle:{row.owner}"
    assert theirs.get_type() == f"gridwhistle.{row.owner}.{row.routing_key}.v{row.version}"
    assert theirs.get_subject() == ours.subject
    assert theirs.get_time() == ours.time
    assert theirs.get_data() == ours.data
    assert theirs.get_extension("stream") == ours.stream
    assert theirs.get_extension("streamversion") == ours.streamversion
    assert theirs.get_extension("classification") == row.classification
    assert envelope.from_bytes(FORMAT.write(theirs)) == ours


def test_optional_attributes_without_a_value_are_left_out():
    """CloudEvents 1.0, section 3: a null attribute is an absent one; the SDK refuses extensions that are None."""
    row = registry.by_name("intake.matter-opened")
    filled = samples.envelope_of(row)
    bare = dataclasses.replace(filled, causationid=None, traceparent=None)
    attributes = json.loads(bare.to_bytes())
    assert not {"causationid", "traceparent"} & attributes.keys()
    assert envelope.from_bytes(FORMAT.write(through_the_sdk(bare.to_bytes()))) == bare


def test_attribute_names_are_legal():
    """CloudEvents 1.0, section 3: lower-case letters and digits, at most 20 characters."""
    row = registry.by_name("intake.matter-opened")
    for name in json.loads(samples.envelope_of(row).to_bytes()):
        assert name.isascii()
        assert name.isalnum()
        assert name == name.lower()
        assert len(name) <= 20


def test_a_foreign_zone_is_read_as_the_same_instant(content):
    content["time"] = "2026-11-22T09:30:00.250000+08:00"
    beijing = datetime(2026, 11, 22, 9, 30, 0, 250_000, tzinfo=timezone(timedelta(hours=8)))
    read = envelope.from_bytes(json.dumps(content).encode())
    assert read.time == beijing
    assert read.time.tzinfo is UTC


def test_chinese_and_emoji_stay_readable_bytes(content):
    content["data"]["note"] = "楼道灯不亮😟"
    raw = envelope.from_bytes(json.dumps(content).encode()).to_bytes()
    assert "楼道灯不亮😟".encode() in raw
