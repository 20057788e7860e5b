"""Lost extensions, suspensions and calendars are done again: every row of dispatch is as it was."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest
from sqlalchemy import select

from deploy.launcher.suite import Suite
from shared import jurisdiction as packs
from shared.kernel.actor import Actor
from shared.kernel.worktime import Target
from shared.ledger.engines import reading
from shared.ledger.tables import outbox
from tests.unit.recovery.test_recovery import PACK, UNTOLD, Copies, recovered, rows

#: A Monday, 09:00 in Beijing; what is promised within the month reaches into a year that nobody has published.
START = datetime(2026, 12, 14, 1, 0, tzinfo=UTC)
#: For whistle calls, so that they are open over the new year.
AFTER_NEW_YEAR = Target.end_of_working_day(15)
ADMIN = Actor(id="admin", roles=frozenset({"system-admin"}))
WORKER, STREET = "grid-worker-guanghua-dongli-1", "street-clerk-jianwai"
RAMP = {
    "channel": "web", "text": "单元门门禁坏了,坡道也没有", "location": {"grid": "guanghua-dongli-1"},
}  # fmt: skip


@pytest.fixture(scope="module")
def lost():
    """A suite in which time was asked for, granted and moved, and dispatch as it was before all that."""
    pack = packs.load(PACK)
    called = replace(pack.policy.whistle, report_in=AFTER_NEW_YEAR, complete=AFTER_NEW_YEAR)
    suite = Suite.in_memory(replace(pack, policy=replace(pack.policy, whistle=called)), START)
    for _ in range(3):
        suite.execute("intake.register-demand", RAMP | {"text": f"{RAMP['text']}{_}"}, STREET)
    suite.settle()
    matters = [row["matter_id"] for row in _matters(suite)]
    before = Copies(suite)
    _play(suite, matters)
    return suite, before


def _matters(suite):
    route = next(
        one for one in suite.applications["dispatch"].definition.routes if one.path == "/api/v1/matters" and one.query
    )
    return suite.applications["dispatch"].ask(route.query, {}, suite.actor(STREET))["items"]


def _play(suite, matters):
    def do(who, command, matter, **content):
        suite.advance(by=timedelta(minutes=3))
        suite.execute(f"dispatch.{command}", {"matter": matter, **content}, who)

    one, two, three = matters
    for matter in matters:
        do(WORKER, "accept", matter)
    for matter, named in ((one, {}), (two, {"complete_by": "2027-01-20T01:00:00Z"})):
        do(STREET, "blow-whistle", matter, departments=["dept-water", "dept-fire"], request="请到场", **named)
    do(WORKER, "request-extension", one, days=7, reason="等图纸")
    do(STREET, "decide-extension", one, granted=True, days=5, note="先批五天")
    do(WORKER, "request-extension", two, days=7, reason="等图纸")
    do(STREET, "decide-extension", two, granted=False)
    do(WORKER, "request-suspension", two, reason="等供暖季")
    do(STREET, "decide-suspension", two, granted=True, until=(suite.clock.now() + timedelta(days=2)).isoformat())
    do(WORKER, "request-suspension", three, reason="等")
    do(STREET, "decide-suspension", three, granted=True)
    year = {"year": 2027, "source": "测试用", "days_off": ["2027-01-01", "2027-01-04"], "makeup_days": ["2027-01-09"]}
    suite.execute("dispatch.import-calendar", year, ADMIN)
    suite.settle()
    suite.advance(by=timedelta(days=3))
    do(STREET, "resume", three, reason="材料到了")
    do(WORKER, "request-extension", three, days=1, reason="等")
    do(STREET, "suspend", three, reason="停工")
    do(STREET, "reclassify", three, response_class="hazard", reason="电线裸露")  # it may not rest any longer
    suite.settle()


def _told(application, name):
    with reading(application.at_hand.engine) as db:
        told = db.execute(select(outbox.c.envelope).where(outbox.c.type == f"gridwhistle.{name}.v1")).scalars()
        return [bytes(envelope) for envelope in told]


def test_every_row_is_as_it_was(lost):
    suite, before = lost
    application = suite.applications["dispatch"]
    assert len(_told(application, "dispatch.whistle-recounted")) == 3
    was = rows(application, UNTOLD["dispatch"])
    assert len(was["time_requests"]) == 5
    assert len(was["calendar_years"]) == 1
    before.put_back(suite, "dispatch")
    assert rows(application, UNTOLD["dispatch"]) != was
    missing, done = recovered(suite, "dispatch")
    assert [(each.first.name, why) for each, why in done.left] == []
    assert done.transactions == len(missing) > 15
    now = rows(application, UNTOLD["dispatch"])
    for table in was:
        assert now[table] == was[table], table
