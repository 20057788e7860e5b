"""`gridwhistle calendar`: due times explained with all that moves them, and a year sent to a running suite."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from click.testing import CliRunner

from deploy.launcher import client, year_file
from deploy.launcher.cli import group
from deploy.launcher.year_file import BadYearFile
from shared.kernel import worktime
from shared.kernel.errors import Refusal

YEAR = "year: 2027\nsource: 测试用\ndays_off: [2027-01-01]\nmakeup_days: [2027-01-09]\n"
TABLE = Path(worktime.__file__).parent / "data" / "cn_workdays.json"


@pytest.fixture
def year_2027(tmp_path):
    path = tmp_path / "2027.yaml"
    path.write_text(YEAR, encoding="utf-8")
    return path


def run(*arguments):
    return CliRunner().invoke(group, ["calendar", *map(str, arguments)], standalone_mode=False)


def due(*arguments):
    found = run("due", *arguments, "--json")
    assert found.exception is None, found.exception
    return json.loads(found.stdout)


def refused(*arguments):
    error = run(*arguments).exception
    assert isinstance(error, Refusal), error
    return error


def test_what_was_granted_and_rested_is_explained_step_by_step():
    arguments = ["--class", "within-week", "--start", "2026-11-16T10:00"]
    found = due(*arguments, "--extended", "3", "--rest", "2026-11-18T09:00/2026-11-19T09:00")
    assert found["due_at"] == "2026-11-27T17:30:00+08:00"
    assert [step["code"] for step in found["steps"]] == ["started", "promised", "extended", "paused"]
    text = run("due", *arguments, "--extended", "3", "--rest", "2026-11-18T09:00/2026-11-19T09:00").stdout
    assert "批准延期 3 个工作日" in text
    assert "11-18 09:00 至 11-19 09:00 暂停" in text


def test_a_year_may_be_tried_before_it_is_taken_in(year_2027):
    arguments = ["--class", "within-week", "--start", "2026-12-29T10:00"]
    guessed = due(*arguments)
    assert (guessed["due_at"], guessed["provisional"]) == ("2027-01-05T17:30:00+08:00", True)
    known = due(*arguments, "--with", year_2027)
    assert (known["due_at"], known["provisional"]) == ("2027-01-06T17:30:00+08:00", False)


def test_a_due_time_in_a_year_that_is_not_published_says_so_by_its_code(year_2027):
    arguments = ["--class", "within-week", "--start", "2026-12-29T10:00"]
    why = due(*arguments)["provisional_year"]
    assert (why["code"], why["year"], why["covered_until"]) == ("provisional-year", 2027, "2026-12-31")
    assert "2027 年节假日安排尚未导入" in why["zh"]
    assert "counted anew" in why["en"]
    shown = run("due", *arguments)
    assert shown.return_value == 0
    assert "[provisional-year]" in shown.stdout
    assert due(*arguments, "--with", year_2027)["provisional_year"] is None
    early = due("--class", "within-week", "--start", "2019-06-03T10:00")["provisional_year"]
    assert (early["code"], early["year"], early["covered_from"]) == ("provisional-year", 2019, "2020-01-01")


def test_who_asks_strictly_is_refused_instead_of_guessed_for(year_2027):
    arguments = ["due", "--class", "within-week", "--start", "2026-12-29T10:00", "--strict"]
    for more in ((), ("--json",)):
        error = refused(*arguments, *more)
        assert (error.code, error.where) == ("provisional-year", "--start")
        assert "calendar import" in error.remedy
    assert run(*arguments, "--with", year_2027).return_value == 0
    # By the wall clock nothing is guessed, in whatever year.
    assert run("due", "--target", "elapsed: 2h", "--start", "2030-01-01T10:00", "--strict").return_value == 0


def test_a_rest_ends_after_it_begins():
    arguments = ["due", "--class", "within-week", "--rest", "2026-11-19T09:00/2026-11-18T09:00"]
    assert run(*arguments).exception.exit_code == 2
    assert run("due", "--class", "within-week", "--rest", "soon").exception.exit_code == 2


@pytest.fixture
def sent(monkeypatch):
    """What was posted; dispatch answers as it does."""
    posts = []

    def post(_self, service, path, body):
        posts.append((service, path, body))
        return {"calendar": "cn", "year": body["year"], "revision": 1}

    monkeypatch.setattr(client.SuiteClient, "post", post)
    return posts


def test_a_year_is_sent_to_dispatch(sent, year_2027):
    done = run("import", year_2027, "--url", "http://127.0.0.1:1", "--token", "t")
    assert done.return_value == 0
    assert "2027 年工作日历已导入" in done.stdout
    assert sent == [
        (
            "dispatch",
            "/api/v1/calendar/years",
            {
                "calendar": "cn", "year": 2027, "source": "测试用", "days_off": ["2027-01-01"],
                "makeup_days": ["2027-01-09"],
            },
        )
    ]  # fmt: skip


def test_the_national_tables_own_form_is_read_too(sent):
    arguments = ["import", TABLE, "--year", "2025", "--source", "国办发明电〔2024〕12号", "--url", "u", "--token", "t"]
    answer = json.loads(run(*arguments, "--json").stdout)
    assert answer["year"] == 2025
    ((_, _, body),) = sent
    assert body["source"] == "国办发明电〔2024〕12号"
    assert "2025-10-11" in body["makeup_days"]
    assert {day[:4] for day in body["days_off"]} == {"2025"}
    assert year_file.read(TABLE).year == 2026


def test_the_notice_is_named(tmp_path, sent):
    path = tmp_path / "y.yaml"
    path.write_text("year: 2027\ndays_off: [2027-01-01]\n", encoding="utf-8")
    assert run("import", path, "--url", "u", "--token", "t").exception.exit_code == 2
    assert sent == []


@pytest.mark.parametrize(
    ("text", "where"),
    [
        ("[1, 2]", "y.yaml"),
        ("year: 2027\nyear: 2028\n", "y.yaml"),
        ("year: twenty\ndays_off: [2027-01-01]\n", "year"),
        ("year: true\ndays_off: [2027-01-01]\n", "year"),
        ("year: 2027\n", "days_off"),
        ("year: 2027\ndays_off: 2027-01-01\n", "days_off"),
        ("year: 2027\ndays_off: [2027-01-01, 1.1.]\n", "days_off[1]"),
        ("year: 2027\ndays_off: [2027-01-01]\nmakeup_days: [20270109]\n", "makeup_days[0]"),
        ("year: 2027\ndays_off: [2027-01-01]\nmake_up: [2027-01-09]\n", "make_up"),
        ("years: {}\n", "years"),
        ("years: {'2027': 7}\n", "years"),
    ],
)
def test_a_file_that_holds_no_year_is_refused_and_nothing_is_sent(tmp_path, sent, text, where):
    path = tmp_path / "y.yaml"
    path.write_text(text, encoding="utf-8")
    found = refused("import", path, "--source", "x", "--url", "u", "--token", "t")
    assert isinstance(found, BadYearFile)
    assert found.where == where
    assert found.remedy
    assert sent == []


def test_a_year_that_leaves_a_gap_is_refused_when_tried(tmp_path):
    path = tmp_path / "y.yaml"
    path.write_text("year: 2029\ndays_off: [2029-01-01]\n", encoding="utf-8")
    found = refused("due", "--class", "within-week", "--with", path)
    assert found.code == "bad-year-file"
    assert "2027" in found.remedy
