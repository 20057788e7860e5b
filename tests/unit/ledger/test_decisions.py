"""An operator's decisions about quarantined messages: handled once the cause is mended, or set aside; never lost."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest

from deploy.launcher.installation import pack_folder
from deploy.launcher.suite import Suite
from shared import jurisdiction as packs
from shared.kernel.errors import Invalid, NotFound
from shared.ledger import decisions, interventions, quarantine
from shared.ledger.decisions import Decided, Handled, NotNext, StillFails
from shared.ledger.engines import reading
from shared.ledger.reception import Outcome

START = datetime(2025, 9, 8, 1, tzinfo=UTC)
DEMAND = {"channel": "hotline", "text": "楼道灯不亮", "location": {"grid": "yongan-nanli-6"}}


@pytest.fixture(scope="module")
def pack():
    return packs.load(pack_folder("jianwai"))


class Broken:
    """Dispatch with a bug in one handler, until it is mended."""

    def __init__(self, suite):
        self.suite = suite
        self.dispatch = suite.applications["dispatch"]
        self.handlers = dict(self.dispatch.definition.subscriptions)
        self.mended = False

    def handle(self, event, work):
        if not self.mended:
            message = "a bug"
            raise ZeroDivisionError(message)
        self.handlers["intake.matter-opened"](event, work)

    @property
    def reception(self):
        return self.dispatch.reception

    def held(self):
        with reading(self.dispatch.at_hand.engine) as db:
            return quarantine.listed(db)

    def knows(self, matter):
        with reading(self.dispatch.at_hand.engine) as db:
            row = db.exec_driver_sql("SELECT state FROM matters WHERE id = ?", (matter,)).one_or_none()
        return None if row is None else row[0]


@pytest.fixture
def broken(pack, caplog):
    suite = Suite.in_memory(pack, START, only=["intake", "dispatch"])
    made = Broken(suite)
    subscriptions = {**made.handlers, "intake.matter-opened": made.handle}
    object.__setattr__(made.dispatch.definition, "subscriptions", subscriptions)
    yield made
    object.__setattr__(made.dispatch.definition, "subscriptions", made.handlers)
    suite.close()


def quarantined(broken):
    reply = broken.suite.execute("intake.register-demand", DEMAND, "street-clerk-jianwai")
    (row,) = broken.held()
    assert row.reason == "handler-failed"
    return reply.body["matter_id"], row.id


def test_released_after_the_cause_was_mended_it_takes_effect_once(broken):
    matter, entry = quarantined(broken)
    broken.mended = True
    assert decisions.release(broken.reception, entry, by="operator:t", why="mended") is Outcome.HANDLED
    assert broken.knows(matter) == "assigned"
    assert broken.held() == []
    with reading(broken.dispatch.at_hand.engine) as db:
        row = quarantine.entry(db, entry)
    assert (row.state, row.decided_by, row.decided_why) == ("released", "operator:t", "mended")
    with pytest.raises(Decided):
        decisions.release(broken.reception, entry, by="operator:t", why="again")


def test_released_too_early_it_stays_held(broken):
    matter, entry = quarantined(broken)
    with pytest.raises(StillFails):
        decisions.release(broken.reception, entry, by="operator:t", why="hope")
    assert [row.id for row in broken.held()] == [entry]
    broken.mended = True
    decisions.release(broken.reception, entry, by="operator:t", why="mended")
    assert broken.knows(matter) == "assigned"


def test_discarded_its_stream_goes_on_without_it(broken):
    matter, entry = quarantined(broken)
    # A second event of the same stream waits behind the hole.
    broken.suite.execute("intake.register-demand", DEMAND, "street-clerk-jianwai")
    assert decisions.discard(broken.reception, entry, by="operator:t", why="no such town") == 1
    assert broken.knows(matter) is None
    assert broken.held() == []


def test_a_later_message_of_a_stream_waits_for_the_decision_about_the_earlier(broken):
    _, entry = quarantined(broken)
    with reading(broken.dispatch.at_hand.engine) as db:
        row = quarantine.entry(db, entry)
    later = bytes(row.body).replace(b'"streamversion":1', b'"streamversion":3')
    with broken.dispatch.at_hand.engine.connect() as db:
        about = {"handler": "dispatch", "message_id": "later", "reason": "handler-failed", "detail": "x"}
        quarantine.hold(db, entry_id="later", body=later, at=START, **about)
        db.commit()
    with pytest.raises(NotNext):
        decisions.discard(broken.reception, "later", by="operator:t", why="x")
    assert {row.id for row in broken.held()} == {entry, "later"}


def test_rubbish_can_only_be_discarded(broken):
    broken.dispatch.receive(b"\xff not an event")
    (row,) = broken.held()
    with pytest.raises(StillFails):
        decisions.release(broken.reception, row.id, by="operator:t", why="x")
    assert decisions.discard(broken.reception, row.id, by="operator:t", why="rubbish") == 0
    assert broken.held() == []


def test_each_decision_has_its_row_and_a_refused_one_has_none(broken):
    _, entry = quarantined(broken)
    with pytest.raises(StillFails):
        decisions.release(broken.reception, entry, by="operator:t", why="hope")
    assert told(broken) == []
    broken.mended = True
    decisions.release(broken.reception, entry, by="operator:t", why="  修好了 ")
    ((kind, by, why, detail),) = told(broken)
    assert (kind, by, why) == ("release", "operator:t", "修好了")
    assert (detail["entry"], detail["reason"], detail["outcome"]) == (entry, "handler-failed", "handled")


def told(broken):
    with reading(broken.dispatch.at_hand.engine) as db:
        return [(row.kind, row.by, row.why, row.detail) for row in interventions.listed(db)]


@pytest.mark.parametrize("why", ["", "   ", "x" * 501, "两\n行", "a\x00b", "\udcff"])
def test_a_reason_that_says_nothing_is_refused_before_anything_happens(broken, why):
    _, entry = quarantined(broken)
    broken.mended = True
    for decide in (decisions.release, decisions.discard):
        with pytest.raises(Invalid):
            decide(broken.reception, entry, by="operator:t", why=why)
    assert [row.id for row in broken.held()] == [entry]
    assert told(broken) == []


def test_of_two_who_decide_at_once_one_is_told_so(broken, monkeypatch):
    _, entry = quarantined(broken)
    broken.mended = True
    receive = type(broken.reception).receive

    def meanwhile(reception, raw):
        monkeypatch.setattr(type(reception), "receive", receive)
        decisions.discard(reception, entry, by="operator:other", why="作废")
        return reception.receive(raw)

    monkeypatch.setattr(type(broken.reception), "receive", meanwhile)
    with pytest.raises(Decided, match="discarded by operator:other"):
        decisions.release(broken.reception, entry, by="operator:t", why="mended")
    assert [(kind, by) for kind, by, _, _ in told(broken)] == [("discard", "operator:other")]


def test_what_has_had_its_effect_meanwhile_is_not_discarded(broken):
    matter, entry = quarantined(broken)
    broken.mended = True
    with reading(broken.dispatch.at_hand.engine) as db:
        body = bytes(quarantine.entry(db, entry).body)
    assert broken.dispatch.receive(body) is Outcome.HANDLED
    with pytest.raises(Handled):
        decisions.discard(broken.reception, entry, by="operator:t", why="作废")
    assert [row.id for row in broken.held()] == [entry]
    assert decisions.release(broken.reception, entry, by="operator:t", why="来过了") is Outcome.DUPLICATE
    assert broken.knows(matter) == "assigned"
    assert broken.held() == []


def test_what_waits_behind_an_entry_is_counted(broken):
    _, entry = quarantined(broken)
    for _ in range(3):
        broken.suite.execute("intake.register-demand", DEMAND, "street-clerk-jianwai")
    broken.dispatch.receive(b"rubbish")
    with reading(broken.dispatch.at_hand.engine) as db:
        waiting = quarantine.waiting_behind(db, quarantine.listed(db))
    assert {name: (each.events, each.since) for name, each in waiting.items()} == {entry: (3, START)}


def test_an_unknown_entry_is_told(broken):
    with pytest.raises(NotFound):
        decisions.discard(broken.reception, "nothing", by="operator:t", why="x")
