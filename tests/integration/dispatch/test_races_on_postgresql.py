"""The same step by several at once, on PostgreSQL: one takes it, the others are refused, one event leaves."""

from __future__ import annotations

from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from threading import Barrier

import pytest

from deploy.launcher.suite import Suite
from shared.jurisdiction import load
from shared.kernel.errors import Refusal
from shared.kernel.sealing import new_key_text
from shared.runtime.settings import Settings
from tests.unit.dispatch.conftest import CLERK, HEAD, PACK, PHOTO, START, STREET_CLERK, WORKER, Desk

#: Requests at the same moment, and how often.
AT_ONCE, ROUNDS = 4, 8
FIRE = "department-officer-dept-fire"


@pytest.fixture
def desk(database):
    settings = Settings(
        database_url=database, jurisdiction=Path(), contact_keys=new_key_text(), token_secret="t" * 40,
        link_secret="l" * 40, public_url="http://127.0.0.1",
    )  # fmt: skip
    suite = Suite.open(settings, load(PACK), START, only=["dispatch"], create_tables=True)
    yield Desk(suite)
    suite.close()


def race(desk, who, command, subject, **content) -> Counter[str]:
    """How often each refusal came; "" counts those who succeeded."""
    ready, actor = Barrier(AT_ONCE), desk.suite.actor(who)
    key = "whistle" if command == "answer-whistle" else "matter"

    def run(_number) -> str:
        ready.wait()
        try:
            desk.app.execute(f"dispatch.{command}", {key: subject, **content}, actor)
        except Refusal as refusal:
            return refusal.code
        return ""

    with ThreadPoolExecutor(AT_ONCE) as pool:
        return Counter(pool.map(run, range(AT_ONCE)))


def test_every_step_is_taken_once(desk):
    once = Counter({"": 1, "illegal-transition": AT_ONCE - 1})
    for number in range(ROUNDS):
        matter = desk.open(f"m-{number}")
        assert race(desk, WORKER, "accept", matter) == once
        whistle = desk.do(CLERK, "blow-whistle", matter, departments=["dept-fire"], request="…")["whistle_id"]
        answered = race(desk, FIRE, "answer-whistle", whistle, answer="completed", note="好了")
        assert answered == Counter({"": 1, "whistle-ended": AT_ONCE - 1})
        assert race(desk, WORKER, "resolve", matter, outcome="好了", evidence=[PHOTO]) == once
        assert race(desk, HEAD, "verify", matter, passed=True) == once
        assert race(desk, HEAD, "close", matter) == once
        assert race(desk, HEAD, "reopen", matter, reason="又坏了") == once
    names = Counter(name for name, _ in desk.events())
    for name in ("accepted", "resolved", "verified", "closed", "reopened"):
        assert names[f"matter-{name}"] == ROUNDS, name
    assert names["whistle-answered"] == names["whistle-ended"] == ROUNDS


def test_one_level_at_a_time_however_many_escalate_with_one_etag(desk):
    """Without an If-Match four climbs are four wishes; with one, only the first read what is so."""
    matter = desk.open()
    version = desk.view(STREET_CLERK, matter)["version"]
    ready, actor = Barrier(AT_ONCE), desk.suite.actor(STREET_CLERK)

    def run(_number) -> str:
        ready.wait()
        content = {"matter": matter, "reason": "safety"}
        try:
            desk.app.execute("dispatch.escalate", content, actor, if_match=version)
        except Refusal as refusal:
            return refusal.code
        return ""

    with ThreadPoolExecutor(AT_ONCE) as pool:
        assert Counter(pool.map(run, range(AT_ONCE))) == Counter({"": 1, "stale-version": AT_ONCE - 1})
    assert len(desk.climbs()) == 1
