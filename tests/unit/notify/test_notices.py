"""Notices: who is told what about claims and rectification orders, on their list and by their office's channel."""

from __future__ import annotations

import dataclasses
from datetime import timedelta

import pytest

from services.notify.definition import DEFINITION
from services.notify.domain import BACK_OFF
from services.notify.notice_tables import notices
from services.notify.recipients import Audience, recipients
from shared.contracts import claims, notify, oversight, registry
from shared.contracts.values import Evidence
from shared.jurisdiction.territory import OfficeContact
from shared.kernel.actor import Actor
from shared.kernel.errors import Refusal
from shared.ledger.reception import Outcome
from shared.ledger.unit_of_work import unit_of_work
from shared.plugins import PermanentFailure, TemporaryFailure
from tests.unit.notify.conftest import GRID, START

COMMUNITY, STREET = "guanghua-dongli", "jianwai"
CLERK, STREET_CLERK = f"community-clerk-{COMMUNITY}", "street-clerk-jianwai"
SUPERVISOR = "street-supervisor-jianwai"
MEMBER = Actor(id="member-1", roles=frozenset({"party-member"}), unit=COMMUNITY)
WATER = "department-officer-dept-water"
LATER = START + timedelta(days=2)
EVIDENCE = (Evidence(kind="photo", description="照片"),)
#: What every event of a claim says of its posting.
POSTING = {"claim_id": "c-1", "matter_id": None, "unit": COMMUNITY, "title": "一副老花镜", "posted_by": CLERK}
TAKER = {"taker": "member-1", "taker_unit": COMMUNITY}
ORDER = {"order_id": "o-1", "matter_id": None, "ordered_by": SUPERVISOR}


def taken(**changes):
    fields = POSTING | TAKER | {"taken_as": "party-member", "expires_at": LATER, "taken_by": "member-1"}
    return claims.ClaimTaken(**fields | changes)


def reviewed(decision, **changes):
    return claims.ClaimReviewed(**POSTING | TAKER | {"decision": decision, "reviewed_by": CLERK} | changes)


def withdrawn(unit):
    return oversight.RectificationWithdrawn(order_id="o-1", unit=unit, reason="重复", withdrawn_by=SUPERVISOR)


def overdue(**changes):
    fields = {"from_unit": GRID, "to_unit": COMMUNITY, "to_level": "community", "due_at": START, "times": 1}
    return claims.RectificationOverdue(**ORDER | fields | changes)


#: Event -> (audience, unit, person) of everybody who is told.
TOLD = [
    (
        claims.ClaimPosted(
            claim_id="c-1", unit=COMMUNITY, kind="micro-wish", title="t", text="t", emergency=False, hold_hours=1,
            posted_by=CLERK,
        ),
        [],
    ),
    (taken(), [("poster", COMMUNITY, CLERK)]),
    (taken(taken_by=CLERK, taker=CLERK), []),
    (
        taken(taker="dept-water", taker_unit="dept-water", taken_by=STREET_CLERK, appointed_by=STREET_CLERK),
        [("poster", COMMUNITY, CLERK), ("taker", "dept-water", None)],
    ),
    (
        taken(taken_by=STREET_CLERK, appointed_by=STREET_CLERK),
        [("poster", COMMUNITY, CLERK), ("taker", None, "member-1")],
    ),
    (
        claims.ClaimReleased(**POSTING, **TAKER, reason="出差", released_by="member-1"),
        [("poster", COMMUNITY, CLERK)],
    ),
    (claims.ClaimReleased(**POSTING, **TAKER, reason="换人", released_by=CLERK), [("taker", None, "member-1")]),
    (
        claims.ClaimWarned(**POSTING, **TAKER, expires_at=LATER),
        [("taker", None, "member-1"), ("poster", COMMUNITY, CLERK)],
    ),
    (
        claims.ClaimExpired(**POSTING, **TAKER, due_at=START, open_again=True),
        [("taker", None, "member-1"), ("poster", COMMUNITY, CLERK)],
    ),
    (claims.ClaimExpired(**POSTING, taker=None, due_at=START, open_again=False), [("poster", COMMUNITY, CLERK)]),
    (
        claims.ClaimFulfilled(**POSTING, **TAKER, outcome="送到了", evidence=EVIDENCE, fulfilled_by="member-1"),
        [("poster", COMMUNITY, CLERK)],
    ),
    (reviewed("approved"), [("taker", None, "member-1")]),
    (claims.ClaimWithdrawn(**POSTING, **TAKER, reason="…", withdrawn_by=CLERK), [("taker", None, "member-1")]),
    (claims.ClaimWithdrawn(**POSTING, reason="…", withdrawn_by=CLERK), []),
    (
        claims.RectificationAssigned(**ORDER, unit=GRID, level="grid", deadline=LATER),
        [("unit", GRID, None)],
    ),
    (
        claims.RectificationWarned(**ORDER, unit=GRID, level="grid", due_at=LATER),
        [("unit", GRID, None), ("issuer", None, SUPERVISOR)],
    ),
    (overdue(), [("unit", GRID, None), ("unit-above", COMMUNITY, None), ("issuer", None, SUPERVISOR)]),
    (overdue(to_unit=GRID), [("unit", GRID, None), ("issuer", None, SUPERVISOR)]),
    (
        claims.RectificationReported(
            **ORDER, unit=GRID, outcome="清了", evidence=EVIDENCE, on_time=True, reported_by="x"
        ),
        [("issuer", None, SUPERVISOR)],
    ),
    (claims.RectificationReworked(**ORDER, unit=GRID, reason="还有", sent_back_by="x"), [("unit", GRID, None)]),
    (
        claims.RectificationClosed(
            **ORDER, unit=GRID, level="grid", inside=True, on_time=True, closed_by="x"
        ),
        [("issuer", None, SUPERVISOR)],
    ),
    (withdrawn(GRID), [("unit", GRID, None)]),
    (withdrawn(None), []),
    # Told by a release that did not say who posted or ordered yet.
    (taken(unit=None, title=None, posted_by=None), []),
    (overdue(ordered_by=None), [("unit", GRID, None), ("unit-above", COMMUNITY, None)]),
]  # fmt: skip


