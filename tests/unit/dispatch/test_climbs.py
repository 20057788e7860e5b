"""The record of climbs: what the clocks did against what became of the matters; a climb cannot fail silently."""

from __future__ import annotations

from datetime import timedelta

from services.dispatch import metrics
from services.dispatch.handlers import climbing, run_clocks
from services.dispatch.tables import clock_steps
from services.dispatch.whistle_tables import climbs
from shared.ledger.unit_of_work import look_only, unit_of_work
from tests.unit.dispatch.conftest import GAS, GATE, START, WORKER


def gauges(desk):
    with look_only(desk.app.at_hand) as work:
        metrics.refresh(work, desk.app.metrics)
    text = desk.app.metrics.render().decode()
    value = {}
    for line in text.splitlines():
        for name in ("expected", "unaccounted"):
            if line.startswith(f"gridwhistle_escalations_{name}{{"):
                value[name] = float(line.rpartition(" ")[2])
    return value


def test_the_self_check_accounts_for_every_climb(desk):
    desk.open(text=GAS)
    desk.open("m-2", GATE)
    desk.do(WORKER, "accept")
    desk.wait(minutes=62)
    found = gauges(desk)
    assert found["expected"] >= 5  # three rules, and accept clocks on the way up
    assert found["unaccounted"] == 0


def test_the_self_check_finds_a_climb_that_did_not_happen(desk, monkeypatch):
    monkeypatch.setattr("services.dispatch.handlers.scans.climb_for", lambda *_: None)
    desk.open(text=GATE)
    desk.wait(minutes=16)
    assert desk.climbs() == []
    assert gauges(desk) == {"expected": 1, "unaccounted": 1}


def test_the_self_check_finds_a_scan_that_does_not_run(desk):
    desk.open(text=GATE)
    desk.suite.clock.set(START + timedelta(minutes=30))
    assert gauges(desk)["unaccounted"] == 1


def test_a_climb_of_one_step_is_kept_once(desk):
    """Whatever fails after the climb undoes it with the step, and the next scan does both."""
    desk.open(text=GATE)
    desk.suite.clock.set(START + timedelta(minutes=16))
    with unit_of_work(desk.app.at_hand) as work:
        run_clocks(work, 10)
    with look_only(desk.app.at_hand) as work:
        assert work.db.execute(climbs.select()).all() == work.db.execute(clock_steps.select()).all() == []
    for _ in range(3):
        desk.app.run_due()
    with look_only(desk.app.at_hand) as work:
        kept = [row for row in work.db.execute(climbs.select()) if row.clock_id is not None]
    assert len(kept) == len({(row.clock_id, row.promise, row.step, row.reason) for row in kept}) == 1


def test_a_climb_that_fails_half_way_leaves_nothing_behind(desk, monkeypatch):
    desk.open(text=GATE)
    before = desk.view()

    def broken(case, unit):
        case.change(unit=unit.id)
        case.note("half-way")
        raise climbing.top_of(case)

    monkeypatch.setattr(climbing, "hand_over", broken)
    desk.wait(minutes=16)
    after = desk.view()
    assert (after["unit"], after["state"]) == (before["unit"], "assigned")
    assert desk.events("matter-escalated") == []
    assert [step["action"] for step in after["steps"]][-2:] == ["breached", "climb-skipped"]
    assert [one["result"] for one in after["climbs"]] == ["stayed"]
