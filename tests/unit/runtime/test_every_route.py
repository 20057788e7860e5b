"""Every route of every service against hostile input: a 4xx problem that names field and remedy, and nothing stored.

The bodies are made from the commands' own schemas, so a new command or field is attacked from its first day.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from typing import Any

import pytest
from marshmallow import fields, validate

from deploy.launcher import services
from shared.contracts import shapes
from shared.contracts.shapes import Instant, schema_of
from shared.jurisdiction import load
from shared.runtime.application import Application
from shared.runtime.definition import Route
from shared.runtime.operations import COMMON_ROUTES
from tests.unit.runtime.town import PACK, STREET, Town, role_with, roles_without

SERVICES = services.definitions()
ROUTES = [
    pytest.param(name, route, id=f"{name} {route.method} {route.path}")
    for name, definition in SERVICES.items()
    for route in (*definition.routes, *COMMON_ROUTES)
]
COMMANDS = [each for each in ROUTES if each.values[1].command is not None and each.values[1].form is None]
READS = [each for each in ROUTES if each.values[1].command is None]
PAGED = (
    "unlocated", "topics", "matters", "whistles", "messages", "reports", "claims", "orders", "resources",
)  # fmt: skip
LISTS = [each for each in READS if each.values[1].path in {f"/api/v1/{name}" for name in PAGED}]

NUL, HALF = "a\x00b", "a\ud83db"


@pytest.fixture(scope="module")
def town():
    town = Town(load(PACK))
    yield town
    town.suite.close()


# -- what a field may get

#: Kind of field -> a value that the schema takes; choices and nested shapes apart.
GOOD: dict[type, Any] = {
    shapes.Flag: False, Instant: "2026-11-17T09:00:00+08:00", fields.Float: 1.5, shapes.FreeObject: {},
    shapes.Text: "楼道灯不亮",
}  # fmt: skip
_deep: Any = 1
for _ in range(300):
    _deep = [_deep]
#: Kind of field -> values that the schema must refuse.
WRONG: dict[type, tuple[Any, ...]] = {
    shapes.Flag: ("yes", "true", 1, 0, [], {}),
    Instant: (
        "yesterday", "", "2026-11-17", "2026-11-17T09:00:00", "9999-12-31T23:59:59-14:00", "0001-01-01T00:00:00+14:00",
        "0001-01-01T00:00:00Z", "0999-01-01T00:00:00Z", "9999-12-31T23:59:59Z", "2026-02-30T00:00:00Z",
        "2026-11-17T25:00:00Z", 1_700_000_000, True, [], {}, NUL,
    ),
    fields.Integer: ("x", "3", 3.0, 1.5, 10**400, True, [], {}),
    fields.Float: ("x", "NaN", "Infinity", "1e999", 10**400, 1_000, True, [], {}),
    shapes.FreeObject: ("x", 7, True, [], {"a": [{HALF: 1}]}, {"a": [HALF]}, {"a": _deep}),
    fields.Nested: ("x", 7, True, [], [{}]),
    fields.List: ("x", 7, True, {}),
    shapes.Text: (7, 1.5, True, [], {}, NUL, HALF),
}  # fmt: skip


def good(field: fields.Field[Any]) -> Any:
    """A value that the schema takes."""
    if isinstance(field, fields.Nested):
        return {name: good(inner) for name, inner in field.schema.fields.items() if inner.required}
    if isinstance(field, fields.List):
        return [good(field.inner)]
    if isinstance(field, fields.Integer):
        return next(one.min for one in field.validators if isinstance(one, validate.Range))
    allowed = [one for one in field.validators if isinstance(one, validate.OneOf)]
    return next(iter(allowed[0].choices)) if allowed else GOOD[type(field)]


def wrong(field: fields.Field[Any]) -> Iterator[tuple[str, Any]]:
    """(path below the field, value) of everything the schema must refuse."""
    if not field.allow_none:
        yield "", None
    yield from (("", value) for value in WRONG[type(field)])
    lengths = [one.max for one in field.validators if isinstance(one, validate.Length)]
    if isinstance(field, fields.Nested):
        yield from _wrong_inside(field)
    elif isinstance(field, fields.List):
        yield "", [good(field.inner)] * (lengths[0] + 1)
        yield from (("", []) for _ in range(field.required))
        yield from ((f"[0]{path}", [value]) for path, value in wrong(field.inner))
    elif isinstance(field, shapes.Text):
        yield from (("", value) for value in ("", "   ", "\u3000\n") if field.required)
        yield from (("", "长" * (length + 1)) for length in lengths)
        yield from (("", "no-such-choice") for one in field.validators if isinstance(one, validate.OneOf))


def _wrong_inside(field: fields.Nested) -> Iterator[tuple[str, Any]]:
    yield ".zzz", good(field) | {"zzz": 1}
    for name, inner in field.schema.fields.items():
        if inner.required:
            yield f".{name}", {key: value for key, value in good(field).items() if key != name}
        yield from ((f".{name}{path}", good(field) | {name: value}) for path, value in wrong(inner))


def hostile(route: Route, service: str) -> Iterator[tuple[str, dict[str, Any]]]:
    """(field that the problem must name, body) for each field of the route's command in turn."""
    members = members_of(route, service)
    body = {name: good(field) for name, field in members.items() if field.required}
    yield "zzz", body | {"zzz": 1}
    yield "__proto__", body | {"__proto__": {"admin": True}}
    yield "", body | {HALF: 1}
    for name, field in members.items():
        if field.required:
            yield name, {key: value for key, value in body.items() if key != name}
        for path, value in wrong(field):
            yield name + path, body | {name: value}


