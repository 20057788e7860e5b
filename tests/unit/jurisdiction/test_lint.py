"""The linter: each kind of nonsense in a pack gets its finding, and a sound pack none."""

from __future__ import annotations

import pytest

from shared.jurisdiction import Inputs, Severity, lint, load

U, S, C, P = "units.yaml", "staff.yaml", "categories.yaml", "policy.yaml"


@pytest.fixture
def lint_files(write, files):
    """Change the files with a function, load them and lint."""

    def run(change):
        change(files)
        return lint(load(write(files)))

    return run


def where(findings):
    for finding in findings:
        assert finding.what
        assert finding.remedy
        assert finding.path in str(finding)
    return [(finding.code, finding.path) for finding in findings]


def rule(ident, **when):
    return {"id": ident, "when": when, "class": "same-day"}


def set_parent(ident, parent):
    def change(files):
        for one in [*files[U], *files[C]]:
            if one["id"] == ident:
                one["parent"] = parent

    return change


def staff_without(unit):
    def change(files):
        files[S] = [one for one in files[S] if one["unit"] != unit]

    return change


def test_units_that_are_their_own_ancestors(lint_files):
    found = where(lint_files(set_parent("street-1", "community-1")))
    assert ("cyclic-parents", "units.street-1.parent") in found
    assert sum(code == "cyclic-parents" for code, _ in found) == 1


def test_categories_that_are_their_own_ancestors(lint_files):
    assert where(lint_files(set_parent("building", "lift"))) == [("cyclic-parents", "categories.building.parent")]


def test_a_category_that_is_its_own_parent_still_classifies(write, files):
    set_parent("building", "building")(files)
    assert load(write(files)).classify(Inputs("电梯有异响")).rule_id == "building"


def test_a_parent_that_is_not_above(lint_files):
    def change(files):
        set_parent("grid-2", "grid-1")(files)

    assert ("parent-not-above", "units.grid-2") in where(lint_files(change))


def test_a_sub_grid_may_stay_on_its_grids_level(lint_files):
    def change(files):
        files[U][4] |= {"parent": "grid-1", "kind": "sub-grid"}
        files[U] = [one for one in files[U] if one["id"] != "zone-1"]
        staff_without("zone-1")(files)

    assert lint_files(change) == ()


def test_a_level_without_units(lint_files):
    def change(files):
        files["jurisdiction.yaml"]["levels"] = ["grid", "community", "street", "district", "city"]

    found = lint_files(change)
    assert where(found) == [("level-unreachable", "levels.city")]
    assert "it has no unit" in found[0].what


def test_a_level_above_which_no_grid_stands(lint_files):
    found = lint_files(set_parent("street-1", None))
    assert where(found) == [("level-unreachable", "levels.district")]
    assert found[0].severity is Severity.ERROR


@pytest.mark.parametrize("unit", ["grid-2", "zone-1", "street-1"])
def test_a_unit_with_nobody_responsible(lint_files, unit):
    found = lint_files(staff_without(unit))
    assert where(found) == [("unit-unstaffed", f"units.{unit}")]
    assert found[0].severity is Severity.WARNING


def test_watching_is_not_handling(lint_files):
    def change(files):
        for one in files[S]:
            if one["unit"] == "grid-2":
                one["roles"] = ["supervisor"]

    assert where(lint_files(change)) == [("unit-unstaffed", "units.grid-2")]


def test_a_group_nobody_belongs_to_needs_nobody(lint_files):
    def change(files):
        group = {"id": "alliance-1", "name": "片区", "level": "group", "kind": "alliance", "parent": "street-1"}
        files[U].append(group)

    assert lint_files(change) == ()


def test_a_department_nobody_staffs(lint_files):
    found = lint_files(staff_without("water"))
    assert where(found) == [("department-unstaffed", "units.water")]
    assert found[0].severity is Severity.ERROR


@pytest.mark.parametrize("department", ["watr", "street-1"])
def test_a_category_whose_department_is_unknown(lint_files, department):
    def change(files):
        files[C][2]["department"] = department

    assert where(lint_files(change)) == [("department-unknown", "categories.drain.department")]


def test_a_place_in_two_units(lint_files):
    def change(files):
        files[U][4]["places"].append("光華里 １號樓")

    assert where(lint_files(change)) == [("place-shared", "units.grid-2.places")]


def test_a_class_never_assigned(lint_files):
    def change(files):
        files[P]["classification"][0]["class"] = "same-day"

    assert where(lint_files(change)) == [("class-never-assigned", "classes.hazard")]


@pytest.mark.parametrize(
    ("earlier", "later"),
    [
        ({}, {"any_words": ["x"]}),
        ({"any_words": ["电梯"]}, {"any_words": ["電梯困人", "电梯停运"]}),
        ({"any_words": ["电梯", "扶梯"]}, {"any_words": ["电梯"], "asker": "enterprise"}),
        ({"any_words": ["坡道"]}, {"all_words": ["坡道", "门禁"]}),
        ({"all_words": ["坡道"]}, {"all_words": ["坡道", "门禁"]}),
        ({"all_words": ["坡道"]}, {"any_words": ["坡道破", "修坡道"]}),
        ({"categories": ["building"]}, {"categories": ["lift"]}),
        ({"asker": ["enterprise", "system"]}, {"asker": "enterprise", "any_words": ["x"]}),
        ({"channels": ["patrol"]}, {"channels": ["patrol"], "unit_kinds": ["building"]}),
        ({"unit_kinds": ["building"]}, {"unit_kinds": ["building"]}),
    ],
)
def test_a_rule_behind_one_that_takes_everything_it_would(lint_files, earlier, later):
    def change(files):
        files[P]["classification"][1:1] = [rule("earlier", **earlier), rule("later", **later)]

    assert ("rule-never-matches", "classification.later") in where(lint_files(change))


