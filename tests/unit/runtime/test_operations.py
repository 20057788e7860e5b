"""The operations endpoint: what rests, what is on its way, and when a service wakes up next."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest

from deploy.launcher.installation import pack_folder
from deploy.launcher.suite import Suite
from shared import jurisdiction as packs
from shared.kernel.actor import ANONYMOUS, SYSTEM
from shared.kernel.errors import Unauthenticated
from shared.runtime.operations import COMMON_ROUTES, not_at_rest

START = datetime(2025, 9, 8, 1, tzinfo=UTC)
DEMAND = {"channel": "hotline", "text": "楼道灯不亮", "location": {"grid": "yongan-nanli-6"}}
QUERY = COMMON_ROUTES[0].query


@pytest.fixture
def suite():
    made = Suite.in_memory(packs.load(pack_folder("jianwai")), START)
    yield made
    made.close()


def answers(suite):
    return {name: dict(application.ask(QUERY, {}, SYSTEM)) for name, application in suite.applications.items()}


def test_a_new_suite_rests(suite):
    found = answers(suite)
    assert not_at_rest(found) == []
    assert found["dispatch"]["next_due"] is None
    assert found["dispatch"]["received"]["intake.matter"] == 0


def test_counts_meet_when_everything_has_arrived(suite):
    # Not through the suite: the events stay in intake's outbox.
    application = suite.applications["intake"]
    application.execute("intake.register-demand", DEMAND, suite.actor("street-clerk-jianwai"))
    before = answers(suite)
    assert before["intake"]["outbox_pending"] == 2
    assert before["intake"]["emitted"] == {"intake.demand": 1, "intake.matter": 1, "intake.resource": 0}
    reasons = not_at_rest(before)
    assert "intake: 2 event(s) wait in the outbox" in reasons
    assert "dispatch: 1 event(s) of intake.matter are still on their way" in reasons
    suite.settle()
    after = answers(suite)
    assert not_at_rest(after) == []
    assert after["oversight"]["received"]["intake.matter"] == 1
    assert after["dispatch"]["next_due"] == "2025-09-08T01:30:00Z"  # half of the accept clock's hour


def test_a_hole_in_a_stream_is_told(suite):
    application = suite.applications["intake"]
    application.execute("intake.register-demand", DEMAND, suite.actor("street-clerk-jianwai"))
    application.execute("intake.register-demand", DEMAND, suite.actor("street-clerk-jianwai"))
    with application.at_hand.engine.connect() as db:
        rows = db.exec_driver_sql("SELECT envelope FROM outbox WHERE stream LIKE 'intake.matter:%' ORDER BY position")
        second = [bytes(row[0]) for row in rows][1]
    suite.applications["dispatch"].receive(second)
    assert "dispatch: 1 event(s) are parked" in not_at_rest(answers(suite))


def test_it_is_for_operators(suite):
    with pytest.raises(Unauthenticated):
        suite.applications["intake"].ask(QUERY, {}, ANONYMOUS)
