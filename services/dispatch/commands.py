"""What can be asked of dispatch. The same shapes over HTTP, in scenarios and in the CLI (docs/commands.md)."""

from __future__ import annotations

from datetime import datetime

from services.dispatch.domain.clocks import MILESTONES
from services.dispatch.domain.whistle import DECISIONS
from shared.contracts.dispatch import ANSWERS
from shared.contracts.shapes import choice, flag, ident, instant, many, text, whole
from shared.contracts.values import Evidence
from shared.runtime.definition import command

#: Departments in one call.
_CALL_LIMIT = 20


@command("dispatch.accept", needs="handle-matter")
class Accept:
    """Take a matter on 签收; the accept clock stops."""

    matter: str = ident()


@command("dispatch.progress", needs="handle-matter")
class Progress:
    """Note how the work goes 办理进展; restarts no clock. Also from units that the matter climbed from, on the spot."""

    matter: str = ident()
    note: str = text(maximum=4_000)
    milestone: str | None = choice(*MILESTONES, default=None, about="Stops the clock of that kind")
    evidence: tuple[Evidence, ...] = many(Evidence, maximum=50)


@command("dispatch.return", needs="handle-matter")
class ReturnMatter:
    """Hand a matter back to the unit above, with a ground 退回."""

    matter: str = ident()
    reason: str = text(maximum=1_000)


@command("dispatch.escalate", needs="handle-matter")
class Escalate:
    """Send a matter up the ladder for one of the pack's reasons 上报."""

    matter: str = ident()
    reason: str = ident(about="One of the pack's reasons, such as beyond-authority")
    note: str | None = text(default=None, maximum=4_000)


@command("dispatch.hand-back", needs="handle-matter")
class HandBack:
    """Give a matter back down with an answer 答复下转; by default to the unit that it came up from."""

    matter: str = ident()
    answer: str = text(maximum=4_000, about="What was decided, and what is to be done below")
    unit: str | None = ident(default=None, about="A unit below the one responsible now")


@command("dispatch.estimate-cost", needs="handle-matter")
class EstimateCost:
    """Say what handling will cost 费用估算; above the level's authority the matter goes up by rule."""

    matter: str = ident()
    amount: int = whole(minimum=0, maximum=10**12, about="Yuan")
    note: str | None = text(default=None, maximum=4_000)


@command("dispatch.assign", needs="assign-matter")
class Assign:
    """Make a unit responsible 分派, also for a matter of the unlocated list."""

    matter: str = ident()
    unit: str = ident()
    person: str | None = ident(default=None)


@command("dispatch.reclassify", needs="assign-matter")
class Reclassify:
    """Give a matter another response class 改类; its clocks keep their start and pauses."""

    matter: str = ident()
    response_class: str = ident()
    reason: str = text(maximum=1_000)


@command("dispatch.request-extension", needs="handle-matter")
class RequestExtension:
    """Ask the level above for more time, before the matter is due 申请延期."""

    matter: str = ident()
    days: int = whole(minimum=1, maximum=366, about="Working days on top of the time promised")
    reason: str = text(maximum=1_000)


@command("dispatch.decide-extension", needs="decide-extension")
class DecideExtension:
    """Grant more time or refuse it, from the level above 延期审批; both due times are kept."""

    matter: str = ident()
    granted: bool = flag()
    days: int | None = whole(default=None, minimum=1, maximum=366, about="Fewer than asked for; those when left out")
    note: str | None = text(default=None, maximum=1_000)


@command("dispatch.request-suspension", needs="handle-matter")
class RequestSuspension:
    """Ask the level above to let a matter rest 申请挂账."""

    matter: str = ident()
    reason: str = text(maximum=1_000)
    until: datetime | None = instant(default=None, about="When it is to go on by itself")


@command("dispatch.decide-suspension", needs="decide-extension")
class DecideSuspension:
    """Let a matter rest as was asked, or refuse, from the level above 挂账审批."""

    matter: str = ident()
    granted: bool = flag()
    until: datetime | None = instant(default=None, about="Another end than was asked for")
    note: str | None = text(default=None, maximum=1_000)


