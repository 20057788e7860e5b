"""A year of the calendar is taken in: open clocks are counted anew, stopped ones keep their outcome."""

from __future__ import annotations

import shutil
from datetime import UTC, date, datetime, timedelta

import pytest
from sqlalchemy import select

from deploy.launcher.suite import Suite
from services.dispatch import calendars
from services.dispatch.tables import clocks
from shared.jurisdiction import load
from shared.kernel.actor import Actor
from shared.kernel.errors import Invalid, Refusal
from shared.ledger.engines import reading
from shared.ledger.unit_of_work import look_only
from tests.unit.dispatch.conftest import DISTRICT_CLERK, GAS, LIGHT, PACK, PHOTO, RAMP, WORKER, Desk

ADMIN = Actor(id="admin", roles=frozenset({"system-admin"}))
#: A Monday, 09:00 in Beijing, from which 22 working days reach into a year that is not published yet.
DECEMBER = datetime(2026, 12, 14, 1, 0, tzinfo=UTC)
#: Made up: nobody has published 2027 yet.
YEAR_2027 = {
    "year": 2027, "source": "测试用,非国办通知", "days_off": ["2027-01-01", "2027-01-02", "2027-01-03"],
    "makeup_days": ["2027-01-09"],
}  # fmt: skip


@pytest.fixture
def desk(pack):
    suite = Suite.in_memory(pack, DECEMBER, only=["dispatch"])
    yield Desk(suite)
    suite.close()


def take_in(desk, **changes):
    reply = desk.suite.execute("dispatch.import-calendar", YEAR_2027 | changes, ADMIN)
    desk.suite.settle()
    desk.wait(seconds=1)
    return reply


def refused(code, call, *args, **kwargs):
    with pytest.raises(Refusal) as found:
        call(*args, **kwargs)
    assert found.value.code == code
    return found.value


def test_a_due_time_in_a_year_that_nobody_has_published_is_marked_and_says_why(desk):
    desk.open(text=RAMP)
    clock = desk.clock("resolve")
    assert clock["provisional"] is True
    assert "超出已公布日历" in clock["target_words"]
    assert clock["due_at"] == "2027-01-13T09:30:00Z"  # plain weekdays, no holiday guessed


def test_the_year_moves_what_is_open_and_what_was_promised_first_stays(desk):
    desk.open(text=RAMP)
    desk.do(WORKER, "accept")
    reply = take_in(desk)
    assert reply.body == {"calendar": "cn", "year": 2027, "revision": 1}
    clock = desk.clock("resolve")
    # New Year's Day is off and the Saturday after is worked: it comes to the same day, and is certain now.
    assert (clock["due_at"], clock["provisional"]) == ("2027-01-13T09:30:00Z", False)
    take_in(desk, makeup_days=[])
    clock = desk.clock("resolve")
    assert clock["due_at"] == "2027-01-14T09:30:00Z"
    assert clock["original_due_at"] == "2027-01-13T09:30:00Z"
    told = [(one["kind"], one["from_due_at"], one["due_at"]) for one in desk.events("clock-recounted")]
    assert told == [
        ("feedback", "2027-01-15T09:30:00Z", "2027-01-15T09:30:00Z"),
        ("resolve", "2027-01-13T09:30:00Z", "2027-01-13T09:30:00Z"),
        ("feedback", "2027-01-15T09:30:00Z", "2027-01-18T09:30:00Z"),
        ("resolve", "2027-01-13T09:30:00Z", "2027-01-14T09:30:00Z"),
    ]
    assert desk.events("clock-recounted")[0]["calendar"].startswith("cn-2026.1+2027.1")
    assert [step["detail"]["clocks"] for step in desk.view()["steps"] if step["action"] == "recounted"] == [
        ["feedback", "resolve"], ["feedback", "resolve"],
    ]  # fmt: skip


def test_the_list_is_sorted_by_the_new_due_time(desk):
    desk.open(text=RAMP)
    desk.do(WORKER, "accept")
    take_in(desk, makeup_days=[])
    assert desk.view()["next_due_at"] == "2027-01-14T09:30:00Z"


def test_what_has_stopped_keeps_its_outcome(desk):
    desk.open(text=LIGHT)
    desk.close()
    desk.open("m-2", LIGHT)
    before = desk.view()["clocks"]
    take_in(desk)
    assert desk.view()["clocks"] == before
    assert desk.events("clock-recounted") == []  # m-2 is due today, whatever next year brings
    assert behind(desk) == [0, 0, 0, 1, 1, 1]


