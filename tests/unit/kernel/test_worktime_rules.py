"""What must hold of working time for every start, target, pause and calendar (research/sla_monitoring.md, 6.1)."""

from __future__ import annotations

from datetime import UTC, date, datetime, time, timedelta

from hypothesis import given, settings
from hypothesis import strategies as st

from shared.kernel.worktime import Target, WorkingCalendar, national_days, parse_target

DAYS = national_days("cn")
SPLIT_DAY = [["09:00", "12:00"], ["13:30", "17:30"]]
WEEK = dict.fromkeys(("mon", "tue", "wed", "thu", "fri"), SPLIT_DAY)
WEEKEND = 5


def calendar(*, off=(), makeup=()):
    return WorkingCalendar.build(
        name="office",
        timezone="Asia/Shanghai",
        week=WEEK,
        days_off=(DAYS.days_off - set(makeup)) | set(off),
        makeup_days=(DAYS.makeup_days | set(makeup)) - set(off),
        covered_from=DAYS.covered_from,
        covered_until=DAYS.covered_until,
        version=DAYS.version,
    )


OFFICE = calendar()

instants = st.datetimes(datetime(2021, 1, 1), datetime(2026, 6, 30)).map(lambda at: at.replace(tzinfo=UTC))
seconds = st.integers(1, 60 * 7 * 3600)
targets = st.one_of(
    seconds.map(Target.working),
    seconds.map(Target.elapsed),
    st.builds(
        Target.end_of_working_day,
        st.integers(0, 30),
        st.none() | st.times().map(lambda at: time(at.hour, at.minute)),
    ),
    st.just(Target.end_of_week()),
    st.just(Target.end_of_month()),
)


@st.composite
def with_pauses(draw):
    """A start and up to three pauses after it."""
    start = draw(instants)
    pauses = []
    for _ in range(draw(st.integers(0, 3))):
        begin = start + timedelta(minutes=draw(st.integers(-600, 20_000)))
        pauses.append((begin, begin + timedelta(minutes=draw(st.integers(0, 10_000)))))
    return start, pauses


def days_near(start):
    """Dates around a start, where a change to the calendar matters."""
    return st.integers(-3, 40).map(lambda offset: (start + timedelta(days=offset)).date())


@given(instants, seconds)
def test_time_added_is_the_time_between(start, length):
    assert OFFICE.working_seconds(start, OFFICE.add(start, length)) == length


@given(instants, seconds)
def test_subtracting_undoes_adding(start, length):
    due = OFFICE.add(start, length)
    back = OFFICE.subtract(due, length)
    # Both are the same reading of the working clock: outside hours many instants are.
    assert OFFICE.working_seconds(min(start, back), max(start, back)) == 0
    assert back == OFFICE.next_opening(start)


@given(with_pauses(), seconds)
def test_time_added_over_pauses_is_the_time_between_outside_them(case, length):
    start, pauses = case
    due = OFFICE.add(start, length, pauses)
    assert OFFICE.working_seconds(start, due, pauses) == length


@given(with_pauses(), targets)
def test_a_due_instant_is_after_its_start_and_its_share_one_is_itself(case, target):
    start, pauses = case
    due = OFFICE.due(start, target, pauses)
    assert due.at > start
    assert OFFICE.share(start, target, 1.0, pauses) == due.at


@given(with_pauses(), targets, st.lists(st.floats(0.01, 3.0), max_size=4))
def test_shares_worked_out_together_are_those_worked_out_alone(case, target, shares):
    start, pauses = case
    due, instants_ = OFFICE.due_and_shares(start, target, shares, pauses)
    assert due == OFFICE.due(start, target, pauses)
    assert list(instants_) == [OFFICE.share(start, target, share, pauses) for share in shares]


@given(with_pauses(), seconds, seconds)
def test_a_longer_target_is_never_due_earlier(case, one, other):
    start, pauses = case
    short, long = sorted((one, other))
    for kind in (Target.working, Target.elapsed):
        assert OFFICE.due(start, kind(short), pauses).at <= OFFICE.due(start, kind(long), pauses).at


