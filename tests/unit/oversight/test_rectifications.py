"""Rectification orders from above: who may give them, to whom, and by when (C3)."""

from __future__ import annotations

from datetime import timedelta

from services.oversight import tables
from services.oversight.repository.rebuild import rebuild
from shared.contracts import claims
from shared.contracts.oversight import RectificationOrdered, RectificationWithdrawn
from shared.kernel.actor import Actor
from shared.ledger.engines import writing
from tests.unit.oversight.conftest import COMMUNITY, GRID, STREET_CLERK

ELSEWHERE = Actor(id="supervisor-2", roles=frozenset({"supervisor"}), unit="jianguo-li")


def order(overseer, **changes):
    return {"unit": GRID, "request": "清理消防通道", "deadline": rfc(overseer, hours=24)} | changes


def rfc(overseer, **after):
    return (overseer.clock.now() + timedelta(**after)).isoformat()


def test_an_order_is_told_and_kept(overseer):
    given = overseer.do("order-rectification", **order(overseer, legal_basis="消防法第六十条")).body
    (told,) = overseer.settle()
    assert isinstance(told, RectificationOrdered)
    assert (told.order_id, told.unit, told.ordered_by) == (given["order_id"], GRID, "supervisor-1")
    [row] = overseer.rows(tables.orders)
    assert (row["subject"], row["matter_id"], row["deadline"]) == (told.order_id, None, told.deadline)


def test_to_whom_by_whom_and_by_when(overseer):
    def refused(who=None, **changes):
        more = {} if who is None else {"who": who}
        return overseer.refused("order-rectification", **more, **order(overseer, **changes)).code

    assert refused(unit="no-such-unit") == "unknown-unit"
    assert refused(deadline=rfc(overseer)) == "invalid-input"
    assert refused(matter="no-such-matter") == "unknown-matter"
    assert refused(ELSEWHERE) == "out-of-scope"
    assert refused(STREET_CLERK) == "not-permitted"
    overseer.opened("m-1", private=True)
    assert refused(matter="m-1") == "unknown-matter"
    assert overseer.rows(tables.orders) == []


def test_orders_stay_in_the_grid_and_a_department_is_whistled(overseer):
    refusal = overseer.refused("order-rectification", **order(overseer, unit="dept-safety"))
    assert (refusal.code, refusal.where, refusal.status) == ("order-to-department", "unit", 422)
    assert "dispatch.blow-whistle" in refusal.remedy
    assert overseer.rows(tables.orders) == []
    assert overseer.settle() == []


def test_taken_back_once(overseer):
    given = overseer.do("order-rectification", **order(overseer)).body["order_id"]
    assert overseer.refused("withdraw-rectification", order="no-such", reason="x").code == "unknown-order"
    assert overseer.refused("withdraw-rectification", ELSEWHERE, order=given, reason="x").code == "unknown-order"
    overseer.do("withdraw-rectification", order=given, reason="重复")
    assert overseer.refused("withdraw-rectification", order=given, reason="再撤").code == "order-over"
    assert isinstance(overseer.settle()[-1], RectificationWithdrawn)


def test_what_dispatch_says_of_it_is_kept_and_rebuilt(overseer):
    overseer.opened("m-1")
    given = overseer.do("order-rectification", **order(overseer, matter="m-1")).body["order_id"]
    overseer.settle()
    about = {"order_id": given, "matter_id": "m-1"}
    for event in (
        claims.RectificationAssigned(**about, unit=GRID, level="grid", deadline=overseer.clock.now()),
        claims.RectificationOverdue(
            **about, from_unit=GRID, to_unit=COMMUNITY, to_level="community", due_at=overseer.clock.now(), times=1
        ),
        claims.RectificationReported(**about, unit=COMMUNITY, outcome="清了", on_time=False, reported_by="x"),
        claims.RectificationClosed(
            **about, unit=COMMUNITY, level="community", inside=False, on_time=False, closed_by="y"
        ),
    ):
        overseer.hear(event)
    [row] = before = overseer.rows(tables.orders)
    assert (row["held_by"], row["overdue_times"], row["on_time"]) == (COMMUNITY, 1, False)
    assert overseer.refused("withdraw-rectification", order=given, reason="x").code == "order-over"
    with writing(overseer.engine) as db:
        rebuild(db)
        db.commit()
    assert overseer.rows(tables.orders) == before
