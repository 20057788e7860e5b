"""The envelope around every event: CloudEvents 1.0, structured JSON.

The same bytes are stored in the outbox, hashed into the trace, published and archived, so nothing here may
depend on when or where it runs. Reading is strict about the envelope and tolerant about unknown extension
attributes.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from marshmallow import INCLUDE, Schema, ValidationError, fields, validate

from shared.contracts import registry, shapes
from shared.contracts.wire_fields import FIRST_YEAR, LAST_YEAR
from shared.kernel import strict_json
from shared.kernel.clock import parse_instant, rfc3339
from shared.kernel.errors import Invalid

CONTENT_TYPE = "application/cloudevents+json"
SOURCE_PREFIX = "urn:gridwhistle:"
#: Largest envelope taken from the wire, bytes; a larger one is quarantined.
SIZE_LIMIT = 1_048_576
#: Largest stream version that the databases' integers hold.
_VERSION_LIMIT = 2**31 - 1


class Undecodable(Exception):
    """The bytes are not a CloudEvents JSON object. The sender is at fault: quarantine, never retry."""


class SchemaViolation(Exception):
    """The envelope or its data lacks something or has the wrong type.

    The sender is at fault: quarantine, never retry.
    """


@dataclass(frozen=True, kw_only=True)
class Envelope:
    """One event on its way. `data` holds JSON values; `payload()` gives the typed event."""

    id: str
    source: str
    type: str
    #: The matter it is about; for events about no matter, the stream's own id.
    subject: str
    time: datetime
    #: `<service>.<kind>:<id>`.
    stream: str
    #: 1, 2, 3 … within the stream; 0 for messages from outside, which belong to no stream.
    streamversion: int
    correlationid: str
    causationid: str | None
    traceparent: str | None
    classification: str
    data: dict[str, Any]

    @property
    def service(self) -> str:
        """The service that emitted it."""
        return self.source.removeprefix(SOURCE_PREFIX)

    @property
    def name(self) -> str:
        """`<service>.<event>`; raises registry.UnknownType."""
        return registry.by_type(self.type).name

    def payload(self) -> Any:
        """The typed event; raises SchemaViolation and registry.UnknownType."""
        shape = registry.by_type(self.type).shape
        try:
            return shapes.load(shape, self.data, tolerant=True)
        except Invalid as error:
            message = f"{self.type}: {error.fields}"
            raise SchemaViolation(message) from error

    def to_bytes(self) -> bytes:
        """The one serialised form; optional attributes without a value are left out, as CloudEvents asks."""
        return self._text().encode()

    def around_version(self) -> tuple[str, str]:
        """The text of `to_bytes` before and after the stream version, for whoever gets to know it later."""
        # Quotes inside of values are escaped, so the first thing that looks like the attribute is the attribute.
        before, mark, after = self._text().partition(f'"streamversion":{self.streamversion}')
        return before + mark.removesuffix(str(self.streamversion)), after

    def _text(self) -> str:
        content: dict[str, Any] = {
            "specversion": "1.0",
            "id": self.id,
            "source": self.source,
            "type": self.type,
            "subject": self.subject,
            "time": rfc3339(self.time),
            "datacontenttype": "application/json",
            "stream": self.stream,
            "streamversion": self.streamversion,
            "correlationid": self.correlationid,
            "classification": self.classification,
        }
        if self.causationid is not None:
            content["causationid"] = self.causationid
        if self.traceparent is not None:
            content["traceparent"] = self.traceparent
        content["data"] = self.data
        return _encoded(content)


#: Made once: `json.dumps` with options makes an encoder for every document.
_encoded = json.JSONEncoder(ensure_ascii=False, separators=(",", ":")).encode


class _EnvelopeSchema(Schema):
    """What an envelope must have (CloudEvents 1.0, section 3, and our extensions)."""

    class Meta:
        """Unknown extension attributes are legal in CloudEvents."""

        unknown = INCLUDE

    specversion = fields.String(required=True, validate=validate.Equal("1.0"))
    id = shapes.Text(required=True, validate=validate.Length(min=1, max=200))
    source = shapes.Text(required=True, validate=validate.Length(min=1, max=200))
    type = shapes.Text(required=True, validate=validate.Length(min=1, max=200))
    subject = shapes.Text(required=True, validate=validate.Length(max=200))
    time = shapes.Instant(required=True)
    datacontenttype = fields.String(validate=validate.Equal("application/json"))
    stream = shapes.Text(required=True, validate=validate.Length(min=1, max=300))
    streamversion = fields.Integer(required=True, strict=True, validate=validate.Range(min=0, max=_VERSION_LIMIT))
    correlationid = shapes.Text(required=True, validate=validate.Length(min=1, max=200))
    causationid = shapes.Text(load_default=None, validate=validate.Length(max=200))
    traceparent = shapes.Text(load_default=None, validate=validate.Length(max=200))
    classification = fields.String(required=True, validate=validate.OneOf(registry.CLASSIFICATIONS))
    data = fields.Dict(keys=fields.String(), required=True)


_SCHEMA = _EnvelopeSchema()
_ATTRIBUTES = tuple(Envelope.__dataclass_fields__)


def from_bytes(raw: bytes) -> Envelope:
    """Read an envelope; raises Undecodable or SchemaViolation. The data itself is checked by `Envelope.payload`."""
    if len(raw) > SIZE_LIMIT:
        message = f"{len(raw)} bytes exceed the limit of {SIZE_LIMIT}"
        raise Undecodable(message)
    try:
        content = strict_json.parse(raw)
    except strict_json.NotJson as error:
        message = f"not JSON: {error}"
        raise Undecodable(message) from error
    if not isinstance(content, dict):
        message = f"a JSON {type(content).__name__}, not an object"
        raise Undecodable(message)
    straight = _straight(content)
    if straight is not None:
        return straight
    try:
        values = _SCHEMA.load(content)
    except ValidationError as error:
        message = f"envelope: {shapes.flatten(error.messages)}"
        raise SchemaViolation(message) from error
    return Envelope(**{name: values[name] for name in _ATTRIBUTES})


#: Attribute -> characters at most, as in the schema: those that must be there, and those that may.
_NEEDED = {"id": 200, "source": 200, "type": 200, "subject": 200, "stream": 300, "correlationid": 200}
_OPTIONAL = {"causationid": 200, "traceparent": 200}


def _straight(content: dict[str, Any]) -> Envelope | None:
    """An envelope that is plainly right, read without ceremony; None for any other: then the schema judges.

    Accepts only what the schema would accept with the same result.
    """
    get = content.get
    version: Any = get("streamversion")
    said: Any = get("time")
    data: Any = get("data")
    plain = (
        type(version) is int
        and 0 <= version <= _VERSION_LIMIT
        and type(data) is dict
        and type(said) is str
        and get("specversion") == "1.0"
        and get("datacontenttype", "application/json") == "application/json"
        and get("classification") in registry.CLASSIFICATIONS
        and all(_plain(get(name), most) for name, most in _NEEDED.items())
        and all(get(name) is None or _plain(get(name), most) for name, most in _OPTIONAL.items())
    )
    if not plain:
        return None
    try:
        time = parse_instant(said)
    except ValueError:
        return None
    if not FIRST_YEAR <= time.year <= LAST_YEAR:
        return None
    return Envelope(
        id=content["id"], source=content["source"], type=content["type"], subject=content["subject"], time=time,
        stream=content["stream"], streamversion=version, correlationid=content["correlationid"],
        causationid=get("causationid"), traceparent=get("traceparent"), classification=content["classification"],
        data=data,
    )  # fmt: skip


def _plain(value: Any, most: int) -> bool:
    # Printable ASCII has no NUL, no surrogates, and is blank only where it is nothing but spaces.
    return type(value) is str and len(value) <= most and value.isascii() and value.isprintable() and value.strip() != ""
