"""`docs/openapi/<service>.yaml`: a service's HTTP side as OpenAPI 3.1, from its routes and the schemas of its commands.

Path parameters leave the body, because shared.runtime.http merges them into the command. Refusals are listed with the
codes that reading the handler's source finds. It must never describe a route that the definition does not have.
"""

from __future__ import annotations

import re
from typing import Any

from deploy.launcher.documents import yaml_text
from deploy.launcher.documents.reading import Reading, Refused, read
from deploy.launcher.documents.schemas import JsonSchema, SchemaBook
from shared.kernel.actor import ROLE_PERMISSIONS
from shared.runtime.definition import Command, Route, ServiceDefinition
from shared.runtime.metrics import VERSION

_PARAMETER = re.compile(r"<(?:\w+:)?(\w+)>")
_JSON = "application/json"
_PROBLEM = "application/problem+json"
_HTML = "text/html"
_FORM = "application/x-www-form-urlencoded"
#: Page routes: media type by the path's last suffix.
_PAGE_TYPES = {".csv": "text/csv", ".json": _JSON, ".txt": "text/plain", ".svg": "image/svg+xml"}
#: Refusals that the edge itself gives, whatever the command.
_TOKEN = (
    Refused(status=401, code="unauthenticated"), Refused(status=401, code="invalid-token"),
    Refused(status=401, code="expired-token"),
)  # fmt: skip
_BODY = (
    Refused(status=400, code="invalid-input"), Refused(status=413, code="body-too-large"),
    Refused(status=415, code="unsupported-media-type"),
)  # fmt: skip
_AWAY = (Refused(status=500, code="internal-error"), Refused(status=503, code="temporarily-unavailable"))
_TITLES = {
    400: "The input does not have the shape asked for; `errors` names each field.",
    401: "No token, or not one of ours.",
    403: "Known, but not allowed here.",
    404: "No such thing, or none that this actor may see.",
    409: "Contradicts what is stored.",
    410: "It was possible once; the time for it is over.",
    412: "Changed since it was read (If-Match).",
    413: "Too large.",
    415: "Not JSON.",
    422: "Understood, but the rules do not allow it.",
    500: "A bug on our side; nothing was stored.",
    503: "The database is away; nothing was stored. `Retry-After` says when to come back.",
    504: "The database went away while this was stored; look whether it was done before sending it again.",
}


def text(definition: ServiceDefinition) -> str:
    """The document of one service."""
    return yaml_text(document(definition))


def document(definition: ServiceDefinition) -> dict[str, Any]:
    """The document of one service as plain values."""
    book = SchemaBook(tolerant=False)
    paths: dict[str, dict[str, Any]] = {}
    for route in sorted(definition.routes, key=lambda route: (route.path, route.method)):
        operation = _operation(definition, route, book)
        paths.setdefault(_PARAMETER.sub(r"{\1}", route.path), {})[route.method.lower()] = operation
    schemas = book.schemas() | {"Problem": _problem_schema()}
    return {
        "openapi": "3.1.0",
        "info": {
            "title": f"Gridwhistle 网格哨: {definition.name}",
            "version": VERSION,
            "license": {"name": "Apache-2.0", "identifier": "Apache-2.0"},
            "description": (
                "JSON in UTF-8, times in UTC (RFC 3339). A refused request has stored nothing; its `code` is stable. "
                "Every answer carries `X-Correlation-ID`; send your own to find it again in logs and events."
            ),
        },
        "servers": [{"url": "/", "description": "Wherever the service is reached"}],
        "paths": paths,
        "components": {
            "securitySchemes": {
                "token": {
                    "type": "http",
                    "scheme": "bearer",
                    "bearerFormat": "JWT",
                    "description": "`gridwhistle token PERSON` makes one.",
                }
            },
            "parameters": _header_parameters(),
            "headers": {
                "ETag": {"description": "The object's version, to send back as If-Match", "schema": {"type": "string"}},
                "X-Correlation-ID": {"description": "Follows what this request sets off", "schema": {"type": "string"}},
                "Retry-After": {"description": "Seconds", "schema": {"type": "integer"}},
            },
            "schemas": schemas,
        },
    }


def path_parameters(route: Route) -> tuple[str, ...]:
    """The names between angle brackets."""
    return tuple(_PARAMETER.findall(route.path))


def needs(definition: ServiceDefinition, route: Route) -> str | None:
    """The permission that a route asks for."""
    if route.command is not None:
        return definition.commands[route.command].needs
    return route.query.needs if route.query is not None else route.needs


def refusals(found: Reading, command: Command | None, permission: str | None, route: Route | None) -> set[Refused]:
    """Everything a route may refuse with: what the handler says and what the edge adds."""
    ways = set(found.refusals) | set(_TOKEN[1:]) | set(_AWAY)
    if permission is not None:
        ways |= {_TOKEN[0], Refused(status=403, code="not-permitted")}
    if command is not None:
        ways |= {*_BODY, Refused(status=504, code="outcome-unknown")}
        if route is not None and route.method == "POST":
            ways.add(Refused(status=409, code="idempotency-key-reused"))
    return ways


