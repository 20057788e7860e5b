"""What an asker may do with a tracking code, and how the status follows dispatch's events."""

from __future__ import annotations

import pytest
from sqlalchemy import select

from services.intake.tables import contact_access
from shared.contracts import dispatch
from shared.contracts.envelope import Envelope
from shared.contracts.registry import by_shape
from shared.contracts.shapes import dump
from shared.kernel.actor import ANONYMOUS
from shared.kernel.errors import Conflict, Forbidden, NotFound
from shared.ledger.engines import reading
from tests.unit.intake.test_register import ask, demand


@pytest.fixture
def registered(suite, worker):
    return suite.execute("intake.register-demand", demand(), worker).body


@pytest.fixture
def from_dispatch(suite, registered):
    versions = iter(range(1, 100))

    def send(event):
        row = by_shape(type(event))
        envelope = Envelope(
            id=suite.applications["intake"].at_hand.ids.new(),
            source="urn:gridwhistle:dispatch",
            type=row.type,
            subject=registered["matter_id"],
            time=suite.clock.now(),
            stream=f"dispatch.matter:{registered['matter_id']}",
            streamversion=next(versions),
            correlationid="c",
            causationid=None,
            traceparent=None,
            classification=row.classification,
            data=dump(event),
        )
        return suite.applications["intake"].receive(envelope.to_bytes())

    return send


def status(suite, registered):
    return ask(suite, "intake.status", {"code": registered["tracking_code"]}, ANONYMOUS)


def test_status_follows_dispatch(suite, registered, from_dispatch):
    matter = registered["matter_id"]
    assert status(suite, registered)["standing"] == "registered"
    from_dispatch(
        dispatch.MatterAssigned(
            matter_id=matter, unit="guanghua-dongli-1", level="grid", reason="lowest", assigned_by="system"
        )
    )
    assert status(suite, registered)["standing"] == "assigned"
    from_dispatch(dispatch.MatterAccepted(matter_id=matter, unit="guanghua-dongli-1", accepted_by="w"))
    shown = status(suite, registered)
    assert (shown["standing"], shown["standing_name"]["zh"]) == ("in-hand", "办理中")
    assert shown["unit"]["name"] == "光华东里社区第一居民网格"
    assert [step["event"] for step in shown["milestones"]] == ["dispatch.matter-assigned", "dispatch.matter-accepted"]


@pytest.mark.parametrize("typed", [str.lower, lambda code: code.replace("-", ""), lambda code: f" {code} "])
def test_a_code_may_be_typed_carelessly(suite, registered, typed):
    shown = ask(suite, "intake.status", {"code": typed(registered["tracking_code"])}, ANONYMOUS)
    assert shown["number"] == registered["number"]


@pytest.mark.parametrize("code", ["", "AAAA-AAAA-AAAA-AAAA", "x" * 500, "'; drop table demands; --"])
def test_a_wrong_code_says_nothing(suite, registered, code):
    with pytest.raises(NotFound) as refused:
        ask(suite, "intake.status", {"code": code}, ANONYMOUS)
    assert refused.value.code == "unknown-tracking-code"


def test_supplement_and_withdraw(suite, registered, emitted):
    code = registered["tracking_code"]
    suite.execute("intake.supplement-demand", {"tracking_code": code, "text": "四层也不亮"}, ANONYMOUS)
    assert [each["text"] for each in status(suite, registered)["supplements"]] == ["四层也不亮"]
    left = suite.execute("intake.withdraw-demand", {"tracking_code": code, "reason": "已自行更换"}, ANONYMOUS).body
    assert left["left"] == 0
    assert emitted()[-1][1]["last_of_matter"] is True
    assert status(suite, registered)["standing"] == "withdrawn"
    with pytest.raises(Conflict) as refused:
        suite.execute("intake.withdraw-demand", {"tracking_code": code, "reason": "再撤"}, ANONYMOUS)
    assert refused.value.code == "already-withdrawn"


def test_a_merged_matter_outlives_one_withdrawal(suite, worker, registered, emitted):
    other = suite.execute("intake.register-demand", demand(asker={"name": "邻居"}), worker).body
    assert other["joined"]
    code = registered["tracking_code"]
    assert (
        suite.execute("intake.withdraw-demand", {"tracking_code": code, "reason": "不用了"}, ANONYMOUS).body["left"]
        == 1
    )
    assert emitted()[-1][1]["last_of_matter"] is False


def test_a_closed_matter_takes_nothing_more(suite, worker, registered, from_dispatch):
    matter = registered["matter_id"]
    from_dispatch(
        dispatch.MatterClosed(
            matter_id=matter,
            unit="guanghua-dongli-1",
            level="grid",
            response_class="same-day",
            outcome="修好",
            on_time=True,
            closed_by="h",
            attempt=1,
        )
    )
    with pytest.raises(Conflict) as refused:
        suite.execute(
            "intake.supplement-demand", {"tracking_code": registered["tracking_code"], "text": "还有"}, ANONYMOUS
        )
    assert refused.value.code == "matter-not-open"
    again = suite.execute("intake.register-demand", demand(), worker).body
    assert again["matter_id"] != matter


def test_contact_is_shown_only_in_scope_and_every_look_is_logged(suite, registered):
    inside = suite.actor("grid-head-guanghua-dongli-1")
    outside = suite.actor("grid-head-guanghua-dongli-2")
    content = {"demand": registered["demand_id"], "reason": "上门前联系"}
    assert suite.execute("intake.reveal-contact", content, inside).body["phone"] == "13800000001"
    with pytest.raises(Forbidden):
        suite.execute("intake.reveal-contact", content, outside)
    with reading(suite.applications["intake"].at_hand.engine) as db:
        rows = db.execute(select(contact_access.c.actor, contact_access.c.reason)).all()
    assert [tuple(row) for row in rows] == [("grid-head-guanghua-dongli-1", "上门前联系")]


def test_import_judges_each_row_and_repeats_add_nothing(suite, street, emitted):
    rows = [
        {"text": "第一件", "location": {}, "source_ref": "1"},
        {"text": "", "location": {}, "source_ref": "2"},
        {"text": "第三件", "location": {"grid": "nowhere"}, "source_ref": "3"},
        {"text": "第一件", "location": {}, "source_ref": "4"},
        {"source_ref": "5"},
    ]
    reply = suite.execute("intake.import-demands", {"source": "old", "rows": rows}, street).body
    assert [row["result"] for row in reply["rows"]] == ["registered", "refused", "refused", "registered", "refused"]
    assert [row.get("joined") for row in reply["rows"]] == [False, None, None, True, None]
    before = len(emitted())
    again = suite.execute("intake.import-demands", {"source": "old", "rows": rows}, street).body
    assert (again["registered"], again["known"], again["refused"]) == (0, 2, 3)
    assert len(emitted()) == before
    assert suite.execute("intake.import-demands", {"source": "new", "rows": rows[:1]}, street).body["registered"] == 1