@pytest.mark.parametrize(("event", "expected"), TOLD)
def test_who_is_told(event, expected):
    assert [(one.audience.value, one.unit, one.person) for one in recipients(event)] == expected


def test_the_pack_has_words_for_everybody_who_is_told(pack):
    """In Chinese and English; and the other way round, no template waits for somebody who is never told."""
    worded = {(one.event, one.audience) for one in pack.templates if one.audience in set(Audience)}
    told = {(registry.by_shape(type(event)).name, one.audience.value) for event, _ in TOLD for one in recipients(event)}
    assert worded == told
    for one in pack.templates:
        assert one.body.zh != one.body.en


def listed(desk, who, **parameters):
    return desk.ask("notices", who, **parameters)["items"]


def subjects(items):
    return [item["subject"] for item in items]


def test_a_notice_is_read_by_whom_it_names_and_by_the_desk(desk):
    desk.hear(taken())
    (shown,) = listed(desk, CLERK)
    assert (
        shown["text"]["zh"] == "您好！贵处发布的“一副老花镜”已由认领人认领，应于 2025年9月10日（星期三）09:30 前完成。"
    )
    assert shown["text"]["en"].startswith("'一副老花镜' was taken by whoever took it and is to be done by 10 September")
    assert (shown["claim_id"], shown["order_id"], shown["state"]) == ("c-1", None, "pending")
    # Not the taker, nor anybody else of the territory who merely takes claims; nor another desk.
    for other in (MEMBER, Actor(id="v", roles=frozenset({"volunteer"}), unit=COMMUNITY), STREET_CLERK):
        assert listed(desk, other) == []
    colleague = Actor(id="another-clerk", roles=frozenset({"community-clerk"}), unit=COMMUNITY)
    assert listed(desk, colleague) == listed(desk, CLERK)
    desk.hear(reviewed("sent-back", reason="王某某家的照片看不清", expires_at=LATER))
    (mine,) = listed(desk, MEMBER)
    assert mine["text"]["zh"] == (
        "您好！您完成的“一副老花镜”评价结果：退回补办，请于 2025年9月10日（星期三）09:30 前补办。感谢您的付出！"
    )
    assert "王某某" not in str(desk.rows(notices))  # words of people stay where they are


def test_a_department_that_leads_reads_its_own_and_no_matter(desk):
    lead = {"taker": "dept-water", "taker_unit": "dept-water", "taken_by": STREET_CLERK}
    desk.hear(taken(**lead, appointed_by=STREET_CLERK, matter_id="m-1"))
    assert listed(desk, "department-officer-dept-fire") == []
    (shown,) = listed(desk, WATER)
    assert shown["audience"] == "taker"
    # The matter may be private: the claim shows it to those who may know.
    assert "m-1" not in str(shown) + str(listed(desk, CLERK))


