"""The published report: figures from events, nothing personal, the same in JSON, CSV and HTML."""

from __future__ import annotations

import csv
import hashlib
import io
import json
from dataclasses import replace
from datetime import timedelta

import pytest

from services.oversight import tables
from services.oversight.domain.publication import FIELDS, check_whitelist
from services.oversight.domain.report import COUNTS, SHARES
from services.oversight.web.table import as_csv
from shared.contracts import dispatch
from shared.contracts.oversight import ReportPublished
from shared.kernel.actor import ANONYMOUS, Actor
from shared.kernel.clock import rfc3339
from shared.kernel.errors import Misconfigured
from tests.unit.oversight.conftest import COMMUNITY, GRID, START, STREET_CLERK, SUPERVISOR

DAY = timedelta(days=1)
PERIOD = {"period_from": rfc3339(START - DAY), "period_to": rfc3339(START + 3 * DAY)}
CLERK = Actor(id="c", roles=frozenset({"community-clerk"}), unit=COMMUNITY)
#: A clerk with the right role, whose territory is too small.
OTHER_STREET = Actor(id="o", roles=frozenset({"street-clerk"}), unit=COMMUNITY)
AUDITOR = Actor(id="a", roles=frozenset({"audit-admin"}))


@pytest.fixture
def month(overseer):
    """Six matters: kept, broken, overdue, suspended, running, and a private one; three answers."""
    due = START + DAY
    for name in ("kept", "broken", "overdue", "resting", "running", "secret"):
        overseer.opened(name, private=name == "secret", category="building-light")
        overseer.hear(
            dispatch.MatterClassified(
                matter_id=name, response_class="same-day", category="building-light", rule="r", inputs={},
                policy_version="p", decided_by="s",
            )
        )  # fmt: skip
        overseer.assigned(name)
        overseer.clock_started(name, due if name != "running" else START + 9 * DAY)
    overseer.demand("kept", 1)
    overseer.hear(dispatch.MatterSuspended(matter_id="resting", reason="等材料", approved_by="x"))
    overseer.clock.advance(DAY / 2)
    for name in ("kept", "secret"):
        overseer.clock_stopped(f"{name}-resolve-1", due)
        overseer.closed(name)
    overseer.clock.advance(DAY)
    overseer.clock_stopped("broken-resolve-1", due, "breached")
    overseer.closed("broken", on_time=False)
    asked = {event.demand_id: event.evaluation_id for event in overseer.settle()}
    assert len(asked) == 4
    overseer.answer(asked["kept-d0"], resolved=True)
    overseer.answer(asked["kept-d1"], satisfied=False, comment="王大妈不满意 13800138000")
    overseer.answer(asked["broken-d0"])
    overseer.settle()
    overseer.clock.set(START + 4 * DAY)
    return overseer


def figures(document):
    return {figure["figure"]: figure for figure in document["figures"]}


def test_the_figures(month):
    document = month.ask("report-preview", **PERIOD)
    found = {name: figure["value"] for name, figure in figures(document).items()}
    assert {name: found[name] for name in COUNTS} == {
        "opened": 6, "merged": 1, "closed": 3, "open": 3, "overdue_open": 1, "suspended_open": 1, "in_time_open": 1,
        "escalated": 0, "whistled": 0, "deliberated": 0, "reopened": 0, "withdrawn": 0,
    }  # fmt: skip
    on_time = figures(document)["on_time_share"]
    assert (on_time["numerator"], on_time["denominator"], on_time["percent"]) == (2, 4, "50.0")
    assert "挂账 1 件" in on_time["left_out"]["zh"]
    satisfaction = figures(document)["satisfaction"]
    assert (satisfaction["numerator"], satisfaction["denominator"], satisfaction["percent"]) == (2, 3, "66.7")
    rate = figures(document)["response_rate"]
    assert (rate["numerator"], rate["denominator"], rate["percent"]) == (3, 4, "75.0")
    assert figures(document)["resolution_share"]["suppressed"] is True


def test_every_figure_has_formula_sample_and_what_it_left_out(month):
    document = month.ask("report-preview", **PERIOD)
    assert [figure["figure"] for figure in document["figures"]] == [*COUNTS, *SHARES]
    for figure in document["figures"]:
        assert figure["formula"]["zh"]
        assert figure["formula"]["en"]
        assert figure["left_out"]["zh"]
        assert isinstance(figure["sample"], int)


def test_an_empty_period(month):
    document = month.ask("report-preview", period_from=rfc3339(START - 9 * DAY), period_to=rfc3339(START - 8 * DAY))
    assert document["matters"] == 0
    assert {figure["value"] for figure in document["figures"]} == {0, None}
    assert document["closed_matters"] == []


