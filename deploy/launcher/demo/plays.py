"""What the demo's players do with a matter: one generator a play, which yields when it wants to be called again.

A play looks at the matter before each step, because silence and breaches move it up the ladder meanwhile.
"""

from __future__ import annotations

from collections.abc import Callable, Generator
from datetime import datetime

from deploy.launcher.demo.case import URGENT, Case
from deploy.launcher.demo.words import NOT_DONE, VERIFIED, words_for

Play = Generator[datetime, None, None]

#: Hazard clocks that workers stop one after the other, with what they report.
_HAZARD_STEPS = (
    ("hazard-survey", "隐患勘查完成，影响范围已划定。"),
    ("hazard-plan", "处置方案已定，人员物料到位。"),
    ("hazard-on-site", "人员、物资、机械均已到场处置。"),
)


def quick(case: Case) -> Play:
    """Taken, mended, checked and rated within hours."""
    yield case.soon(3, 9)
    case.accept()
    yield from _hazard(case)
    yield case.pause(12, 35)
    yield from _finish(case, 5, 15)


def normal(case: Case) -> Play:
    """Taken, worked on for as long as its class allows, checked and rated."""
    yield case.pause(4, 12) if _urgent(case) else case.pause(15, 45)
    case.accept()
    yield from _hazard(case)
    yield case.pause(10, 25)
    case.progress(words_for(case.category).arrived)
    least, most = {"same-day": (45, 110), "within-week": (400, 700), "within-month": (500, 1_300)}.get(
        str(case.view()["response_class"]), (10, 20)
    )
    yield case.pause(least, most)
    if case.office.dice.random() < _REWORKED:
        yield from _rework(case)
    yield from _finish(case, 20, 60)


#: Share of normal matters that are sent back once.
_REWORKED = 0.12


def _rework(case: Case) -> Play:
    words = words_for(case.category)
    case.resolve(words.outcome, *words.evidence)
    yield case.pause(10, 30)
    case.verify(NOT_DONE, passed=False)
    yield case.pause(30, 80)


def slow_breach(case: Case) -> Play:
    """Nobody accepts. The clocks lift it, until a level takes it: too late, and the asker says so."""
    # Short promises climb fast: all the way up before anybody looks. Looked at every half hour of working time.
    accepts_at = "community" if case.view()["response_class"] == "within-month" else "district"
    while case.level not in {accepts_at, "district"}:
        yield case.office_hours(25, 35)
    yield case.office_hours(10, 25)
    case.accept()
    case.progress("因未及时签收逐级上报，现由本级直接办理。")
    yield case.office_hours(90, 240)
    yield from _finish(case, 20, 40)


def escalate_reason(case: Case) -> Play:
    """The grid cannot, the community cannot: up by reason, step by step, and handled by the street."""
    reason = case.demand.reason or "safety"
    yield case.pause(8, 20)
    case.accept()
    yield from _hazard(case)
    yield case.pause(8, 20) if _urgent(case) else case.pause(40, 120)
    case.do("dispatch.escalate", case.handler(), reason=reason, note="超出本级能力，报请上级统筹。")
    yield case.pause(6, 12)
    case.accept()
    yield case.pause(10, 20) if _urgent(case) else case.pause(60, 150)
    case.do("dispatch.escalate", case.handler(), reason=reason, note="涉及多家单位和资金，请街道牵头。")
    yield case.pause(6, 12)
    case.accept()
    yield case.pause(10, 30)
    case.progress("街道召集相关单位现场会商，明确责任和时间表。")
    yield case.pause(60, 120) if _urgent(case) else case.pause(300, 800)
    yield from _finish(case, 20, 50)