@command("dispatch.import-calendar", needs="import-calendar")
class ImportCalendar:
    """Take in a year of the national calendar, or its correction 导入工作日历; open clocks are counted anew."""

    calendar: str = ident(default="cn", about="National table that the pack builds on")
    year: int = whole(minimum=1971, maximum=2199)
    source: str = text(maximum=500, about="Number and title of the notice 文号")
    days_off: tuple[str, ...] = many(
        text(maximum=10), required=True, maximum=366, about="Days off, weekends in holidays among them"
    )
    makeup_days: tuple[str, ...] = many(text(maximum=10), maximum=366, about="Weekend dates that are worked 调休上班日")


@command("dispatch.suspend", needs="decide-extension")
class Suspend:
    """Let a matter rest with approval of the level above 挂账; pausable clocks stop."""

    matter: str = ident()
    reason: str = text(maximum=1_000)
    until: datetime | None = instant(default=None, about="When it goes on by itself")


@command("dispatch.resume", needs="decide-extension")
class Resume:
    """Go on with a suspended matter 恢复办理."""

    matter: str = ident()
    reason: str = text(default="", maximum=1_000)


@command("dispatch.blow-whistle", needs="blow-whistle")
class BlowWhistle:
    """Summon departments 吹哨; they must report in by the pack's deadline."""

    matter: str = ident()
    departments: tuple[str, ...] = many(ident(), required=True, maximum=_CALL_LIMIT)
    lead: str | None = ident(default=None, about="Lead department 主办; the first one called when left out")
    request: str = text(maximum=4_000, about="What is needed; never who asked")
    legal_basis: str | None = text(default=None, maximum=1_000)
    complete_by: datetime | None = instant(default=None, about="Done by then; left out, as the pack says")


@command("dispatch.answer-whistle", needs="answer-whistle")
class AnswerWhistle:
    """Answer a whistle call for one's own department 报到."""

    whistle: str = ident()
    answer: str = choice(*ANSWERS)
    note: str = text(maximum=4_000)
    ground: str | None = text(default=None, maximum=1_000, about="declined: the ground; the note, when left out")
    until: datetime | None = instant(default=None, about="extension-requested: done by then")


@command("dispatch.decide-whistle-extension", needs="blow-whistle")
class DecideWhistleExtension:
    """Grant a department more time to finish, or refuse it 延期审批; by the unit that whistled, or one above."""

    whistle: str = ident()
    department: str = ident()
    granted: bool = flag()
    until: datetime | None = instant(default=None, about="Granted: done by then; as asked, when left out")
    reason: str = text(maximum=4_000)


@command("dispatch.decide-contest", needs="decide-whistle")
class DecideContest:
    """Decide whether a department that declined has to come 争议裁定; by the level that the dispute was taken to."""

    whistle: str = ident()
    department: str = ident()
    decision: str = choice(*DECISIONS, about="upheld: it has to come; released: it need not")
    reason: str = text(maximum=4_000)


@command("dispatch.end-whistle", needs="decide-whistle")
class EndWhistle:
    """End a call that is open, with a reason that is kept; only by the level above the one that whistled 上级裁定."""

    whistle: str = ident()
    reason: str = text(maximum=1_000)


@command("dispatch.score-whistle", needs="blow-whistle")
class ScoreWhistle:
    """Score a department, once, by the unit that whistled 双考核; 1 is worst, 5 is best."""

    whistle: str = ident()
    department: str = ident()
    arrival: int = whole(minimum=1, maximum=5, about="Came in time 到场")
    quality: int = whole(minimum=1, maximum=5, about="Worked well 办理质量")
    result: int = whole(minimum=1, maximum=5, about="Solved it 办理结果")
    note: str | None = text(default=None, maximum=4_000)


@command("dispatch.resolve", needs="handle-matter")
class Resolve:
    """Say what was done, with evidence 办结."""

    matter: str = ident()
    outcome: str = text(maximum=4_000)
    evidence: tuple[Evidence, ...] = many(Evidence, maximum=50)


@command("dispatch.verify", needs="verify-matter")
class Verify:
    """Look whether it is done; not by the handler 核查. Not passed: back to work 返工."""

    matter: str = ident()
    passed: bool = flag()
    note: str | None = text(default=None, maximum=4_000)


@command("dispatch.close", needs="verify-matter")
class Close:
    """Close a verified matter 结案; every asker is told."""

    matter: str = ident()
    note: str | None = text(default=None, maximum=4_000)


@command("dispatch.reopen", needs="verify-matter")
class Reopen:
    """Take a closed matter up again within the pack's limits 重办; the first outcome stays."""

    matter: str = ident()
    reason: str = text(maximum=4_000)
