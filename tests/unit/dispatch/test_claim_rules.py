"""The rules of claims, offers and orders, without a service: whatever is done, in whatever order."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.dispatch.domain import claims, joint, offers, orders
from services.dispatch.domain.claim_refusals import PartsOpen
from services.dispatch.domain.claims import TRANSITIONS, Claim, ClaimAction, ClaimState
from services.dispatch.domain.orders import OrderAction, OrderState
from services.dispatch.domain.states import State
from shared.kernel.errors import Refusal
from tests.unit.dispatch.conftest import COMMUNITY, DISTRICT, GRID, STREET

NOW = datetime(2026, 11, 16, 1, tzinfo=UTC)
CLAIM = claims.with_next_step(
    Claim(
        id="c", matter_id=None, private=False, unit=COMMUNITY, kind="task", title="t", text="t", takers=(),
        emergency=False, open_until=NOW + timedelta(days=9), hold_hours=24, posted_by="desk", posted_at=NOW,
        state=ClaimState.OPEN, taker=None, taker_unit=None, taken_as=None, taken_at=None, expires_at=None,
        appointed_by=None, takes=0, ended_at=None, outcome=None, fulfilled_by=None, fulfilled_at=None, warned_at=None,
        next_step_at=None, version=1,
    )
)  # fmt: skip
DONE = {
    ClaimAction.TAKE: lambda one, now: claims.taken(one, now, taker="m", unit=None, kind="volunteer"),
    ClaimAction.RELEASE: claims.released,
    ClaimAction.FULFIL: lambda one, now: claims.fulfilled(one, now, "m", "done"),
    ClaimAction.APPROVE: lambda one, now: claims.reviewed(one, now, "desk", "approved", None),
    ClaimAction.SEND_BACK: lambda one, now: claims.reviewed(one, now, "desk", "sent-back", "blurred"),
    ClaimAction.REOPEN: lambda one, now: claims.reviewed(one, now, "desk", "reopened", "undone"),
    ClaimAction.EXPIRE: claims.expired,
    ClaimAction.WITHDRAW: claims.withdrawn,
}


@given(st.lists(st.tuples(st.sampled_from(list(DONE)), st.integers(min_value=0, max_value=72)), max_size=12))
def test_whatever_is_done_to_a_claim(acts):
    """One holder while it is taken and none while it is open; what has ended has an end and nothing left to do."""
    one, now = CLAIM, NOW
    for action, hours in acts:
        now += timedelta(hours=hours)
        if action is ClaimAction.EXPIRE and not claims.run_out(one, now):
            continue
        before = one
        try:
            one = DONE[action](one, now)
        except Refusal:
            assert one is before
            continue
        assert one.version == before.version + 1
        assert (before.state, one.state) in {(here, there) for (here, _), there in TRANSITIONS.items()}
        assert (one.taker is not None) >= (one.state in (ClaimState.TAKEN, ClaimState.FULFILLED))
        assert one.state is not ClaimState.OPEN or one.taker is None
        assert (one.ended_at is None) is (one.state in claims.LIVE)
        assert (one.next_step_at is not None) is (one.state in claims.UNDONE)
        done = one.state in (ClaimState.FULFILLED, ClaimState.APPROVED)
        assert (one.fulfilled_by is not None) is (one.fulfilled_at is not None) is (one.outcome is not None) is done
        if one.state is ClaimState.TAKEN and action in (ClaimAction.TAKE, ClaimAction.SEND_BACK):
            assert one.expires_at == now + timedelta(hours=24)
            assert one.next_step_at == one.expires_at - timedelta(hours=24) / 5  # its holder is warned
            assert claims.warned(one, now).next_step_at == one.expires_at + timedelta(microseconds=1)
        if one.state is ClaimState.FULFILLED:
            assert one.fulfilled_at <= one.expires_at


@given(
    st.sampled_from(list(claims.DECISIONS)), st.sampled_from(["m", "helper", "desk"]),
    st.sampled_from([None, " ", "blurred"]), st.integers(min_value=0, max_value=300),
)  # fmt: skip
def test_whoever_did_it_does_not_judge_it_and_a_no_has_its_reason(decision, by, reason, hours):
    done = claims.fulfilled(claims.taken(CLAIM, NOW, taker="m", unit=None, kind="volunteer"), NOW, "helper", "done")
    now = NOW + timedelta(hours=hours)
    why = {
        "verifier-is-handler": by in ("m", "helper"),
        "reason-missing": decision != "approved" and not (reason or "").strip(),
        "claim-expired": decision == "reopened" and now > CLAIM.open_until,
    }
    if any(why.values()):
        with pytest.raises(Refusal) as refused:
            claims.reviewed(done, now, by, decision, reason)
        assert why[refused.value.code]
        return
    after = claims.reviewed(done, now, by, decision, reason)
    assert after.state is TRANSITIONS[ClaimState.FULFILLED, claims.DECISIONS[decision]]
    assert (after.taker is None) is (decision == "reopened")
    assert after.takes == done.takes


@given(st.sampled_from(list(ClaimState)), st.sampled_from(list(claims.DECISIONS)))
def test_only_what_was_fulfilled_is_reviewed(state, decision):
    there = replace(CLAIM, state=state, taker="m")
    if state is ClaimState.FULFILLED:
        assert claims.reviewed(there, NOW, "desk", decision, "why").version == 2
        return
    with pytest.raises(Refusal) as refused:
        claims.reviewed(there, NOW, "desk", decision, "why")
    assert refused.value.code == ("illegal-transition" if state in claims.LIVE else "claim-over")


@pytest.mark.parametrize("machine", [(TRANSITIONS, ClaimState), (orders.TRANSITIONS, OrderState)])
def test_every_state_is_reached_and_every_live_one_left(machine):
    transitions, states = machine
    first = next(iter(states))
    reached = {first}
    for _ in states:
        reached |= {there for (here, _), there in transitions.items() if here in reached}
    assert reached == set(states)
    live = claims.LIVE if states is ClaimState else orders.LIVE
    assert {here for here, _ in transitions} == set(live)


def order(pack_unit=GRID, level="grid", hours=48):
    deadline = NOW + timedelta(hours=hours)
    return orders.Order(
        id="o", matter_id=None, inspection_id=None, ordered_unit=pack_unit, unit=pack_unit, level=level, request="r",
        legal_basis=None, ordered_by="s", ordered_at=NOW, deadline=deadline, state=OrderState.ORDERED, overdue_times=0,
        reported_at=None, reported_by=None, outcome=None, ended_at=None, due_at=deadline,
        warned_at=NOW, next_step_at=deadline + timedelta(microseconds=1), version=1,
    )  # fmt: skip


@given(hours=st.integers(min_value=1, max_value=900))
def test_an_overdue_order_rises_level_by_level_and_stays_at_the_top(pack, hours):
    one, now, way = order(hours=hours), NOW, []
    while one.next_step_at is not None:
        if one.warned_at is None:
            at = orders.warn_at(one)
            assert one.next_step_at == at
            assert one.due_at - at == orders.span(one) / 5
            one = orders.warned(one, at)
            assert orders.warn_at(one) is None
        assert not orders.overdue(one, one.next_step_at - timedelta(microseconds=1))
        now = one.next_step_at
        assert orders.overdue(one, now)
        one = orders.risen(pack, one, now).order
        way.append(one.unit)
        if one.next_step_at is not None:
            assert one.due_at - now == timedelta(hours=hours)  # as much time as was given at first
    assert way == [COMMUNITY, STREET, DISTRICT, DISTRICT]
    assert one.overdue_times == 4
    assert not orders.on_time(one, now)


def test_an_order_never_goes_down_where_units_form_a_circle(pack):
    units = dict(pack.units)
    units[STREET] = replace(units[STREET], parent=COMMUNITY)
    circle = replace(pack, units=units)
    one, seen = order(), []
    while one.next_step_at is not None:
        one = orders.risen(circle, one, one.due_at + timedelta(microseconds=1)).order
        seen.append(one.unit)
    assert seen == [COMMUNITY, STREET, STREET]


@given(st.lists(st.sampled_from([OrderAction.REPORT, OrderAction.REWORK, OrderAction.CLOSE, OrderAction.WITHDRAW])))
def test_whatever_is_done_to_an_order(acts):
    one, now = order(), NOW
    done = {
        OrderAction.REPORT: lambda: orders.reported(one, now, "worker", "done", evidence=1),
        OrderAction.REWORK: lambda: orders.reworked(one),
        OrderAction.CLOSE: lambda: orders.closed(one, now, "head"),
        OrderAction.WITHDRAW: lambda: orders.revoked(one, now),
    }
    for action in acts:
        now += timedelta(hours=1)
        before = one
        try:
            one = done[action]()
        except Refusal:
            continue
        assert one.state is orders.TRANSITIONS[before.state, action]
        assert (one.ended_at is None) is (one.state in orders.LIVE)
        assert (one.next_step_at is not None) is (one.state is OrderState.ORDERED)
        assert (one.reported_at is not None) >= (one.state in (OrderState.REPORTED, OrderState.SETTLED))
        assert one.deadline == before.deadline


# -- offers

UNITS = ["grid", "community", "street"]
KINDS = ["lamp", "building", "home"]


def offer(number, *, serves=(), units=("street",), capacity=5, reserved=0, since=None, until=None, withdrawn=None):
    return offers.Offer(
        resource_id=f"r-{number}", owner="o", kind="skill", title="t", text="t", serves=tuple(serves),
        units=tuple(units), capacity=capacity, measure="次", reserved=reserved, available_from=since,
        available_until=until, listed_at=NOW, withdrawn_at=withdrawn,
    )  # fmt: skip


instants = st.none() | st.sampled_from([NOW - timedelta(days=1), NOW, NOW + timedelta(days=1)])
some_offers = st.lists(
    st.builds(
        offer, st.integers(min_value=0, max_value=99), serves=st.lists(st.sampled_from([*KINDS, "food"]), max_size=2),
        units=st.lists(st.sampled_from([*UNITS, "elsewhere"]), min_size=1, max_size=2),
        capacity=st.integers(min_value=1, max_value=5), reserved=st.integers(min_value=0, max_value=5),
        since=instants, until=instants, withdrawn=st.none() | st.just(NOW),
    ),
    max_size=8, unique_by=lambda one: one.resource_id,
)  # fmt: skip


@given(some_offers, st.integers(min_value=1, max_value=5))
def test_every_suggestion_fits_says_why_and_could_be_had(found, amount):
    suggested = offers.suggest(found, categories=KINDS, units=UNITS, now=NOW, amount=amount)
    for one in suggested:
        assert set(one.offer.units) & set(UNITS)
        assert not one.offer.serves or set(one.offer.serves) & set(KINDS)
        assert one.offer.left >= amount
        assert [why.code.split("-")[0] for why in one.reasons] == ["category", "place", "capacity"]
        assert all(why.zh and why.en for why in one.reasons)
        codes = offers.check_match(one.offer, categories=KINDS, units=UNITS, now=NOW, amount=amount)
        assert codes == tuple(why.code for why in one.reasons)
    assert [one.distance for one in suggested] == sorted(one.distance for one in suggested)
    for one in {each.resource_id for each in found} - {each.offer.resource_id for each in suggested}:
        left_out = next(each for each in found if each.resource_id == one)
        with pytest.raises(Refusal):
            offers.check_match(left_out, categories=KINDS, units=UNITS, now=NOW, amount=amount)


def test_the_nearest_kind_and_place_come_first():
    found = [
        offer(1), offer(2, serves=["home"]), offer(3, serves=["lamp"], units=["street"]),
        offer(4, serves=["lamp"], units=["grid"]), offer(5, serves=["lamp"], units=["grid"], capacity=9),
    ]  # fmt: skip
    best = offers.suggest(found, categories=KINDS, units=UNITS, now=NOW)
    assert [one.offer.resource_id for one in best] == ["r-5", "r-4", "r-3", "r-2", "r-1"]
    assert [why.code for why in best[0].reasons] == ["category-exact", "place-exact", "capacity"]
    assert [why.code for why in best[-1].reasons] == ["category-any", "place-above", "capacity"]


# -- parts


@given(st.lists(st.none() | st.sampled_from(list(State)), max_size=6))
def test_a_whole_waits_for_its_parts(states):
    parts = [joint.Part(matter_id=str(n), state=state, number=None, outcome=None) for n, state in enumerate(states)]
    running = [state for state in states if state not in (State.CLOSED, State.WITHDRAWN)]
    if running:
        with pytest.raises(PartsOpen, match=f"{len(running)} of {len(states)}"):
            joint.check_parts(parts)
    else:
        joint.check_parts(parts)
    assert joint.completed(parts) is (bool(states) and not running)
