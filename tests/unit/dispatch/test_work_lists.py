"""Work lists: what each filter shows, pages that stay right while matters move, and many matters at once."""

from __future__ import annotations

from datetime import timedelta

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy import select

from services.dispatch import work_lists
from services.dispatch.domain.clocks import Band
from services.dispatch.domain.states import State
from services.dispatch.tables import matter_scopes, matters
from shared.kernel.errors import Refusal
from shared.ledger.engines import reading
from tests.unit.dispatch.conftest import (
    CLERK,
    COMMUNITY,
    GAS,
    GATE,
    GRID,
    HEAD,
    LIGHT,
    RAMP,
    STREET,
    STREET_CLERK,
    WORKER,
)

PATH = "/api/v1/matters"
OUTSIDER = "community-clerk-jianguo-li"


def refused(code, call, *args, **kwargs):
    with pytest.raises(Refusal) as error:
        call(*args, **kwargs)
    assert error.value.code == code
    return error.value


def ids(desk, who=STREET_CLERK, **parameters):
    return [one["matter_id"] for one in desk.ask(who, PATH, **parameters)["items"]]


def walk(desk, who=STREET_CLERK, **parameters):
    """Every page to the end."""
    found, pages, cursor = [], 0, ""
    while True:
        page = desk.ask(who, PATH, cursor=cursor, **parameters)
        found += [one["matter_id"] for one in page["items"]]
        pages += 1
        if page["next"] is None:
            return found, pages
        cursor = page["next"]


@pytest.fixture
def busy(desk):
    """One matter in each kind of standing; due: gas 15 min, gate 1 h, light the same day, ramp in a month."""
    for matter, text in (
        ("gas", GAS),
        ("gate", GATE),
        ("light", LIGHT),
        ("ramp", RAMP),
        ("rest", RAMP),
        ("done", LIGHT),
    ):
        desk.open(matter, text)
    for matter in ("ramp", "rest", "gate"):
        desk.do(WORKER, "accept", matter)
    desk.do(STREET_CLERK, "suspend", "rest", reason="等材料")
    desk.do(WORKER, "escalate", "ramp", reason="needs-funds")
    desk.close("done")
    return desk


def test_each_filter_shows_what_it_says(busy):
    assert ids(busy, open="true") == ["gas", "gate", "light", "ramp", "rest"]
    assert ids(busy) == ["gas", "gate", "light", "ramp", "done", "rest"]
    assert ids(busy, open="false") == ["done"]
    assert ids(busy, responsible=COMMUNITY) == ids(busy, level="community") == ["ramp"]
    assert ids(busy, level="grid", open="true") == ["gas", "gate", "light", "rest"]
    assert ids(busy, person=WORKER) == ["gate", "done", "rest"]
    assert ids(busy, person=WORKER, responsible=GRID, open="true") == ["gate", "rest"]
    assert ids(busy, **{"class": "hazard"}) == ["gas"]
    assert ids(busy, state="suspended") == ids(busy, band="paused") == ["rest"]
    hour = busy.now + timedelta(hours=1)
    assert ids(busy, due_before=hour.isoformat()) == ["gas"]
    assert ids(busy, due_before=(hour + timedelta(seconds=1)).isoformat()) == ["gas", "gate", "light"]
    category = busy.view(matter="gas")["category"]
    assert ids(busy, category=category) == ["gas"]


def test_bands_follow_the_time_without_a_scan(busy):
    due = {one["matter_id"]: one["next_due_at"] for one in busy.ask(STREET_CLERK, PATH)["items"]}
    assert due["gas"] == "2026-11-16T01:15:00Z"
    for minutes in (0, 10, 16, 59, 300):
        busy.suite.clock.set(busy.suite.clock.now() + timedelta(minutes=minutes))
        shown = busy.ask(STREET_CLERK, PATH, limit="200")["items"]
        for band in Band:
            assert sorted(ids(busy, band=band.value)) == sorted(
                one["matter_id"] for one in shown if one["band"] == band.value
            )


def test_bad_filters_name_themselves(busy):
    for name, value in (
        ("level", "planet"), ("open", "yes"), ("category", "no-such"), ("due_before", "tomorrow"), ("state", "x"),
        ("cursor", "x"),
    ):  # fmt: skip
        assert name in refused("invalid-input", ids, busy, **{name: value}).fields
    refused("unknown-unit", ids, busy, responsible="no-such")


def test_every_list_ends_at_the_own_territory(busy):
    assert ids(busy, OUTSIDER) == ids(busy, OUTSIDER, responsible=GRID) == ids(busy, OUTSIDER, person=WORKER) == []
    refused("out-of-scope", ids, busy, OUTSIDER, unit=GRID)
    refused("not-permitted", ids, busy, "department-officer-dept-water")
    busy.open("secret", LIGHT, private=True)
    assert "secret" in ids(busy, HEAD, responsible=GRID)
    assert "secret" in ids(busy, CLERK)
    assert "secret" not in ids(busy, "deliberation-host-guanghua-dongli")  # reads there, and handles nothing


@pytest.mark.parametrize("window", [1, 2, 3, 5])
def test_a_page_looks_at_so_many_matters_and_the_list_is_whole_all_the_same(busy, monkeypatch, window):
    monkeypatch.setattr(work_lists, "WINDOW", window)
    everything = ["gas", "gate", "light", "ramp", "done", "rest"]
    assert walk(busy, limit="200")[0] == everything
    assert walk(busy, limit="1")[0] == everything
    found, pages = walk(busy, level="community")
    assert found == ["ramp"]
    assert pages >= len(everything) // window
    assert walk(busy, person=WORKER)[0] == ["gate", "done", "rest"]


