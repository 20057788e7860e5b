"""Departments' answers by the bus, lost and counted again: the receipts too, and what is sent twice counts once."""

from __future__ import annotations

import json

import pytest
from sqlalchemy import select

from deploy.launcher.suite import Suite
from services.dispatch.definition import DEFINITION
from services.dispatch.whistle_tables import whistle_answers
from shared import jurisdiction as packs
from shared.contracts import whistles
from shared.ledger import recovery
from shared.ledger.engines import reading
from shared.ledger.letters import Letter
from shared.ledger.reception import Outcome
from shared.ledger.tables import outbox
from tests.unit.dispatch.conftest import CLERK, PACK, RAMP, START, WORKER, Desk
from tests.unit.recovery.test_recovery import Copies

WATER = "dept-water"


@pytest.fixture
def desk():
    suite = Suite.in_memory(packs.load(PACK), START, only=["dispatch"])
    yield Desk(suite)
    suite.close()


def answer(desk, whistle, kind, message_id):
    content = {
        "specversion": "1.0", "id": message_id, "source": "urn:department:whoever",
        "type": f"gridwhistle.answer.{kind}.v1", "data": {"whistle": whistle, "note": "已出发"},
    }  # fmt: skip
    letter = Letter(body=json.dumps(content).encode(), exchange=whistles.exchange_of(WATER))
    (received,) = desk.app.receive_letters([letter])
    desk.suite.settle()
    return received.outcome


def told(desk):
    """(id, type, content) of what departments were told, and the events, in order."""
    with reading(desk.app.at_hand.engine) as db:
        rows = db.execute(select(outbox.c.message_id, outbox.c.type, outbox.c.envelope).order_by(outbox.c.position))
        rows = rows.all()
    letters = {row.message_id: bytes(row.envelope) for row in rows if row.type in whistles.TOLD}
    return letters, [bytes(row.envelope) for row in rows if row.type not in whistles.TOLD]


def answers(desk):
    with reading(desk.app.at_hand.engine) as db:
        return [(row.answer, row.answered_by, row.at) for row in db.execute(select(whistle_answers)).all()]


@pytest.fixture
def called(desk):
    desk.open(text=RAMP)
    desk.do(WORKER, "accept")
    whistle = desk.do(CLERK, "blow-whistle", departments=[WATER], request="请到场查看管线")["whistle_id"]
    return whistle, Copies(desk.suite)


def recovered(desk, events):
    lost = recovery.lost_of(desk.app.at_hand, events)
    done = recovery.recover(desk.app.reception, lost, [], DEFINITION.retell, until=desk.now)
    assert [(each.first.name, why) for each, why in done.left] == []
    assert done.transactions == len(lost) >= 2


def test_receipts_are_told_again_under_their_ids_and_an_answer_sent_again_is_known(desk, called):
    whistle, before = called
    assert answer(desk, whistle, "accepted", "a-1") is Outcome.HANDLED
    desk.wait(hours=1)
    assert answer(desk, whistle, "progressed", "a-2") is Outcome.HANDLED
    (letters, events), given = told(desk), answers(desk)
    before.put_back(desk.suite)
    assert answers(desk) == []

    recovered(desk, events)

    assert answers(desk) == given
    again, _ = told(desk)
    assert again == letters
    assert sum(b"gridwhistle.whistle.answer-taken.v1" in raw for raw in again.values()) == 2
    # The department never had the receipt and sends once more what it had sent.
    assert answer(desk, whistle, "accepted", "a-1") is Outcome.DUPLICATE
    assert answers(desk) == given
    assert answer(desk, whistle, "completed", "a-3") is Outcome.HANDLED


def test_what_a_release_told_that_did_not_keep_the_answers_id_is_done_again_without_the_receipt(desk, called):
    whistle, before = called
    answer(desk, whistle, "accepted", "a-1")
    desk.wait(hours=1)
    answer(desk, whistle, "progressed", "a-2")
    given, events = answers(desk), []
    for raw in told(desk)[1]:
        content = json.loads(raw)
        content["data"].pop("answer_id", None)
        events.append(json.dumps(content, ensure_ascii=False).encode())
    before.put_back(desk.suite)

    recovered(desk, events)

    assert answers(desk) == given