def whistle(case: Case) -> Play:
    """The community whistles, the department reports in, works, and completes."""
    department = case.demand.department or ""
    yield from _to_community(case)
    words = words_for(case.category)
    call = case.do(
        "dispatch.blow-whistle", case.handler(), departments=[department], lead=department, request=words.request,
        legal_basis="《北京市接诉即办工作条例》第十六条",
    )  # fmt: skip
    soon = _urgent(case) or case.view()["response_class"] == "same-day"
    yield case.pause(15, 40) if soon else case.pause(45, 150)
    _department(case, call["whistle_id"], "accepted", "已派员到场报到。")
    yield case.pause(20, 50) if soon else case.pause(90, 240)
    case.accept()  # the clock may have lifted it meanwhile: whoever has it now takes it on
    _department(case, call["whistle_id"], "progressed", "现场核实，正在依职责处置。")
    yield case.pause(30, 70) if soon else case.pause(120, 360)
    case.accept()
    _department(case, call["whistle_id"], "completed", "处置完成，结果书面反馈。")
    yield case.pause(10, 30)
    yield from _finish(case, 15, 40)


def whistle_absent(case: Case) -> Play:
    """The department does not report in: the call goes up, the street presses, the department comes late."""
    department = case.demand.department or ""
    yield from _to_community(case)
    call = case.do(
        "dispatch.blow-whistle", case.handler(), departments=[department], lead=department,
        request=words_for(case.category).request,
    )  # fmt: skip
    while case.level == "community":
        yield case.office_hours(55, 65)
    yield case.office_hours(10, 25)
    case.accept()
    case.progress("部门未按时报到，街道已约谈并要求当日到场。")
    yield case.office_hours(40, 100)
    _department(case, call["whistle_id"], "accepted", "迟到报到，已说明原因。")
    yield case.office_hours(120, 300)
    _department(case, call["whistle_id"], "completed", "已依法处置并反馈。")
    yield case.office_hours(10, 30)
    yield from _finish(case, 15, 40)


def deliberate(case: Case) -> Play:
    """One topic, N parties, one ballot, one resolution; then its measures."""
    execute, cast = case.office.execute, case.office.cast
    yield case.pause(15, 40)
    case.accept()
    case.progress("各方意见不一，提交“1+N”平台协商。")
    yield case.office_hours(60, 120)
    unit = case.unit
    host = cast.host(unit)
    topic = execute(
        "deliberation.open-topic", host, matter=case.matter, title=_title(case), parties=[unit, "dept-property-office"]
    )["topic_id"]
    yield case.office_hours(60, 120)
    execute("deliberation.give-opinion", case.asker(), topic=topic, stance="support", text=_ASKERS_OPINION)
    yield case.office_hours(20, 60)
    officer = cast.officer("dept-property-office")
    execute("deliberation.give-opinion", officer, topic=topic, stance="support", text=_OFFICERS_OPINION)
    yield case.office_hours(200, 300)
    voters = cast.voters(unit)
    listed = [voter.id for voter in voters]
    ballot = execute("deliberation.open-ballot", host, topic=topic, question=_QUESTION, voters=listed)["ballot_id"]
    for voter in voters[:-1]:
        yield case.office_hours(2, 12)
        choice = "yes" if case.office.dice.random() < _FOR else "abstain"
        execute("deliberation.cast-vote", voter, ballot=ballot, choice=choice)
    yield case.office_hours(20, 40)
    closed = execute("deliberation.close-ballot", host, ballot=ballot)
    if closed.get("outcome") != "carried":
        execute("deliberation.reject-resolution", host, topic=topic, reason="表决未通过，另行协商。")
        return
    yield case.office_hours(10, 30)
    measures = [
        {"unit": "dept-property-office", "action": "按方案组织实施并每周公示进度"},
        {"unit": unit, "action": "组织居民代表全程监督和验收"},
    ]
    execute("deliberation.adopt-resolution", host, topic=topic, text=_RESOLUTION, measures=measures)
    yield case.office_hours(240, 500)
    yield from _finish(case, 30, 60)


#: Share of voters in favour; the others abstain.
_FOR = 0.85
_ASKERS_OPINION = "支持。希望公开费用和时间表，让大家都能看到。"
_OFFICERS_OPINION = "物业企业承担维护部分，其余按程序征求业主意见。"
_QUESTION = "是否同意按公示方案实施？"
_RESOLUTION = "经协商一致，按公示方案实施，网格党支部监督，完工后请居民代表验收。"


