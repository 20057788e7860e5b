"""How departments answered whistle calls: from the events to figures that say how they are made (art. 33)."""

from __future__ import annotations

from datetime import timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.oversight import tables
from services.oversight.domain import departments
from services.oversight.domain.departments import ASPECTS, PartFact
from services.oversight.repository.rebuild import rebuild
from shared.contracts import dispatch
from shared.kernel.actor import Actor
from shared.kernel.errors import Refusal
from shared.ledger.engines import writing
from tests.unit.oversight.conftest import COMMUNITY, GRID, START, SUPERVISOR

WATER, HOUSING = "dept-water", "dept-housing"
HOUR = timedelta(hours=1)


def blown(overseer, call="w-1", matter="m-1", whom=(WATER, HOUSING)):
    overseer.hear(
        dispatch.WhistleBlown(
            whistle_id=call, matter_id=matter, whistler=COMMUNITY, departments=whom, lead=whom[0], request="请到场",
            report_in_by=overseer.clock.now() + 2 * HOUR, blown_by="x",
        )
    )  # fmt: skip
    return call


def answered(overseer, department=WATER, call="w-1", matter="m-1", *, first=True, late=False, answer="accepted"):
    overseer.hear(
        dispatch.WhistleAnswered(
            whistle_id=call, matter_id=matter, department=department, answer=answer, note="…", late=late,
            answered_by="x", report_in_seconds=1.0 if first else None,
        )
    )  # fmt: skip


def scored(overseer, scores, department=WATER, call="w-1", matter="m-1"):
    overseer.hear(
        dispatch.WhistleScored(
            whistle_id=call, matter_id=matter, whistler=COMMUNITY, department=department, scored_by="x",
            **dict(zip(ASPECTS, scores, strict=True)),
        )
    )  # fmt: skip


def disputed(overseer, hop, decision=None, call="w-1", department=WATER):
    about = {"whistle_id": call, "matter_id": "m-1", "department": department, "hop": hop, "final": False}
    overseer.hear(
        dispatch.WhistleContested(
            **about, ground="非我管辖", to_unit="jianwai", to_level="street", decide_by=overseer.clock.now()
        )
    )
    if decision is not None:
        overseer.hear(
            dispatch.WhistleContestDecided(
                **about, decision=decision, reason="…", unit="jianwai", lead=WATER, decided_by="x"
            )
        )


def shown(overseer, who=SUPERVISOR, **parameters):
    ends = {"period_from": START.isoformat(), "period_to": overseer.clock.now().isoformat()}
    reply = overseer.ask("departments", who, **ends | parameters)
    return {row["department"]: row for row in reply["items"]}, reply


@pytest.fixture
def lived(overseer):
    overseer.opened("m-1")
    blown(overseer)
    overseer.clock.advance(HOUR)
    answered(overseer, answer="declined")
    disputed(overseer, 1)  # the street does not decide in time
    disputed(overseer, 2, "upheld")
    answered(overseer, first=False)
    overseer.clock.advance(3 * HOUR)
    answered(overseer, HOUSING, late=True)
    scored(overseer, (5, 4, 3))
    blown(overseer, "w-2", whom=(WATER,))
    overseer.clock.advance(3 * HOUR)
    return overseer


def test_parts_and_disputes_are_kept_and_rebuilt(lived):
    water, housing, open_ = lived.rows(tables.call_parts)[1], lived.rows(tables.call_parts)[0], None
    assert (water["led"], water["late"], water["reported_at"]) == (True, False, START + HOUR)
    assert (water["arrival"], water["quality"], water["result"]) == (5, 4, 3)
    assert (housing["led"], housing["late"], housing["scored_at"]) == (False, True, open_)
    assert [(row["hop"], row["decision"]) for row in lived.rows(tables.disputes)] == [(1, None), (2, "upheld")]
    before = lived.projected()
    with writing(lived.engine) as db:
        rebuild(db)
        db.commit()
    assert lived.projected() == before


