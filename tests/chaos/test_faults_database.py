"""The answer to a COMMIT is lost for certain, sessions are ended: one effect, and answers that tell the truth."""

from __future__ import annotations

import json
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from functools import partial
from pathlib import Path
from threading import Event, Thread

import pytest
from sqlalchemy import func, insert, select, text
from werkzeug.routing import Map
from werkzeug.test import Client

from deploy.launcher.suite import Suite
from services.intake.tables import demands
from services.oversight.tables import trace
from shared.jurisdiction import load
from shared.kernel.sealing import new_key_text
from shared.ledger import outbox, tables
from shared.ledger.engines import open_engine, reading, writing
from shared.ledger.errors import Transient
from shared.ledger.reception import Outcome
from shared.runtime import doors, http
from shared.runtime.auth import Gatekeeper
from shared.runtime.settings import Settings
from tests.chaos.proxy import HOST, Proxy
from tests.unit.deliberation.conftest import HOST as HOSTING
from tests.unit.deliberation.conftest import VOTERS, Platform

PACK = Path(__file__).parents[2] / "deploy" / "jurisdictions" / "jianwai"
START = datetime(2026, 11, 16, 1, 0, tzinfo=UTC)
COMMIT = b"COMMIT\x00"
WORKER = "grid-worker-guanghua-dongli-1"
NOWHERE = [(HOST, 1)]
DEMAND = {
    "channel": "web",
    "text": "楼道灯不亮",
    "location": {"address": "光华东里1号楼"},
    "asker": {"kind": "resident"},
}


class Town:
    """Intake and oversight on PostgreSQL, by way of the proxy; intake behind its real doors."""

    def __init__(self, postgresql, proxy, prefix):
        self.proxy = proxy
        self.here = [(HOST, postgresql.port)]
        address = postgresql.url_for("postgres").rsplit("/", 1)[0]
        names = {service: f"{prefix}_{service}" for service in ("intake", "oversight")}
        self.direct = {service: open_engine(postgresql.url_for(name)) for service, name in names.items()}
        settings = Settings(
            database_url=proxy.url(address + "/x").rsplit("/", 1)[0] + f"/{prefix}_{{service}}", jurisdiction=Path(),
            contact_keys=new_key_text(), token_secret="t" * 40, link_secret="l" * 40, public_url="http://127.0.0.1",
        )  # fmt: skip
        self.suite = Suite.open(settings, load(PACK), START, only=list(names), create_tables=True)
        intake = self.suite.applications["intake"]
        gatekeeper = Gatekeeper(secret="t" * 40, issuer="gridwhistle", audience="gridwhistle", clock=self.suite.clock)

        worker = self.suite.jurisdiction.person(WORKER)
        token = gatekeeper.issue(
            subject=worker.id, roles=frozenset(worker.roles), unit=worker.unit, lasting=timedelta(hours=1)
        )
        self.headers = {"Authorization": f"Bearer {token}"}

        def respond(route, request, path):
            return http.answer(intake, gatekeeper, route, request, path)

        rules = [doors._rule(each.method, each.path, partial(respond, each)) for each in intake.definition.routes]
        self.client = Client(doors._Doors(None, Map(rules)))

    def register(self, key=None, **changes):
        headers = self.headers | ({"Idempotency-Key": key} if key else {})
        return self.client.post("/api/v1/demands", json=DEMAND | changes, headers=headers)

    def count(self, service, table):
        with reading(self.direct[service]) as db:
            return db.execute(select(func.count()).select_from(table)).scalar_one()

    def events(self):
        with reading(self.direct["intake"]) as db:
            return [bytes(raw) for raw in db.execute(select(tables.outbox.c.envelope).order_by("position")).scalars()]

    def close(self):
        self.proxy.heal()
        self.suite.close()
        for engine in self.direct.values():
            engine.dispose()


@pytest.fixture(scope="module")
def proxy(postgresql):
    with Proxy(HOST, postgresql.port) as made:
        yield made


@pytest.fixture
def town(postgresql, proxy, request):
    prefix = f"town_{abs(hash(request.node.name)) % 100_000}"
    proxy.heal()
    proxy.upstreams([(HOST, postgresql.port)])
    made = Town(postgresql, proxy, prefix)
    assert made.register().status_code == 201  # connections are there, statements are prepared
    yield made
    made.close()
    for service in ("intake", "oversight"):
        postgresql.drop(f"{prefix}_{service}")


def test_without_a_key_a_lost_answer_is_found_out_and_nothing_is_done_twice(town):
    lost = town.proxy.counts()["lost"]
    town.proxy.lose_answer_to(COMMIT)
    answer = town.register()
    assert town.proxy.counts()["lost"] == lost + 1
    assert answer.status_code == 201, answer.text
    assert town.count("intake", demands) == 2
    assert len(town.events()) == len({json.loads(raw)["id"] for raw in town.events()}) == 4
    with reading(town.direct["intake"]) as db:
        found = db.execute(select(demands.c.demand_id)).scalars().all()
    assert answer.json["demand_id"] in found