def members_of(route: Route, service: str) -> dict[str, fields.Field[Any]]:
    shape = SERVICES[service].commands[route.command].shape
    return {name: field for name, field in schema_of(shape).fields.items() if f"<{name}>" not in route.path}


def good_body(route: Route, service: str) -> dict[str, Any]:
    return {name: good(field) for name, field in members_of(route, service).items() if field.required}


# -- asking


def address(route: Route, value: str = "no-such-id") -> str:
    return re.sub(r"<[a-z_]+>", value, route.path)


def needed(route: Route, service: str) -> str | None:
    if route.command is not None:
        return SERVICES[service].commands[route.command].needs
    return route.query.needs if route.query is not None else route.needs


def token_for(town: Town, route: Route, service: str) -> str | None:
    permission = needed(route, service)
    return town.token(["street-clerk"] if permission is None else [role_with(permission)], STREET)


def complaints(answer: Any, *, field: str | None = None, statuses: tuple[int, ...] = (400,)) -> str:
    """What is wrong with an answer to bad input; empty when all is well."""
    told = answer.get_data(as_text=True)[:300]
    if answer.status_code not in statuses:
        return f"{answer.status_code} {told}"
    if answer.mimetype == "text/html":
        return "" if "Traceback" not in told else told
    if answer.mimetype != "application/problem+json":
        return f"{answer.mimetype} {told}"
    if not answer.json.get("code") or not answer.json.get("remedy"):
        return f"no code or remedy: {told}"
    if field and field not in answer.json.get("errors", {}):
        return f"does not name {field!r}: {told}"
    return ""


@pytest.mark.parametrize(("service", "route"), COMMANDS)
def test_bad_fields_are_named_and_nothing_is_stored(town, service, route):
    before = town.rows(service)
    token = token_for(town, route, service)
    bad, tried = [], 0
    for field, body in hostile(route, service):
        tried += 1
        raw = json.dumps(body).encode()
        answer = town.send(service, route.method, address(route), raw=raw, token=token)
        if found := complaints(answer, field=field):
            bad.append(f"{field}: {str(body)[:200]!r} -> {found}")
    assert not bad, f"{len(bad)} of {tried}:\n" + "\n".join(bad[:20])
    assert tried >= 3
    assert town.rows(service) == before


