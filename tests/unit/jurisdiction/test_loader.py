"""Loading a pack: what comes out of a sound one, and every problem of a broken one at once."""

from __future__ import annotations

from datetime import date, timedelta
from pathlib import Path

import pytest

from shared.jurisdiction import InvalidPack, PackNotFound, find, lint, load, reading
from shared.kernel.errors import Misconfigured
from shared.kernel.worktime import Target

PACKS = Path(__file__).parents[3] / "deploy" / "jurisdictions"


def problems_of(folder):
    with pytest.raises(InvalidPack) as refused:
        load(folder)
    assert isinstance(refused.value, Misconfigured)
    for problem in refused.value.problems:
        assert problem.what
        assert problem.remedy
        assert problem.file in str(refused.value)
    return refused.value.problems


def places(problems):
    return {(problem.code, problem.file, problem.path) for problem in problems}


def test_a_sound_pack_loads_whole(write, files):
    pack = load(write(files))
    assert (pack.name, pack.title.zh, pack.title.en) == ("tiny", "小镇", "Tiny Town")
    assert pack.levels == ("grid", "community", "street", "district")
    assert list(pack.units) == [one["id"] for one in files["units.yaml"]]
    assert pack.unit("grid-1").name.en == "grid-1"
    hazard, same_day = pack.policy.classes.values()
    assert hazard.clocks["resolve"] == Target.elapsed(7200)
    assert (hazard.warn_shares, hazard.grossly_overdue_share) == ((0.5, 0.8), 2.0)
    assert same_day.pausable
    assert pack.policy.whistle.report_in == Target.working(4 * 3600)
    assert pack.policy.routing[0].when.asker == ("enterprise",)
    assert pack.policy.escalation.authority_limits == {"grid": 2000, "community": 20000}
    assert pack.policy.escalation.after_returns == 2
    assert pack.policy.reopen.within == timedelta(days=7)
    assert pack.policy.evaluation.expires == timedelta(days=15)
    assert pack.policy.deliberation.options == {"days_open": 7}
    assert pack.policy.publication.whitelist == ("category",)
    assert pack.templates[0].subject.zh == "已登记 {{ number }}"
    assert lint(pack) == ()
    street, head = pack.unit("street-1").contact, pack.person("head-1").contact
    assert street is not None
    assert head is not None
    assert (street.mail, street.phone, head.phone) == ("street@tiny.example", None, "010-0001")
    assert pack.unit("grid-1").contact is None


def test_a_loaded_pack_cannot_be_changed(write, files):
    pack = load(write(files))
    for mapping in (pack.units, pack.policy.classes, pack.policy.classes["hazard"].clocks, pack.calendar.shifts):
        with pytest.raises(TypeError):
            mapping["x"] = 1
    with pytest.raises(AttributeError):
        pack.name = "other"


def test_templates_are_optional_and_other_files_and_folders_are_ignored(write, files):
    del files["templates.yaml"]
    folder = write({**files, "notes.yaml": "{{ not yaml", "README.md": "…"})
    (folder / "demo").mkdir()
    (folder / "scenarios").mkdir()
    (folder / "demo" / "demands.yaml").write_text("[", encoding="utf-8")
    assert load(folder).templates == ()


def test_the_digest_follows_every_byte_of_the_packs_files_and_nothing_else(write, files):
    folder = write(files)
    before = load(folder).digest
    assert len(before) == 64
    (folder / "README.md").write_text("…", encoding="utf-8")
    assert load(folder).digest == before
    with (folder / "policy.yaml").open("a", encoding="utf-8") as policy:
        policy.write("# a comment\n")
    assert load(folder).digest != before


