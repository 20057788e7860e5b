"""Resources of intake's list are suggested for matters, reserved, landed or given back (J8, D7, D8)."""

from __future__ import annotations

import pytest

from shared.contracts.intake import ResourceListed, ResourceWithdrawn
from shared.kernel.errors import Refusal
from tests.unit.dispatch.conftest import CLERK, COMMUNITY, GRID, HEAD, LIGHT, PHOTO, STREET, WORKER

OTHER = "jianguo-li"


def refused(code, call, *args, **kwargs):
    with pytest.raises(Refusal) as error:
        call(*args, **kwargs)
    assert error.value.code == code
    return error.value


@pytest.fixture
def offer(desk):
    def offer(resource, **changes):
        about = {
            "owner": "光华电气商行", "kind": "skill", "title": "上门修灯", "text": "每周六", "serves": (),
            "units": (STREET,), "capacity": 3, "measure": "次", "listed_by": "x",
        } | changes  # fmt: skip
        desk.receive(ResourceListed(resource_id=resource, **about))
        return resource

    return offer


def suggested(desk, who=CLERK, matter="m-1"):
    found = desk.ask(who, "/api/v1/matters/<matter>/suggestions", matter=matter)["items"]
    return [(one["resource_id"], [why["code"] for why in one["reasons"]]) for one in found]


def settle(desk, match, who=CLERK, **content):
    return desk.suite.execute("dispatch.settle-match", {"match": match, **content}, who).body


def test_what_fits_is_suggested_with_the_reason(desk, offer):
    desk.open(text=LIGHT)
    category = desk.view()["category"]
    offer("r-any")
    offer("r-exact", serves=(category,), units=(COMMUNITY,))
    offer("r-food", serves=("nuisance-music",))
    offer("r-elsewhere", units=(OTHER,))
    offer("r-past", available_until=desk.now.replace(hour=0))
    assert suggested(desk) == [
        ("r-exact", ["category-exact", "place-above", "capacity"]),
        ("r-any", ["category-any", "place-above", "capacity"]),
    ]
    desk.receive(ResourceWithdrawn(resource_id="r-exact", reason="停业", withdrawn_by="x"))
    assert [one for one, _ in suggested(desk)] == ["r-any"]
    refused("not-offered", desk.do, CLERK, "match-resource", resource="r-exact")
    refused("not-offered", desk.do, CLERK, "match-resource", resource="r-elsewhere")
    refused("unknown-resource", desk.do, CLERK, "match-resource", resource="no-such")


def test_capacity_is_never_given_out_twice_and_comes_back_when_a_match_falls_through(desk, offer):
    desk.open()
    desk.open("m-2")
    offer("r", capacity=3)
    first = desk.do(CLERK, "match-resource", resource="r", amount=2)
    assert (first["left"], first["reasons"][0]) == (1, "category-any")
    error = refused("capacity-exhausted", desk.do, CLERK, "match-resource", "m-2", resource="r", amount=2)
    assert error.where == "amount"
    desk.do(CLERK, "match-resource", "m-2", resource="r", amount=1)
    assert suggested(desk) == []
    settle(desk, first["match_id"], landed=False, outcome="对方停业")
    assert desk.do(CLERK, "match-resource", "m-2", resource="r", amount=2)["left"] == 0


def test_a_match_lands_with_evidence_and_once(desk, offer):
    desk.open()
    offer("r")
    match = desk.do(CLERK, "match-resource", resource="r", note="周六上午")["match_id"]
    refused("evidence-missing", settle, desk, match, landed=True, outcome="修好了")
    assert settle(desk, match, landed=True, outcome="修好了", evidence=[PHOTO])["landed"] is True
    refused("match-settled", settle, desk, match, landed=False, outcome="…")
    (shown,) = desk.view()["matches"]
    assert (shown["landed"], shown["owner"], shown["outcome"]) == (True, "光华电气商行", "修好了")
    assert [name for name, _ in desk.events() if "match" in name and "matter" not in name] == [
        "resource-matched", "match-settled",
    ]  # fmt: skip


def test_whose_matter_it_is(desk, offer):
    desk.open(private=True)
    offer("r")
    outsider = "community-clerk-jianguo-li"
    refused("unknown-matter", desk.do, outsider, "match-resource", resource="r")
    refused("unknown-matter", suggested, desk, outsider)
    refused("not-permitted", desk.do, HEAD, "match-resource", resource="r")
    match = desk.do(CLERK, "match-resource", resource="r")["match_id"]
    refused("out-of-scope", settle, desk, match, outsider, landed=False, outcome="…")
    refused("unknown-match", settle, desk, "no-such", landed=False, outcome="…")
    desk.close()
    refused("matter-not-open", desk.do, CLERK, "match-resource", resource="r")
    assert desk.view(WORKER)["located_in"]["id"] == GRID
