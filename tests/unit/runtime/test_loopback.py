"""Embedded mode, killed at any instant and started again: nothing lost, nothing twice, nothing out of order."""

from __future__ import annotations

import itertools
import sqlite3
from collections import Counter
from datetime import UTC, datetime
from pathlib import Path

import pytest
from sqlalchemy import func, select
from sqlalchemy.exc import OperationalError

from deploy.launcher.suite import Suite
from shared.contracts.envelope import Envelope, from_bytes
from shared.jurisdiction import load
from shared.kernel.sealing import new_key_text
from shared.ledger import outbox, tables
from shared.ledger import reception as reception_module
from shared.ledger.engines import reading, writing
from shared.ledger.errors import Transient
from shared.ledger.reception import Received
from shared.runtime import loopback
from shared.runtime.settings import Settings

PACK = Path(__file__).parents[3] / "deploy" / "jurisdictions" / "jianwai"
START = datetime(2026, 11, 16, 1, 0, tzinfo=UTC)
WORKER, HEAD = "grid-worker-guanghua-dongli-1", "grid-head-guanghua-dongli-1"


class Killed(BaseException):
    """Stands for kill -9: no handler, no except clause of ours catches it."""


@pytest.fixture(scope="module")
def pack():
    return load(PACK)


@pytest.fixture
def settings(tmp_path):
    return Settings(
        database_url=f"sqlite:///{tmp_path}/{{service}}.sqlite",
        jurisdiction=PACK,
        contact_keys=new_key_text(),
        token_secret="t" * 40,
        link_secret="l" * 40,
        data_dir=tmp_path,
    )


def open_suite(settings, pack):
    return Suite.open(settings, pack, START, only=["intake", "dispatch"], create_tables=True)


def live(suite, keys=None):
    """One matter's whole life; every command has a key, so that a client in doubt may ask again."""
    keys = keys or (f"key-{number}" for number in itertools.count())
    demand = {"channel": "hotline", "text": "楼道灯不亮", "location": {"address": "光华东里1号楼"}}
    made = suite.execute("intake.register-demand", demand, HEAD, idempotency_key=next(keys)).body
    matter = made["matter_id"]
    suite.execute("dispatch.accept", {"matter": matter}, WORKER, idempotency_key=next(keys))
    evidence = [{"kind": "photo", "description": "灯亮了"}]
    suite.execute(
        "dispatch.resolve",
        {"matter": matter, "outcome": "换灯", "evidence": evidence},
        WORKER,
        idempotency_key=next(keys),
    )
    suite.execute("dispatch.verify", {"matter": matter, "passed": True}, HEAD, idempotency_key=next(keys))
    suite.execute("dispatch.close", {"matter": matter}, HEAD, idempotency_key=next(keys))


def account(suite):
    """What there is at the end, without ids: events by name in order per stream kind, inbox sizes, leftovers."""
    result = {}
    for name, application in suite.applications.items():
        with reading(application.at_hand.engine) as db:
            raws = db.execute(select(tables.outbox.c.envelope).order_by(tables.outbox.c.position)).scalars().all()
            events = [from_bytes(raw) for raw in raws]
            result[name] = {
                "events": Counter((event.name, event.streamversion) for event in events),
                "inbox": db.execute(select(func.count()).select_from(tables.inbox)).scalar_one(),
                "unpublished": db.execute(
                    select(func.count()).where(tables.outbox.c.published_at.is_(None))
                ).scalar_one(),
                "parked": db.execute(select(func.count()).select_from(tables.parked)).scalar_one(),
                "quarantined": db.execute(select(func.count()).select_from(tables.quarantine)).scalar_one(),
            }
    return result


@pytest.fixture
def undisturbed(pack):
    suite = Suite.in_memory(pack, START, only=["intake", "dispatch"])
    live(suite)
    result = account(suite)
    suite.close()
    return result