def test_later_events_do_not_change_an_earlier_period(month):
    early = {"period_from": rfc3339(START - DAY), "period_to": rfc3339(START + DAY)}
    before = month.ask("report-preview", **early)
    found = {name: figure["value"] for name, figure in figures(before).items()}
    assert (found["closed"], found["open"], found["overdue_open"], found["suspended_open"]) == (2, 4, 0, 1)
    month.closed("overdue", on_time=False)
    month.hear(dispatch.MatterResumed(matter_id="resting", reason="到了", resumed_by="x"))
    month.hear(dispatch.MatterReopened(matter_id="kept", unit=GRID, reason="又坏了", reopened_by="x", attempt=2))
    after = month.ask("report-preview", **early)
    assert after["figures"] == before["figures"]
    assert after["breakdowns"] == before["breakdowns"]


def test_a_reopened_matter_is_open_again_and_its_first_outcome_stays(month):
    month.clock.set(START + 2 * DAY)
    month.hear(dispatch.MatterReopened(matter_id="kept", unit=GRID, reason="又坏了", reopened_by="x", attempt=2))
    month.clock.set(START + 4 * DAY)
    found = figures(month.ask("report-preview", **PERIOD))
    assert (found["open"]["value"], found["reopened"]["value"], found["closed"]["value"]) == (4, 1, 3)
    assert (found["on_time_share"]["numerator"], found["on_time_share"]["denominator"]) == (2, 4)


def test_a_clock_that_was_broken_on_the_way_up_counts_as_overdue(month):
    month.clock.set(START + 2 * DAY)
    month.clock_stopped("running-resolve-1", START + DAY, "breached")
    month.clock.set(START + 4 * DAY)
    assert figures(month.ask("report-preview", **PERIOD))["overdue_open"]["value"] == 2


def test_a_cancelled_clock_does_not(month):
    month.clock.set(START + 2 * DAY)
    month.clock_stopped("overdue-resolve-1", START + DAY, "cancelled")
    month.clock.set(START + 4 * DAY)
    assert figures(month.ask("report-preview", **PERIOD))["overdue_open"]["value"] == 0


def test_breakdowns_add_up(month):
    document = month.ask("report-preview", **PERIOD)
    assert [table["by"] for table in document["breakdowns"]] == [
        "response_class", "level", "community", "street", "category",
    ]  # fmt: skip
    for table in document["breakdowns"]:
        assert sum(row["opened"] for row in table["rows"]) == 6
        assert table["sample"] == document["matters"]
    community = document["breakdowns"][2]["rows"]
    assert [row["key"] for row in community] == [COMMUNITY]


def test_small_rows_are_shown_together(month):
    month.clock.set(START + DAY)
    month.opened("a", unit="yongan-li-1")
    month.opened("b", unit=None)
    month.clock.set(START + 4 * DAY)
    rows = month.ask("report-preview", **PERIOD)["breakdowns"][2]["rows"]
    assert [(row["key"], row["matters"]) for row in rows] == [("(small)", 8)]
    assert "3 项" in rows[0]["label"]["zh"]


def test_only_the_units_territory(month):
    month.clock.set(START + DAY)
    month.opened("elsewhere", unit="yongan-li-1")
    month.opened("nowhere", unit=None)
    month.clock.set(START + 4 * DAY)
    assert month.ask("report-preview", **PERIOD)["matters"] == 8
    assert month.ask("report-preview", **PERIOD, unit=COMMUNITY)["matters"] == 6


def test_the_list_shows_whitelisted_fields_of_matters_that_are_not_private(month):
    document = month.ask("report-preview", **PERIOD)
    listed = {matter["matter_number"]: matter for matter in document["closed_matters"]}
    assert set(listed) == {"N-kept", "N-broken"}
    assert document["closed_matters_left_out"] == {"private": 1}
    whitelist = set(month.pack.policy.publication.whitelist)
    assert all(set(matter) == whitelist for matter in listed.values())
    assert listed["N-kept"]["on_time"] is True
    assert listed["N-kept"]["closed_on"] == "2025-09-09"
    assert listed["N-kept"]["satisfaction"] == {"satisfied": 1, "answers": 2}
    assert listed["N-broken"]["community"]["zh"] == month.pack.unit(COMMUNITY).name.zh


def test_a_matter_with_one_private_demand_is_not_listed(month):
    month.demand("kept", 2, private=True)
    document = month.ask("report-preview", **PERIOD)
    assert {matter["matter_number"] for matter in document["closed_matters"]} == {"N-broken"}


def test_nothing_personal_in_any_format(month):
    body = month.do("publish-report", STREET_CLERK, **PERIOD).body
    [event] = month.settle()
    assert isinstance(event, ReportPublished)
    for ending in ("html", "csv", "json"):
        answer = month.http("GET", f"/reports/{body['report']}.{ending}")
        assert answer.status_code == 200
        text = answer.get_data(as_text=True)
        for personal in ("王大妈", "13800138000", "灯修好了", "N-secret", "sealed", "等材料"):
            assert personal not in text


def test_the_digest_is_over_the_published_bytes_and_in_the_trace(month):
    body = month.do("publish-report", STREET_CLERK, **PERIOD).body
    published = month.http("GET", f"/reports/{body['report']}.json").get_data()
    assert hashlib.sha256(published).hexdigest() == body["digest"]
    month.settle()
    last = month.rows(tables.trace)[-1]
    assert json.loads(last["envelope"])["data"]["digest"] == body["digest"]


