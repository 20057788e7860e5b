"""`docs/asyncapi-departments.yaml`: the whistle contract as an AsyncAPI 3.0.0 document, for programmers of departments.

Seen from the department: it *receives* from its queue and *sends* to its exchange. Nothing internal stands in it. Made
from shared/contracts/whistles.py; docs/department-guide.md says the same in words.
"""

from __future__ import annotations

from typing import Any

from deploy.launcher.documents import yaml_text
from deploy.launcher.documents.schemas import SchemaBook
from shared.contracts import whistles
from shared.contracts.envelope import CONTENT_TYPE, SIZE_LIMIT
from shared.runtime.metrics import VERSION

_BINDING = "0.3.0"
_SHORT = {"type": "string", "minLength": 1, "maxLength": 200}


def text() -> str:
    """The whole document."""
    return yaml_text(document())


def document() -> dict[str, Any]:
    """The whole document as plain values."""
    told, given = SchemaBook(tolerant=True), SchemaBook(tolerant=False)
    messages = {_name(type_): _told(type_, shape, told) for type_, shape in whistles.TOLD.items()}
    messages |= {f"answer.{answer}": _answer(answer, given) for answer in whistles.ANSWERS}
    return {
        "asyncapi": "3.0.0",
        "info": {
            "title": "Gridwhistle 网格哨: whistle calls and their answers",
            "version": VERSION,
            "license": {"name": "Apache-2.0"},
            "description": (
                "What a department receives and may answer (docs/department-guide.md). Frozen: within v1 only optional "
                "fields, types and causes are added, which a department ignores where it does not know them."
            ),
        },
        "defaultContentType": CONTENT_TYPE,
        "servers": {
            "broker": {
                "host": "{host}:{port}",
                "protocol": "amqps",
                "protocolVersion": "0.9.1",
                "description": "RabbitMQ, as the department's own user; everything is declared already",
                "variables": {"host": {"default": "localhost"}, "port": {"default": "5671"}},
            }
        },
        "channels": _channels(messages),
        "operations": {
            "hear": {
                "action": "receive",
                "channel": {"$ref": "#/channels/queue"},
                "summary": "Store, then acknowledge; drop doubles by `id`.",
                "bindings": {"amqp": {"ack": True, "bindingVersion": _BINDING}},
            },
            "answer": {
                "action": "send",
                "channel": {"$ref": "#/channels/exchange"},
                "summary": "Persistent, mandatory, with publisher confirms; the same answer again under the same `id`.",
                "bindings": {"amqp": {"deliveryMode": 2, "mandatory": True, "bindingVersion": _BINDING}},
            },
        },
        "components": {"schemas": {"Envelope": _envelope()} | told.schemas() | given.schemas(), "messages": messages},
    }


def _channels(messages: dict[str, Any]) -> dict[str, Any]:
    department = {"department": {"description": "Your department's id, such as dept-water"}}
    queue = {"name": whistles.key_of("{department}"), "durable": True, "exclusive": False, "autoDelete": False}
    exchange = {"name": whistles.exchange_of("{department}"), "type": "topic", "durable": True, "autoDelete": False}
    return {
        "queue": {
            "address": whistles.key_of("{department}"),
            "title": "What your department is told",
            "parameters": department,
            "messages": _references(name for name in messages if name.startswith("whistle.")),
            "bindings": {"amqp": {"is": "queue", "queue": queue, "bindingVersion": _BINDING}},
        },
        "exchange": {
            "address": "answer.{answer}",
            "title": "What your department answers",
            "description": f"Exchange {whistles.exchange_of('{department}')}; who answers is known from it.",
            "parameters": {"answer": {"enum": list(whistles.ANSWERS)}},
            "messages": _references(name for name in messages if name.startswith("answer.")),
            "bindings": {"amqp": {"is": "routingKey", "exchange": exchange, "bindingVersion": _BINDING}},
        },
    }


def _envelope() -> dict[str, Any]:
    return {
        "type": "object",
        "description": f"CloudEvents 1.0, structured JSON, at most {SIZE_LIMIT} bytes; other attributes are ignored",
        "properties": {
            "specversion": {"const": "1.0"},
            "id": _SHORT,
            "source": _SHORT,
            "type": _SHORT,
            "time": {"type": "string", "format": "date-time"},
            "datacontenttype": {"const": "application/json"},
            "data": {"type": "object"},
        },
        "required": ["specversion", "id", "source", "type", "data"],
    }


def _told(type_: str, shape: type[Any], book: SchemaBook) -> dict[str, Any]:
    return _message(type_, shape.__doc__, {"type": {"const": type_}, "data": book.ref(shape)})


def _answer(answer: str, book: SchemaBook) -> dict[str, Any]:
    type_ = whistles.answer_type(answer)
    own = {"maxLength": 150, "description": "Your own; the same when you send the same answer again"}
    data = book.ref(whistles.Answer)
    return _message(type_, whistles.Answer.__doc__, {"id": own, "type": {"const": type_}, "data": data})


def _message(type_: str, about: str | None, properties: dict[str, Any]) -> dict[str, Any]:
    return {
        "name": type_,
        "title": _name(type_),
        "summary": " ".join((about or "").split()),
        "contentType": CONTENT_TYPE,
        "payload": {
            "allOf": [{"$ref": "#/components/schemas/Envelope"}, {"type": "object", "properties": properties}],
        },
        "bindings": {"amqp": {"contentEncoding": "utf-8", "messageType": type_, "bindingVersion": _BINDING}},
    }


def _name(type_: str) -> str:
    return type_.removeprefix("gridwhistle.").removesuffix(".v1")


def _references(names: Any) -> dict[str, Any]:
    return {name: {"$ref": f"#/components/messages/{name}"} for name in names}
