"""oversight on PostgreSQL: one chain under concurrent appenders, tampering found, the report's SQL the same."""

from __future__ import annotations

import threading
from datetime import timedelta

import pytest
from sqlalchemy import text

from services.oversight import tables
from services.oversight.repository import trace
from services.oversight.repository.rebuild import rebuild
from shared import jurisdiction
from shared.contracts import dispatch
from shared.kernel.clock import rfc3339
from shared.ledger.engines import reading, writing
from shared.ledger.reception import Outcome
from tests.unit.oversight.conftest import PACK, START, STREET_CLERK, make

DAY = timedelta(days=1)


@pytest.fixture
def overseer(database):
    made = make(jurisdiction.load(PACK), database)
    yield made
    made.engine.dispose()


def verify(overseer):
    with reading(overseer.engine) as db:
        return trace.verify(db)


def test_appenders_at_the_same_time_make_one_chain(overseer):
    threads, each = 6, 25
    raws = [
        [
            overseer.envelope(
                dispatch.MatterProgressed(matter_id=f"m-{name}", unit="u", note="半路", noted_by="x")
            ).to_bytes()
            for _ in range(each)
        ]
        for name in range(threads)
    ]
    gate, faults = threading.Barrier(threads), []

    def work(mine):
        gate.wait()
        faults.extend(raw for raw in mine if overseer.application.receive(raw) is not Outcome.HANDLED)

    workers = [threading.Thread(target=work, args=(mine,)) for mine in raws]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join()
    assert faults == []
    found = verify(overseer)
    assert (found.ok, found.rows, found.head.position) == (True, threads * each, threads * each)


@pytest.mark.parametrize(
    ("statement", "row"),
    [
        ("UPDATE trace SET envelope = set_byte(envelope, 40, get_byte(envelope, 40) # 1) WHERE position = 2", 2),
        ("UPDATE trace SET hash = 'g' || substr(hash, 2) WHERE position = 3", 3),
        ("DELETE FROM trace WHERE position = 2", 2),
        ("UPDATE trace_head SET position = 1", 1),
        ("UPDATE trace SET time = time + interval '1 microsecond' WHERE position = 2", 2),
    ],
)
def test_tampering_names_its_row(overseer, statement, row):
    overseer.opened(asks=3)
    assert verify(overseer).rows == 4
    with writing(overseer.engine) as db:
        assert db.execute(text(statement)).rowcount
        db.commit()
    found = verify(overseer)
    assert (found.ok, found.first_bad) == (False, row)


@pytest.mark.parametrize("column", tables.trace.c.keys())
def test_every_column_counts(overseer, column):
    overseer.opened(asks=4)
    with writing(overseer.engine) as db:
        good = db.execute(text(f"SELECT {column} FROM trace WHERE position = 3")).scalar_one()
        for bad in other_values(column, good):
            with db.begin_nested() as undone:
                assert db.execute(text(f"UPDATE trace SET {column} = {bad} WHERE position = 3")).rowcount
                found = trace.verify(db)
                assert (found.ok, found.first_bad) == (False, 3), (bad, found.why)
                undone.rollback()
        assert trace.verify(db).ok


def other_values(column, good):
    """SQL of values that differ from the good one by a byte or a bit, and of such as no driver can read."""
    if isinstance(good, memoryview):
        places = range(0, len(good), 7)
        return [f"set_byte({column}, {place}, get_byte({column}, {place}) # 1)" for place in places]
    if isinstance(good, str):
        places = range(1, len(good) + 1)
        return [f"overlay({column} placing '中' from {place} for 1)" for place in places] + [
            f"left({column}, -1)",
            "''",
        ]
    if isinstance(good, int):
        return [f"{column} # {1 << bit}" for bit in range(3, 31)]  # low bits: other rows' positions
    steps = ("1 microsecond", "1 second", "1 day", "-1 year")
    odd = ("'infinity'", "'-infinity'", "'0044-03-15 12:00:00+00 BC'", "'200000-01-01 00:00:00+00'")
    return [*(f"{column} + interval '{step}'" for step in steps), *odd]


def test_figures_and_rebuild(overseer):
    for name in ("kept", "overdue", "resting"):
        overseer.opened(name)
        overseer.clock_started(name, START + DAY)
    overseer.demand("kept", 1)
    overseer.hear(dispatch.MatterSuspended(matter_id="resting", reason="r", approved_by="x"))
    overseer.closed("kept")
    for event in overseer.settle():
        overseer.answer(event.evaluation_id)
    overseer.settle()
    overseer.clock.set(START + 4 * DAY)
    period = {"period_from": rfc3339(START - DAY), "period_to": rfc3339(START + 3 * DAY)}
    before = overseer.ask("report-preview", **period)
    found = {figure["figure"]: figure for figure in before["figures"]}
    values = [found[name]["value"] for name in ("opened", "merged", "closed", "overdue_open", "suspended_open")]
    assert values == [3, 1, 1, 1, 1]
    assert (found["on_time_share"]["numerator"], found["on_time_share"]["denominator"]) == (1, 2)
    assert (found["response_rate"]["numerator"], found["response_rate"]["denominator"]) == (2, 2)
    projected = overseer.projected()
    with writing(overseer.engine) as db:
        rebuild(db)
        db.commit()
    assert overseer.projected() == projected
    assert overseer.do("publish-report", STREET_CLERK, **period).version == 1
    assert len(overseer.rows(tables.reports)) == 1


def test_departments_figures_are_the_same_as_on_sqlite(overseer):
    overseer.opened("m-1")
    about = {"whistle_id": "w-1", "matter_id": "m-1"}
    due = START + timedelta(hours=1)
    overseer.hear(
        dispatch.WhistleBlown(
            **about, whistler="jianwai", departments=("dept-water", "dept-fire"), lead="dept-water", request="r",
            report_in_by=due, blown_by="x",
        )
    )  # fmt: skip
    overseer.hear(
        dispatch.WhistleContested(
            **about, department="dept-water", ground="g", hop=1, to_unit="jianwai", to_level="street", decide_by=due,
            final=True,
        )
    )  # fmt: skip
    overseer.hear(
        dispatch.WhistleContestDecided(
            **about, department="dept-water", decision="upheld", reason="r", hop=1, unit="jianwai", final=True,
            lead="dept-water", decided_by="x",
        )
    )  # fmt: skip
    overseer.clock.advance(2 * timedelta(hours=1))
    period = {"period_from": rfc3339(START), "period_to": rfc3339(overseer.clock.now())}
    rows = overseer.ask("departments", STREET_CLERK, **period, unit="jianwai")["items"]
    assert [(row["department"], row["calls"], row["hops"], row["upheld"]) for row in rows] == [
        ("dept-fire", 1, 0, 0), ("dept-water", 1, 1, 1),
    ]  # fmt: skip
    assert rows[0]["in_time"]["denominator"] == 1
    before = overseer.projected()
    with writing(overseer.engine) as db:
        rebuild(db)
        db.commit()
    assert overseer.projected() == before