def test_figures_say_what_was_answered_disputed_and_left_out(lived):
    rows, reply = shown(lived)
    water = rows[WATER]
    assert water["label"]["en"] != WATER
    assert {name: water[name] for name in departments.COUNTS} == {
        "calls": 2, "led": 2, "reported": 1, "late": 0, "unreported": 1, "disputed": 1, "hops": 2, "upheld": 1,
        "released": 0, "scored": 1,
    }  # fmt: skip
    # The second call's deadline has passed without an answer: it is in the denominator.
    assert (water["in_time"]["percent"], water["in_time"]["denominator"]) == ("50.0", 2)
    assert water["scores"]["arrival"] == {"value": None, "sample": 1, "left_out": 1, "suppressed": True}
    assert rows[HOUSING]["in_time"]["percent"] == "0.0"
    assert list(rows) == [WATER, HOUSING]
    assert set(reply["formulas"]) == {*departments.COUNTS, "in_time", *ASPECTS}
    assert all(text["zh"] != text["en"] for text in reply["formulas"].values())


def test_a_period_shows_what_was_known_at_its_end(lived):
    early = (START + HOUR / 2).isoformat()
    rows, _ = shown(lived, period_to=early)
    assert (rows[WATER]["calls"], rows[WATER]["reported"], rows[WATER]["hops"]) == (1, 0, 0)
    assert (rows[WATER]["in_time"]["denominator"], rows[WATER]["in_time"]["left_out"]) == (0, 1)
    later = (START + 5 * HOUR).isoformat()
    rows, _ = shown(lived, period_from=later)
    assert rows == {}


def test_means_are_shown_of_enough_scores_only(overseer):
    for number, score in enumerate((5, 4, 4)):
        overseer.opened(f"m-{number}")
        blown(overseer, f"w-{number}", f"m-{number}", (WATER,))
        overseer.clock.advance(HOUR)
        scored(overseer, (score, 1, 5), WATER, f"w-{number}", f"m-{number}")
    overseer.clock.advance(HOUR)
    rows, _ = shown(overseer)
    assert rows[WATER]["scores"]["arrival"] == {"value": 4.33, "sample": 3, "left_out": 0, "suppressed": False}


def test_who_may_look_and_at_what(lived):
    rows, _ = shown(lived, unit=GRID)
    assert rows[WATER]["calls"] == 2
    rows, _ = shown(lived, unit="jianguo-li-1")
    assert rows == {}
    elsewhere = Actor(id="s", roles=frozenset({"supervisor"}), unit="jianguo-li")
    officer = Actor(id="o", roles=frozenset({"department-officer"}), unit=WATER)
    for who, code, parameters in (
        (elsewhere, "out-of-scope", {"unit": GRID}), (officer, "not-permitted", {}),
        (SUPERVISOR, "period-not-over", {"period_to": (lived.clock.now() + HOUR).isoformat()}),
        (SUPERVISOR, "invalid-input", {"period_to": START.isoformat()}), (SUPERVISOR, "unknown-unit", {"unit": "x"}),
    ):  # fmt: skip
        with pytest.raises(Refusal) as refused:
            shown(lived, who, **parameters)
        assert refused.value.code == code


parts = st.builds(
    PartFact, department=st.sampled_from([WATER, HOUSING, "gone"]), led=st.booleans(),
    late=st.sampled_from([None, True, False]), due=st.booleans(), hops=st.integers(0, 3), upheld=st.integers(0, 2),
    released=st.integers(0, 1), arrival=st.none() | st.integers(1, 5), quality=st.integers(1, 5),
    result=st.integers(1, 5),
)  # fmt: skip


@given(st.lists(parts, max_size=30))
def test_counts_add_up_and_means_lie_between_the_scores(pack, facts):
    rows = departments.figures(facts, pack)
    assert sum(row["calls"] for row in rows) == len(facts)
    assert [row["calls"] for row in rows] == sorted((row["calls"] for row in rows), reverse=True)
    for row in rows:
        assert row["reported"] + row["unreported"] == row["calls"]
        assert row["late"] + row["in_time"]["numerator"] == row["reported"] <= row["in_time"]["denominator"]
        assert row["in_time"]["denominator"] + row["in_time"]["left_out"] == row["calls"]
        for score in row["scores"].values():
            assert score["sample"] + score["left_out"] == row["calls"]
            assert (score["value"] is None) is (score["sample"] < departments.SMALL)
            assert score["value"] is None or 1 <= score["value"] <= 5
