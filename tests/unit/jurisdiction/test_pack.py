"""What services ask of a loaded pack: territory, people, places, classes and starting levels."""

from __future__ import annotations

import json

import pytest

from shared.jurisdiction import (
    Inputs,
    UnknownCategory,
    UnknownClass,
    UnknownLevel,
    UnknownPerson,
    UnknownUnit,
    load,
)


@pytest.fixture
def pack(write, files):
    """The tiny pack, loaded."""
    return load(write(files))


def ids(units):
    return [unit.id for unit in units]


def test_units_and_their_places_in_the_tree(pack):
    assert pack.parent_of("grid-1").id == "community-1"
    assert pack.parent_of("district-1") is None
    assert ids(pack.path("grid-1")) == ["district-1", "street-1", "community-1", "grid-1"]
    assert ids(pack.ladder("grid-1")) == ["grid-1", "community-1", "street-1", "district-1"]
    assert ids(pack.ladder("grid-2")) == ["grid-2", "zone-1", "street-1", "district-1"]
    assert ids(pack.departments()) == ["water"]
    assert pack.is_within("grid-1", "street-1")
    assert pack.is_within("grid-1", "grid-1")
    assert not pack.is_within("street-1", "grid-1")
    assert [pack.level_index(level) for level in pack.levels] == [0, 1, 2, 3]


def test_what_is_not_there_is_refused_with_a_remedy(pack):
    asked = [
        (UnknownUnit, lambda: pack.unit("grid-9")),
        (UnknownUnit, lambda: pack.ladder("grid-9")),
        (UnknownUnit, lambda: pack.responsible("grid-9")),
        (UnknownUnit, lambda: pack.is_within("grid-1", "grid-9")),
        (UnknownPerson, lambda: pack.person("nobody")),
        (UnknownCategory, lambda: pack.category("none")),
        (UnknownCategory, lambda: pack.classify(Inputs("坏了", category="none"))),
        (UnknownCategory, lambda: pack.start_unit("grid-1", Inputs("坏了", category="none"))),
        (UnknownLevel, lambda: pack.level_index("department")),
        (UnknownClass, lambda: pack.policy.response_class("none")),
    ]
    for error, ask in asked:
        with pytest.raises(error) as refused:
            ask()
        assert refused.value.remedy
        assert refused.value.code.startswith("unknown-")


def test_those_who_handle_are_responsible_the_head_first(pack):
    assert ids(pack.responsible("grid-1")) == ["head-1", "worker-1", "secretary-1"]
    assert ids(pack.responsible("water")) == ["officer-1"]
    assert pack.person("watcher-1").unit == "grid-1"


@pytest.mark.parametrize(
    ("grid", "address", "unit"),
    [
        ("grid-2", None, "grid-2"),
        ("grid-2", "光华里1号楼", "grid-2"),
        ("grid-9", "光华里1号楼", "grid-1"),
        ("grid-9", None, None),
        (None, "朝阳区光华里 1 号楼三单元", "grid-1"),
        (None, "光華里２號樓", "grid-1"),
        (None, "光华里3号楼", "community-1"),
        # 11 is not 1, and 88 is not 8
        (None, "光华里11号楼", "community-1"),
        (None, "建国路88号", None),
        (None, "建国路8号", "grid-2"),
        (None, "建国路88号,建国路8号对面", "grid-2"),
        (None, "火星", None),
        (None, "", None),
        (None, None, None),
    ],
)
def test_places_are_found_by_grid_or_by_the_longest_fragment(pack, grid, address, unit):
    found = pack.locate(grid=grid, address=address)
    assert (found.id if found else None) == unit


def test_equally_long_fragments_of_two_units_locate_nothing(write, files):
    files["units.yaml"][4]["places"] = ["光华里2号院"]
    pack = load(write(files))
    assert pack.locate(address="光华里1号楼与光华里2号院之间") is None
    assert pack.locate(address="光华里1号楼与光华里2号楼之间").id == "grid-1"


