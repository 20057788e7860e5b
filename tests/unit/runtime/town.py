"""All five services behind their real doors, in memory, with something in every one of them to attack."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from datetime import UTC, datetime, timedelta
from functools import partial
from pathlib import Path
from typing import Any

from sqlalchemy import func, select
from werkzeug import Request
from werkzeug.routing import Map
from werkzeug.test import Client, TestResponse

from deploy.launcher.suite import Suite
from shared.contracts.envelope import from_bytes
from shared.jurisdiction import Jurisdiction
from shared.kernel.actor import ROLE_PERMISSIONS
from shared.kernel.hashing import link_token
from shared.ledger import tables as ledger_tables
from shared.ledger.engines import reading
from shared.runtime import doors, http
from shared.runtime.application import Application
from shared.runtime.auth import Gatekeeper
from shared.runtime.definition import Route
from shared.runtime.operations import COMMON_ROUTES

PACK = Path(__file__).parents[3] / "deploy" / "jurisdictions" / "jianwai"
#: A Monday, 09:00 in Beijing.
START = datetime(2026, 11, 16, 1, 0, tzinfo=UTC)
SECRET = "s" * 40
GRID, SIBLING, COMMUNITY, STREET = "guanghua-dongli-1", "guanghua-dongli-2", "guanghua-dongli", "jianwai"
WORKER, HEAD = f"grid-worker-{GRID}", f"grid-head-{GRID}"
CLERK, STREET_CLERK = f"community-clerk-{COMMUNITY}", "street-clerk-jianwai"
PHOTO = {"kind": "photo", "description": "修好后的照片"}
NAME, PHONE, MAIL = "王测试", "13800004321", "wang@example.org"
WORDS = "光华东里1号楼三层楼道灯不亮"


class Town:
    """The suite, tokens for anybody, and doors to knock at."""

    def __init__(self, pack: Jurisdiction) -> None:
        self.suite = Suite.in_memory(pack, START)
        self.gatekeeper = Gatekeeper(
            secret=SECRET, issuer="gridwhistle", audience="gridwhistle", clock=self.suite.clock
        )
        self.clients = {name: self._client(application) for name, application in self.suite.applications.items()}

    def _client(self, application: Application) -> Client:
        rules = [
            doors._rule(route.method, route.path, partial(self._respond, application, route))
            for route in self.routes(application.name)
        ]
        return Client(doors._Doors(None, Map(rules)))  # type: ignore[arg-type]

    def _respond(self, application: Application, route: Route, request: Request, path: dict[str, Any]) -> Any:
        return http.answer(application, self.gatekeeper, route, request, path)

    def routes(self, service: str) -> tuple[Route, ...]:
        return (*self.suite.applications[service].definition.routes, *COMMON_ROUTES)

    # -- asking

    def token(self, roles: Iterable[str], unit: str | None = STREET, subject: str = "attacker") -> str:
        return self.gatekeeper.issue(subject=subject, roles=frozenset(roles), unit=unit, lasting=timedelta(days=60))

    def token_of(self, person: str) -> str:
        found = self.suite.jurisdiction.person(person)
        return self.token(found.roles, found.unit, found.id)

    def send(
        self, service: str, method: str, path: str, *, body: Any = None, raw: bytes | None = None,
        who: str | None = None, token: str | None = None, headers: Mapping[str, str] | None = None,
        query: Mapping[str, str] | None = None,
    ) -> TestResponse:  # fmt: skip
        """One request; what a command entails has happened afterwards. `who` is a person of the pack."""
        if who is not None:
            token = self.token_of(who)
        given = ({"Authorization": f"Bearer {token}"} if token else {}) | dict(headers or {})
        data = raw if raw is not None else None if body is None else json.dumps(body).encode()
        given.setdefault("Content-Type", "application/json")
        answer = self.clients[service].open(path, method=method, data=data, headers=given, query_string=query or {})
        if method != "GET":
            self.suite.settle()
        return answer

    def done(self, service: str, path: str, body: Any, who: str, **how: Any) -> dict[str, Any]:
        """A POST that must succeed."""
        answer = self.send(service, "POST", path, body=body, who=who, **how)
        assert answer.status_code in (200, 201), answer.get_data(as_text=True)
        content: dict[str, Any] = answer.json
        return content

    # -- looking behind

    def rows(self, service: str) -> dict[str, int]:
        """How many rows each table of a service has."""
        application = self.suite.applications[service]
        tables = [*ledger_tables.metadata.sorted_tables, *application.definition.tables.sorted_tables]
        with reading(application.at_hand.engine) as db:
            return {table.name: db.execute(select(func.count()).select_from(table)).scalar_one() for table in tables}

    def emitted(self, service: str) -> list[tuple[str, dict[str, Any]]]:
        table = ledger_tables.outbox
        with reading(self.suite.applications[service].at_hand.engine) as db:
            raws = db.execute(select(table.c.envelope).order_by(table.c.position)).scalars().all()
        return [(envelope.name, envelope.data) for envelope in (from_bytes(bytes(raw)) for raw in raws)]

    # -- a matter's life

    def register(self, **changes: Any) -> dict[str, Any]:
        body = {
            "channel": "web", "text": WORDS, "location": {"address": "光华东里1号楼"},
            "asker": {"kind": "resident", "name": NAME, "phone": PHONE, "mail": MAIL},
        }  # fmt: skip
        return self.done("intake", "/api/v1/demands", body | changes, WORKER)

    def act(self, matter: str, action: str, who: str, **body: Any) -> dict[str, Any]:
        return self.done("dispatch", f"/api/v1/matters/{matter}/{action}", body, who)

    def close(self, matter: str) -> None:
        self.act(matter, "accept", WORKER)
        self.act(matter, "resolve", WORKER, outcome="换了灯泡", evidence=[PHOTO])
        self.act(matter, "verify", HEAD, passed=True)
        self.act(matter, "close", HEAD)

    def evaluation(self, matter: str) -> tuple[str, str]:
        """The newest evaluation of a matter and its link's token."""
        asked = [data for name, data in self.emitted("oversight") if name == "oversight.evaluation-requested"]
        found = [data["evaluation_id"] for data in asked if data["matter_id"] == matter][-1]
        secret = self.suite.applications["oversight"].at_hand.link_secret
        return found, link_token(secret, "evaluate", found)


def roles_without(permission: str) -> list[str]:
    """Roles that do not grant a permission."""
    return sorted(role for role, granted in ROLE_PERMISSIONS.items() if permission not in granted)


def role_with(permission: str) -> str:
    """A role that grants a permission."""
    return min(role for role, granted in ROLE_PERMISSIONS.items() if permission in granted)