def test_an_event_of_the_next_release_is_passed_on_and_passed_over(pack):
    suite = Suite.in_memory(pack, START, only=["intake", "dispatch"])
    demand = {"channel": "hotline", "text": "楼道灯不亮", "location": {"address": "光华东里1号楼"}}
    matter = suite.execute("intake.register-demand", demand, HEAD).body["matter_id"]
    told = Envelope(
        id="01a00000-0000-7000-8000-000000000000", source="urn:gridwhistle:intake",
        type="gridwhistle.intake.matter-numbered.v1", subject=matter, time=START, stream=f"intake.matter:{matter}",
        streamversion=0, correlationid="c", causationid=None, traceparent=None, classification="internal",
        data={"matter_id": matter},
    )  # fmt: skip
    with writing(suite.applications["intake"].at_hand.engine) as db:
        outbox.append_next(db, [told], START)
        db.commit()
    suite.settle()
    with reading(suite.applications["dispatch"].at_hand.engine) as db:
        assert told.id in set(db.execute(select(tables.inbox.c.message_id)).scalars())
        assert db.execute(select(tables.parked)).all() == []
    suite.close()


#: Places where the process dies: before the message is handled, after it is handled, before its row is marked, after.
PLACES = ("before-receive", "after-receive", "before-mark", "after-commit-of-handler")


@pytest.mark.parametrize("place", PLACES)
@pytest.mark.parametrize("nth", [1, 2, 3, 5])
def test_killed_and_started_again(pack, settings, monkeypatch, undisturbed, place, nth):
    calls = itertools.count(1)

    def die(where):
        if where == place and next(calls) == nth:
            raise Killed

    receive = reception_module.Reception.receive_many
    apply = reception_module.Reception._apply
    together = reception_module.Reception._apply_together
    mark = loopback.outbox.mark_published

    def receiving(self, raws):
        die("before-receive")
        received = receive(self, raws)
        die("after-receive")
        return received

    def applying(self, envelope, raw):
        outcome = apply(self, envelope, raw)
        die("after-commit-of-handler")
        return outcome

    def applying_together(self, messages):
        outcomes = together(self, messages)
        die("after-commit-of-handler")
        return outcomes

    def marking(*arguments):
        die("before-mark")
        return mark(*arguments)

    monkeypatch.setattr(reception_module.Reception, "receive_many", receiving)
    monkeypatch.setattr(reception_module.Reception, "_apply_together", applying_together)
    monkeypatch.setattr(reception_module.Reception, "_apply", applying)
    monkeypatch.setattr(loopback.outbox, "mark_published", marking)
    deaths = 0
    while True:
        suite = open_suite(settings, pack)
        try:
            suite.settle()
            live(suite)
        except Killed:
            deaths += 1
            suite.close()
            continue
        break
    assert deaths == 1
    assert account(suite) == undisturbed
    suite.close()


def test_an_outbox_that_cannot_be_read_now_is_no_end_of_the_process(settings, pack, monkeypatch):
    """A full disk: SQLite says so even to who only wants to read (embedded mode's process died of it)."""
    suite = open_suite(settings, pack)

    def no_room(*_arguments, **_more):
        error = sqlite3.OperationalError("disk I/O error")
        error.sqlite_errorcode = sqlite3.SQLITE_IOERR_SHMSIZE
        raise OperationalError("PRAGMA journal_mode=WAL", {}, error)

    monkeypatch.setattr(loopback.outbox, "pending", no_room)
    with pytest.raises(Transient, match="disk I/O error"):
        suite.relay.settle()
    suite.close()


def test_what_cannot_be_handled_now_is_left_for_the_next_time(settings, pack, monkeypatch):
    suite = open_suite(settings, pack)
    looks = []
    pending = loopback.outbox.pending
    monkeypatch.setattr(loopback.outbox, "pending", lambda *arguments: looks.append(1) or pending(*arguments))
    dispatch = suite.applications["dispatch"]
    away = [Received(envelope=None, outcome=None, kept=Transient("away"))]
    monkeypatch.setattr(type(dispatch), "receive_many", lambda _self, raws: away * len(raws))
    demand = {"channel": "hotline", "text": "楼道灯不亮", "location": {"address": "光华东里1号楼"}}
    suite.applications["intake"].execute("intake.register-demand", demand, suite.actor(HEAD))
    looks.clear()
    assert suite.relay.settle({"intake"}) == set()
    assert len(looks) == 1  # not a thousand times in a row
    suite.close()
