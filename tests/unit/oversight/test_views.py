"""Timelines, inspections and the public head: who sees what."""

from __future__ import annotations

import pytest

from services.oversight import tables
from shared.kernel.actor import ANONYMOUS, Actor
from shared.kernel.errors import Refusal
from tests.unit.oversight.conftest import COMMUNITY, GRID, STREET_CLERK, SUPERVISOR

WORKER = Actor(id="w", roles=frozenset({"grid-worker"}), unit=GRID)
STRANGER = Actor(id="s", roles=frozenset({"grid-worker"}), unit="yongan-li-1")
AUDITOR = Actor(id="a", roles=frozenset({"audit-admin"}))
DEPARTMENT = Actor(id="d", roles=frozenset({"department-officer"}), unit=GRID)


def code_of(overseer, who, matter="m-1", **parameters):
    with pytest.raises(Refusal) as caught:
        overseer.ask("timeline", who, matter=matter, **parameters)
    return caught.value.code


def test_the_whole_way_of_a_matter(overseer):
    overseer.opened(asks=2)
    overseer.assigned("m-1")
    overseer.opened("m-2")
    found = overseer.ask("timeline", STREET_CLERK, matter="m-1")
    assert [item["event"] for item in found["items"]] == [
        "intake.matter-opened", "intake.demand-registered", "intake.demand-registered", "dispatch.matter-assigned",
    ]  # fmt: skip
    assert found["items"][0]["data"]["text"] == "王大妈说灯不亮"
    assert all("sealed_asker" not in item["data"] for item in found["items"])
    assert found["items"][0]["hash"] == overseer.rows(tables.trace)[0]["hash"]


def test_page_by_page(overseer):
    overseer.opened(asks=4)
    seen, cursor = [], "0"
    while cursor is not None:
        page = overseer.ask("timeline", WORKER, matter="m-1", limit="2", cursor=cursor)
        seen += [item["position"] for item in page["items"]]
        cursor = page["next"]
    assert seen == [1, 2, 3, 4, 5]


@pytest.mark.parametrize(
    ("who", "code"),
    [
        (ANONYMOUS, "unauthenticated"),
        (STRANGER, "out-of-scope"),
        (DEPARTMENT, "not-permitted"),
        (Actor(id="c", roles=frozenset({"citizen"})), "not-permitted"),
    ],
)
def test_who_may_not_read_it(overseer, who, code):
    overseer.opened()
    assert code_of(overseer, who) == code


@pytest.mark.parametrize("bad", ["x", "-1", "1.5", "²", "9" * 30])
def test_a_bad_cursor(overseer, bad):
    overseer.opened()
    assert code_of(overseer, WORKER, cursor=bad) == "invalid-input"


def test_an_unknown_matter(overseer):
    assert code_of(overseer, WORKER, matter="none") == "unknown-matter"


def test_a_private_matter_exists_for_its_handlers_alone(overseer):
    overseer.opened(private=True)
    overseer.assigned("m-1")
    assert overseer.ask("timeline", WORKER, matter="m-1")["items"][0]["data"]["text"]
    assert code_of(overseer, STREET_CLERK) == "unknown-matter"
    overseer.assigned("m-1", unit="jianwai", level="street")
    assert overseer.ask("timeline", STREET_CLERK, matter="m-1")["withheld"] is False
    assert overseer.ask("timeline", WORKER, matter="m-1")["withheld"] is False


def test_who_handles_nothing_does_not_read_a_private_matter_of_the_same_unit(overseer):
    overseer.opened(private=True)
    overseer.assigned("m-1")
    host = Actor(id="host", roles=frozenset({"deliberation-host"}), unit=WORKER.unit)
    assert code_of(overseer, host) == "unknown-matter"


def test_a_private_matter_is_inspected_by_those_who_handle_it_alone(overseer):
    overseer.opened(private=True)
    overseer.assigned("m-1")
    supervisor = Actor(id="s", roles=frozenset({"supervisor"}), unit="jianwai")
    content = {"matter": "m-1", "kind": "on-site", "finding": "灯亮了", "passed": True}
    assert overseer.refused("record-inspection", supervisor, **content).code == "unknown-matter"


def test_who_audits_sees_that_something_happened_not_what(overseer):
    overseer.opened(private=True)
    overseer.opened("m-2")
    overseer.assigned("m-1")
    supervisor = Actor(id="s", roles=frozenset({"supervisor"}), unit=COMMUNITY)
    for who, matter in ((AUDITOR, "m-1"), (AUDITOR, "m-2"), (supervisor, "m-1")):
        found = overseer.ask("timeline", who, matter=matter)
        assert found["withheld"] is True
        assert all(item["data"] is None for item in found["items"])
    assert overseer.ask("timeline", supervisor, matter="m-2")["withheld"] is False


def test_a_matter_of_which_intake_has_not_told_yet_counts_as_private(overseer):
    overseer.assigned("m-1", unit="yongan-li-1")
    assert code_of(overseer, STREET_CLERK) == "unknown-matter"


def test_the_head_is_public(overseer):
    assert overseer.ask("trace-head", ANONYMOUS)["position"] == 0
    overseer.opened()
    found = overseer.http("GET", "/api/v1/trace/head").get_json()
    last = overseer.rows(tables.trace)[-1]
    assert (found["position"], found["hash"]) == (last["position"], last["hash"])


def test_inspections(overseer):
    overseer.opened()
    body = overseer.do("record-inspection", matter="m-1", kind="on-site", finding="灯亮了", passed=True).body
    [event] = overseer.settle()
    assert (event.inspection_id, event.kind, event.inspected_by) == (body["inspection"], "on-site", SUPERVISOR.id)
    assert len(overseer.rows(tables.inspections)) == 1


@pytest.mark.parametrize(
    ("who", "changes", "code"),
    [
        (STREET_CLERK, {}, "not-permitted"),
        (Actor(id="s", roles=frozenset({"supervisor"}), unit="yongan-li"), {}, "out-of-scope"),
        (SUPERVISOR, {"matter": "none"}, "unknown-matter"),
        (SUPERVISOR, {"kind": "by-phone"}, "invalid-input"),
        (SUPERVISOR, {"finding": " "}, "invalid-input"),
    ],
)
def test_who_may_not_inspect(overseer, who, changes, code):
    overseer.opened()
    content = {"matter": "m-1", "kind": "cloud", "finding": "亮", "passed": True} | changes
    assert overseer.refused("record-inspection", who, **content).code == code
    assert overseer.rows(tables.inspections) == []


def test_the_evaluations_of_a_matter(overseer):
    overseer.opened()
    overseer.closed()
    [item] = overseer.ask("evaluations", matter="m-1")["items"]
    assert (item["demand_id"], item["answered_at"]) == ("m-1-d0", None)
    with pytest.raises(Refusal, match="may not"):
        overseer.ask("evaluations", STREET_CLERK, matter="m-1")