def behind(desk):
    """Calendars that clocks were counted on, in the order they were started."""
    with reading(desk.app.at_hand.engine) as db:
        return list(db.execute(select(clocks.c.calendar_revision).order_by(clocks.c.id)).scalars())


def test_clocks_started_afterwards_are_counted_on_it(desk):
    take_in(desk, makeup_days=[])
    desk.open(text=RAMP)
    assert desk.clock("resolve")["due_at"] == "2027-01-14T09:30:00Z"
    assert desk.events("clock-recounted") == []
    assert set(behind(desk)) == {1}


def test_a_correction_in_the_middle_of_the_year_replaces_what_was_said(desk):
    """2020-01-27: the holiday was made longer while it lasted."""
    desk.open(text=RAMP)
    desk.do(WORKER, "accept")
    take_in(desk)
    take_in(desk, days_off=[*YEAR_2027["days_off"], "2027-01-04", "2027-01-05"], source="延长假期的通知")
    assert desk.clock("resolve")["due_at"] == "2027-01-15T09:30:00Z"
    assert [one["revision"] for one in desk.events("calendar-imported")] == [1, 2]


def test_the_same_year_once_more_changes_nothing(desk):
    desk.open(text=RAMP)
    assert take_in(desk).created
    before = desk.events()
    again = take_in(desk, days_off=list(reversed(YEAR_2027["days_off"])))
    assert not again.created
    assert again.body["revision"] == 1
    assert desk.events() == before


def test_a_breach_that_the_holiday_took_back_is_told_again_only_if_it_comes(desk):
    desk.until(datetime(2026, 12, 31, 1, 0, tzinfo=UTC))
    desk.open(text="施工噪音扰民")
    desk.do(WORKER, "accept")
    desk.until(datetime(2027, 1, 7, 9, 31, tzinfo=UTC))  # plain weekdays: due on the 7th, 17:30
    assert [one["kind"] for one in desk.events("clock-breached")] == ["resolve"]
    take_in(desk, makeup_days=[])
    clock = desk.clock("resolve")
    assert (clock["due_at"], clock["breached_at"], clock["band"]) == ("2027-01-08T09:30:00Z", None, "due-soon")
    assert [one["kind"] for one in desk.events("clock-warned")].count("resolve") == 2  # not warned once more
    desk.until(datetime(2027, 1, 8, 9, 31, tzinfo=UTC))
    resolves = [one for one in desk.events("clock-breached") if one["kind"] == "resolve"]
    assert [one["due_at"] for one in resolves] == ["2027-01-07T09:30:00Z", "2027-01-08T09:30:00Z"]


def test_a_matter_that_rests_or_waits_for_verification_is_counted_too(desk):
    desk.open(text=RAMP)
    desk.do(WORKER, "accept")
    desk.do(DISTRICT_CLERK, "suspend", reason="等")
    desk.open("m-2", RAMP)
    desk.do(WORKER, "accept", "m-2")
    desk.do(WORKER, "resolve", "m-2", outcome="好了", evidence=[PHOTO])
    take_in(desk, makeup_days=[])
    assert desk.clock("resolve", "m-2")["due_at"] == "2027-01-14T09:30:00Z"
    desk.do(DISTRICT_CLERK, "resume")
    # It rested for one second of working time, which are the first of the next day.
    assert desk.clock("resolve")["due_at"] == "2027-01-15T01:00:01Z"


def test_more_clocks_than_a_batch_are_all_counted(desk):
    for number in range(45):
        desk.open(f"m-{number}", RAMP)
    take_in(desk, makeup_days=[])
    assert set(behind(desk)) == {1}
    assert len({one["matter_id"] for one in desk.events("clock-recounted")}) == 45


def test_a_process_that_has_not_heard_yet_is_caught_up_with(desk):
    """Another process took the year in a moment ago; this one starts a clock on what it still has."""
    with look_only(desk.app.at_hand) as work:
        old = calendars.in_force(work)
    take_in(desk, makeup_days=[])
    calendars._KNOWN[desk.app.at_hand.engine] = calendars._Kept(desk.suite.jurisdiction, old, desk.now)
    desk.open(text=RAMP)
    desk.wait(seconds=1)
    assert [one["due_at"] for one in desk.events("clock-started") if one["kind"] == "resolve"] == [
        "2027-01-13T09:30:00Z"
    ]
    assert desk.clock("resolve")["due_at"] == "2027-01-14T09:30:00Z"


