"""HTTP without a server: what a hostile or careless client gets back."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from pathlib import Path

import jwt
import pytest
from sqlalchemy.exc import OperationalError
from werkzeug import Request
from werkzeug.routing import Map, Rule
from werkzeug.test import EnvironBuilder

from deploy.launcher.suite import Suite
from shared.jurisdiction import load
from shared.runtime import http
from shared.runtime.auth import Gatekeeper

PACK = Path(__file__).parents[3] / "deploy" / "jurisdictions" / "jianwai"
START = datetime(2026, 11, 16, 1, 0, tzinfo=UTC)
SECRET = "s" * 40


@pytest.fixture(scope="module")
def pack():
    return load(PACK)


@pytest.fixture
def suite(pack):
    suite = Suite.in_memory(pack, START, only=["intake"])
    yield suite
    suite.close()


@pytest.fixture
def gatekeeper(suite):
    return Gatekeeper(secret=SECRET, issuer="gridwhistle", audience="gridwhistle", clock=suite.clock)


@pytest.fixture
def token(gatekeeper):
    return gatekeeper.issue(
        subject="w", roles=frozenset({"grid-worker"}), unit="guanghua-dongli-1", lasting=timedelta(hours=1)
    )


@pytest.fixture
def call(suite, gatekeeper, token):
    application = suite.applications["intake"]

    def send(method, path, *, body=None, raw=None, headers=None, auth=token, args=None):
        route, params = match(application.definition.routes, method, path)
        data = raw if raw is not None else (json.dumps(body).encode() if body is not None else None)
        given = {"Authorization": f"Bearer {auth}"} if auth else {}
        builder = EnvironBuilder(
            method=method,
            path=path,
            data=data,
            query_string=args or {},
            content_type=(headers or {}).get("Content-Type", "application/json") if data is not None else None,
            headers=given | (headers or {}),
        )
        return http.answer(application, gatekeeper, route, Request(builder.get_environ()), params)

    return send


def match(routes, method, path):
    urls = Map([Rule(route.path, endpoint=index, methods=[route.method]) for index, route in enumerate(routes)])
    index, params = urls.bind("x").match(path, method=method)
    return routes[index], params


DEMAND = {"channel": "web", "text": "灯不亮", "location": {"address": "光华东里1号楼"}}
DEMANDS = "/api/v1/demands"


def test_created(call):
    response = call("POST", DEMANDS, body=DEMAND)
    assert response.status_code == 201
    assert response.json["number"].startswith("D2026")
    assert response.headers["X-Correlation-ID"]


def test_idempotency_key_over_http(call):
    first = call("POST", DEMANDS, body=DEMAND, headers={"Idempotency-Key": "a"})
    again = call("POST", DEMANDS, body=DEMAND, headers={"Idempotency-Key": "a"})
    other = call("POST", DEMANDS, body=DEMAND | {"text": "别的"}, headers={"Idempotency-Key": "a"})
    assert (first.status_code, again.status_code, other.status_code) == (201, 200, 409)
    assert again.json == first.json
    assert other.json["code"] == "idempotency-key-reused"


@pytest.mark.parametrize(
    ("raw", "headers", "status", "code"),
    [
        (b"{", {}, 400, "invalid-input"),
        (b"[]", {}, 400, "invalid-input"),
        (b'"x"', {}, 400, "invalid-input"),
        (b"[" * 50_000, {}, 400, "invalid-input"),
        ('{"text": "中'.encode("gb18030"), {}, 400, "invalid-input"),
        (b'{"text": "\xff"}', {}, 400, "invalid-input"),
        (b"a=b", {"Content-Type": "application/x-www-form-urlencoded"}, 415, "unsupported-media-type"),
        (json.dumps(DEMAND | {"text": "长" * 400_000}).encode(), {}, 413, "body-too-large"),
        (json.dumps(DEMAND | {"text": "x" * 900_000}).encode(), {}, 400, "invalid-input"),
        (json.dumps(DEMAND | {"text": "\ud83d"}).encode(), {}, 400, "invalid-input"),
        (json.dumps(DEMAND).encode(), {"If-Match": "rubbish"}, 400, "invalid-input"),
        (json.dumps(DEMAND).encode(), {"Idempotency-Key": "k" * 201}, 400, "invalid-input"),
        (json.dumps(DEMAND | {"__proto__": 1, "中文": 2}).encode(), {}, 400, "invalid-input"),
    ],
)
def test_bad_bodies_get_a_problem(call, raw, headers, status, code):
    response = call("POST", DEMANDS, raw=raw, headers=headers)
    assert (response.status_code, response.json["code"]) == (status, code)
    assert response.content_type == "application/problem+json"
    assert response.json["remedy"]
    assert "Traceback" not in response.get_data(as_text=True)


def test_fields_are_named(call):
    response = call("POST", DEMANDS, body={"channel": "web", "text": "x", "location": {"grid": "nowhere"}, "z": 1})
    assert set(response.json["errors"]) == {"z"}
    response = call("POST", DEMANDS, body={"channel": "web", "text": "x", "location": {"grid": "nowhere"}})
    assert set(response.json["errors"]) == {"location.grid"}


def test_tokens(call, gatekeeper, suite):
    def issue(keeper, *, hours=1):
        return keeper.issue(subject="w", roles=frozenset({"grid-worker"}), unit="u", lasting=timedelta(hours=hours))

    foreign = Gatekeeper(secret="f" * 40, issuer="gridwhistle", audience="gridwhistle", clock=suite.clock)
    other_issuer = Gatekeeper(secret=SECRET, issuer="elsewhere", audience="gridwhistle", clock=suite.clock)
    other_audience = Gatekeeper(secret=SECRET, issuer="gridwhistle", audience="elsewhere", clock=suite.clock)
    cases = {
        None: "unauthenticated",
        "rubbish": "invalid-token",
        "a.b.c": "invalid-token",
        issue(foreign): "invalid-token",
        issue(other_issuer): "invalid-token",
        issue(other_audience): "invalid-token",
        issue(gatekeeper, hours=-1): "expired-token",
    }
    for token, code in cases.items():
        response = call("POST", DEMANDS, body=DEMAND, auth=token)
        assert (response.status_code, response.json["code"]) == (401, code)
        assert response.headers["WWW-Authenticate"] == "Bearer"


def test_a_token_without_signature_is_refused(call):
    claims = {"iss": "gridwhistle", "aud": "gridwhistle", "sub": "w", "roles": ["street-clerk"], "exp": 9_999_999_999}
    unsigned = jwt.encode(claims, None, algorithm="none")
    assert call("POST", DEMANDS, body=DEMAND, auth=unsigned).status_code == 401


def test_a_role_that_may_not_is_forbidden(call, gatekeeper):
    token = gatekeeper.issue(
        subject="d", roles=frozenset({"department-officer"}), unit="dept-water", lasting=timedelta(hours=1)
    )
    response = call("POST", DEMANDS, body=DEMAND, auth=token)
    assert (response.status_code, response.json["code"]) == (403, "not-permitted")


def test_stale_if_match(call, gatekeeper):
    made = call("POST", DEMANDS, body=DEMAND | {"location": {}}).json
    street = gatekeeper.issue(
        subject="s", roles=frozenset({"street-clerk"}), unit="jianwai", lasting=timedelta(hours=1)
    )
    path = f"/api/v1/matters/{made['matter_id']}/location"
    stale = call("POST", path, body={"unit": "guanghua-dongli-1"}, auth=street, headers={"If-Match": '"7"'})
    assert (stale.status_code, stale.json["code"]) == (412, "stale-version")
    done = call("POST", path, body={"unit": "guanghua-dongli-1"}, auth=street, headers={"If-Match": '"1"'})
    assert (done.status_code, done.get_etag()) == (200, ("2", False))


def test_the_path_wins_over_the_body(call, gatekeeper):
    street = gatekeeper.issue(
        subject="s", roles=frozenset({"street-clerk"}), unit="jianwai", lasting=timedelta(hours=1)
    )
    response = call("POST", "/api/v1/matters/m-1/location", body={"matter": "m-2", "unit": "jianwai"}, auth=street)
    assert response.status_code == 404
    assert "m-1" in response.json["detail"]


def test_a_bug_says_nothing_internal(call, suite, monkeypatch):
    def broken(*_args, **_more):
        message = "password=hunter2 in /etc/secret"
        raise ZeroDivisionError(message)

    monkeypatch.setattr("services.intake.repository.add_demand", broken)
    response = call("POST", DEMANDS, body=DEMAND)
    assert response.status_code == 500
    assert "hunter2" not in response.get_data(as_text=True)
    assert response.json["reference"] == response.headers["X-Correlation-ID"]


def test_a_database_that_is_away_is_a_503(call, monkeypatch):
    monkeypatch.setattr("shared.runtime.application.time.sleep", lambda _seconds: None)

    def away(*_args, **_more):
        raise OperationalError("select", {}, Exception("connection refused to 10.0.0.1"))

    monkeypatch.setattr("services.intake.repository.add_demand", away)
    response = call("POST", DEMANDS, body=DEMAND)
    assert (response.status_code, response.json["code"]) == (503, "temporarily-unavailable")
    assert response.headers["Retry-After"]
    assert "10.0.0.1" not in response.get_data(as_text=True)


@pytest.mark.parametrize(("given", "kept"), [("abc-123", True), ("a b", False), ("x" * 101, False), ("é", False)])
def test_correlation_ids_are_taken_only_when_harmless(call, given, kept):
    response = call("POST", DEMANDS, body=DEMAND, headers={"X-Correlation-ID": given})
    assert (response.headers["X-Correlation-ID"] == given) is kept


@pytest.mark.parametrize(
    "args", [{"limit": "0x10"}, {"limit": "-1"}, {"limit": "9999"}, {"cursor": "²"}, {"limit": ""}]
)
def test_page_parameters_are_checked(call, gatekeeper, args):
    street = gatekeeper.issue(
        subject="s", roles=frozenset({"street-clerk"}), unit="jianwai", lasting=timedelta(hours=1)
    )
    response = call("GET", "/api/v1/unlocated", args=args, auth=street)
    assert (response.status_code, response.json["code"]) == (400, "invalid-input")
