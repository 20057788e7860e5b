"""`docs/asyncapi.yaml`: the broker's side of the suite as an AsyncAPI 3.0.0 document, from registry and topology.

Exchanges and queues are channels with their AMQP binding; every event is a message whose payload is the CloudEvents
envelope around its data. Nothing is written by hand here that the registry, topology or schemas do not say.
"""

from __future__ import annotations

from typing import Any

from deploy.launcher.documents import yaml_text
from deploy.launcher.documents.schemas import SchemaBook
from shared.contracts import registry, topology
from shared.contracts.envelope import CONTENT_TYPE, SIZE_LIMIT, SOURCE_PREFIX
from shared.contracts.registry import EventType
from shared.runtime.metrics import VERSION

_BINDING = "0.3.0"
_RFC3339 = {"type": "string", "format": "date-time"}


def text() -> str:
    """The whole document."""
    return yaml_text(document())


def document() -> dict[str, Any]:
    """The whole document as plain values."""
    book = SchemaBook(tolerant=True)
    messages = {row.name: _message(row, book) for row in registry.all_types()}
    return {
        "asyncapi": "3.0.0",
        "info": {
            "title": "Gridwhistle 网格哨: events",
            "version": VERSION,
            "license": {"name": "Apache-2.0"},
            "description": (
                "Every event that the five services tell one another. Each travels as a CloudEvents 1.0 envelope in "
                "structured JSON; the same bytes are stored, hashed into the trace, published and archived. Versions "
                "count 1, 2, 3 … within a stream (`streamversion`); a consumer that sees a hole waits for what is "
                "missing. Within a version only additions happen: tolerate unknown fields."
            ),
        },
        "defaultContentType": CONTENT_TYPE,
        "servers": {
            "broker": {
                "host": "{host}:{port}",
                "protocol": "amqp",
                "protocolVersion": "0.9.1",
                "description": "RabbitMQ; quorum queues, at-least-once dead lettering, publisher confirms",
                "variables": {"host": {"default": "localhost"}, "port": {"default": "5672"}},
            }
        },
        "channels": _exchanges() | _queues() | _dead(),
        "operations": _sending() | _receiving(),
        "components": {
            "schemas": {"Envelope": envelope_schema()} | book.schemas(),
            "messages": messages,
            "correlationIds": {
                "matter": {
                    "description": "What one request or message set off",
                    "location": "$message.payload#/correlationid",
                }
            },
        },
    }


def envelope_schema() -> dict[str, Any]:
    """The envelope as JSON Schema; shared/contracts/envelope.py checks the same at run time (a test compares them)."""
    short = {"type": "string", "minLength": 1, "maxLength": 200}
    properties = {
        "specversion": {"const": "1.0"},
        "id": short | {"description": "uuid7; a consumer drops one that it has seen"},
        "source": short | {"description": f"{SOURCE_PREFIX}<service>"},
        "type": short | {"description": "gridwhistle.<service>.<event>.v<version>"},
        "subject": {"type": "string", "maxLength": 200, "description": "Matter id, or the stream's own id"},
        "time": _RFC3339 | {"description": "UTC"},
        "datacontenttype": {"const": "application/json"},
        "stream": {"type": "string", "minLength": 1, "maxLength": 300, "description": "<service>.<kind>:<id>"},
        "streamversion": {"type": "integer", "minimum": 0, "description": "1, 2, 3 …; 0: belongs to no stream"},
        "correlationid": short,
        "causationid": {"type": ["string", "null"], "maxLength": 200, "description": "Id of the event that caused it"},
        "traceparent": {"type": ["string", "null"], "maxLength": 200, "description": "W3C trace context"},
        "classification": {"enum": list(registry.CLASSIFICATIONS), "description": "How far it may travel"},
        "data": {"type": "object"},
    }
    return {
        "type": "object",
        "description": f"CloudEvents 1.0, structured JSON, at most {SIZE_LIMIT} bytes; unknown attributes tolerated",
        "properties": properties,
        "required": [
            "specversion", "id", "source", "type", "subject", "time", "stream", "streamversion", "correlationid",
            "classification", "data",
        ],
    }  # fmt: skip