@given(instants, st.integers(0, 20), st.integers(0, 20))
def test_more_working_days_are_never_due_earlier(start, one, other):
    fewer, more = sorted((one, other))
    cutoff = time(16, 0)
    first, second = (OFFICE.due(start, Target.end_of_working_day(days, cutoff)).at for days in (fewer, more))
    assert first <= second


@given(with_pauses(), targets, st.floats(0.01, 1.0), st.floats(0.01, 1.0))
def test_a_smaller_share_is_never_later(case, target, one, other):
    start, pauses = case
    small, large = sorted((one, other))
    assert OFFICE.share(start, target, small, pauses) <= OFFICE.share(start, target, large, pauses)


@given(with_pauses(), targets)
def test_a_pause_never_makes_a_due_instant_earlier(case, target):
    start, pauses = case
    dues = [OFFICE.due(start, target, pauses[:count]).at for count in range(len(pauses) + 1)]
    assert dues == sorted(dues)


@given(with_pauses(), targets, st.integers(1, 5_000))
def test_a_longer_pause_never_makes_a_due_instant_earlier(case, target, minutes):
    start, pauses = case
    longer = [(begin, end + timedelta(minutes=minutes)) for begin, end in pauses]
    assert OFFICE.due(start, target, pauses).at <= OFFICE.due(start, target, longer).at


@given(with_pauses(), targets)
def test_a_pause_that_begins_at_the_due_instant_does_not_move_it(case, target):
    start, pauses = case
    due = OFFICE.due(start, target, pauses).at
    before = [pause for pause in pauses if pause[0] < due]
    late = (due, due + timedelta(days=3))
    assert OFFICE.due(start, target, before).at == OFFICE.due(start, target, [*before, late]).at


@given(instants, targets, st.integers(0, 100_000))
def test_a_later_start_is_never_due_earlier(start, target, minutes):
    later = start + timedelta(minutes=minutes)
    assert OFFICE.due(start, target).at <= OFFICE.due(later, target).at


@settings(max_examples=60)
@given(st.data(), with_pauses(), targets)
def test_a_new_holiday_never_makes_a_due_instant_earlier(data, case, target):
    start, _ = case
    holiday = data.draw(days_near(start))
    assert calendar(off=[holiday]).due(start, target).at >= OFFICE.due(start, target).at


@settings(max_examples=60)
@given(st.data(), with_pauses(), targets)
def test_a_new_make_up_day_never_makes_a_due_instant_later(data, case, target):
    start, pauses = case
    weekend = data.draw(days_near(start).filter(lambda day: day.weekday() >= WEEKEND))
    if target.kind.value in {"working", "elapsed"}:
        # Where only the length of working time counts it holds with pauses too.
        assert calendar(makeup=[weekend]).due(start, target, pauses).at <= OFFICE.due(start, target, pauses).at
    assert calendar(makeup=[weekend]).due(start, target).at <= OFFICE.due(start, target).at


@given(instants, targets)
def test_a_due_instant_is_never_outside_hours_unless_the_wall_clock_says_so(start, target):
    if target.kind.value == "elapsed":
        return
    due = OFFICE.due(start, target).at
    # Closing time belongs to the day it closes: a moment earlier is working time.
    assert OFFICE.is_open(due) or OFFICE.is_open(due - timedelta(microseconds=1))


@given(targets)
def test_a_target_reads_back_what_it_writes(target):
    assert parse_target(target.as_mapping()) == target


@given(instants, instants, instants)
def test_working_time_adds_up(one, two, three):
    first, middle, last = sorted((one, two, three))
    parts = OFFICE.working_seconds(first, middle) + OFFICE.working_seconds(middle, last)
    assert abs(OFFICE.working_seconds(first, last) - parts) < 1e-6


@given(st.dates(date(2021, 1, 1), date(2026, 1, 1)), st.integers(1, 60))
def test_counting_working_dates_back_undoes_counting_forward(day, count):
    landed = OFFICE.working_date(day, count)
    assert OFFICE.is_working_day(landed)
    assert sum(OFFICE.is_working_day(day + timedelta(days=n + 1)) for n in range((landed - day).days)) == count