def test_the_towns_own_days_override_the_national_ones(write, files):
    files["calendar.yaml"]["extra_days_off"] = ["2025-11-05", "2025-10-11"]
    files["calendar.yaml"]["extra_makeup_days"] = ["2025-11-08", "2025-10-08"]
    calendar = load(write(files)).calendar
    working = [date(2025, 11, 8), date(2025, 10, 8)]
    closed = [date(2025, 11, 5), date(2025, 10, 11)]
    assert all(calendar.is_working_day(day) for day in working)
    assert not any(calendar.is_working_day(day) for day in closed)
    assert calendar.version == "cn-2026.1+tiny.1"


def test_times_and_dates_without_quotes_mean_what_they_say(write, files):
    files["calendar.yaml"] = (
        "national: cn\n"
        "week: {mon: [[09:00, 12:00], [13:30, 17:30]], fri: [[13:30, 17:30]]}\n"
        "extra_days_off: [2025-11-05]\n"
    )
    calendar = load(write(files)).calendar
    assert calendar.hours(date(2025, 11, 7)) == ((13 * 3600 + 1800, 17 * 3600 + 1800),)
    assert date(2025, 11, 5) in calendar.days_off


def spoil(path, value):
    """Return a function that sets one place of the files to a value."""

    def change(files):
        *way, last = path
        place = files
        for step in way:
            place = place[step]
        if value is REMOVED:
            del place[last]
        else:
            place[last] = value

    return change


REMOVED = object()
J, U, S, C = "jurisdiction.yaml", "units.yaml", "staff.yaml", "categories.yaml"
K, P, T = "calendar.yaml", "policy.yaml", "templates.yaml"

