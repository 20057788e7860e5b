"""Days of whistle calls are lost and done again: disputes, more time, scores, endings, hand-backs, costs."""

from __future__ import annotations

import json
from datetime import timedelta

import pytest
from sqlalchemy import select

from deploy.launcher.suite import Suite
from services.dispatch.definition import DEFINITION
from shared import jurisdiction as packs
from shared.contracts import whistles
from shared.ledger import recovery
from shared.ledger.engines import reading
from shared.ledger.tables import outbox
from tests.unit.dispatch.conftest import (
    CLERK,
    DISTRICT_CLERK,
    GAS,
    PACK,
    PHOTO,
    RAMP,
    START,
    STREET_CLERK,
    WORKER,
    Desk,
)
from tests.unit.recovery.test_recovery import UNTOLD, Copies

WATER, HOUSING = "department-officer-dept-water", "department-officer-dept-housing"
CALL = {"departments": ["dept-water", "dept-housing"], "request": "请到场查看管线"}


@pytest.fixture(scope="module")
def desk():
    suite = Suite.in_memory(packs.load(PACK), START, only=["dispatch"])
    yield Desk(suite)
    suite.close()


def _play(desk):
    """Everything that this part of dispatch can do, once at least; danger climbs by rule meanwhile."""
    desk.do(WORKER, "accept", "m-2")
    by = (START + timedelta(days=1)).isoformat()
    called = desk.do(CLERK, "blow-whistle", **CALL, complete_by=by)["whistle_id"]
    yield
    desk.do(WATER, "answer-whistle", called, answer="declined", note="非我管辖", ground="第十二条")
    desk.wait(minutes=5)
    desk.do(STREET_CLERK, "decide-contest", called, department="dept-water", decision="upheld", reason="应到")
    yield
    desk.do(HOUSING, "answer-whistle", called, answer="extension-requested", note="等材料", until=by)
    desk.wait(minutes=5)
    desk.do(CLERK, "decide-whistle-extension", called, department="dept-housing", granted=True, reason="同意")
    desk.do(WORKER, "accept")
    desk.do(WORKER, "estimate-cost", amount=30_000, note="询价")  # to the street
    yield
    desk.wait(minutes=5)
    desk.do(STREET_CLERK, "hand-back", answer="经费已批", unit="guanghua-dongli")
    desk.do(WATER, "answer-whistle", called, answer="declined", note="还是不来")
    desk.wait(days=2)  # nobody decides: it stays at the district; the other is not done in time
    desk.do(WORKER, "progress", "m-2", note="仍在现场", evidence=[PHOTO])  # heard from below; the district has it
    yield
    desk.do(DISTRICT_CLERK, "decide-contest", called, department="dept-water", decision="released", reason="免")
    desk.wait(minutes=5)
    desk.do(HOUSING, "answer-whistle", called, answer="completed", note="好了")
    desk.wait(minutes=5)
    desk.do(CLERK, "score-whistle", called, department="dept-housing", arrival=3, quality=4, result=5)
    second = desk.do(STREET_CLERK, "blow-whistle", departments=["dept-fire"], request="看通道")["whistle_id"]
    yield
    desk.wait(days=1)  # the fire brigade does not come
    desk.do(DISTRICT_CLERK, "end-whistle", second, reason="区里另行安排")
    desk.do(DISTRICT_CLERK, "accept")
    desk.do(DISTRICT_CLERK, "resolve", outcome="好了", evidence=[PHOTO])
    yield


def test_every_row_is_as_it_was_wherever_it_was_set_back(desk):
    desk.open(text=RAMP)
    desk.open("m-2", GAS)
    copies = [Copies(desk.suite), *(Copies(desk.suite) for _ in _play(desk))]
    end, before = copies[-1], _rows(desk)
    with reading(desk.app.at_hand.engine) as db:
        told = db.execute(select(outbox.c.envelope, outbox.c.type).order_by(outbox.c.position)).all()
    envelopes = [bytes(row.envelope) for row in told if row.type not in whistles.TOLD]  # letters are not in the trace
    names = {name for name, _ in desk.events()}
    assert names >= {
        "whistle-contested", "whistle-contest-decided", "whistle-extension-decided", "whistle-scored", "whistle-ended",
        "whistle-overdue", "matter-handed-back", "cost-estimated", "escalation-skipped", "matter-escalated",
    }  # fmt: skip
    for copy in copies[:-1]:
        copy.put_back(desk.suite)
        assert _rows(desk) != before
        lost = recovery.lost_of(desk.app.at_hand, envelopes)
        done = recovery.recover(desk.app.reception, lost, [], DEFINITION.retell, until=desk.now)
        assert [([e.name for e in each.of()], why) for each, why in done.left] == []
        after = _rows(desk)
        for table in before:
            assert after[table] == before[table], table
        end.put_back(desk.suite)


def _rows(desk):
    found = {}
    with reading(desk.app.at_hand.engine) as db:
        for table in DEFINITION.tables.sorted_tables:
            columns = [column for column in table.c if f"{table.name}.{column.name}" not in UNTOLD["dispatch"]]
            found[table.name] = sorted(
                json.dumps([str(value) for value in row], ensure_ascii=False) for row in db.execute(select(*columns))
            )
    return found
