"""Rectification orders: from oversight to a unit, closed inside the grid, overdue ones rise (C3)."""

from __future__ import annotations

from datetime import timedelta

import pytest

from shared.contracts.oversight import RectificationOrdered, RectificationWithdrawn
from shared.kernel.errors import Refusal
from tests.unit.dispatch.conftest import (
    CLERK,
    COMMUNITY,
    DISTRICT,
    DISTRICT_CLERK,
    GRID,
    HEAD,
    PHOTO,
    STREET,
    STREET_CLERK,
    WORKER,
)


def refused(code, call, *args, **kwargs):
    with pytest.raises(Refusal) as error:
        call(*args, **kwargs)
    assert error.value.code == code
    return error.value


@pytest.fixture
def ordered(desk):
    def ordered(order="o-1", unit=GRID, *, hours=48, **more):
        desk.receive(
            RectificationOrdered(
                order_id=order, unit=unit, request="消防通道堆物", deadline=desk.now + timedelta(hours=hours),
                ordered_by="street-supervisor-jianwai", **more,
            )
        )  # fmt: skip
        return order

    return ordered


def do(desk, who, command, order="o-1", **content):
    how = {"if_match": content.pop("if_match")} if "if_match" in content else {}
    return desk.suite.execute(f"dispatch.{command}", {"order": order, **content}, who, **how).body


def report(desk, who=WORKER, order="o-1", **content):
    return do(desk, who, "report-rectification", order, **{"outcome": "已清理", "evidence": [PHOTO]} | content)


def verify(desk, who=HEAD, order="o-1", **content):
    return do(desk, who, "verify-rectification", order, **{"passed": True} | content)


def listed(desk, who, **parameters):
    return [one["order_id"] for one in desk.ask(who, "/api/v1/orders", **parameters)["items"]]


def test_closed_inside_the_grid(desk, ordered):
    ordered()
    assert desk.events("rectification-assigned")[0]["unit"] == GRID
    assert listed(desk, WORKER) == ["o-1"]
    refused("evidence-missing", report, desk, evidence=[])
    refused("illegal-transition", verify, desk)
    assert report(desk)["on_time"] is True
    closed = verify(desk)
    assert (closed["state"], closed["inside"], closed["on_time"]) == ("settled", True, True)
    refused("order-over", report, desk)
    desk.wait(days=10)
    assert desk.events("rectification-overdue") == []
    assert listed(desk, WORKER) == []
    assert listed(desk, WORKER, state="settled") == ["o-1"]


def test_who_reported_it_does_not_close_it(desk, ordered):
    ordered()
    report(desk, HEAD)
    refused("verifier-is-handler", verify, desk, HEAD)
    assert verify(desk, CLERK)["state"] == "settled"


def test_not_put_right_the_deadline_stands(desk, ordered):
    ordered()
    desk.wait(hours=47)
    report(desk)
    desk.wait(hours=5)
    assert desk.events("rectification-overdue") == []
    assert verify(desk, passed=False, note="还有杂物")["state"] == "ordered"
    # The time that it had is over: it rises at once.
    assert [one["to_unit"] for one in desk.events("rectification-overdue")] == [COMMUNITY]
    assert report(desk, CLERK)["on_time"] is False
    closed = verify(desk, STREET_CLERK)
    assert (closed["inside"], closed["on_time"]) == (False, False)


def test_overdue_it_rises_to_the_top_and_every_level_sees_it(desk, ordered):
    ordered()
    desk.until(desk.now + timedelta(hours=48))
    assert desk.events("rectification-overdue") == []
    desk.wait(days=10)
    told = [(one["from_unit"], one["to_unit"], one["times"]) for one in desk.events("rectification-overdue")]
    assert told == [(GRID, COMMUNITY, 1), (COMMUNITY, STREET, 2), (STREET, DISTRICT, 3), (DISTRICT, DISTRICT, 4)]
    assert listed(desk, DISTRICT_CLERK) == listed(desk, CLERK, overdue="true") == listed(desk, WORKER) == ["o-1"]
    refused("out-of-scope", report, desk, WORKER)
    assert report(desk, DISTRICT_CLERK)["on_time"] is False
    shown = desk.ask(STREET_CLERK, "/api/v1/orders/<order>", order="o-1")
    assert [step["action"] for step in shown["steps"]] == ["assigned", *["warned", "overdue"] * 4, "reported"]
    assert shown["overdue_times"] == 4