@pytest.mark.parametrize(
    ("earlier", "later"),
    [
        ({"any_words": ["电梯困人"]}, {"any_words": ["电梯"]}),
        ({"any_words": ["电梯"]}, {"any_words": ["电梯", "扶梯"]}),
        ({"any_words": ["电梯"]}, {"asker": "enterprise"}),
        ({"all_words": ["坡道", "门禁"]}, {"all_words": ["坡道"]}),
        ({"all_words": ["坡道", "门禁"]}, {"any_words": ["坡道", "门禁"]}),
        ({"any_words": ["电梯"], "asker": "enterprise"}, {"any_words": ["电梯"]}),
        ({"categories": ["lift"]}, {"categories": ["building"]}),
        ({"categories": ["building"]}, {"any_words": ["楼"]}),
        ({"asker": "enterprise"}, {"asker": ["enterprise", "system"]}),
        ({"channels": ["patrol"]}, {"unit_kinds": ["building"]}),
    ],
)
def test_a_rule_that_still_may_match_is_left_alone(lint_files, earlier, later):
    def change(files):
        files[P]["classification"][1:1] = [rule("earlier", **earlier), rule("later", **later)]

    assert ("rule-never-matches", "classification.later") not in where(lint_files(change))


def test_everything_behind_an_early_catch_all(lint_files):
    def change(files):
        files[P]["classification"].insert(0, rule("too-early"))

    found = where(lint_files(change))
    assert [path for code, path in found if code == "rule-never-matches"] == [
        "classification.trapped",
        "classification.building",
        "classification.otherwise",
    ]


def test_routing_rules_are_checked_too(lint_files):
    def change(files):
        files[P]["routing"].append({"id": "more", "when": {"asker": "enterprise"}, "start_level": "street"})

    assert where(lint_files(change)) == [("rule-never-matches", "routing.more")]


def test_a_clock_kind_nobody_knows(lint_files):
    def change(files):
        files[P]["classes"][0]["clocks"]["resolv"] = {"elapsed": "2h"}

    assert where(lint_files(change)) == [("clock-kind-unknown", "classes.hazard.clocks.resolv")]


def test_a_breach_of_a_clock_no_class_has(lint_files):
    def change(files):
        files[P]["escalation"]["on_breach"] = ["resolve", "feedback"]

    assert where(lint_files(change)) == [("clock-kind-unknown", "escalation.on_breach.feedback")]


@pytest.mark.parametrize(
    ("rule", "found"),
    [
        ({"clocks": ["resolve"], "share": 0.5}, False),
        ({"clocks": ["resolve"], "share": 1.0}, False),
        ({"clocks": ["resolve"], "share": 3, "classes": ["same-day"]}, False),
        ({"clocks": ["resolve"], "share": 0.6}, True),
        ({"clocks": ["resolve"], "share": 3, "classes": ["hazard"]}, True),
        ({"clocks": ["feedback"], "share": 0.5}, True),
    ],
)
def test_a_ladder_rule_that_never_fires(lint_files, rule, found):
    def change(files):
        files[P]["escalation"]["rules"] = [{"id": "up", "to_level": "street", **rule}]

    expected = [("ladder-rule-never-fires", "escalation.rules.up")] if found else []
    assert where(lint_files(change)) == expected


def test_a_class_that_promises_no_handling_time(lint_files):
    def change(files):
        del files[P]["classes"][0]["clocks"]["resolve"]

    assert where(lint_files(change)) == [("class-without-resolve", "classes.hazard.clocks")]


def test_two_promises_about_reporting_in_that_disagree(lint_files):
    def change(files):
        files[P]["classes"][1]["clocks"]["report-in"] = {"working": "2h"}

    assert where(lint_files(change)) == [("sla-sources-disagree", "classes.same-day.clocks.report-in")]


def test_two_promises_about_reporting_in_that_agree(lint_files):
    def change(files):
        files[P]["classes"][1]["clocks"]["report-in"] = {"working": "240m"}

    assert lint_files(change) == ()


@pytest.mark.parametrize(
    "accept", [{"elapsed": "3h"}, {"working": "121m"}, {"end_of_working_day": {"days": 0}}, {"end_of_month": {}}]
)
def test_accepting_promised_later_than_resolving(lint_files, accept):
    def change(files):
        files[P]["classes"][0]["clocks"]["accept"] = accept

    assert where(lint_files(change)) == [("sla-sources-disagree", "classes.hazard.clocks.accept")]


def test_a_hazard_that_may_be_paused(lint_files):
    def change(files):
        files[P]["classes"][0]["clocks"]["hazard-survey"] = {"elapsed": "2h"}
        files[P]["classes"][0]["pausable"] = True

    assert where(lint_files(change)) == [("hazard-pausable", "classes.hazard.pausable")]


def test_authority_that_does_not_rise(lint_files):
    def change(files):
        files[P]["escalation"]["authority_limits"] = {"community": 500, "grid": 2000}

    assert where(lint_files(change)) == [("authority-not-rising", "escalation.authority_limits.community")]


def test_errors_come_before_warnings(lint_files):
    def change(files):
        staff_without("grid-1")(files)
        files[P]["classes"][0]["clocks"]["resolv"] = {"elapsed": "2h"}

    assert [finding.severity for finding in lint_files(change)] == [Severity.ERROR, Severity.WARNING]
