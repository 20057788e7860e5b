"""The ladder: by reason, by breach, by rule, downwards with an answer; and the traps that other systems fell into."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from types import MappingProxyType

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.dispatch.domain import ladder
from services.dispatch.domain.ladder import Trigger
from services.dispatch.handlers import run_clocks
from shared.jurisdiction.policy import LadderRule
from shared.ledger.unit_of_work import unit_of_work
from tests.unit.dispatch.conftest import (
    CLERK,
    COMMUNITY,
    DISTRICT,
    DISTRICT_CLERK,
    GAS,
    GATE,
    GRID,
    LIGHT,
    PHOTO,
    RAMP,
    START,
    STREET,
    STREET_CLERK,
    WORKER,
)
from tests.unit.dispatch.test_whistles import refused


def without_staff(pack, *units):
    return replace(pack, staff=MappingProxyType({k: one for k, one in pack.staff.items() if one.unit not in units}))


def with_rules(pack, *rules, **more):
    escalation = replace(pack.policy.escalation, rules=rules, **more)
    return replace(pack, policy=replace(pack.policy, escalation=escalation))


# -- danger (N6) -------------------------------------------------------------------------------------------------------


def test_danger_goes_to_the_street_at_half_its_time_and_to_the_district_at_the_end(desk):
    desk.open(text=GAS)
    desk.do(WORKER, "accept")
    desk.until(START + timedelta(hours=1))
    assert desk.climbs() == [(STREET, "rule", "hazard-half-time")]  # three clocks, one climb
    (told,) = desk.events("matter-escalated")
    assert (told["skipped"], told["skipped_because"]) == ([COMMUNITY], ["below-street"])
    desk.do(STREET_CLERK, "accept")
    desk.until(START + timedelta(hours=2))
    assert len(desk.climbs()) == 1  # exactly at the end is in time
    desk.wait(minutes=1)
    assert desk.climbs()[1:] == [(DISTRICT, "rule", "hazard-out-of-time")]
    kept = [(one["reason"], one["result"]) for one in desk.view()["climbs"]]
    assert kept.count(("hazard-half-time", "needless")) == kept.count(("hazard-out-of-time", "needless")) == 2


def test_danger_that_is_met_in_time_climbs_nowhere(desk):
    desk.open(text=GAS)
    desk.do(WORKER, "accept")
    for stage in ("hazard-survey", "hazard-plan", "hazard-on-site"):
        desk.do(WORKER, "progress", note="…", milestone=stage)
    desk.wait(hours=3)
    assert desk.climbs() == []


def test_found_late_it_goes_straight_to_the_end(desk):
    """The scan slept through the half: one climb, to the district, and the street is kept as passed over."""
    desk.open(text=GAS)
    desk.do(WORKER, "accept")
    desk.suite.clock.set(START + timedelta(hours=5))
    desk.app.run_due()
    desk.suite.settle()
    assert desk.climbs()[0] == (DISTRICT, "rule", "hazard-out-of-time")
    results = {(one["reason"], one["result"], one["because"]) for one in desk.view()["climbs"]}
    assert ("hazard-half-time", "needless", "climbed-already") in results
    assert len(desk.climbs()) == 1


@pytest.mark.parametrize("share", [0.5, 1.0, 2.0])
def test_a_rule_fires_at_a_warning_at_the_breach_and_when_grossly_overdue(desk_of, pack, share):
    rule = LadderRule("up", ("hazard",), ("hazard-survey",), share, "district")
    desk = desk_of(with_rules(pack, rule))
    desk.open(text=GAS)
    desk.do(WORKER, "accept")
    desk.until(START + timedelta(hours=2) * share - timedelta(seconds=1))
    assert desk.climbs() == []
    desk.wait(seconds=2)
    assert desk.climbs() == [(DISTRICT, "rule", "up")]


# -- skipped levels ----------------------------------------------------------------------------------------------------


def test_a_level_without_anyone_is_passed_over_and_said(desk_of, pack):
    desk = desk_of(without_staff(pack, COMMUNITY))
    desk.open(text=GATE)
    desk.wait(minutes=16)
    assert desk.climbs() == [(STREET, "breach", "accept")]
    (told,) = desk.events("matter-escalated")
    assert (told["skipped"], told["skipped_because"]) == ([COMMUNITY], ["nobody-responsible"])
    assert desk.view()["climbs"][0]["skipped"] == {COMMUNITY: "nobody-responsible"}


def test_what_cannot_climb_stays_flagged_and_is_told(desk_of, pack):
    desk = desk_of(without_staff(pack, COMMUNITY, STREET, DISTRICT))
    desk.open(text=GATE)
    desk.wait(minutes=16)
    assert desk.climbs() == []
    (told,) = desk.events("escalation-skipped")
    assert (told["unit"], told["cause"], told["reason"], told["because"]) == (
        GRID,
        "breach",
        "accept",
        "no-level-above",
    )
    assert desk.view(WORKER)["flags"] == ["cannot-climb"]
    assert desk.view(WORKER)["state"] == "assigned"


# -- cost --------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("yuan", "climbs_to", "passed_over"),
    [
        (2_000, None, {}),
        (2_001, COMMUNITY, {}),
        (20_001, STREET, {COMMUNITY: "above-authority"}),
        (500_001, DISTRICT, {COMMUNITY: "above-authority", STREET: "above-authority"}),
    ],
)
def test_what_costs_more_than_a_level_may_spend_goes_to_one_that_may(desk, yuan, climbs_to, passed_over):
    desk.open(text=RAMP)
    desk.do(WORKER, "accept")
    reply = desk.do(WORKER, "estimate-cost", amount=yuan, note="三家询价")
    assert desk.events("cost-estimated")[0]["limit_yuan"] == reply["limit_yuan"] == 2_000
    assert desk.climbs() == ([] if climbs_to is None else [(climbs_to, "rule", "above-authority")])
    assert desk.view()["cost_yuan"] == yuan
    if climbs_to is not None:
        (told,) = desk.events("matter-escalated")
        assert dict(zip(told["skipped"], told["skipped_because"], strict=True)) == passed_over


def test_a_cost_that_is_no_sum_is_refused(desk):
    desk.open()
    for amount in (-1, 1.5, "100", None, 10**13):
        refused("invalid-input", desk.do, WORKER, "estimate-cost", amount=amount)


# -- downwards ---------------------------------------------------------------------------------------------------------


def test_an_answer_comes_back_down_to_where_the_matter_came_from(desk):
    desk.open(text=RAMP)
    desk.do(WORKER, "accept")
    desk.do(WORKER, "escalate", reason="needs-funds")
    desk.do(CLERK, "escalate", reason="needs-funds")
    resolve = desk.clock("resolve")
    reply = desk.do(STREET_CLERK, "hand-back", answer="经费已批,由社区组织施工")
    assert (reply["unit"], reply["state"]) == (COMMUNITY, "assigned")
    (told,) = desk.events("matter-handed-back")
    assert (told["from_unit"], told["to_unit"], told["answer"]) == (STREET, COMMUNITY, "经费已批,由社区组织施工")
    assert desk.events("matter-assigned")[-1]["unit"] == COMMUNITY
    assert desk.do(CLERK, "hand-back", answer="照方案办", unit=GRID)["unit"] == GRID
    assert desk.clock("resolve") == resolve  # no clock of the whole begins again
    desk.do(WORKER, "accept")


def test_hand_back_goes_down_only_and_to_somebody(desk_of, pack):
    desk = desk_of(without_staff(pack, "guanghua-dongli-2"))
    desk.open(text=RAMP)
    refused("not-below", desk.do, WORKER, "hand-back", answer="…")
    desk.do(WORKER, "escalate", reason="needs-funds")
    refused("not-below", desk.do, CLERK, "hand-back", answer="…", unit=STREET)
    refused("not-below", desk.do, CLERK, "hand-back", answer="…", unit="guanghua-li-1")
    refused("not-below", desk.do, CLERK, "hand-back", answer="…", unit="guanghua-dongli-2")
    refused("not-territory", desk.do, CLERK, "hand-back", answer="…", unit="dept-water")
    refused("unknown-unit", desk.do, CLERK, "hand-back", answer="…", unit="nowhere")
    refused("out-of-scope", desk.do, WORKER, "hand-back", answer="…")
    assert desk.do(CLERK, "hand-back", answer="…")["unit"] == GRID


# -- traps that other systems fell into --------------------------------------------------------------------------------


def test_trap_a_backlog_larger_than_a_batch_is_done_oldest_first_and_whole(desk):
    for number in range(7):
        desk.open(f"m-{number}", GATE)
        desk.suite.clock.advance(timedelta(seconds=10))
    desk.suite.clock.set(START + timedelta(minutes=17))
    for _ in range(4):
        with unit_of_work(desk.app.at_hand) as work:
            run_clocks(work, 2)
            work.commit()
    assert [one["matter_id"] for one in desk.events("matter-escalated")] == [f"m-{number}" for number in range(7)]


def test_trap_a_comment_resets_no_clock(desk):
    desk.open(text=LIGHT)
    desk.do(WORKER, "accept")
    for _ in range(7):
        desk.wait(hours=1)
        desk.do(WORKER, "progress", note="还在办")
    desk.until(START + timedelta(hours=8, minutes=30, microseconds=1))
    assert desk.climbs() == [(COMMUNITY, "breach", "resolve")]


def test_trap_what_is_assigned_to_nobody_escalates(desk_of, pack):
    desk = desk_of(without_staff(pack, GRID))
    desk.open(text=GATE)
    assert desk.view()["person"] is None
    desk.wait(minutes=16)
    assert desk.climbs()[0][1:] == ("breach", "accept")


def test_trap_every_level_of_every_ladder_is_reached(pack):
    """From each unit of the pack, climbing on and on passes or skips every unit above it and ends at the top."""
    for unit in pack.units.values():
        if unit.level not in pack.levels:
            continue
        reached, here = [unit.id], unit.id
        while (choice := ladder.next_above(pack, here)).unit is not None:
            reached += [*choice.skipped, choice.unit.id]
            here = choice.unit.id
        assert reached == [one.id for one in pack.ladder(unit.id)]
        assert pack.unit(here).level == pack.levels[-1]


def test_trap_a_bad_rule_does_not_stop_the_others(desk_of, pack):
    bad = (
        LadderRule("no-such-level", (), ("hazard-survey",), 0.5, "province"),
        LadderRule("no-such-class", ("nonsense",), ("hazard-survey",), 0.5, "street"),
        LadderRule("no-such-clock", (), ("nonsense",), 0.5, "street"),
    )
    desk = desk_of(with_rules(pack, *bad, LadderRule("good", ("hazard",), ("hazard-survey",), 0.5, "street")))
    desk.open(text=GAS)
    desk.do(WORKER, "accept")
    desk.until(START + timedelta(hours=1, seconds=1))
    assert desk.climbs() == [(STREET, "rule", "good")]


def test_trap_one_matter_that_cannot_climb_does_not_stop_the_next(desk_of, pack):
    """A newer pack dropped the unit of the older matter."""
    desk = desk_of(pack)
    desk.open("m-0", GATE, unit="guanghua-li-1")
    desk.open("m-1", GATE)
    units = MappingProxyType({key: unit for key, unit in pack.units.items() if key != "guanghua-li-1"})
    newer = replace(desk.app.at_hand, jurisdiction=replace(pack, units=units))
    desk.suite.clock.set(START + timedelta(minutes=16))
    with unit_of_work(newer) as work:
        run_clocks(work, 100)
        work.commit()
    assert desk.climbs() == [(COMMUNITY, "breach", "accept")]
    (stayed,) = desk.events("escalation-skipped")
    assert (stayed["matter_id"], stayed["because"]) == ("m-0", "unknown-unit")


def test_a_circle_of_units_ends(pack):
    units = dict(pack.units)
    units[STREET] = replace(units[STREET], parent=COMMUNITY)  # its community's child
    circle = replace(pack, units=MappingProxyType(units))
    reached, here = [], GRID
    while (choice := ladder.next_above(circle, here)).unit is not None and len(reached) < 10:
        here = choice.unit.id
        reached.append(here)
        if here == STREET:
            break
    assert reached == [COMMUNITY, STREET]


# -- pure rules --------------------------------------------------------------------------------------------------------


def test_what_a_step_triggers(pack):
    assert ladder.triggers(pack, "hazard-survey", "hazard", ["warn-50", "warn-80", "due"]) == (
        Trigger("rule", "hazard-out-of-time", "due", "district"),
        Trigger("rule", "hazard-half-time", "warn-50", "street"),
    )
    assert ladder.triggers(pack, "resolve", "same-day", ["due"]) == (Trigger("breach", "resolve", "due"),)
    assert ladder.triggers(pack, "hazard-survey", "same-day", ["due"]) == ()
    assert ladder.triggers(pack, "feedback", "same-day", ["due"]) == ()


UNITS = st.sampled_from(["guanghua-dongli-1", "guanghua-dongli", "zone-guomao-1", "jianwai", "chaoyang"])


@given(unit=UNITS, yuan=st.integers(0, 10**6), empty=st.sets(UNITS))
def test_a_climb_never_goes_down_never_passes_over_silently_and_fits(pack, unit, yuan, empty):
    changed = without_staff(pack, *empty)
    choice = ladder.next_above(changed, unit, ladder.may_spend(changed, yuan))
    above = [one.id for one in changed.ladder(unit)[1:]]
    if choice.unit is None:
        assert list(choice.skipped) == above
    else:
        assert [*choice.skipped, choice.unit.id] == above[: len(choice.skipped) + 1]
        assert changed.responsible(choice.unit.id)
        assert yuan <= changed.policy.escalation.authority_limits.get(choice.unit.level, yuan)
    assert set(choice.because.values()) <= {"above-authority", "nobody-responsible"}


def test_who_stands_above(pack):
    assert ladder.stands_above(pack, STREET, COMMUNITY)
    assert ladder.stands_above(pack, DISTRICT, COMMUNITY)
    assert ladder.stands_above(pack, DISTRICT, DISTRICT)
    assert not ladder.stands_above(pack, STREET, STREET)
    assert not ladder.stands_above(pack, COMMUNITY, STREET)
    assert not ladder.stands_above(pack, "guanghua-li", COMMUNITY)
    assert not ladder.stands_above(pack, None, COMMUNITY)


def test_expectations_are_the_packs(pack):
    found = {(one.cause, one.reason, one.step) for one in ladder.expectations(pack)}
    assert found == {
        ("breach", "resolve", "due"), ("breach", "accept", "due"), ("rule", "hazard-half-time", "warn-50"),
        ("rule", "hazard-out-of-time", "due"),
    }  # fmt: skip


def test_resolved_matters_do_not_climb_and_say_so(desk):
    desk.open(text=GAS)
    desk.do(WORKER, "accept")
    desk.do(WORKER, "resolve", outcome="已关阀", evidence=[PHOTO])
    desk.wait(hours=3)
    assert desk.climbs() == []
    assert desk.do(DISTRICT_CLERK, "verify", passed=True)["state"] == "verified"
