"""A matter split into parts: opened side by side, its askers stay with the whole."""

from __future__ import annotations

import pytest

from services.intake import domain
from services.intake.domain import Standing
from shared.kernel.errors import Refusal

CLERK = "community-clerk-guanghua-dongli"
PARTS = [{"text": "更换门禁"}, {"text": "修坡道", "unit": "guanghua-dongli-2", "category": "access-ramp"}]


def refused(code, call, *args, **kwargs):
    with pytest.raises(Refusal) as error:
        call(*args, **kwargs)
    assert error.value.code == code
    return error.value


@pytest.fixture
def matter(suite, worker):
    body = {
        "channel": "hotline", "text": "门禁坏了,坡道也没有", "location": {"address": "光华东里1号楼"},
        "asker": {"kind": "resident", "name": "测试人", "phone": "13800000001"},
    }  # fmt: skip
    return suite.execute("intake.register-demand", body, worker).body["matter_id"]


def split(suite, matter, who=CLERK, **changes):
    content = {"matter": matter, "parts": PARTS, "reason": "两个部门"} | changes
    how = {"if_match": content.pop("if_match")} if "if_match" in content else {}
    return suite.execute("intake.split-matter", content, who, **how).body


def test_parts_are_opened_for_dispatch_and_told_on_the_whole(suite, matter, emitted):
    parts = split(suite, matter)["parts"]
    assert [one["number"] for one in parts] == ["M20261116000002", "M20261116000003"]
    names = [name for name, _ in emitted()][2:]
    assert names == ["intake.matter-split", "intake.matter-opened", "intake.matter-opened"]
    told, first, second = [data for _, data in emitted()[2:]]
    assert (told["matter_id"], told["parts"]) == (matter, [one["matter_id"] for one in parts])
    assert (first["parent"], first["unit"], first["text"]) == (matter, "guanghua-dongli-1", "更换门禁")
    assert first["place"]["address"] == "光华东里1号楼"
    assert (second["unit"], second["category"], second["place"]["address"]) == (
        "guanghua-dongli-2", "access-ramp", None,
    )  # fmt: skip


def test_what_cannot_be_split(suite, matter, worker):
    refused("not-permitted", split, suite, matter, worker)
    refused("out-of-scope", split, suite, matter, "community-clerk-jianguo-li")
    refused("unknown-matter", split, suite, "no-such")
    refused("stale-version", split, suite, matter, if_match=7)
    assert "parts[0].unit" in refused("invalid-input", split, suite, matter, parts=[{"text": "x", "unit": "y"}]).fields
    bad = [{"text": "x", "category": "y"}]
    assert "parts[0].category" in refused("invalid-input", split, suite, matter, parts=bad).fields
    assert "parts" in refused("invalid-input", split, suite, matter, parts=[]).fields
    part = split(suite, matter, if_match=1)["parts"][0]["matter_id"]
    refused("already-a-part", split, suite, part)
    assert split(suite, matter, if_match=2)["parts"]


def test_a_part_of_nowhere_has_to_say_where_it_lies(suite, worker, street):
    body = {"channel": "hotline", "text": "不知道在哪", "location": {"address": "某处"}}
    matter = suite.execute("intake.register-demand", body, worker).body["matter_id"]
    error = refused("invalid-input", split, suite, matter, street, parts=[{"text": "x"}])
    assert "parts[0].unit" in error.fields
    assert split(suite, matter, street, parts=[{"text": "x", "unit": "guanghua-dongli-1"}])["parts"]


def test_a_private_matter_is_not_there_for_others_and_its_parts_are_private(suite, worker, emitted):
    body = {"channel": "micro-wish", "text": "不想公开", "location": {"address": "光华东里1号楼"}, "private": True}
    matter = suite.execute("intake.register-demand", body, worker).body["matter_id"]
    refused("unknown-matter", split, suite, matter, "community-clerk-jianguo-li")
    split(suite, matter, parts=[{"text": "一部分"}])
    assert emitted()[-1][1]["private"] is True


@pytest.mark.parametrize("standing", [Standing.RESOLVED, Standing.CLOSED, Standing.WITHDRAWN])
def test_what_is_said_to_be_done_is_not_split(standing):
    refused("matter-not-open", domain.check_splitting, standing, None)
    domain.check_splitting(Standing.IN_HAND, None)