def _message(row: EventType, book: SchemaBook) -> dict[str, Any]:
    return {
        "name": row.type,
        "title": row.name,
        "summary": " ".join((row.shape.__doc__ or "").split()),
        "contentType": CONTENT_TYPE,
        "correlationId": {"$ref": "#/components/correlationIds/matter"},
        "payload": {
            "allOf": [
                {"$ref": "#/components/schemas/Envelope"},
                {
                    "type": "object",
                    "properties": {
                        "type": {"const": row.type},
                        "source": {"const": SOURCE_PREFIX + row.owner},
                        "classification": {"const": row.classification},
                        "data": book.ref(row.shape),
                    },
                },
            ]
        },
        "bindings": {"amqp": {"contentEncoding": "utf-8", "messageType": row.type, "bindingVersion": _BINDING}},
        "x-stream": f"{row.owner}.{row.stream}:{{{row.key}}}",
        "x-since": row.since,
    }


def _exchanges() -> dict[str, Any]:
    return {
        _key("exchange", topology.exchange_of(service)): {
            "address": "{event}",
            "title": f"What {service} tells",
            "description": "The routing key is the event's name without its service, such as `matter-opened`.",
            "parameters": {
                "event": {"enum": [row.routing_key for row in registry.all_types() if row.owner == service]}
            },
            "messages": _references(row for row in registry.all_types() if row.owner == service),
            "bindings": {
                "amqp": {
                    "is": "routingKey",
                    "exchange": {
                        "name": topology.exchange_of(service), "type": "topic", "durable": True, "autoDelete": False,
                        "vhost": "/",
                    },
                    "bindingVersion": _BINDING,
                }
            },
        }
        for service in topology.SERVICES
    }  # fmt: skip


def _queues() -> dict[str, Any]:
    return {
        _key("queue", subscription.queue): {
            "address": subscription.queue,
            "title": f"What {subscription.consumer} hears from {subscription.source}",
            "description": f"Bound to {subscription.exchange} by: {', '.join(subscription.binding_keys())}.",
            "messages": _references(_heard(subscription)),
            "bindings": _queue_binding(subscription.queue),
        }
        for subscription in topology.subscriptions()
    }


def _dead() -> dict[str, Any]:
    return {
        _key("queue", topology.DEAD_QUEUE): {
            "address": topology.DEAD_QUEUE,
            "title": "Messages that no consumer could take",
            "description": (
                f"Filled through {topology.DEAD_EXCHANGE}, by the broker alone, with what no consumer lived to settle: "
                "what a consumer could not handle is in its own quarantine (`gridwhistle quarantine list`)."
            ),
            "messages": {},
            "bindings": _queue_binding(topology.DEAD_QUEUE),
        }
    }


def _queue_binding(name: str) -> dict[str, Any]:
    queue = {"name": name, "durable": True, "exclusive": False, "autoDelete": False, "vhost": "/"}
    return {"amqp": {"is": "queue", "queue": queue, "bindingVersion": _BINDING}}


def _sending() -> dict[str, Any]:
    return {
        f"{service}.tell": {
            "action": "send",
            "channel": {"$ref": f"#/channels/{_key('exchange', topology.exchange_of(service))}"},
            "summary": f"The relay of {service} publishes what its outbox holds: at least once, each stream in order.",
            "bindings": {"amqp": {"deliveryMode": 2, "mandatory": True, "timestamp": True, "bindingVersion": _BINDING}},
        }
        for service in topology.SERVICES
    }


def _receiving() -> dict[str, Any]:
    return {
        f"{subscription.consumer}.hear.{subscription.source}": {
            "action": "receive",
            "channel": {"$ref": f"#/channels/{_key('queue', subscription.queue)}"},
            "summary": "Acknowledged only when the effects are committed; a message seen before changes nothing.",
            "bindings": {"amqp": {"ack": True, "bindingVersion": _BINDING}},
        }
        for subscription in topology.subscriptions()
    }


def _heard(subscription: topology.Subscription) -> list[EventType]:
    return [row for row in registry.all_types() if row.owner == subscription.source and subscription.hears(row.stream)]


def _references(rows: Any) -> dict[str, Any]:
    return {row.name: {"$ref": f"#/components/messages/{row.name}"} for row in rows}


def _key(kind: str, name: str) -> str:
    return f"{kind}.{name}"
