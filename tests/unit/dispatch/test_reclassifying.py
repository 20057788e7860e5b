"""Another response class: clocks keep their start and every rest that is over, and danger never rests."""

from __future__ import annotations

from datetime import timedelta

import pytest

from shared.kernel.errors import Refusal
from tests.unit.dispatch.conftest import CLERK, COMMUNITY, DISTRICT_CLERK, RAMP, STREET_CLERK, WORKER


def refused(code, call, *args, **kwargs):
    with pytest.raises(Refusal) as error:
        call(*args, **kwargs)
    assert error.value.code == code


def test_reclassification_keeps_start_and_tells_the_new_due_time(desk):
    desk.open()
    desk.wait(hours=1)
    refused("same-class", desk.do, CLERK, "reclassify", response_class="same-day", reason="…")
    refused("unknown-class", desk.do, CLERK, "reclassify", response_class="someday", reason="…")
    before = desk.clock("resolve")
    desk.do(CLERK, "reclassify", response_class="within-month", reason="整楼线路老化")
    after = desk.clock("resolve")
    assert (after["clock_id"], after["started_at"]) == (before["clock_id"], before["started_at"])
    assert after["due_at"] > before["due_at"] == after["original_due_at"]
    moved = [one for one in desk.events("clock-moved") if one["kind"] == "resolve"]
    assert [(one["cause"], one["from_due_at"], one["due_at"]) for one in moved] == [
        ("reclassified", before["due_at"], after["due_at"])
    ]
    told = desk.events("matter-classified")[-1]
    assert (told["rule"], told["response_class"], told["inputs"]["from"]) == (
        "reclassified",
        "within-month",
        "same-day",
    )


def test_a_suspended_matter_that_turns_out_to_be_a_hazard_goes_on_at_once(desk):
    """Counted up to that instant, and not a second of it afterwards; nobody has to resume it first."""
    desk.open(text=RAMP)
    desk.do(WORKER, "accept")
    desk.do(STREET_CLERK, "suspend", reason="等供暖季", until=(desk.now + timedelta(days=9)).isoformat())
    desk.wait(hours=2)
    assert desk.do(CLERK, "reclassify", response_class="hazard", reason="电线裸露")["state"] == "in-progress"
    assert desk.clock("resolve")["due_at"] == "2026-11-17T03:00:00Z"
    assert desk.view()["suspensions"][0]["ended_at"] == "2026-11-16T03:00:00Z"
    assert desk.clock("hazard-plan")["due_at"] == "2026-11-16T03:00:00Z"
    (resumed,) = desk.events("matter-resumed")
    assert (resumed["resumed_by"], "hazard" in resumed["reason"]) == (CLERK, True)
    moved = [(one["cause"], one["due_at"]) for one in desk.events("clock-moved") if one["kind"] == "resolve"]
    assert moved == [("resumed", "2026-12-17T03:00:00Z"), ("reclassified", "2026-11-17T03:00:00Z")]
    desk.wait(days=10)  # the end that was approved comes, and finds nothing to resume
    assert len(desk.events("matter-resumed")) == 1


def test_a_suspended_matter_of_another_class_that_may_rest_rests_on(desk):
    desk.open(text=RAMP)
    desk.do(WORKER, "accept")
    desk.do(STREET_CLERK, "suspend", reason="等设计方案")
    desk.wait(days=14)
    assert desk.do(CLERK, "reclassify", response_class="within-week", reason="小修即可")["state"] == "suspended"
    assert desk.view()["band"] == "paused"
    desk.wait(days=7)
    desk.do(STREET_CLERK, "resume")
    clock = desk.clock("resolve")
    # Due on the 23rd without the three weeks that it rested; and never breached meanwhile.
    assert (clock["due_at"], clock["breached_at"]) == ("2026-12-14T09:30:00Z", None)
    assert [one["kind"] for one in desk.events("clock-paused")] == ["feedback", "resolve"]


def test_rest_that_is_over_counts_under_every_class(desk):
    """There and back again through one that never rests: the instants depend on the class alone."""
    desk.open(text=RAMP)
    desk.do(WORKER, "accept")
    desk.do(STREET_CLERK, "suspend", reason="等")
    desk.wait(days=2)
    desk.do(STREET_CLERK, "resume")
    before = desk.clock("resolve")["due_at"]
    desk.do(CLERK, "reclassify", response_class="hazard", reason="有危险")
    assert desk.clock("resolve")["due_at"] == "2026-11-19T01:00:00Z"  # 24 hours and two days
    assert desk.clock("hazard-survey")["due_at"] == "2026-11-16T03:00:00Z"  # what no suspension ever pauses
    refused("not-pausable", desk.do, DISTRICT_CLERK, "suspend", reason="等")
    desk.do(DISTRICT_CLERK, "reclassify", response_class="within-month", reason="已排除")
    assert desk.clock("resolve")["due_at"] == before


def test_reclassification_to_hazard_starts_its_clocks_at_registration(desk):
    desk.open()
    desk.wait(minutes=30)
    desk.do(CLERK, "reclassify", response_class="hazard", reason="电线裸露")
    assert desk.clock("hazard-survey")["started_at"] == "2026-11-16T01:00:00Z"
    desk.wait(minutes=1)
    assert desk.climbs() == [(COMMUNITY, "breach", "accept")]
