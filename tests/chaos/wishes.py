"""What a life may wish for beside the plain way: help, time, a vote, an end. One function a wish, all over HTTP.

Each does what its people would do and takes no for an answer: a refusal is written into the book and life goes on.
"""

from __future__ import annotations

from deploy.launcher.demo.cast import NobodyThere
from deploy.launcher.demo.words import words_for
from deploy.launcher.scenario import doors
from shared.kernel.actor import ANONYMOUS
from tests.chaos.book import ACCEPTED

DEPARTMENTS = ("dept-water", "dept-property-office")
CLASSES = ("same-day", "within-week", "within-month")


def progress(producer, life, view):
    words = words_for(str(view.get("category") or ""))
    producer.do(life, "progress", producer.handler(view), note=words.arrived)


def supplement(producer, life, view):
    del view
    code = next(iter(life.demands.values()))
    producer.door.send(
        "intake.supplement-demand", ANONYMOUS, {"tracking_code": code, "text": "补充：晚上七点以后更严重。"}
    )


def escalate(producer, life, view):
    reason = life.dice.choice(("beyond-authority", "needs-funds", "safety", "contested"))
    producer.do(life, "escalate", producer.handler(view), reason=reason, note="超出本级能力，报请上级统筹。")


def whistle(producer, life, view):
    if view["level"] == "grid":
        life.wishes.insert(0, "whistle")
        producer.do(life, "escalate", producer.handler(view), reason="needs-department", note="需要职能部门到场。")
        return
    department = life.dice.choice(DEPARTMENTS)
    entry = producer.do(
        life, "blow-whistle", producer.handler(view), departments=[department], lead=department,
        request="请派员到现场处置并反馈结果。",
    )  # fmt: skip
    if entry.result == ACCEPTED:
        life.whistles[entry.reply["whistle_id"]] = department
        answer(producer, life, entry.reply["whistle_id"], "accepted", "已派员到场报到。")


def answer_calls(producer, life):
    """Have every department that was called complete; whether there was any."""
    calls, life.whistles = life.whistles, {}
    for whistle in calls:
        answer(producer, life, whistle, "completed", "处置完成，结果书面反馈。", department=calls[whistle])
    return bool(calls)


def answer(producer, life, whistle, said, note, *, department=None):
    officer = producer.cast.officer(department or life.whistles[whistle])
    producer.door.send("dispatch.answer-whistle", officer, {"whistle": whistle, "answer": said, "note": note})


def suspend(producer, life, view):
    above = producer.pack.parent_of(view["unit"]["id"])
    if above is None:
        return
    producer.do(life, "suspend", decider(producer, {"unit": {"id": above.id}}), reason="需等待产权单位排期。")


def decider(producer, view):
    """Who may decide on extensions for a unit: the street, or the district above it."""
    level = producer.pack.unit(view["unit"]["id"]).level
    return producer.cast.desk("district" if level == "district" else "street")


def reclassify(producer, life, view):
    others = [name for name in CLASSES if name != view["response_class"]]
    producer.do(
        life, "reclassify", producer.cast.desk("street"), response_class=life.dice.choice(others),
        reason="核实后调整办理时限。",
    )  # fmt: skip


def withdraw(producer, life, view):
    """Every asker takes the demand back; the matter ends when the last one's has reached dispatch."""
    del view
    entries = [
        producer.door.send("intake.withdraw-demand", ANONYMOUS, {"tracking_code": code, "reason": "问题已自行解决。"})
        for code in life.demands.values()
    ]
    if all(entry.result == ACCEPTED for entry in entries):
        producer.seen(
            "dispatch",
            doors.MATTER.replace("<matter>", life.matter),
            life,
            condition=lambda seen: seen["state"] in ("withdrawn", "closed", "verified"),
        )


def inspect(producer, life, view):
    del view
    producer.seen("oversight", doors.EVALUATIONS.replace("<matter>", life.matter), life)
    producer.door.send(
        "oversight.record-inspection",
        producer.cast.supervisor("street"),
        {"matter": life.matter, "kind": "on-site", "finding": "现场整洁，无新增堆物。", "passed": True},
    )


def deliberate(producer, life, view):
    """One topic, one ballot, one resolution."""
    unit = view["unit"]["id"]
    try:
        host, voters = producer.cast.host(unit), producer.cast.voters(life.grid)[:5]
    except NobodyThere:
        return
    sent = producer.door.send(
        "deliberation.open-topic",
        host,
        {"matter": life.matter, "title": f"第{life.number}件如何处理", "parties": [life.grid]},
    )
    if sent.result != ACCEPTED or not voters:
        return
    topic = sent.reply["topic_id"]
    producer.door.send(
        "deliberation.give-opinion",
        host,
        {"topic": topic, "stance": "support", "text": "支持，请公开费用和时间表。"},
    )
    ballot = producer.door.send(
        "deliberation.open-ballot",
        host,
        {"topic": topic, "question": "是否同意按公示方案实施？", "voters": [voter.id for voter in voters]},
    )
    if ballot.result != ACCEPTED:
        return
    for voter in voters:
        choice = "yes" if life.dice.random() < 0.8 else "abstain"
        producer.door.send("deliberation.cast-vote", voter, {"ballot": ballot.reply["ballot_id"], "choice": choice})
    closed = producer.door.send("deliberation.close-ballot", host, {"ballot": ballot.reply["ballot_id"]})
    if closed.result != ACCEPTED:
        return
    if closed.reply["outcome"] == "carried":
        measures = [{"unit": life.grid, "action": "组织居民代表全程监督和验收"}]
        producer.door.send(
            "deliberation.adopt-resolution",
            host,
            {"topic": topic, "text": "经协商一致，按公示方案实施。", "measures": measures},
        )
    else:
        producer.door.send("deliberation.reject-resolution", host, {"topic": topic, "reason": "表决未通过，另行协商。"})


#: Wish -> what is done about it while the matter is in hand.
IN_HAND = {
    "progress": progress,
    "supplement": supplement,
    "escalate": escalate,
    "whistle": whistle,
    "suspend": suspend,
    "reclassify": reclassify,
    "withdraw": withdraw,
    "inspect": inspect,
    "deliberate": deliberate,
    # For another state than this one: dropped here when that state is past.
    "return": lambda _producer, _life, _view: None,
}
