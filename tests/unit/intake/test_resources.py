"""The resource list: what is offered, where, by whom (J2, D7)."""

from __future__ import annotations

from datetime import timedelta

import pytest

from services.intake.definition import DEFINITION
from shared.kernel.actor import Actor
from shared.kernel.errors import Refusal

BANK = Actor(id="bank", roles=frozenset({"member-unit"}), unit="jianwai")
SHOP = Actor(id="shop", roles=frozenset({"member-unit"}), unit="guanghua-dongli")
OFFER = {
    "owner": "光华电气商行", "kind": "skill", "title": "上门修灯", "text": "每周六上午", "capacity": 3, "measure": "次",
}  # fmt: skip


def refused(code, call, *args, **kwargs):
    with pytest.raises(Refusal) as error:
        call(*args, **kwargs)
    assert error.value.code == code
    return error.value


def ask(suite, who, **parameters):
    route = next(one for one in DEFINITION.routes if one.path == "/api/v1/resources" and one.query is not None)
    return suite.applications["intake"].ask(route.query, parameters, who)


def offer(suite, who=SHOP, **changes):
    return suite.execute("intake.list-resource", OFFER | changes, who).body["resource_id"]


def test_what_is_offered_is_told_and_listed(suite, emitted, street):
    made = offer(suite)
    name, told = emitted()[-1]
    assert name == "intake.resource-listed"
    assert (told["resource_id"], told["units"], told["listed_by"]) == (made, ["guanghua-dongli"], "shop")
    assert [one["resource_id"] for one in ask(suite, street)["items"]] == [made]
    assert ask(suite, street, kind="venue")["items"] == []
    refused("out-of-scope", ask, suite, SHOP, unit="jianwai")


def test_bad_offers_name_the_field(suite, street):
    now = suite.clock.now()
    bad = [
        ("serves[0]", {"serves": ["no-such"]}),
        ("units[1]", {"units": ["guanghua-dongli", "no-such"]}),
        ("units[0]", {"units": ["dept-water"]}),
        ("available_until", {"available_until": now.isoformat()}),
        ("available_until", {
            "available_from": (now + timedelta(days=2)).isoformat(),
            "available_until": (now + timedelta(days=1)).isoformat(),
        }),
        ("capacity", {"capacity": 0}),
    ]  # fmt: skip
    for field, changes in bad:
        assert field in refused("invalid-input", offer, suite, street, **changes).fields
    refused("out-of-scope", offer, suite, SHOP, units=["jianwai"])
    refused("not-permitted", offer, suite, suite.actor("grid-worker-guanghua-dongli-1"))
    assert "units" in refused("invalid-input", offer, suite, Actor(id="x", roles=BANK.roles)).fields


def test_taken_off_the_list_by_its_owner_or_the_desk_above(suite, emitted, street):
    made, other = offer(suite), offer(suite)
    stranger = Actor(id="y", roles=BANK.roles, unit="jianguo-li")
    off = {"resource": made, "reason": "停业"}
    refused("unknown-resource", suite.execute, "intake.withdraw-resource", off, stranger)
    refused("unknown-resource", suite.execute, "intake.withdraw-resource", off | {"resource": "no"}, SHOP)
    refused("stale-version", suite.execute, "intake.withdraw-resource", off, SHOP, if_match=4)
    suite.execute("intake.withdraw-resource", off, SHOP, if_match=1)
    suite.execute("intake.withdraw-resource", off | {"resource": other}, street)
    refused("already-withdrawn", suite.execute, "intake.withdraw-resource", off, SHOP)
    assert [name for name, _ in emitted()][-2:] == ["intake.resource-withdrawn"] * 2
    assert all(one["withdrawn_at"] for one in ask(suite, street)["items"])


def test_pages(suite, street):
    made = [offer(suite, title=str(number)) for number in range(5)]
    first = ask(suite, street, limit="3")
    late = offer(suite)
    second = ask(suite, street, limit="3", cursor=first["next"])
    assert [one["resource_id"] for one in first["items"] + second["items"]] == [*made, late]
    assert second["next"] is None