#: A ladder rule that is right.
UP = {"id": "up", "clocks": ["resolve"], "share": 0.5, "to_level": "street"}
SPOILT = [
    # files and their outer shape
    ((J,), "a: [", ("not-yaml", J, "line 1, column 5")),
    ((U,), "- {id: a, id: b}", ("duplicate-key", U, "line 1, column 11")),
    ((U,), "{}", ("wrong-type", U, "")),
    ((U,), "[]", ("empty", U, "")),
    ((J,), "[]", ("wrong-type", J, "")),
    ((P,), "", ("wrong-type", P, "")),
    ((T,), "x", ("wrong-type", T, "")),
    ((S,), "- !!python/object:os.system {}", ("not-yaml", S, "line 1, column 3")),
    ((S,), "- ? [a]\n  : 1", ("not-yaml", S, "line 1, column 5")),
    # jurisdiction.yaml
    ((J, "name"), REMOVED, ("missing-field", J, "name")),
    ((J, "name"), "Tiny Town", ("not-an-id", J, "name")),
    ((J, "version"), 1, ("wrong-type", J, "version")),
    ((J, "version"), " ", ("empty", J, "version")),
    ((J, "version"), None, ("missing-field", J, "version")),
    ((J, "title"), {"en": "Tiny"}, ("not-a-name", J, "title")),
    ((J, "title"), {"zh": 5}, ("not-a-name", J, "title")),
    ((J, "levels"), [], ("empty", J, "levels")),
    ((J, "levels", 0), "department", ("reserved-level", J, "levels[0]")),
    ((J, "levels", 1), "grid", ("duplicate-id", J, "levels[1]")),
    ((J, "levels", 1), 7, ("wrong-type", J, "levels[1]")),
    ((J, "timezone"), "Asia/Peking", ("invalid-calendar", J, "timezone")),
    ((J, "colour"), "red", ("unknown-field", J, "colour")),
    # units.yaml
    ((U, 3, "id"), REMOVED, ("missing-field", U, "[3].id")),
    ((U, 3, "id"), "grid-2", ("duplicate-id", U, "[4].id")),
    ((U, 3, "parent"), "comunity-1", ("unknown-unit", U, "[3].parent")),
    ((U, 3, "level"), "cell", ("unknown-level", U, "[3].level")),
    ((U, 3, "kind"), "castle", ("unknown-kind", U, "[3].kind")),
    ((U, 3, "places"), {"a": 1}, ("wrong-type", U, "[3].places")),
    ((U, 3, "places", 1), "", ("empty", U, "[3].places[1]")),
    ((U, 3, "synthetic"), "yes", ("wrong-type", U, "[3].synthetic")),
    ((U, 3), "grid-1", ("wrong-type", U, "[3]")),
    # staff.yaml
    ((S, 0, "unit"), "grid-9", ("unknown-unit", S, "[0].unit")),
    ((S, 0, "roles"), [], ("empty", S, "[0].roles")),
    ((S, 0, "roles"), ["Grid Head"], ("not-an-id", S, "[0].roles[0]")),
    ((S, 1, "id"), "worker-1", ("duplicate-id", S, "[1].id")),
    # categories.yaml
    ((C, 1, "parent"), "biulding", ("unknown-category", C, "[1].parent")),
    ((C, 1, "id"), "drain", ("duplicate-id", C, "[2].id")),
    # calendar.yaml
    ((K, "national"), "us", ("unknown-value", K, "national")),
    ((K, "week"), {"mon": [["12:00", "09:00"]]}, ("invalid-calendar", K, "week.mon")),
    ((K, "week"), {}, ("invalid-calendar", K, "week")),
    ((K, "extra_days_off"), ["2025-13-01"], ("not-a-date", K, "extra_days_off[0]")),
    ((K, "extra_days_off"), [20251101], ("not-a-date", K, "extra_days_off[0]")),
    # classes of the policy
    ((P, "classes"), REMOVED, ("missing-field", P, "classes")),
    ((P, "classes"), {}, ("wrong-type", P, "classes")),
    ((P, "classes", 0, "clocks", "accept"), {"elapsed": "soon"}, ("invalid-target", P, "classes[0].clocks.accept")),
    ((P, "classes", 0, "clocks", "Accept"), {"elapsed": "1h"}, ("not-an-id", P, "classes[0].clocks.Accept")),
    ((P, "classes", 0, "clocks"), {}, ("wrong-type", P, "classes[0].clocks")),
    ((P, "classes", 0, "pausable"), REMOVED, ("missing-field", P, "classes[0].pausable")),
    ((P, "classes", 0, "warn_shares"), [0.8, 0.5], ("out-of-range", P, "classes[0].warn_shares")),
    ((P, "classes", 0, "warn_shares"), [0.5, 1.5], ("out-of-range", P, "classes[0].warn_shares")),
    ((P, "classes", 0, "warn_shares"), ["half"], ("wrong-type", P, "classes[0].warn_shares[0]")),
    ((P, "classes", 0, "grossly_overdue_share"), 1, ("out-of-range", P, "classes[0].grossly_overdue_share")),
    ((P, "classes", 1, "id"), "hazard", ("duplicate-id", P, "classes[1].id")),
    # rules of the policy
    ((P, "classification", 0, "class"), "hazrd", ("unknown-class", P, "classification[0].class")),
    ((P, "classification", 0, "category"), "none", ("unknown-category", P, "classification[0].category")),
    ((P, "classification", 0, "when"), {"words": ["x"]}, ("unknown-field", P, "classification[0].when.words")),
    ((P, "classification", 0, "when"), REMOVED, ("missing-field", P, "classification[0].when")),
    (
        (P, "classification", 1, "when"),
        {"categories": ["x"]},
        ("unknown-category", P, "classification[1].when.categories[0]"),
    ),
    (
        (P, "classification", 1, "when"),
        {"unit_kinds": ["x"]},
        ("unknown-kind", P, "classification[1].when.unit_kinds[0]"),
    ),
    ((P, "classification", 2, "when"), {"any_words": ["x"]}, ("no-catch-all", P, "classification[2]")),
    ((P, "classification"), [], ("no-catch-all", P, "classification")),
    ((P, "classification", 1, "id"), "trapped", ("duplicate-id", P, "classification[1].id")),
    ((P, "routing", 0, "start_level"), "cell", ("unknown-level", P, "routing[0].start_level")),
    # sections of the policy
    ((P, "escalation"), {"authority_limits": {"cell": 1}}, ("unknown-level", P, "escalation.authority_limits.cell")),
    ((P, "escalation"), {"authority_limits": {"grid": -1}}, ("out-of-range", P, "escalation.authority_limits.grid")),
    ((P, "escalation"), {"authority_limits": {"grid": 1.5}}, ("wrong-type", P, "escalation.authority_limits.grid")),
    ((P, "escalation"), {"rules": [{**UP, "to_level": "cell"}]}, ("unknown-level", P, "escalation.rules[0].to_level")),
    (
        (P, "escalation"),
        {"rules": [UP, {**UP, "classes": ["hazzard"]}]},
        ("unknown-class", P, "escalation.rules[1].classes[0]"),
    ),
    ((P, "escalation"), {"rules": [{**UP, "share": 0}]}, ("out-of-range", P, "escalation.rules[0].share")),
    ((P, "whistle", "extensions"), -1, ("out-of-range", P, "whistle.extensions")),
    ((P, "whistle", "complete"), {"working": "3d"}, ("invalid-target", P, "whistle.complete")),
    (
        (P, "whistle", "report_in_by_class"),
        {"hazzard": {"elapsed": "30m"}},
        ("unknown-class", P, "whistle.report_in_by_class.hazzard"),
    ),
    ((P, "escalation"), {"after_returns": 0}, ("out-of-range", P, "escalation.after_returns")),
    ((P, "escalation"), {"after_return": 2}, ("unknown-field", P, "escalation.after_return")),
    ((P, "whistle"), REMOVED, ("missing-field", P, "whistle")),
    ((P, "whistle", "report_in"), {"working": "3d"}, ("invalid-target", P, "whistle.report_in")),
    ((P, "whistle", "may_blow"), ["village"], ("unknown-level", P, "whistle.may_blow[0]")),
    ((P, "whistle", "hop_limit"), True, ("wrong-type", P, "whistle.hop_limit")),
    ((P, "reopen"), {"within": "7"}, ("invalid-target", P, "reopen.within")),
    ((P, "evaluation"), {"ask_after": "lunch"}, ("unknown-value", P, "evaluation.ask_after")),
    (
        (P, "evaluation"),
        {"reopen_when_unsatisfied": "maybe"},
        ("unknown-value", P, "evaluation.reopen_when_unsatisfied"),
    ),
    ((P, "deliberation"), {"quorum_share": 2}, ("out-of-range", P, "deliberation.quorum_share")),
    ((P, "deliberation"), "often", ("wrong-type", P, "deliberation")),
    # offices' addresses
    ((U, 1, "contact"), {"mail": "no address"}, ("invalid-value", U, "[1].contact.mail")),
    ((U, 1, "contact"), {"phone": None}, ("missing-field", U, "[1].contact")),
    ((S, 1, "contact"), {"fax": "1"}, ("unknown-field", S, "[1].contact.fax")),
    # templates.yaml
    ((T, 0, "body"), {"zh": "{{ number "}, ("template-syntax", T, "[0].body")),
    ((T, 0, "channels"), REMOVED, ("missing-field", T, "[0].channels")),
]


