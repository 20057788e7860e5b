"""`docs/commands.md`: everything that can be asked of the suite, the same over HTTP, in scenarios and in the CLI.

Fields come from the shapes, permissions and roles from the actor table, refusals from reading the handlers.
"""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Iterator, Mapping

from deploy.launcher.documents import HEAD, openapi
from deploy.launcher.documents.reading import read
from deploy.launcher.documents.schemas import JsonSchema, SchemaBook
from shared.runtime.definition import Command, Route, ServiceDefinition

_INTRODUCTION = """\
# Commands 命令

A command is named `<service>.<command>`; the same name and fields are used over HTTP, in scenarios (`do:`, `with:`)
and by the CLI. Unknown fields are refused. Path parameters of a route are fields of the command.

Every command can also be refused by the edge: `invalid-input` (400, with `errors` by field), `unauthenticated`,
`invalid-token`, `expired-token` (401), `not-permitted` (403), `idempotency-key-reused` (409), `body-too-large` (413),
`unsupported-media-type` (415), `temporarily-unavailable` (503: nothing was stored, send it again), `outcome-unknown`
(504: look whether it was done; under an Idempotency-Key just send it again). The codes listed below are at least those
the handler itself gives. HTTP in full: `docs/openapi/<service>.yaml`.
"""
#: Codes of the edge, said once above.
_EVERYWHERE = {"invalid-input"}


def text(definitions: Mapping[str, ServiceDefinition]) -> str:
    """The page, services in their order."""
    parts = [HEAD, _INTRODUCTION]
    for definition in definitions.values():
        parts.append(f"\n## {definition.name}\n")
        parts += [_command(command, definition) for command in definition.commands.values()]
        parts.append(_queries(definition))
    return "\n".join(parts)


def _command(command: Command, definition: ServiceDefinition) -> str:
    routes = [route for route in definition.routes if route.command == command.name]
    codes = sorted({refused.code for refused in read(command.handler).refusals} - _EVERYWHERE)
    who = "anybody (the handler checks a code or token itself)"
    if command.needs is not None:
        who = f"`{command.needs}`: {', '.join(openapi.roles_with(command.needs))}"
    lines = [
        f"### {command.name}\n",
        f"{command.about}\n",
        f"- HTTP: {', '.join(_http(route) for route in routes) or 'none'}",
        f"- Who: {who}",
        f"- May refuse: {', '.join(f'`{code}`' for code in codes) or 'only as every command may'}\n",
        *_fields(command),
        "",
    ]
    return "\n".join(lines)


def _http(route: Route) -> str:
    return f"`{route.method} {route.path}`"


def _fields(command: Command) -> Iterator[str]:
    book = SchemaBook(tolerant=False)
    book.ref(command.shape)
    schemas = book.schemas()
    main = schemas.pop(command.shape.__name__)
    if not dataclasses.fields(command.shape):
        yield "No fields."
        return
    yield "| field | type | needed | meaning |"
    yield "|---|---|---|---|"
    yield from _rows("", main)
    for name, schema in schemas.items():
        yield from _rows(f"{name}.", schema)


def _rows(prefix: str, schema: JsonSchema) -> Iterator[str]:
    required = schema.get("required", [])
    for name, field in schema["properties"].items():
        needed = "yes" if name in required else _otherwise(field)
        about = str(field.get("description", "")).replace("|", "\\|")
        yield f"| `{prefix}{name}` | {_type(field)} | {needed} | {about} |"


def _otherwise(field: JsonSchema) -> str:
    """What holds when an optional field is left out."""
    return f"default `{json.dumps(field['default']).strip(chr(34))}`" if "default" in field else "no"


def _type(field: JsonSchema) -> str:
    """A field's type in words."""
    if "$ref" in field:
        return str(field["$ref"]).rsplit("/", 1)[1]
    ways = field.get("anyOf") or field.get("allOf")
    if ways:
        return " or ".join(_type(way) for way in ways if way.get("type") != "null")
    if "enum" in field:
        return ", ".join(f"`{value}`" for value in field["enum"] if value is not None)
    kinds = field.get("type", "value")
    kind = next((each for each in kinds if each != "null"), "value") if isinstance(kinds, list) else str(kinds)
    if kind == "array":
        return f"list of {_type(field['items'])}"
    if kind == "string":
        return "instant" if field.get("format") == "date-time" else f"text ≤ {field.get('maxLength', '…')}"
    low, high = field.get("minimum"), field.get("maximum")
    bounds = [f"≥ {low:g}" if low is not None else "", f"≤ {high:g}" if high is not None else ""]
    return " ".join([kind, *(bound for bound in bounds if bound)])


def _queries(definition: ServiceDefinition) -> str:
    routes = [route for route in definition.routes if route.command is None]
    if not routes:
        return ""
    lines = [f"### Reading from {definition.name}\n", "| HTTP | who | parameters | shows |", "|---|---|---|---|"]
    for route in sorted(routes, key=lambda route: (route.path, route.method)):
        permission = openapi.needs(definition, route)
        source = route.query.run if route.query is not None else route.page
        asked = sorted(read(source).parameters - set(openapi.path_parameters(route))) if source is not None else []
        about = route.query.about if route.query is not None else route.about
        lines.append(
            f"| {_http(route)} | {f'`{permission}`' if permission else 'anybody'} | "
            f"{', '.join(f'`{name}`' for name in asked)} | {about} |"
        )
    return "\n".join(lines) + "\n"