def test_the_page(month):
    report = month.do("publish-report", STREET_CLERK, **PERIOD).body["report"]
    answer = month.http("GET", f"/reports/{report}.html")
    page = answer.get_data(as_text=True)
    assert answer.content_type == "text/html; charset=utf-8"
    assert '<html lang="zh-CN">' in page
    assert 'lang="en"' in page
    assert "50.0% (2/4)" in page
    assert "样本过少" in page
    assert 'scope="row"' in page
    for outside in ("<script", "http://", "https://", "@import", "url("):
        assert outside not in page


def test_the_public_list(month):
    assert "尚未发布" in month.http("GET", "/").get_data(as_text=True)
    report = month.do("publish-report", STREET_CLERK, **PERIOD, unit=COMMUNITY).body["report"]
    for address in ("/", "/reports"):
        page = month.http("GET", address).get_data(as_text=True)
        assert f"/reports/{report}.html" in page
        assert month.pack.unit(COMMUNITY).name.zh in page
    assert month.http("GET", "/reports/none.html").status_code == 404


def test_the_list_pages_through(month):
    published = [month.do("publish-report", STREET_CLERK, **PERIOD).body["report"] for _ in range(5)]
    seen, cursor = [], ""
    while cursor is not None:
        page = month.ask("reports", ANONYMOUS, limit="2", cursor=cursor)
        seen += [item["report_id"] for item in page["items"]]
        cursor = page["next"]
    assert seen == sorted(published, reverse=True)


def test_csv(month):
    report = month.do("publish-report", STREET_CLERK, **PERIOD).body["report"]
    raw = month.http("GET", f"/reports/{report}.csv").get_data()
    assert raw.startswith(b"\xef\xbb\xbf")
    lines = list(csv.DictReader(io.StringIO(raw.decode("utf-8-sig"))))
    [on_time] = [line for line in lines if (line["section"], line["key"]) == ("figures", "on_time_share")]
    assert (on_time["value"], on_time["numerator"], on_time["denominator"], on_time["sample"]) == ("0.5", "2", "4", "4")
    assert on_time["formula_zh"]
    assert {line["section"] for line in lines} >= {"report", "figures", "by_community", "closed_matters"}


def test_csv_holds_no_spreadsheet_formula(month):
    document = month.ask("report-preview", **PERIOD)
    document["closed_matters"][0]["matter_number"] = '=HYPERLINK("x")'
    assert b"'=HYPERLINK" in as_csv(document)


@pytest.mark.parametrize(
    ("period", "who", "code"),
    [
        ({"period_to": rfc3339(START + 9 * DAY)}, STREET_CLERK, "period-not-over"),
        ({"period_to": rfc3339(START - 2 * DAY)}, STREET_CLERK, "invalid-input"),
        ({"unit": "atlantis"}, STREET_CLERK, "unknown-unit"),
        ({}, OTHER_STREET, "out-of-scope"),
        ({"unit": "yongan-li"}, OTHER_STREET, "out-of-scope"),
        ({}, CLERK, "not-permitted"),
        ({}, SUPERVISOR, "not-permitted"),
        ({}, AUDITOR, "not-permitted"),
        ({}, ANONYMOUS, "unauthenticated"),
        ({}, Actor(id="w", roles=frozenset({"grid-worker"}), unit=GRID), "not-permitted"),
    ],
)
def test_what_is_not_published(month, period, who, code):
    assert month.refused("publish-report", who, **(PERIOD | period)).code == code
    assert month.rows(tables.reports) == []


def test_the_street_publishes_for_itself_and_for_a_community(month):
    assert month.do("publish-report", STREET_CLERK, **PERIOD, unit=COMMUNITY).version == 1
    assert month.do("publish-report", STREET_CLERK, **PERIOD).version == 1


def test_hostile_names_are_only_words(month):
    hostile = '"><script>alert(1)</script>'
    month.opened("x", number=hostile)
    month.closed("x")
    month.clock.advance(DAY)
    period = {"period_from": PERIOD["period_from"], "period_to": rfc3339(START + 5 * DAY)}
    report = month.do("publish-report", STREET_CLERK, **period).body["report"]
    page = month.http("GET", f"/reports/{report}.html").get_data(as_text=True)
    assert "<script" not in page
    assert "&lt;script&gt;" in page


def test_a_whitelist_with_an_unknown_field_stops_the_start(pack):
    check_whitelist(pack)
    publication = replace(pack.policy.publication, whitelist=("matter_number", "asker_name"))
    with pytest.raises(Misconfigured, match="asker_name"):
        check_whitelist(replace(pack, policy=replace(pack.policy, publication=publication)))


def test_no_field_can_show_words():
    assert not FIELDS.keys() & {"text", "asker", "name", "phone", "address", "comment", "place"}