@pytest.mark.parametrize(
    ("path", "value", "expected"), SPOILT, ids=[f"{one[2][0]} {one[2][1]} {one[2][2]}" for one in SPOILT]
)
def test_one_problem_is_named_with_its_place(write, files, path, value, expected):
    spoil(path, value)(files)
    found = places(problems_of(write(files)))
    assert expected in found
    # What named the thing that is gone may be reported too, and nothing else.
    assert all(code.startswith("unknown-") for code, _, _ in found - {expected})


def test_all_problems_are_reported_at_once(write, files):
    wrong = [one for one in SPOILT if len(one[0]) > 2 and one[2][1] in {U, S, C} and one[0][1] in {0, 1, 3}]
    chosen = [wrong[2], ((S, 0, "unit"), "grid-9", ("unknown-unit", S, "[0].unit"))]
    for path, value, _ in chosen:
        spoil(path, value)(files)
    files[J]["colour"] = "red"
    files[P]["classes"][0]["clocks"]["accept"] = {"elapsed": "soon"}
    files[P]["whistle"]["may_blow"] = ["village"]
    del files[K]
    found = places(problems_of(write(files)))
    assert found == {
        *(expected for _, _, expected in chosen),
        ("unknown-field", J, "colour"),
        ("invalid-target", P, "classes[0].clocks.accept"),
        ("unknown-level", P, "whistle.may_blow[0]"),
        ("file-missing", K, ""),
    }