@pytest.mark.parametrize(
    ("text", "category"),
    [
        ("電梯又坏了", "lift"),
        ("下水道堵塞,电梯旁边", "drain"),
        ("有人电梯困人", "lift"),
        # two words each worth two signs; the pack's order decides
        ("电梯堵塞", "lift"),
        ("路灯不亮", None),
        ("", None),
    ],
)
def test_a_category_is_suggested_by_its_words(pack, text, category):
    found = pack.suggest_category(text)
    assert (found.id if found else None) == category


def test_a_matter_gets_the_class_of_the_first_rule_and_why(pack):
    answer = pack.classify(Inputs("快来!電梯困人", channel="web", unit_kind="resident"))
    assert (answer.class_id, answer.rule_id, answer.category) == ("hazard", "trapped", "lift")
    assert answer.inputs == {
        "category": None,
        "suggested_category": "lift",
        "asker": "resident",
        "channel": "web",
        "unit_kind": "resident",
        "words": ["电梯困人"],
    }
    assert "快来" not in json.dumps(answer.inputs, ensure_ascii=False)


def test_a_rule_on_a_category_takes_those_below_it(pack):
    answer = pack.classify(Inputs("电梯有异响"))
    assert (answer.rule_id, answer.category) == ("building", "lift")


def test_the_given_category_wins_over_the_suggested_one(pack):
    answer = pack.classify(Inputs("电梯有异响", category="drain"))
    assert (answer.rule_id, answer.category) == ("otherwise", "drain")
    assert answer.inputs["suggested_category"] == "lift"


@pytest.mark.parametrize(
    ("when", "inputs", "matches"),
    [
        ({"all_words": ["坡道", "门禁"]}, Inputs("坡道和門禁都坏了"), True),
        ({"all_words": ["坡道", "门禁"]}, Inputs("坡道坏了"), False),
        ({"asker": "enterprise"}, Inputs("x", asker="enterprise"), True),
        ({"asker": ["enterprise", "system"]}, Inputs("x"), False),
        ({"channels": ["patrol"]}, Inputs("x", channel="patrol"), True),
        ({"channels": ["patrol"]}, Inputs("x"), False),
        ({"unit_kinds": ["building"]}, Inputs("x", unit_kind="building"), True),
        ({"unit_kinds": ["building"]}, Inputs("x", unit_kind="resident"), False),
        ({"any_words": ["坏", "堵"], "asker": "enterprise"}, Inputs("坏了"), False),
        ({"any_words": ["坏", "堵"], "asker": "enterprise"}, Inputs("堵了", asker="enterprise"), True),
        ({"categories": ["drain"]}, Inputs("路灯"), False),
    ],
)
def test_all_conditions_of_a_rule_must_hold(write, files, when, inputs, matches):
    files["policy.yaml"]["classification"].insert(0, {"id": "tried", "when": when, "class": "hazard"})
    assert (load(write(files)).classify(inputs).rule_id == "tried") is matches


@pytest.mark.parametrize(
    ("level", "unit", "start"),
    [
        ("grid", "grid-1", "grid-1"),
        ("community", "grid-1", "community-1"),
        ("group", "grid-2", "zone-1"),
        ("group", "grid-1", "grid-1"),
        # grid-2 has no community above it: the next higher level
        ("community", "grid-2", "street-1"),
        # never downwards
        ("grid", "street-1", "street-1"),
        ("district", "district-1", "district-1"),
    ],
)
def test_a_routing_rule_names_the_level_a_matter_starts_on(write, files, level, unit, start):
    files["policy.yaml"]["routing"] = [{"id": "all", "when": {}, "start_level": level}]
    pack = load(write(files))
    assert pack.start_unit(unit, Inputs("坏了")).id == start
    assert pack.start_unit(pack.unit(unit), Inputs("坏了")).id == start


def test_without_a_rule_a_matter_starts_where_it_is(pack):
    assert pack.start_unit("grid-2", Inputs("坏了")).id == "grid-2"
    assert pack.start_unit("grid-2", Inputs("坏了", asker="enterprise")).id == "zone-1"