def test_a_vote_whose_answer_was_lost_is_counted_once_and_its_receipt_is_given(postgresql, proxy):
    """It emits nothing and its reply is kept nowhere, so that nobody can pair voter and choice."""
    proxy.heal()
    proxy.upstreams([(HOST, postgresql.port)])
    postgresql.url_for("town_votes_deliberation")
    settings = Settings(
        database_url=proxy.url(postgresql.url_for("postgres")).rsplit("/", 1)[0] + "/town_votes_{service}",
        jurisdiction=Path(), contact_keys=new_key_text(), token_secret="t" * 40, link_secret="l" * 40,
    )  # fmt: skip
    suite = Suite.open(settings, load(PACK), START, only=["deliberation"], create_tables=True)
    hall = Platform(suite.applications["deliberation"], suite.clock, suite.jurisdiction)
    topic = hall.do("open-topic", HOSTING, matter=hall.matter(), title="怎么修").body["topic_id"]
    ballot = hall.do("open-ballot", HOSTING, topic=topic, question="同意吗", voters=list(VOTERS)).body["ballot_id"]
    lost = proxy.counts()["lost"]
    for voter in VOTERS:
        proxy.lose_answer_to(COMMIT)
        receipt = hall.do("cast-vote", voter, ballot=ballot, choice="yes").body["receipt"]
        assert hall.ask("receipt", voter, ballot=ballot, code=receipt)["counted"]
        assert hall.refused("cast-vote", voter, ballot=ballot, choice="no") == "already-voted"
    assert proxy.counts()["lost"] == lost + len(VOTERS)
    assert hall.do("close-ballot", HOSTING, ballot=ballot).body["yes"] == len(VOTERS)
    suite.close()
    postgresql.drop("town_votes_deliberation")


def test_without_a_key_and_with_the_database_gone_the_answer_says_that_nobody_knows(town, monkeypatch):
    monkeypatch.setattr("shared.runtime.application._DOUBTS", 3)
    town.proxy.upstreams(NOWHERE)
    town.proxy.lose_answer_to(COMMIT)
    answer = town.register()
    assert (answer.status_code, answer.json["code"]) == (504, "outcome-unknown")
    assert "Idempotency-Key" in answer.json["remedy"]
    assert "Nothing was stored" not in answer.text
    assert town.count("intake", demands) == 2  # it was done, which is why the answer may not say otherwise


def test_under_a_key_the_request_is_repeated_until_it_is_answered_and_done_once(town):
    town.proxy.upstreams(NOWHERE)
    town.proxy.lose_answer_to(COMMIT)
    away = town.register(key="once")
    assert (away.status_code, away.json["code"]) == (503, "temporarily-unavailable")
    assert away.json["detail"] == "The database of intake does not answer."
    town.proxy.upstreams(town.here)
    first, second = town.register(key="once"), town.register(key="once")
    assert (first.status_code, second.status_code) == (200, 200)  # made by the one whose answer was lost
    assert first.json == second.json
    assert town.count("intake", demands) == 2


def test_under_a_key_one_lost_answer_is_not_even_noticed(town):
    town.proxy.lose_answer_to(COMMIT)
    answer = town.register(key="smooth")
    assert answer.status_code in (200, 201), answer.text
    assert town.count("intake", demands) == 2


def test_a_message_whose_commit_nobody_answered_for_comes_again_and_counts_once(town):
    oversight = town.suite.applications["oversight"]
    raws = town.events()
    town.proxy.lose_answer_to(COMMIT, times=2)  # together, and the first of one by one
    kept = oversight.receive_many(raws)
    assert [isinstance(each.kept, Transient) or each.outcome is Outcome.DUPLICATE for each in kept] == [True, True]
    town.proxy.heal()
    again = oversight.receive_many(raws)
    assert {each.outcome for each in again} <= {Outcome.HANDLED, Outcome.DUPLICATE}
    assert town.count("oversight", trace) == town.count("oversight", tables.inbox) == len(raws)


def test_whether_it_was_stored_is_not_said_before_the_transaction_has_ended(town):
    """The trap of an ambiguous commit: it may still be under way when one looks."""
    row = {
        "message_id": "m", "stream": "s", "stream_version": 1, "type": "t", "envelope": b"{}", "created_at": START,
    }  # fmt: skip
    for end, stored in (("rollback", False), ("commit", True)):
        asked, answers = Event(), []

        def ask(asked=asked, answers=answers):
            with writing(town.direct["intake"]) as db:
                db.execute(text("SELECT 1"))
                asked.set()
                answers.append(outbox.was_stored(db, "m", START))

        with writing(town.direct["intake"]) as slow:
            slow.execute(insert(tables.outbox).values(row))
            asker = Thread(target=ask)
            asker.start()
            assert asked.wait(5)
            asker.join(0.3)
            assert answers == []  # it waits
            getattr(slow, end)()
        asker.join(5)
        assert answers == [stored]


def test_sessions_ended_under_load_and_every_request_has_one_effect(town, postgresql):
    def demand_until_answered(number):
        for _ in range(20):
            answer = town.register(key=f"load-{number}", text=f"路灯不亮 {number}")
            if answer.status_code != 503:
                return answer.status_code
        return 0

    with ThreadPoolExecutor(4) as pool:
        answers = pool.map(demand_until_answered, range(60))
        ended = sum(postgresql.terminate_sessions() for _ in range(10))
        codes = set(answers)
    assert ended > 0
    assert codes <= {200, 201}
    assert town.count("intake", demands) == 61
    assert len(town.events()) == 122