def test_a_backlog_of_orders_all_rise(desk, ordered):
    for number in range(250):
        ordered(f"o-{number:03}", hours=1)
    desk.suite.clock.set(desk.now + timedelta(hours=2))
    desk.app.run_due()
    assert len(desk.events("rectification-overdue")) == 250


def test_withdrawn_it_is_over_and_closed_it_stays_closed(desk, ordered):
    ordered()
    ordered("o-2")
    report(desk, order="o-2")
    verify(desk, order="o-2")
    for order in ("o-1", "o-2"):
        desk.receive(RectificationWithdrawn(order_id=order, reason="重复下达", withdrawn_by="x"))
    assert desk.ask(CLERK, "/api/v1/orders/<order>", order="o-1")["state"] == "revoked"
    assert desk.ask(CLERK, "/api/v1/orders/<order>", order="o-2")["state"] == "settled"
    refused("order-over", report, desk)


def test_nobody_there_or_nowhere(desk, ordered):
    ordered(unit="no-such-unit")
    assert desk.events("rectification-assigned")[0] == {
        "order_id": "o-1", "matter_id": None, "unit": STREET, "level": "street", "skipped": ["no-such-unit"],
        "deadline": "2026-11-18T01:00:00Z", "ordered_by": "street-supervisor-jianwai",
    }  # fmt: skip
    assert listed(desk, STREET_CLERK) == ["o-1"]


def test_a_unit_that_is_a_department_by_now_does_not_keep_an_order_that_nobody_there_could_close(desk, ordered):
    ordered(unit="dept-water")
    (told,) = desk.events("rectification-assigned")
    assert (told["unit"], told["skipped"]) == (DISTRICT, ["dept-water"])
    report(desk, DISTRICT_CLERK)
    assert verify(desk, "district-supervisor-chaoyang")["state"] == "settled"


def test_who_sees_and_does_what(desk, ordered):
    ordered()
    outsider = "community-clerk-jianguo-li"
    refused("out-of-scope", report, desk, outsider)
    refused("unknown-order", report, desk, order="no-such")
    refused("unknown-order", desk.ask, outsider, "/api/v1/orders/<order>", order="o-1")
    refused("out-of-scope", listed, desk, outsider, unit=GRID)
    assert listed(desk, outsider) == []
    refused("not-permitted", report, desk, "department-officer-dept-water")
    refused("stale-version", report, desk, if_match=7)
    assert report(desk, if_match=1)["version"] == 2


def test_about_a_matter_it_stands_among_its_steps(desk, ordered):
    desk.open()
    ordered(matter_id="m-1")
    report(desk)
    actions = [step["action"] for step in desk.view()["steps"]]
    assert actions[-2:] == ["rectification-assigned", "rectification-reported"]
    assert desk.view()["rectifications"][0]["state"] == "reported"


def test_pages_are_stable_while_orders_rise(desk, ordered):
    for number in range(5):
        ordered(f"o-{number}", hours=10 + number)
    first = desk.ask(DISTRICT_CLERK, "/api/v1/orders", limit="2")
    desk.wait(hours=10, minutes=30)  # o-0 rises: it goes to the end
    second = desk.ask(DISTRICT_CLERK, "/api/v1/orders", limit="2", cursor=first["next"])
    third = desk.ask(DISTRICT_CLERK, "/api/v1/orders", limit="2", cursor=second["next"])
    ids = [one["order_id"] for page in (first, second, third) for one in page["items"]]
    assert ids == ["o-0", "o-1", "o-2", "o-3", "o-4", "o-0"]


def test_a_unit_is_warned_once_when_a_fifth_of_its_time_is_left(desk, ordered):
    ordered()
    begun = desk.now
    desk.until(begun + timedelta(hours=48) * 4 / 5 - timedelta(seconds=1))
    assert desk.events("rectification-warned") == []
    desk.wait(seconds=2)
    (told,) = desk.events("rectification-warned")
    assert (told["unit"], told["due_at"]) == (GRID, "2026-11-18T01:00:00Z")
    assert told["ordered_by"] == "street-supervisor-jianwai"
    report(desk, WORKER)
    desk.wait(days=9)
    assert len(desk.events("rectification-warned")) == 1
    assert desk.events("rectification-overdue") == []
