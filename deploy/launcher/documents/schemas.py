"""JSON Schema of our shapes, made by apispec from the very marshmallow fields that check them at run time.

One `SchemaBook` per generated document. Strict books describe commands from outside (unknown fields are refused);
tolerant books describe events (unknown fields are additions of a newer release). It must never describe what no shape
checks.
"""

from __future__ import annotations

import dataclasses
import typing
from typing import Any

from apispec import APISpec
from apispec.ext.marshmallow import MarshmallowPlugin
from marshmallow import EXCLUDE, RAISE, Schema

from shared.contracts import shapes

#: JSON Schema as plain values.
JsonSchema = dict[str, Any]
_PREFIX = "#/components/schemas/"


class SchemaBook:
    """The named schemas of one document, collected as they are asked for."""

    def __init__(self, *, tolerant: bool) -> None:
        self._tolerant = tolerant
        self._shapes: dict[str, type[Any]] = {}
        plugin = MarshmallowPlugin(schema_name_resolver=self._name)
        self._spec = APISpec(title="", version="", openapi_version="3.1.0", plugins=[plugin])
        plugin.map_to_openapi_type(shapes.Instant, "string", "date-time")  # type: ignore[no-untyped-call]

    def _name(self, schema: type[Schema] | Schema | str) -> str:
        found = schema if isinstance(schema, type) else type(schema)
        return found.__name__

    def ref(self, shape: type[Any]) -> JsonSchema:
        """A reference to the shape's schema, which is entered into the book with those nested in it."""
        self._enter(shape)
        return {"$ref": _PREFIX + shape.__name__}

    def _enter(self, shape: type[Any]) -> None:
        known = self._shapes.setdefault(shape.__name__, shape)
        if known is not shape:
            message = f"two shapes of one document are called {shape.__name__}: {known.__module__}, {shape.__module__}"
            raise ValueError(message)
        if shape.__name__ not in self._spec.components.schemas:
            self._spec.components.schema(
                shape.__name__, schema=shapes.schema_of(shape, unknown=EXCLUDE if self._tolerant else RAISE)
            )
        for nested in _nested_in(shape):
            if nested.__name__ not in self._shapes:
                self._enter(nested)

    def schemas(self) -> dict[str, JsonSchema]:
        """Every schema collected, by name."""
        return {name: self._finished(name, content) for name, content in sorted(self._spec.components.schemas.items())}

    def _finished(self, name: str, content: JsonSchema) -> JsonSchema:
        shape = self._shapes[name]
        # The docstring of a record is its class's own; a dataclass without one gets its signature, which says nothing.
        about = " ".join((shape.__doc__ or "").split())
        finished: JsonSchema = {"type": "object"}
        if about and not about.startswith(f"{name}("):
            finished["description"] = about
        finished |= content
        properties: dict[str, JsonSchema] = {key: dict(value) for key, value in content.get("properties", {}).items()}
        for field in dataclasses.fields(shape):
            default = field.default
            if field.name in properties and isinstance(default, str | bool | int | float):
                properties[field.name]["default"] = default
        finished["properties"] = properties
        if self._tolerant:
            finished.pop("additionalProperties", None)
        return finished


def _nested_in(shape: type[Any]) -> list[type[Any]]:
    found: list[type[Any]] = []
    waiting: list[Any] = list(typing.get_type_hints(shape).values())
    while waiting:
        hint = waiting.pop()
        if isinstance(hint, type) and dataclasses.is_dataclass(hint):
            found.append(hint)
        waiting.extend(typing.get_args(hint))
    return found