def return_once(case: Case) -> Play:
    """The grid holds it is not theirs and hands it back; the community looks and assigns it again, with reasons."""
    yield case.pause(10, 25)
    grid = case.unit
    case.do("dispatch.return", case.handler(), reason="点位不在本网格责任范围，请核实。")
    yield case.pause(15, 35)
    case.do("dispatch.assign", case.handler(), unit=grid)
    yield case.pause(8, 20)
    case.accept()
    yield case.pause(30, 80)
    case.progress(words_for(case.category).arrived)
    yield case.pause(30, 90)
    yield from _finish(case, 20, 50)


def reopen(case: Case) -> Play:
    """Closed too lightly: the asker is not satisfied, the desk takes it up again, and the second time it is good."""
    yield case.pause(10, 30)
    case.accept()
    yield case.pause(40, 90)
    yield from _close(case, 15, 40)
    yield case.soon(40, 120)
    case.answer(satisfied=False, wants_reopening=True, comment="只管了当天，第二天又是老样子。")
    yield case.office_hours(20, 60)
    supervisor = case.office.cast.supervisor("street")
    case.do("dispatch.reopen", supervisor, reason="诉求人不满意，问题复发，重新办理。")
    yield case.office_hours(15, 30)
    case.accept()
    case.progress("约诉求人到现场共同确认，制定长效措施。")
    yield case.office_hours(60, 180)
    yield from _close(case, 20, 40)
    yield case.soon(60, 180)
    case.answer(satisfied=True, comment="这次是真解决了。")


def left_open(case: Case) -> Play:
    """Still in hand when the week ends; what lies in no grid waits for the street's desk."""
    if case.state == "unlocated":
        return
    yield case.pause(15, 40)
    case.accept()
    yield case.pause(30, 60)
    case.progress(words_for(case.category).arrived)


PLAYS: dict[str, Callable[[Case], Play]] = {
    "quick": quick,
    "normal": normal,
    "slow-breach": slow_breach,
    "escalate-reason": escalate_reason,
    "whistle": whistle,
    "whistle-absent": whistle_absent,
    "deliberate": deliberate,
    "return-once": return_once,
    "reopen": reopen,
    "left-open": left_open,
}


def _urgent(case: Case) -> bool:
    return case.view()["response_class"] in URGENT


def _hazard(case: Case) -> Play:
    """Survey, plan and arrival within the two hours that never pause (N6)."""
    if case.view()["response_class"] != "hazard":
        return
    for milestone, note in _HAZARD_STEPS:
        yield case.soon(6, 18)
        case.progress(note, milestone)


def _to_community(case: Case) -> Play:
    """Up to the level that may whistle."""
    yield case.pause(5, 10) if _urgent(case) else case.pause(15, 40)
    case.accept()
    yield from _hazard(case)
    if case.level == "grid":
        yield case.pause(5, 10) if _urgent(case) else case.pause(20, 60)
        case.do("dispatch.escalate", case.handler(), reason="needs-department", note="需要职能部门到场。")
        yield case.pause(4, 9) if _urgent(case) else case.pause(10, 30)
        case.accept()
    yield case.pause(3, 8)


def _department(case: Case, call: str, answer: str, note: str) -> None:
    officer = case.office.cast.officer(case.demand.department or "")
    case.office.execute("dispatch.answer-whistle", officer, whistle=call, answer=answer, note=note)


def _title(case: Case) -> str:
    return case.demand.text.split("。", 1)[0][:60]


def _close(case: Case, least: int, most: int) -> Play:
    words = words_for(case.category)
    case.resolve(words.outcome, *words.evidence)
    yield case.pause(least, most)
    case.verify(VERIFIED)
    yield case.pause(5, 15)
    case.close()


def _finish(case: Case, least: int, most: int) -> Play:
    yield from _close(case, least, most)
    yield case.soon(40, 300)
    case.answer()