def test_only_the_administrator_takes_calendars_in(desk):
    with pytest.raises(Refusal) as found:
        desk.suite.execute("dispatch.import-calendar", YEAR_2027, DISTRICT_CLERK)
    assert found.value.code == "not-permitted"


@pytest.mark.parametrize(
    ("changes", "where", "words"),
    [
        ({"year": 2028, "days_off": ["2028-01-01"], "makeup_days": []}, "year", "import 2027 first"),
        ({"year": 2019, "days_off": ["2019-01-01"], "makeup_days": []}, "year", "gap"),
        ({"days_off": ["2026-10-01"]}, "days_off", "not in 2027"),
        ({"makeup_days": ["2028-01-08"]}, "makeup_days", "not in 2027"),
        ({"makeup_days": ["2027-01-02"]}, "makeup_days", "also a day off"),
        ({"makeup_days": ["2027-01-06"]}, "makeup_days", "no Saturday or Sunday"),
    ],
)
def test_a_year_that_cannot_be_meant_is_refused(desk, changes, where, words):
    found = refused("bad-calendar", take_in, desk, **changes)
    assert found.where == where
    assert words in f"{found.what} {found.remedy}".replace("Import", "import")
    assert desk.events("calendar-imported") == []


def test_what_is_no_date_is_named(desk):
    with pytest.raises(Invalid) as found:
        take_in(desk, days_off=["2027-01-01", "1. Januar"], makeup_days=["2027-02-30"])
    assert set(found.value.fields) == {"days_off[1]"}


def test_a_notice_may_say_how_the_last_days_of_the_year_before_are_worked(desk):
    take_in(desk, days_off=["2026-12-31", "2027-01-01"], makeup_days=["2026-12-26"])
    with look_only(desk.app.at_hand) as work:
        own = calendars.in_force(work).own
    assert own.is_working_day(date(2026, 12, 26))
    assert not own.is_working_day(date(2026, 12, 31))
    assert own.covered_until == date(2027, 12, 31)
    assert own.is_working_day(date(2027, 1, 4))
    assert timedelta(0) == own.instant(date(2027, 1, 4), 9 * 3600) - datetime(2027, 1, 4, 1, tzinfo=UTC)


def test_the_calendar_in_force_is_shown_with_what_was_taken_in(desk):
    def shown():
        return desk.ask(DISTRICT_CLERK, "/api/v1/calendar")

    assert (shown()["revision"], shown()["years"], shown()["recount_pending"]) == (0, [], False)
    desk.open(text=RAMP)
    desk.app.execute("dispatch.import-calendar", YEAR_2027, ADMIN)
    assert shown()["recount_pending"] is True
    desk.wait(seconds=1)
    (own,), (year,) = shown()["calendars"], shown()["years"]
    assert (own["name"], own["covered_until"], own["open_now"]) == (None, "2027-12-31", True)
    assert (year["year"], year["source"], year["imported_by"]) == (2027, "测试用,非国办通知", "admin")
    assert shown()["recount_pending"] is False


def test_due_times_are_explained_on_the_calendar_in_force(desk):
    def asked(**parameters):
        return desk.ask(DISTRICT_CLERK, "/api/v1/calendar/due", **parameters)

    question = {"class": "within-week", "start": "2026-12-30T01:00:00Z"}
    guessed = asked(**question)
    assert (guessed["counted_due_at"], guessed["counted_provisional"]) == ("2027-01-06T09:30:00Z", True)
    assert [step["code"] for step in guessed["steps"]] == ["started", "promised", "provisional"]
    take_in(desk)
    known = asked(**question)
    assert (known["counted_due_at"], known["counted_provisional"]) == ("2027-01-07T09:30:00Z", False)
    refused("unknown-class", asked, **{"class": "whenever"})
    refused("unknown-clock", asked, kind="hazard-plan", **question)
    for start in ("tomorrow", "9000-01-01T00:00:00Z"):
        refused("invalid-input", asked, **{"class": "within-week", "start": start})


