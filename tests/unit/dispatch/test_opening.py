"""A matter arrives: class with its reason, clocks as of registration, the lowest level responsible."""

from __future__ import annotations

from dataclasses import replace
from types import MappingProxyType

import pytest

from services.dispatch.web.routes import ROUTES
from shared.contracts.deliberation import MeasureAssigned
from shared.contracts.intake import DemandJoinedMatter, DemandWithdrawn, MatterLocated, MatterOpened
from shared.contracts.values import Place
from shared.kernel.actor import ANONYMOUS
from shared.kernel.errors import Forbidden, Unauthenticated
from shared.ledger.reception import Outcome
from tests.unit.dispatch.conftest import (
    COMMUNITY,
    DISTRICT,
    GAS,
    GATE,
    GRID,
    LIGHT,
    RAMP,
    START,
    STREET,
    STREET_CLERK,
    WORKER,
)  # fmt: skip

ONE_MATTER = next(
    route.query for route in ROUTES if route.path == "/api/v1/matters/<matter>" and route.query is not None
)


@pytest.mark.parametrize(
    ("text", "response_class", "rule"),
    [(GAS, "hazard", "hazard-gas"), (GATE, "immediate", "immediate-blocked-gate"),
     (LIGHT, "same-day", "same-day-light"), ("树枝伸进窗户", "within-week", "week-green"),
     (RAMP, "within-month", "month-entrance-renewal")],
)  # fmt: skip
def test_class_and_why_are_stored_and_told(desk, pack, text, response_class, rule):
    desk.open(text=text)
    (told,) = desk.events("matter-classified")
    assert (told["response_class"], told["rule"], told["policy_version"]) == (response_class, rule, pack.digest)
    assert text not in str(told["inputs"])
    why = desk.view()["why"]
    assert (why["rule"], why["policy_version"], why["decided_by"]) == (rule, pack.digest, "system")
    assert why["inputs"] == told["inputs"]


def test_it_goes_to_the_lowest_level_responsible(desk):
    desk.open()
    (told,) = desk.events("matter-assigned")
    assert (told["unit"], told["level"]) == (GRID, "grid")
    assert desk.view()["state"] == "assigned"


def test_units_with_nobody_are_skipped_and_the_reason_is_kept(desk_of, pack):
    staff = MappingProxyType(
        {key: person for key, person in pack.staff.items() if person.unit not in (GRID, COMMUNITY)}
    )
    desk = desk_of(replace(pack, staff=staff))
    desk.open()
    (told,) = desk.events("matter-assigned")
    assert told["unit"] == STREET
    assert f"{GRID}, {COMMUNITY}" in told["reason"]
    skipped = next(step for step in desk.view()["steps"] if step["action"] == "skipped")
    assert skipped["detail"] == {"units": [GRID, COMMUNITY], "because": "nobody-responsible"}


def test_with_nobody_anywhere_it_stands_at_the_top_flagged(desk_of, pack):
    desk = desk_of(replace(pack, staff=MappingProxyType({})))
    desk.open()
    assert desk.events("matter-assigned")[0]["unit"] == DISTRICT
    desk.wait(days=30)
    assert desk.climbs() == []


def test_an_enterprise_starts_at_its_building_zone(desk):
    desk.open(unit="zone-guomao-1", asker_kind="enterprise", text="楼里想办一次招聘会")
    assert desk.events("matter-assigned")[0]["unit"] == "zone-guomao"


def test_clocks_start_when_the_demand_was_registered_however_late_the_event(desk):
    desk.wait(hours=2)
    desk.open(at=START)
    clocks = {clock["kind"]: clock for clock in desk.view()["clocks"]}
    assert set(clocks) == {"accept", "resolve", "feedback"}
    started = {one["kind"]: one for one in desk.events("clock-started")}
    assert started["resolve"]["started_at"] == "2026-11-16T01:00:00Z"
    assert started["resolve"]["due_at"] == clocks["resolve"]["due_at"] == "2026-11-16T09:30:00Z"
    # One working hour from 09:00 was over before the event came: breached at once, by the calendar and not by us.
    assert desk.events("clock-breached")[0]["due_at"] == "2026-11-16T02:00:00Z"


def test_past_the_calendars_end_a_due_time_is_provisional(desk, pack):
    end = pack.calendar.instant(pack.calendar.covered_until, 12 * 3600)
    desk.until(end)
    desk.open(text=RAMP)
    assert desk.clock("resolve")["provisional"] is True
    assert "暂定" in desk.clock("resolve")["target_words"]


def test_the_same_event_twice_opens_one_matter(desk):
    raw = desk.envelope(
        MatterOpened(
            matter_id="m-1", number="M-1", demand_id="d", text=LIGHT, channel="web", asker_kind="resident",
            private=False, unit=GRID, category=None, place=Place(),
        )
    )  # fmt: skip
    assert desk.app.receive(raw) is Outcome.HANDLED
    assert desk.app.receive(raw) is Outcome.DUPLICATE
    assert len(desk.events("matter-classified")) == 1


