"""A full disk: a clear 503, nothing half-written, and on it goes when there is room again. PostgreSQL and SQLite."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
import requests
from sqlalchemy import func, select

from deploy.launcher.suite import Suite
from deploy.servers import PrivatePostgreSQL
from services.intake.tables import demands
from shared.jurisdiction import load
from shared.kernel.clock import SystemClock
from shared.kernel.sealing import new_key_text
from shared.ledger import tables
from shared.ledger.engines import reading
from shared.ledger.errors import Transient
from shared.runtime.auth import Gatekeeper
from shared.runtime.settings import Settings
from tests.chaos.embedded import EmbeddedWorld
from tests.chaos.small_disk import fill, free, may_mount, small_disk

pytestmark = pytest.mark.skipif(not may_mount(), reason="mounting a small disk needs root and the right to mount")

PACK = Path(__file__).parents[2] / "deploy" / "jurisdictions" / "jianwai"
#: Which of both depends on the file that does not fit.
SAID_OF_A_FULL_DISK = (
    "The database of intake has no space left.",
    "The database of intake cannot use its disk (full, or failing).",
)
WORKER = "grid-worker-guanghua-dongli-1"
START = datetime(2026, 11, 16, 1, 0, tzinfo=UTC)
DEMAND = {"channel": "web", "location": {"address": "光华东里1号楼"}, "asker": {"kind": "resident"}}
#: Long enough for a few dozen demands to fill what a full disk has left in half-used pages.
WORDS = "楼道灯不亮，" * 300


def counts(engine):
    """Demands, and events of demands: they must always be as many."""
    with reading(engine) as db:
        events = select(func.count()).where(tables.outbox.c.type == "gridwhistle.intake.demand-registered.v1")
        return db.execute(select(func.count()).select_from(demands)).scalar_one(), db.execute(events).scalar_one()


def test_postgresql_without_room_refuses_whole_requests_and_goes_on_when_there_is_some(server_folder):
    with small_disk(server_folder / "small", 160) as folder:
        server = PrivatePostgreSQL(folder, durable=False)
        with server:
            settings = Settings(
                database_url=server.url_for("town"), jurisdiction=Path(), contact_keys=new_key_text(),
                token_secret="t" * 40, link_secret="l" * 40, public_url="http://127.0.0.1",
            )  # fmt: skip
            suite = Suite.open(settings, load(PACK), START, only=["intake"], create_tables=True)
            intake = suite.applications["intake"]
            worker = suite.actor(WORKER)

            def register(number):
                body = DEMAND | {"text": f"{WORDS}{number}"}
                return intake.execute("intake.register-demand", body, worker, idempotency_key=f"k-{number}")

            register(0)
            fill(folder)
            accepted, refused = 1, []
            for number in range(1, 2_000):
                try:
                    register(number)
                    accepted += 1
                except Transient as error:
                    refused.append((number, error))
                    if len(refused) == 3:
                        break
            assert len(refused) == 3, accepted
            assert refused[0][1].state == "has no space left", str(refused[0][1])
            free(folder)
            server.start()  # no-op unless it stopped for want of room for its log
            assert counts(intake.at_hand.engine) == (accepted, accepted)
            for number, _ in refused:  # the same requests, under the same keys
                assert register(number).body["demand_id"]
            assert counts(intake.at_hand.engine) == (accepted + 3, accepted + 3)
            suite.close()


def test_embedded_mode_without_room_refuses_whole_requests_and_goes_on_when_there_is_some(tmp_path):
    with small_disk(tmp_path / "small", 64) as folder:
        world = EmbeddedWorld(folder / "suite")
        try:
            world.up()
            gatekeeper = Gatekeeper(
                secret=world.settings.token_secret, issuer="gridwhistle", audience="gridwhistle", clock=SystemClock()
            )
            worker = load(PACK).person(WORKER)
            token = gatekeeper.issue(
                subject=worker.id, roles=frozenset(worker.roles), unit=worker.unit, lasting=timedelta(hours=1)
            )

            def register(number):
                return requests.post(
                    f"http://{world.settings.host}:{world.settings.port_base + 1}/api/v1/demands",
                    json=DEMAND | {"text": f"{WORDS}{number}"}, timeout=30,
                    headers={"Idempotency-Key": f"k-{number}", "Authorization": f"Bearer {token}"},
                )  # fmt: skip

            assert register(0).status_code == 201
            fill(folder)
            accepted, refused = 1, []
            for number in range(1, 200):
                answer = register(number)
                if answer.status_code == 201:
                    accepted += 1
                    continue
                refused.append((number, answer))
                if len(refused) == 3:
                    break
            assert [answer.status_code for _, answer in refused] == [503, 503, 503], refused[0][1].text
            for _, answer in refused:
                problem = answer.json()
                assert problem["code"] == "temporarily-unavailable"
                assert problem["detail"] in SAID_OF_A_FULL_DISK
            assert world.process.poll() is None  # it lives
            free(folder)
            for number, _ in refused:
                assert register(number).status_code == 201
            world.until_at_rest()
            assert counts(world.engines["intake"]) == (accepted + 3, accepted + 3)
            assert world.trace_is_valid().ok
            assert {what: count for what, count in world.left_over().items() if count} == {}
        finally:
            world.end()