BODIES = [
    (b"{", {}, (400,)),
    (b"[]", {}, (400,)),
    (b"null", {}, (400,)),
    (b'"x"', {}, (400,)),
    (b"7", {}, (400,)),
    (b"\xff\xfe{\x00}\x00", {}, (400,)),
    (b'\xef\xbb\xbf{"a":1}', {}, (400,)),
    (b'{"text": "\xff"}', {}, (400,)),
    (b'{"zzz": NaN}', {}, (400,)),
    (b'{"zzz": -Infinity}', {}, (400,)),
    (b'{"zzz": ' + b"9" * 5_000 + b"}", {}, (400,)),
    (b"[" * 100_000, {}, (400,)),
    (b'{"zzz":' * 50_000, {}, (400,)),
    (b'{"zzz": "' + b"x" * 1_100_000 + b'"}', {}, (413,)),
    (b'{"zzz": "' + b"x" * 1_000_000 + b'"}', {}, (400,)),
    (b"{" + b",".join(b'"k%d":1' % n for n in range(50_000)) + b"}", {}, (400,)),
    (b"a=b", {"Content-Type": "application/x-www-form-urlencoded"}, (415,)),
    (b"<a/>", {"Content-Type": "text/xml"}, (415,)),
    (None, {"If-Match": "rubbish"}, (400,)),
    (None, {"If-Match": '"1", "2"'}, (400,)),
    (None, {"If-Match": '"99999999999999999999"'}, (400,)),
    (None, {"Authorization": "Bearer x.y.z"}, (401,)),
    (None, {"Authorization": "Basic eDp5"}, (401,)),
    (None, {"Authorization": "Bearer"}, (401,)),
]  # fmt: skip


@pytest.mark.parametrize(("service", "route"), COMMANDS)
def test_bad_bodies_and_headers(town, service, route):
    before = town.rows(service)
    token = token_for(town, route, service)
    valid = json.dumps(good_body(route, service)).encode()
    bad = []
    for raw, headers, statuses in BODIES:
        body = valid if raw is None else raw
        answer = town.send(service, route.method, address(route), raw=body, headers=headers, token=token)
        if found := complaints(answer, statuses=statuses):
            bad.append(f"{body[:60]!r} {headers} -> {found}")
        if len(answer.get_data()) > 20_000:
            bad.append(f"{body[:60]!r} -> {len(answer.get_data())} bytes came back")
    assert not bad, "\n".join(bad)
    assert town.rows(service) == before


@pytest.mark.parametrize(("service", "route"), [each for each in COMMANDS if each.values[1].method == "POST"])
def test_bad_idempotency_keys(town, service, route):
    before = town.rows(service)
    for key in ("", "k" * 201, "a\x00b", "a\x07b"):
        answer = town.send(
            service, "POST", address(route), body=good_body(route, service), token=token_for(town, route, service),
            headers={"Idempotency-Key": key},
        )  # fmt: skip
        assert not complaints(answer, field="Idempotency-Key"), key
    assert town.rows(service) == before


IDS = (
    "no-such-id", "0", "%27%20OR%201=1--", "%F0%9F%92%A3", "%ED%A0%80", "%FF", "a%00b", "x" * 5_000, "..%2F..%2Fetc",
)  # fmt: skip


@pytest.mark.parametrize(("service", "route"), [each for each in ROUTES if "<" in each.values[1].path])
def test_unknown_and_unstorable_ids(town, service, route):
    before = town.rows(service)
    token = token_for(town, route, service)
    form = {"Content-Type": "application/x-www-form-urlencoded"} if route.form is not None else {}
    body = None if route.command is None or form else good_body(route, service)
    bad = []
    for value in IDS:
        answer = town.send(service, route.method, address(route, value), body=body, token=token, headers=form)
        if found := complaints(answer, statuses=(400, 403, 404)):
            bad.append(f"{value[:40]} -> {found}")
    assert not bad, "\n".join(bad)
    assert town.rows(service) == before


@pytest.mark.parametrize(("service", "route"), LISTS)
@pytest.mark.parametrize("limit", ["-1", "", " ", "0x10", "1e3", "²", "1.5", "NaN", "9" * 5_000, "1 OR 1=1", "a\x00b"])
def test_a_bad_limit_is_refused(town, service, route, limit):
    answer = town.send(service, "GET", route.path, token=token_for(town, route, service), query={"limit": limit})
    assert not complaints(answer, field="limit")


VALUES = (
    "", "x", "-1", "9" * 5_000, "0001-01-01T00:00:00+14:00", "9999-12-31T23:59:59-14:00", "0001-01-01T00:00:00Z",
    "a\x00b", "'; DROP TABLE matters;--", "MDAwMS0wMS0wMVQwMDowMDowMCsxNDowMHxt", "AAAA", "====", "💣", "no-such-unit",
    "dept-fire",
)  # fmt: skip