def test_whoever_sets_a_due_time_in_such_a_year_is_told_by_its_code(desk):
    """Nobody is refused because of it: matters are opened, extended and suspended as ever."""
    desk.open(text=RAMP)
    assert "provisional" not in desk.do(WORKER, "accept")  # it set none
    desk.do(WORKER, "request-extension", days=3, reason="等")
    reply = desk.do(DISTRICT_CLERK, "decide-extension", granted=True)
    assert [(one["clock"], one["code"], one["year"], one["due_at"]) for one in reply["provisional"]] == [
        ("feedback", "provisional-year", 2027, "2027-01-20T09:30:00Z"),
        ("resolve", "provisional-year", 2027, "2027-01-18T09:30:00Z"),
    ]
    assert all("2027 年" in one["zh"] and "2027" in one["en"] for one in reply["provisional"])
    desk.do(DISTRICT_CLERK, "suspend", reason="等", until="2027-02-01T01:00:00Z")
    assert desk.do(DISTRICT_CLERK, "resume")["provisional"][0]["code"] == "provisional-year"
    reply = desk.do(DISTRICT_CLERK, "reclassify", response_class="within-week", reason="小修")
    assert "provisional" not in reply  # due on the 24th, in the year that is known
    take_in(desk)
    reply = desk.do(DISTRICT_CLERK, "reclassify", response_class="within-month", reason="还是大修")
    assert "provisional" not in reply


def test_lists_and_matters_say_which_due_times_are_guesses(desk):
    desk.open(text=RAMP)
    desk.do(WORKER, "accept")
    desk.open("m-2", LIGHT)
    desk.until(datetime(2026, 12, 31, 20, 0, tzinfo=UTC))
    desk.open("m-3", GAS)  # 24 hours reach into the new year, by the wall clock

    def said():
        items = desk.ask(DISTRICT_CLERK, "/api/v1/matters")["items"]
        return {one["matter_id"]: (one["provisional_year"] or {}).get("code") for one in items}

    assert said() == {"m-1": "provisional-year", "m-2": None, "m-3": None}
    assert desk.view()["provisional_year"]["year"] == 2027
    assert desk.clock("resolve")["provisional_year"]["covered_until"] == "2026-12-31"
    assert desk.clock("resolve", "m-3")["provisional_year"] is None
    take_in(desk)
    assert set(said().values()) == {None}
    assert desk.clock("resolve")["provisional_year"] is None


def test_only_who_asks_for_a_certain_due_time_is_refused(desk):
    question = {"class": "within-week", "start": "2026-12-30T01:00:00Z"}

    def asked(**more):
        return desk.ask(DISTRICT_CLERK, "/api/v1/calendar/due", **question, **more)

    assert asked()["provisional_year"]["code"] == "provisional-year"
    found = refused("provisional-year", asked, strict="true")
    assert (found.status, found.where) == (422, "start")
    refused("invalid-input", asked, strict="perhaps")
    take_in(desk)
    assert asked(strict="true")["provisional_year"] is None


def test_a_class_that_names_another_calendar_is_counted_on_it_before_and_after(pack, tmp_path):
    folder = tmp_path / "jianwai"
    shutil.copytree(PACK, folder)
    days = "\n".join(f'      {day}: [["10:00", "16:00"]]' for day in ("mon", "tue", "wed", "thu", "fri", "sat"))
    other = f"\nothers:\n  works:\n    national: cn\n    week:\n{days}\n"
    (folder / "calendar.yaml").write_text((folder / "calendar.yaml").read_text("utf-8") + other, "utf-8")
    policy = (folder / "policy.yaml").read_text("utf-8")
    policy = policy.replace("  - id: within-month\n", "  - id: within-month\n    calendar: works\n", 1)
    (folder / "policy.yaml").write_text(policy, "utf-8")
    suite = Suite.in_memory(load(folder), DECEMBER, only=["dispatch"])
    desk = Desk(suite)
    desk.open(text=RAMP)
    assert desk.clock("resolve")["due_at"] == "2027-01-08T08:00:00Z"  # Saturdays count, and it closes at four
    take_in(desk, makeup_days=[])
    assert desk.clock("resolve")["due_at"] == "2027-01-11T08:00:00Z"
    assert "works" in desk.events("clock-recounted")[-1]["calendar"]
    desk.open("m-2", LIGHT)
    assert desk.clock("resolve", "m-2")["due_at"] == "2026-12-14T09:30:00Z"
    suite.close()