def test_pages_stay_right_while_matters_come_and_go(desk):
    for number in range(8):
        desk.open(f"m-{number}", LIGHT, at=desk.now - timedelta(minutes=number))
    first = desk.ask(STREET_CLERK, PATH, limit="3", open="true")
    seen = [one["matter_id"] for one in first["items"]]
    # One that was shown is closed, a new one comes in front, another changes without moving.
    desk.close(seen[0])
    desk.open("m-hazard", GAS)
    rest = desk.ask(STREET_CLERK, PATH, limit="200", open="true", cursor=first["next"])
    behind = [one["matter_id"] for one in rest["items"]]
    assert not set(behind) & set(seen)
    assert set(behind) | set(seen) == {f"m-{number}" for number in range(8)}


@settings(max_examples=25, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    filters=st.fixed_dictionaries(
        {},
        optional={
            "state": st.sampled_from([state.value for state in State]), "open": st.sampled_from(["true", "false"]),
            "level": st.sampled_from(["grid", "community", "street"]), "person": st.just(WORKER),
            "responsible": st.sampled_from([GRID, COMMUNITY, STREET]), "band": st.sampled_from(list(Band)),
            "class": st.sampled_from(["hazard", "same-day", "within-month"]),
        },
    ),
    limit=st.integers(min_value=1, max_value=7),
    window=st.integers(min_value=1, max_value=9),
)  # fmt: skip
def test_whatever_is_asked_for_pages_add_up_to_what_one_page_shows(busy, monkeypatch, filters, limit, window):
    monkeypatch.setattr(work_lists, "WINDOW", 1_000)
    whole = ids(busy, limit="200", **filters)
    shown = {one["matter_id"]: one for one in busy.ask(STREET_CLERK, PATH, limit="200")["items"]}
    names = {"class": "response_class"}
    for one in shown.values():
        fits = all(
            (one["unit"]["id"] == value)
            if name == "responsible"
            else ((one["state"] in ("closed", "withdrawn")) is (value == "false"))
            if name == "open"
            else one[names.get(name, name)] == value
            for name, value in filters.items()
        )
        assert (one["matter_id"] in whole) is fits
    monkeypatch.setattr(work_lists, "WINDOW", window)
    assert walk(busy, limit=str(limit), **filters)[0] == whole


# -- many at once


def many(desk, who, command, **content):
    return desk.suite.execute(f"dispatch.{command}", content, who).body


def test_several_are_taken_on_each_judged_by_itself(busy):
    found = many(busy, WORKER, "accept-many", matters=["light", "no-such", "done", "gas", "light"])
    assert (found["done"], found["refused"]) == (2, 2)
    assert [(one["matter_id"], one["result"], one.get("code")) for one in found["items"]] == [
        ("light", "done", None), ("no-such", "refused", "unknown-matter"), ("done", "refused", "illegal-transition"),
        ("gas", "done", None),
    ]  # fmt: skip
    assert {one["matter_id"] for one in busy.events("matter-accepted")} >= {"light", "gas"}
    assert busy.view(matter="done")["state"] == "closed"


def test_several_are_assigned(busy):
    found = many(busy, CLERK, "assign-many", matters=["gas", "light"], unit=GRID, person=HEAD)
    assert found["done"] == 2
    assert busy.view(matter="gas")["person"] == HEAD
    found = many(busy, OUTSIDER, "assign-many", matters=["gas", "light"], unit="jianguo-li")
    assert {one["code"] for one in found["items"]} == {"out-of-scope"}
    refused("invalid-input", many, busy, CLERK, "assign-many", matters=[], unit=GRID)
    refused("invalid-input", many, busy, CLERK, "accept-many", matters=["x"] * 101)
    refused("not-permitted", many, busy, WORKER, "assign-many", matters=["gas"], unit=GRID)


def test_what_is_refused_leaves_nothing_behind(busy):
    before = len(busy.events())
    assert many(busy, HEAD, "accept-many", matters=["done", "rest"])["done"] == 0
    assert len(busy.events()) == before
    assert [step["action"] for step in busy.view(matter="rest")["steps"]][-1] == "suspend"


def test_scopes_know_when_their_matter_is_next_due(busy):
    with reading(busy.app.at_hand.engine) as db:
        rows = db.execute(
            select(matter_scopes.c.due_at, matters.c.due_at).join(matters, matters.c.id == matter_scopes.c.matter_id)
        ).all()
    assert len({due for _, due in rows}) > 3
    assert [scope for scope, due in rows if scope != due] == []


@pytest.mark.parametrize(
    "which",
    [
        {}, {"open": "true"}, {"open": "false"}, {"level": "grid"}, {"band": "ok"}, {"band": "due-soon"},
        {"band": "overdue"}, {"class": "hazard"}, {"due_before": "2026-11-16T03:00:00Z"}, {"state": "assigned"},
    ],
    ids=str,
)  # fmt: skip
@pytest.mark.parametrize("limit", ["1", "2", "5", "50"])
def test_in_the_list_s_order_or_looked_for_it_is_the_same_list(busy, monkeypatch, which, limit):
    quick, _ = walk(busy, limit=limit, **which)
    monkeypatch.setattr(work_lists, "_running", lambda *_: None)
    looked_for, _ = walk(busy, limit=limit, **which)
    assert quick == looked_for
