"""Extensions and calendars on PostgreSQL, by several at once: asked for once, decided once, taken in once."""

from __future__ import annotations

from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime
from threading import Barrier

import pytest
from sqlalchemy import select

from services.dispatch.tables import clocks
from services.dispatch.whistle_tables import whistles
from shared.kernel.actor import Actor
from shared.ledger.engines import reading
from tests.integration.dispatch.test_races_on_postgresql import AT_ONCE, desk, race
from tests.unit.dispatch.conftest import CLERK, RAMP, STREET_CLERK, WORKER

__all__ = ["desk"]
WATER = "department-officer-dept-water"
ADMIN = Actor(id="admin", roles=frozenset({"system-admin"}))
YEAR = {"year": 2027, "source": "测试用", "days_off": ["2027-01-01"], "makeup_days": []}


def test_asked_for_once_and_decided_once(desk):
    desk.open(text=RAMP)
    desk.do(WORKER, "accept")
    asked = race(desk, WORKER, "request-extension", "m-1", days=2, reason="等")
    assert asked == Counter({"": 1, "request-pending": AT_ONCE - 1})
    decided = race(desk, STREET_CLERK, "decide-extension", "m-1", granted=True)
    assert decided == Counter({"": 1, "no-request": AT_ONCE - 1})
    assert len(desk.events("extension-requested")) == len(desk.events("extension-decided")) == 1
    assert [one["kind"] for one in desk.events("clock-moved")] == ["feedback", "resolve"]


def test_taken_in_once_and_every_open_clock_counted_anew(desk):
    desk.until(datetime(2026, 12, 14, 1, 0, tzinfo=UTC))
    for number in range(30):
        desk.open(f"m-{number}", RAMP)
    ready = Barrier(AT_ONCE)

    def take_in(_number) -> bool:
        ready.wait()
        return desk.app.execute("dispatch.import-calendar", YEAR, ADMIN).created

    with ThreadPoolExecutor(AT_ONCE) as pool:
        created = Counter(pool.map(take_in, range(AT_ONCE)))
    assert created == Counter({False: AT_ONCE - 1, True: 1})
    desk.wait(seconds=1)
    assert len(desk.events("calendar-imported")) == 1
    recounted = Counter(one["kind"] for one in desk.events("clock-recounted"))
    assert recounted == Counter({"resolve": 30, "feedback": 30})
    with reading(desk.app.at_hand.engine) as db:
        assert set(db.execute(select(clocks.c.calendar_revision)).scalars()) == {1}


@pytest.mark.parametrize("days", [1, 10])
def test_a_promise_is_the_same_on_either_database(desk, days):
    desk.open(text=RAMP)
    desk.do(WORKER, "accept")
    desk.do(WORKER, "request-extension", days=days, reason="等")
    desk.do(STREET_CLERK, "decide-extension", granted=True)
    due = datetime.fromisoformat(desk.clock("resolve")["due_at"])
    calendar = desk.suite.jurisdiction.calendar
    assert due == calendar.later_by_working_days(datetime(2026, 12, 16, 9, 30, tzinfo=UTC), days)


def test_open_calls_are_counted_anew_beside_answers_that_come_meanwhile(desk):
    """Whoever is first under the matter's lock: the deadline moves once, and every answer counts."""
    desk.until(datetime(2026, 12, 31, 7, 30, tzinfo=UTC))
    called = {}
    for number in range(12):
        desk.open(f"m-{number}", RAMP)
        reply = desk.do(CLERK, "blow-whistle", f"m-{number}", departments=["dept-water"], request="请到场")
        called[f"m-{number}"] = reply["whistle_id"]
    assert {one["code"] for one in reply["provisional"]} == {"provisional-year"}
    desk.app.execute("dispatch.import-calendar", YEAR, ADMIN)
    ready, water = Barrier(2), desk.suite.actor(WATER)

    def answer() -> None:
        ready.wait()
        for whistle in list(called.values())[:6]:
            content = {"whistle": whistle, "answer": "accepted", "note": "到"}
            desk.app.execute("dispatch.answer-whistle", content, water)

    def count() -> None:
        ready.wait()
        desk.app.run_due()

    with ThreadPoolExecutor(2) as pool:
        for done in [pool.submit(answer), pool.submit(count)]:
            done.result()
    desk.wait(seconds=1)
    told = [(one["whistle_id"], one["by"]) for one in desk.events("whistle-recounted")]
    assert len(told) == len(set(told))
    assert {by for _, by in told} == {"2027-01-04T03:00:00Z"}
    assert {whistle for whistle, _ in told} >= set(list(called.values())[6:])
    assert len(desk.events("whistle-answered")) == 6
    assert not any(one["late"] for one in desk.events("whistle-answered"))
    with reading(desk.app.at_hand.engine) as db:
        behind = db.execute(select(whistles.c.id).where(whistles.c.calendar_revision < 1)).all()
    assert behind == []