def _operation(definition: ServiceDefinition, route: Route, book: SchemaBook) -> dict[str, Any]:
    command = definition.commands[route.command] if route.command is not None else None
    if command is not None:
        found, about, name = read(command.handler), command.about, command.name
        if route.form is not None:
            about, name = route.about, f"{name}.form"
    elif route.query is not None:
        found, about, name = read(route.query.run), route.query.about, route.query.name
    elif route.page is not None:
        found, about = read(route.page), route.about
        name = definition.name + ".page" + _PARAMETER.sub(r"\1", route.path).replace("/", ".").rstrip(".")
    else:
        message = f"route {route.method} {route.path} leads nowhere"
        raise ValueError(message)
    permission = needs(definition, route)
    operation: dict[str, Any] = {
        "operationId": f"{route.method.lower()}.{name}",
        "tags": [definition.name],
        "summary": about or name,
        "security": [{"token": []}] if permission else [{"token": []}, {}],
    }
    if permission:
        operation["description"] = f"Needs `{permission}`: {', '.join(roles_with(permission))}."
    parameters = _parameters(route, found, command)
    if parameters:
        operation["parameters"] = parameters
    if command is not None and route.form is not None:
        schema: JsonSchema = {"type": "object", "additionalProperties": {"type": "string"}}
        schema["description"] = "The fields of the form that the page of the same address shows"
        operation["requestBody"] = {"required": True, "content": {_FORM: {"schema": schema}}}
    elif command is not None:
        body = _body(command, route, book)
        operation["requestBody"] = {"required": bool(body.get("required", True)), "content": {_JSON: {"schema": body}}}
    operation["responses"] = _answers(route, found, command, permission)
    return operation


def roles_with(permission: str) -> list[str]:
    """Roles that a permission is granted to."""
    return sorted(role for role, granted in ROLE_PERMISSIONS.items() if permission in granted)


def _parameters(route: Route, found: Reading, command: Command | None) -> list[dict[str, Any]]:
    in_path = path_parameters(route)
    rows: list[dict[str, Any]] = [
        {"name": name, "in": "path", "required": True, "schema": {"type": "string", "maxLength": 200}}
        for name in in_path
    ]
    if command is None:
        rows += [
            {"name": name, "in": "query", "required": False, "schema": {"type": "string"}}
            for name in sorted(found.parameters - set(in_path))
            if route.method == "GET"
        ]
        return rows
    if route.method == "POST":
        rows.append({"$ref": "#/components/parameters/IdempotencyKey"})
    if found.checks_version:
        rows.append({"$ref": "#/components/parameters/IfMatch"})
    return rows


def _body(command: Command, route: Route, book: SchemaBook) -> JsonSchema:
    reference = book.ref(command.shape)
    in_path = path_parameters(route)
    if not in_path:
        return reference
    whole = book.schemas()[command.shape.__name__]
    properties = {key: value for key, value in whole["properties"].items() if key not in in_path}
    body: JsonSchema = {"type": "object", "properties": properties, "additionalProperties": False}
    required = [key for key in whole.get("required", []) if key not in in_path]
    return body | ({"required": required} if required else {"required": []})


def _answers(route: Route, found: Reading, command: Command | None, permission: str | None) -> dict[str, Any]:
    headers = {"X-Correlation-ID": {"$ref": "#/components/headers/X-Correlation-ID"}}
    if route.form is None and (found.gives_version or (route.query is not None and found.checks_version)):
        headers["ETag"] = {"$ref": "#/components/headers/ETag"}
    media = _JSON if route.page is None and route.form is None else _page_type(route.path)
    good: JsonSchema = {"type": "object"} if media == _JSON else {"type": "string"}
    answers: dict[str, Any] = {}
    if route.creates:
        answers["201"] = {"description": "Made", "headers": headers, "content": {media: {"schema": good}}}
        answers["200"] = {"description": "Was made before", "headers": headers, "content": {media: {"schema": good}}}
    else:
        answers["200"] = {"description": "Done", "headers": headers, "content": {media: {"schema": good}}}
    by_status: dict[int, list[str]] = {}
    for refused in sorted(refusals(found, command, permission, route)):
        by_status.setdefault(refused.status, []).append(refused.code)
    for status, codes in by_status.items():
        answers[str(status)] = _problem(status, codes, page=route.people is not None)
    return answers


def _problem(status: int, codes: list[str], *, page: bool) -> dict[str, Any]:
    title = _TITLES.get(status, "Refused.")
    answer: dict[str, Any] = {
        "description": f"{title} Codes: {', '.join(codes)}.",
        "content": {_HTML: {"schema": {"type": "string"}}}
        if page
        else {_PROBLEM: {"schema": {"$ref": "#/components/schemas/Problem"}}},
        "x-codes": codes,
    }
    if status == 503:  # noqa: PLR2004 -- the one answer that says when to come back
        answer["headers"] = {"Retry-After": {"$ref": "#/components/headers/Retry-After"}}
    return answer


def _page_type(path: str) -> str:
    return next((media for suffix, media in _PAGE_TYPES.items() if path.endswith(suffix)), _HTML)


def _header_parameters() -> dict[str, Any]:
    return {
        "IdempotencyKey": {
            "name": "Idempotency-Key", "in": "header", "required": False,
            "description": "The same key and body get the first answer again; with another body it is refused.",
            "schema": {"type": "string", "minLength": 1, "maxLength": 200},
        },
        "IfMatch": {
            "name": "If-Match", "in": "header", "required": False,
            "description": "The ETag that was read; a stale one is refused with 412.",
            "schema": {"type": "string"},
        },
    }  # fmt: skip


def _problem_schema() -> JsonSchema:
    """RFC 9457 with our members, as shared.runtime.problems writes it."""
    words = {"type": "string"}
    return {
        "type": "object",
        "description": "RFC 9457 problem details",
        "properties": {
            "type": words | {"description": "/problems/<code>"},
            "title": words,
            "status": {"type": "integer"},
            "code": words | {"description": "Stable; match on this"},
            "detail": words | {"description": "What is wrong"},
            "where": words | {"description": "Field or object at fault"},
            "remedy": words | {"description": "What to do"},
            "errors": {
                "type": "object",
                "description": "Field path -> faults",
                "additionalProperties": {"type": "array", "items": words},
            },
            "reference": words | {"description": "For the operator; with 500 only"},
        },
        "required": ["type", "title", "status", "code", "detail"],
    }