class Looked(dict[str, str]):
    """Parameters that remember which of them somebody looked for."""

    def __init__(self, given, names):
        super().__init__(given)
        self._names = names

    def get(self, name, default=None):
        self._names.add(name)
        return super().get(name, default)

    def __getitem__(self, name):
        self._names.add(name)
        return super().__getitem__(name)

    def __contains__(self, name):
        self._names.add(name)
        return super().__contains__(name)

    def _all_of_them(self, *_arguments):
        message = "whoever takes parameters without naming them must be attacked with every name: see the test"
        raise AssertionError(message)

    __iter__ = keys = values = items = pop = setdefault = copy = __or__ = __ror__ = _all_of_them


@pytest.fixture
def looked_for(monkeypatch):
    """Names of parameters that reads have looked for so far."""
    names: set[str] = set()
    real = Application.look

    def look(application, what, run, parameters, actor, *, needs):
        return real(application, what, run, Looked(parameters, names), actor, needs=needs)

    monkeypatch.setattr(Application, "look", look)
    return names


@pytest.mark.parametrize(("service", "route"), READS)
def test_no_query_breaks_a_read(town, service, route, looked_for):
    """Every value for every parameter that the read looks for; what it never looks for can do nothing to it."""
    before = town.rows(service)
    token = token_for(town, route, service)
    bad, tried = [], set()

    def attack(name, value):
        tried.add(name)
        query = {"period_from": "2026-11-01T00:00:00Z", "period_to": "2026-11-02T00:00:00Z"} | {name: value}
        answer = town.send(service, "GET", address(route), token=token, query=query)
        if answer.status_code != 200 and (found := complaints(answer, statuses=(400, 403, 404, 422))):
            bad.append(f"{name}={value[:40]} -> {found}")

    for value in VALUES:
        attack("zzz", value)
    while left := looked_for - tried:
        for name in left:
            for value in VALUES:
                attack(name, value)
    assert not bad, "\n".join(bad)
    assert "limit" in tried or route.path not in {each.values[1].path for each in LISTS}
    assert town.rows(service) == before


GUARDED = [each for each in ROUTES if needed(each.values[1], each.values[0]) is not None]


@pytest.mark.parametrize(("service", "route"), GUARDED)
def test_who_has_no_token_or_not_the_permission(town, service, route):
    permission = needed(route, service)
    before = town.rows(service)
    body = None if route.command is None else good_body(route, service)
    answer = town.send(service, route.method, address(route), body=body)
    assert not complaints(answer, statuses=(401,))
    assert answer.headers["WWW-Authenticate"] == "Bearer"
    denied = roles_without(permission)
    assert denied
    for role in [*denied, None]:
        token = town.token([] if role is None else [role], STREET)
        answer = town.send(service, route.method, address(route), body=body, token=token)
        assert not complaints(answer, statuses=(403,)), role
        assert answer.json["code"] == "not-permitted"
    assert town.rows(service) == before


@pytest.mark.parametrize("service", SERVICES)
def test_wrong_methods(town, service):
    before = town.rows(service)
    bad = []
    routes = town.routes(service)
    for path in sorted({route.path for route in routes}):
        right = {route.method for route in routes if route.path == path}
        for method in sorted({"DELETE", "PATCH", "PUT", "POST", "GET", "TRACE"} - right):
            answer = town.send(service, method, re.sub(r"<[a-z_]+>", "no-such-id", path), body={})
            if found := complaints(answer, statuses=(405,)):
                bad.append(f"{method} {path} -> {found}")
            elif not right <= set(answer.headers["Allow"].split(", ")):
                bad.append(f"{method} {path} -> Allow: {answer.headers['Allow']}")
    assert not bad, "\n".join(bad)
    assert town.rows(service) == before


@pytest.mark.parametrize("service", SERVICES)
@pytest.mark.parametrize("path", ["/nowhere", "/api/v1/", "/api/v2/demands", "/api/v1/matters/", "/%00", "/..%2f"])
def test_no_such_address(town, service, path):
    answer = town.send(service, "GET", path)
    assert not complaints(answer, statuses=(404,))