def test_unlocated_waits_on_the_streets_list_and_goes_down_when_located(desk):
    desk.open(unit=None)
    assert desk.events("matter-assigned") == []
    seen = desk.ask(STREET_CLERK, "/api/v1/matters", state="unlocated")
    assert [one["matter_id"] for one in seen["items"]] == ["m-1"]
    assert desk.ask(WORKER, "/api/v1/matters", state="unlocated")["items"] == []
    desk.wait(minutes=30)
    desk.receive(MatterLocated(matter_id="m-1", unit=GRID, located_by=STREET_CLERK))
    view = desk.view(WORKER)
    assert (view["state"], view["unit"]["id"]) == ("assigned", GRID)
    accepts = [clock for clock in view["clocks"] if clock["kind"] == "accept"]
    assert [(clock["unit"], clock["outcome"]) for clock in accepts] == [(STREET, "met"), (GRID, None)]
    assert desk.clock("resolve")["started_at"] == "2026-11-16T01:00:00Z"


def test_an_unlocated_matter_escalates_with_nobody_assigned(desk):
    desk.open(unit=None)
    reply = desk.do(STREET_CLERK, "escalate", reason="beyond-authority")
    assert (reply["state"], reply["unit"]) == ("assigned", DISTRICT)
    desk.receive(MatterLocated(matter_id="m-1", unit=GRID, located_by=STREET_CLERK))
    view = desk.view()
    assert (view["unit"]["id"], view["located_in"]["id"]) == (DISTRICT, GRID)


def test_an_unlocated_matter_climbs_by_breach_too(desk):
    desk.open(unit=None, text=GATE)
    desk.wait(minutes=16)
    assert desk.climbs() == [(DISTRICT, "breach", "accept")]


def test_what_the_pack_does_not_know_is_kept_and_flagged(desk):
    desk.open(unit="atlantis", category="unheard-of")
    view = desk.view(STREET_CLERK)
    assert view["state"] == "unlocated"
    assert view["flags"] == ["unknown-unit", "unknown-category"]


def test_joined_demands_are_counted_and_move_no_clock(desk):
    desk.open()
    version, due = desk.view()["version"], desk.clock("resolve")["due_at"]
    desk.receive(
        DemandJoinedMatter(matter_id="m-1", demand_id="d-2", asker_kind="resident", demands=2, reason="exact-duplicate")
    )
    assert desk.view()["demands"] == 2
    assert (desk.view()["version"], desk.clock("resolve")["due_at"]) == (version, due)


def test_the_last_withdrawal_ends_the_matter_and_cancels_its_clocks(desk):
    desk.open()
    desk.receive(DemandWithdrawn(demand_id="d-2", matter_id="m-1", reason="另一位", last_of_matter=False))
    assert desk.view()["state"] == "assigned"
    desk.receive(DemandWithdrawn(demand_id="d-1", matter_id="m-1", reason="已自行解决", last_of_matter=True))
    assert desk.view()["state"] == "withdrawn"
    assert {stop["outcome"] for stop in desk.events("clock-stopped")} == {"cancelled"}
    assert desk.events("matter-withdrawn") == [{"matter_id": "m-1", "reason": "已自行解决"}]
    desk.wait(days=30)
    assert desk.events("clock-breached") == []


def test_events_that_come_before_their_matter_are_applied_when_it_opens(desk):
    desk.receive(DemandWithdrawn(demand_id="d-1", matter_id="m-1", reason="撤回", last_of_matter=True))
    desk.receive(
        MeasureAssigned(
            topic_id="t", matter_id="m-2", resolution_id="r", measure_id="e", unit=GRID, action="装坡道", due_at=None
        )
    )
    desk.open()
    desk.open("m-2", RAMP)
    assert desk.view()["state"] == "withdrawn"
    assert [(one["measure_id"], one["unit"]["id"]) for one in desk.view(matter="m-2")["measures"]] == [("e", GRID)]


def test_a_matter_withdrawn_after_closure_stays_closed(desk):
    desk.open()
    desk.close()
    desk.receive(DemandWithdrawn(demand_id="d-1", matter_id="m-1", reason="晚了", last_of_matter=True))
    assert desk.view()["state"] == "closed"
    assert desk.events("matter-withdrawn") == []


def test_private_matters_are_seen_by_handlers_and_those_above_alone(desk):
    desk.open(private=True)
    assert desk.view(WORKER)["private"] is True
    assert desk.view(STREET_CLERK)["text"] == LIGHT
    for stranger in ("grid-worker-guanghua-dongli-2", "community-clerk-guanghua-li"):
        with pytest.raises(Exception, match="no matter") as refused:
            desk.view(stranger)
        assert refused.value.code == "unknown-matter"
        assert desk.ask(stranger, "/api/v1/matters")["items"] == []
    with pytest.raises(Exception, match="no matter"):
        desk.do("community-clerk-guanghua-li", "assign", unit="guanghua-li-1")


def test_a_private_matter_that_starts_higher_is_hidden_from_its_own_grid(desk):
    desk.open(unit="zone-guomao-1", asker_kind="enterprise", text="想反映一件不便公开的事", private=True)
    with pytest.raises(Exception, match="no matter"):
        desk.view("grid-worker-zone-guomao-1")
    assert desk.view("community-clerk-zone-guomao")["state"] == "assigned"


def test_strangers_get_nothing(desk):
    desk.open()
    with pytest.raises(Forbidden):
        desk.ask("resident-representative-guanghua-dongli-1", "/api/v1/matters/<matter>", matter="m-1")
    with pytest.raises(Unauthenticated):
        desk.app.ask(ONE_MATTER, {"matter": "m-1"}, ANONYMOUS)
