"""A year of the calendar is taken in while a whistle call is open: its deadlines move, and the department is told."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st
from sqlalchemy import null, select, update

from deploy.launcher.suite import Suite
from services.dispatch.domain.deadlines import COMPLETE, DECIDE, REPORT_IN, Counted
from services.dispatch.domain.states import Part
from services.dispatch.domain.whistle import Seat
from services.dispatch.whistle_tables import whistle_seats, whistles
from shared.kernel.worktime import Target
from shared.ledger.engines import reading, writing
from tests.unit.dispatch.conftest import CLERK, DISTRICT_CLERK, GAS, PHOTO, RAMP, STREET_CLERK, WORKER, Desk
from tests.unit.dispatch.test_departments import told
from tests.unit.dispatch.test_time_calendars import take_in

WATER, HOUSING, FIRE = "dept-water", "dept-housing", "dept-fire"
WATER_OFFICER, HOUSING_OFFICER = "department-officer-dept-water", "department-officer-dept-housing"
CALL = {"departments": [WATER, HOUSING], "request": "请到场查看管线"}
#: Thursday, 15:30 in Beijing, before a year that nobody has published: four working hours reach into New Year's Day.
EVE = datetime(2026, 12, 31, 7, 30, tzinfo=UTC)
#: On plain weekdays: two hours on Thursday, two on Friday. With the holiday: two hours on Monday.
GUESSED, KNOWN = "2027-01-01T03:00:00Z", "2027-01-04T03:00:00Z"


@pytest.fixture
def desk(pack):
    """Departments have five working days to finish, unless the call says otherwise."""
    policy = replace(pack.policy, whistle=replace(pack.policy.whistle, complete=Target.end_of_working_day(5)))
    suite = Suite.in_memory(replace(pack, policy=policy), EVE, only=["dispatch"])
    desk = Desk(suite)
    desk.open(text=RAMP)
    desk.do(WORKER, "accept")
    yield desk
    suite.close()


def blow(desk, matter="m-1", **more):
    return desk.do(CLERK, "blow-whistle", matter, **CALL | more)["whistle_id"]


def call(desk, whistle):
    return desk.ask(CLERK, "/api/v1/whistles/<whistle>", whistle=whistle)


def changed(desk, department):
    return [
        {name: value for name, value in data.items() if name in {"report_in_by", "complete_by", "decide_by"} and value}
        for kind, data in told(desk, department, "changed")
        if data["cause"] == "calendar-changed"
    ]


def recounted(desk):
    return [(one["stage"], one["from_by"], one["by"]) for one in desk.events("whistle-recounted")]


def test_the_holiday_moves_what_was_counted_and_each_department_is_told(desk):
    whistle = blow(desk)
    assert call(desk, whistle)["report_in_by"] == GUESSED
    before = call(desk, whistle)["version"]
    take_in(desk)
    found = call(desk, whistle)
    assert (found["report_in_by"], found["version"]) == (KNOWN, before + 1)
    assert [seat["report_in_by"] for seat in found["departments"]] == [KNOWN, KNOWN]
    # The Saturday that is worked makes up for New Year's Day: five working days come to the day before.
    complete = ("complete", "2027-01-07T09:30:00Z", "2027-01-08T09:30:00Z")
    assert recounted(desk) == [("report-in", GUESSED, KNOWN), complete]
    assert [one["departments"] for one in desk.events("whistle-recounted")] == [[WATER, HOUSING]] * 2
    assert changed(desk, WATER) == changed(desk, HOUSING) == [{"report_in_by": KNOWN}, {"complete_by": complete[2]}]
    assert changed(desk, FIRE) == []
    assert [step["detail"]["whistles"] for step in desk.view()["steps"] if step["action"] == "recounted"] == [[whistle]]


def test_a_deadline_that_is_a_guess_says_so_to_who_whistles_and_who_is_called(desk):
    reply = desk.do(CLERK, "blow-whistle", **CALL)
    said = [(one["department"], one["deadline"], one["code"], one["year"]) for one in reply["provisional"]]
    assert said == [
        (one, stage, "provisional-year", 2027) for one in (WATER, HOUSING) for stage in (REPORT_IN, COMPLETE)
    ]
    (seat,) = (
        one
        for one in desk.ask(WATER_OFFICER, "/api/v1/whistles/<whistle>", whistle=reply["whistle_id"])["departments"]
        if one["department"]["id"] == WATER
    )
    assert [(one["deadline"], one["code"]) for one in seat["provisional"]] == [
        (REPORT_IN, "provisional-year"), (COMPLETE, "provisional-year"),
    ]  # fmt: skip
    take_in(desk)
    assert [seat["provisional"] for seat in call(desk, reply["whistle_id"])["departments"]] == [[], []]
    assert "provisional" not in desk.do(CLERK, "blow-whistle", **CALL)


def test_nobody_is_absent_on_a_holiday(desk):
    whistle = blow(desk)
    take_in(desk)
    desk.until(datetime(2027, 1, 4, 3, 0, tzinfo=UTC))  # the deadline itself: the last moment in time
    assert desk.events("whistle-overdue") == []
    assert desk.do(WATER_OFFICER, "answer-whistle", whistle, answer="accepted", note="到")["late"] is False
    desk.wait(seconds=1)
    assert [one["departments"] for one in desk.events("whistle-overdue")] == [[HOUSING]]


def test_an_absence_that_the_holiday_took_back_is_told_again_only_if_it_comes(desk):
    """Imported late: the deadline had passed by the guess."""
    whistle = blow(desk)
    desk.until(datetime(2027, 1, 1, 6, 0, tzinfo=UTC))
    assert len(desk.events("whistle-overdue")) == 1
    take_in(desk)
    assert [seat["absent_at"] for seat in call(desk, whistle)["departments"]] == [None, None]
    reply = desk.do(WATER_OFFICER, "answer-whistle", whistle, answer="accepted", note="到")
    assert reply["late"] is False
    desk.until(datetime(2027, 1, 4, 3, 1, tzinfo=UTC))
    assert [one["departments"] for one in desk.events("whistle-overdue")] == [[WATER, HOUSING], [HOUSING]]


def test_what_a_person_named_stays(desk):
    named = "2027-01-06T04:00:00Z"
    whistle = blow(desk, complete_by=named)
    desk.do(WATER_OFFICER, "answer-whistle", whistle, answer="accepted", note="到")
    take_in(desk)
    assert [seat["complete_by"] for seat in call(desk, whistle)["departments"]] == [named, named]
    assert recounted(desk) == [("report-in", GUESSED, KNOWN)]
    assert changed(desk, WATER) == []  # it reported in: that deadline is done with


def test_more_time_that_was_granted_stays(desk):
    whistle, until = blow(desk), "2027-01-12T04:00:00Z"
    desk.do(WATER_OFFICER, "answer-whistle", whistle, answer="extension-requested", note="等", until=until)
    desk.do(CLERK, "decide-whistle-extension", whistle, department=WATER, granted=True, reason="同意")
    take_in(desk)
    assert [seat["complete_by"] for seat in call(desk, whistle)["departments"]] == [until, "2027-01-08T09:30:00Z"]
    assert changed(desk, WATER) == []


def test_a_dispute_and_what_was_decided_about_it_are_counted_from_their_own_beginning(desk):
    whistle = blow(desk)
    desk.wait(minutes=30)
    desk.do(WATER_OFFICER, "answer-whistle", whistle, answer="declined", note="非我管辖", ground="第十二条")
    take_in(desk)
    (dispute,) = call(desk, whistle)["contests"]
    assert dispute["decide_by"] == "2027-01-04T03:30:00Z"
    assert changed(desk, WATER) == [{"complete_by": "2027-01-08T09:30:00Z"}, {"decide_by": "2027-01-04T03:30:00Z"}]
    desk.do(STREET_CLERK, "decide-contest", whistle, department=WATER, decision="upheld", reason="应到")
    seat = next(one for one in call(desk, whistle)["departments"] if one["department"]["id"] == WATER)
    assert seat["report_in_by"] == "2027-01-04T03:30:01Z"
    take_in(desk, days_off=["2027-01-01", "2027-01-02", "2027-01-03", "2027-01-04"])
    seat = next(one for one in call(desk, whistle)["departments"] if one["department"]["id"] == WATER)
    assert seat["report_in_by"] == "2027-01-05T03:30:01Z"


def test_calls_that_are_over_and_danger_by_the_wall_clock_do_not_move(desk):
    over = blow(desk)
    for officer in (WATER_OFFICER, HOUSING_OFFICER):
        desk.do(officer, "answer-whistle", over, answer="completed", note="好了")
    desk.open("m-2", GAS)
    hazard = blow(desk, "m-2", complete_by="2027-01-02T00:00:00Z")
    before = [call(desk, one) for one in (over, hazard)]
    take_in(desk)
    assert [call(desk, one) for one in (over, hazard)] == before
    assert recounted(desk) == []


def test_another_class_meanwhile_does_not_change_how_the_call_was_counted(desk):
    """Of a hazard they report in within half an hour; the call is older than that."""
    whistle = blow(desk)
    desk.do(DISTRICT_CLERK, "reclassify", response_class="hazard", reason="有危险")
    take_in(desk)
    assert call(desk, whistle)["report_in_by"] == KNOWN


def test_a_call_that_the_release_before_blew_keeps_its_deadlines(desk):
    whistle = blow(desk)
    with writing(desk.app.at_hand.engine) as db:
        db.execute(update(whistle_seats).values(counted=null()))
        db.execute(update(whistles).values(calendar_revision=None))
        db.commit()
    take_in(desk)
    assert call(desk, whistle)["report_in_by"] == GUESSED
    assert recounted(desk) == []


def test_a_deadline_that_the_release_before_changed_meanwhile_is_left_alone(desk):
    """It knows nothing of the column that says how the old one was counted."""
    whistle, other = blow(desk), datetime(2027, 1, 1, 4, tzinfo=UTC)
    with writing(desk.app.at_hand.engine) as db:
        db.execute(update(whistle_seats).where(whistle_seats.c.department == WATER).values(report_in_by=other))
        db.commit()
    take_in(desk)
    assert [seat["report_in_by"] for seat in call(desk, whistle)["departments"]] == ["2027-01-01T04:00:00Z", KNOWN]


def test_more_calls_than_a_batch_are_all_counted_and_then_none_is_behind(desk):
    for number in range(2, 110):
        desk.open(f"m-{number}", RAMP)
        blow(desk, f"m-{number}")
    take_in(desk)
    assert len({one["whistle_id"] for one in desk.events("whistle-recounted")}) == 108
    with reading(desk.app.at_hand.engine) as db:
        assert set(db.execute(select(whistles.c.calendar_revision)).scalars()) == {1}
    assert desk.ask(DISTRICT_CLERK, "/api/v1/calendar")["recount_pending"] is False


def test_the_matter_closes_as_ever_afterwards(desk):
    whistle = blow(desk)
    take_in(desk)
    for officer in (WATER_OFFICER, HOUSING_OFFICER):
        desk.do(officer, "answer-whistle", whistle, answer="completed", note="好了")
    assert call(desk, whistle)["outcome"] == "completed"
    desk.do(WORKER, "resolve", outcome="好了", evidence=[PHOTO])


# -- the rule ----------------------------------------------------------------------------------------------------------

_INSTANTS = st.datetimes(datetime(2026, 12, 1), datetime(2027, 2, 1), timezones=st.just(UTC))
_COUNTED = st.builds(
    Counted, stage=st.sampled_from((REPORT_IN, COMPLETE, DECIDE)), start=_INSTANTS, at=_INSTANTS,
    target=st.just(Target.working(3600)), provisional=st.booleans(), revision=st.integers(0, 3),
)  # fmt: skip
_SEATS = st.builds(
    Seat, department=st.just(WATER), lead=st.booleans(), part=st.sampled_from(Part), reported_at=st.none(),
    late=st.booleans(), report_in_by=_INSTANTS, complete_by=st.none() | _INSTANTS,
    absent_at=st.none() | _INSTANTS, unfinished_at=st.none() | _INSTANTS,
    contest_unit=st.none() | st.just("jianwai"), contest_by=st.none() | _INSTANTS,
    counted=st.lists(_COUNTED, max_size=3, unique_by=lambda one: one.stage).map(tuple),
)  # fmt: skip
_FIELDS = {REPORT_IN: "report_in_by", COMPLETE: "complete_by", DECIDE: "contest_by"}


@given(seat=_SEATS, matching=st.sets(st.sampled_from(list(_FIELDS))), later=st.timedeltas(), now=_INSTANTS)
def test_only_what_was_counted_and_still_stands_moves(seat, matching, later, now):
    """Whatever a part looks like: a deadline that is not exactly what was counted is never touched."""
    counted = tuple(
        replace(one, at=getattr(seat, _FIELDS[one.stage]) or one.at) if one.stage in matching else one
        for one in seat.counted
    )
    seat = replace(seat, counted=counted)
    shift = later % (datetime(2027, 1, 8) - datetime(2027, 1, 1))
    standing = {one.stage for one in seat.standing()}
    new = seat.recounted(lambda old: replace(old, at=old.at + shift, revision=9), now)
    for stage, field in _FIELDS.items():
        before, after = getattr(seat, field), getattr(new, field)
        assert after == (before + shift if stage in standing else before)
    assert {one.stage for one in new.standing()} == standing
    assert {one.revision for one in new.standing()} <= {9}
    assert (new.part, new.late, new.reported_at, new.hop) == (seat.part, seat.late, seat.reported_at, seat.hop)