def test_problems_come_in_the_order_of_the_files(write, files):
    files[P]["colour"] = files[J]["colour"] = "red"
    files[S][0]["unit"] = "nowhere"
    assert [problem.file for problem in problems_of(write(files))] == [J, S, P]


def test_a_wrong_item_is_not_held_against_those_that_name_it(write, files):
    files[U][2]["level"] = 7
    assert places(problems_of(write(files))) == {("wrong-type", U, "[2].level")}


def test_a_slip_of_the_pen_gets_the_likely_word(write, files):
    files[U][3]["parent"] = "comunity-1"
    assert "community-1" in problems_of(write(files))[0].remedy


def test_days_both_off_and_on_are_refused(write, files):
    files[K]["extra_days_off"] = files[K]["extra_makeup_days"] = ["2025-11-08"]
    assert places(problems_of(write(files))) == {("contradicting-days", K, "extra_makeup_days")}


def test_a_file_that_is_not_utf_8_is_refused_with_its_line(write, files):
    folder = write(files)
    (folder / U).write_bytes("# ok\n- 网格".encode("gb18030"))
    assert ("not-utf-8", U, "line 2") in places(problems_of(folder))


def test_a_file_too_large_is_refused(write, files):
    assert ("file-too-large", S, "") in places(problems_of(write({**files, S: "#" * (8 * 1024 * 1024 + 1)})))


def test_a_file_that_is_a_folder_is_refused(write, files):
    folder = write(files)
    (folder / U).unlink()
    (folder / U).mkdir()
    assert ("file-unreadable", U, "") in places(problems_of(folder))


def test_an_empty_folder_names_every_file_it_lacks(tmp_path):
    assert {problem.file for problem in problems_of(tmp_path)} == {J, U, S, C, K, P}


def test_packs_are_found_by_path_and_by_name(write, files, tmp_path):
    folder = write(files)
    assert find(folder) == folder
    assert find("tiny", tmp_path) == folder
    assert find(str(folder), tmp_path) == folder
    with pytest.raises(PackNotFound, match="tiny"):
        find("huge", tmp_path)
    with pytest.raises(PackNotFound):
        find("huge")


@pytest.mark.parametrize("folder", sorted(PACKS.glob("*/jurisdiction.yaml")), ids=lambda path: path.parent.name)
def test_every_pack_of_the_project_loads_and_makes_sense(folder):
    assert lint(load(folder.parent)) == ()


@pytest.mark.parametrize("text", ["[" * 200_000, "- " * 200_000, "? " * 200_000, "{a: " * 100_000])
def test_what_is_nested_without_end_is_refused_and_ends_nothing(text):
    value, problem = reading.parse(text.encode(), "units.yaml")
    assert value is None
    assert (problem.code, problem.file) == ("not-yaml", "units.yaml")
    assert "nested" in problem.what


def test_many_short_lists_are_not_deep():
    value, problem = reading.parse(("- [a, {b: c}]\n" * 500).encode(), "units.yaml")
    assert problem is None
    assert len(value) == 500