def test_read_once_and_by_whom(desk):
    desk.hear(taken())
    (notice,) = listed(desk, CLERK, unread="true")
    actor = desk.actor(CLERK)
    with pytest.raises(Refusal) as refused:
        desk.application.execute("notify.mark-notice-read", {"notice": notice["notice_id"]}, MEMBER)
    assert refused.value.code == "unknown-notice"
    done = desk.application.execute("notify.mark-notice-read", {"notice": notice["notice_id"]}, actor)
    assert (done.body["read_by"], done.version) == (CLERK, 2)
    colleague = Actor(id="another-clerk", roles=frozenset({"community-clerk"}), unit=COMMUNITY)
    again = desk.application.execute("notify.mark-notice-read", {"notice": notice["notice_id"]}, colleague)
    assert again.body["read_by"] == CLERK
    assert listed(desk, CLERK, unread="true") == []
    assert len(listed(desk, CLERK)) == 1
    with pytest.raises(Refusal) as bad:
        listed(desk, CLERK, unread="perhaps")
    assert bad.value.code == "invalid-input"
    with pytest.raises(Refusal) as nobody:
        listed(desk, Actor(id="x", roles=frozenset({"citizen"}), unit=COMMUNITY))
    assert nobody.value.code == "not-permitted"


def test_pages_are_in_order(desk):
    for number in range(5):
        desk.hear(dataclasses.replace(taken(), claim_id=f"c-{number}"))
    first = desk.ask("notices", CLERK, limit="3")
    rest = desk.ask("notices", CLERK, limit="3", cursor=first["next"])
    assert [one["claim_id"] for one in first["items"] + rest["items"]] == ["c-4", "c-3", "c-2", "c-1", "c-0"]
    assert rest["next"] is None


# -- by an office's channel


@pytest.fixture
def office(desk):
    """The community has an office address."""
    pack = desk.application.at_hand.jurisdiction
    unit = dataclasses.replace(pack.units[COMMUNITY], contact=OfficeContact(phone="01085270001", mail=None))
    changed = dataclasses.replace(pack, units={**pack.units, COMMUNITY: unit})
    at_hand = dataclasses.replace(desk.application.at_hand, jurisdiction=changed)
    desk.application = dataclasses.replace(desk.application, at_hand=at_hand)
    return desk


def test_where_there_is_an_office_address_it_leaves_once(office):
    office.hear(taken(), reviewed("approved"))
    assert office.send() == 1
    (letter,) = office.recorder.sent
    assert (letter.address, letter.template) == ("01085270001", "claim-taken")
    assert letter.subject.startswith("【北京市朝阳区建外街道网格哨】")
    assert office.send() == 0
    (told,) = office.events()
    assert isinstance(told, notify.NoticeDelivered)
    assert (told.subject, told.template, told.attempts) == ("c-1", "claim-taken", 1)
    assert [row.state for row in office.rows(notices)] == ["delivered", "listed"]


def test_the_same_event_again_makes_no_second_notice(office):
    raw = office.envelope(taken())
    assert office.application.receive(raw) is Outcome.HANDLED
    office.send()
    assert office.application.receive(raw) is Outcome.DUPLICATE
    assert office.send() == 0
    assert len(office.rows(notices)) == 1


def test_not_now_is_tried_again_under_the_same_id_and_given_up_in_the_end(office, caplog):
    office.recorder.plan = [TemporaryFailure("busy")] * (len(BACK_OFF) + 1)
    office.hear(taken())
    for pause in BACK_OFF:
        office.send()
        assert office.events() == []
        office.clock.advance(pause)
    office.send()
    (told,) = office.events()
    assert isinstance(told, notify.NoticeFailed)
    assert (told.attempts, told.reason) == (len(BACK_OFF) + 1, "busy")
    assert office.figure("gridwhistle_notices_given_up_last_day") == 1
    # It stands on the list all the same, and operators find the reason in the log.
    assert listed(office, CLERK)[0]["state"] == "failed"
    (line,) = [line for line in caplog.records if line.getMessage() == "a notice was given up"]
    assert (line.notice, line.channel, line.reason) == (told.notice_id, told.channel, "busy")


def test_refused_for_good(office):
    office.recorder.plan = [PermanentFailure("no such box")]
    office.hear(taken())
    office.send()
    assert office.rows(notices)[0].reason == "no such box"
    office.clock.advance(timedelta(days=9))
    assert office.send() == 0


def test_killed_between_sending_and_recording_it_is_sent_again_under_its_id(office):
    office.hear(taken())
    outward = next(one for one in DEFINITION.outward_work if one.name == "notices")
    ids = []
    for _ in range(2):
        with unit_of_work(office.application.at_hand) as work:
            (claimed,) = outward.claim(work, 10).items
            work.commit()
        ids.append(claimed.id)
        outward.carry_out(office.application.at_hand, claimed)
        with unit_of_work(office.application.at_hand) as work:
            assert outward.claim(work, 10).due == 0
        office.clock.advance(timedelta(minutes=11))
    assert ids[0] == ids[1]
    assert [letter.id for letter in office.recorder.sent] == ids
    office.send()
    assert office.rows(notices)[0].state == "delivered"
