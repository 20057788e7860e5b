"""What can be asked of dispatch. The same shapes over HTTP, in scenarios and in the CLI (docs/commands.md)."""

from __future__ import annotations

from datetime import datetime

from services.dispatch.domain.clocks import MILESTONES
from shared.contracts.dispatch import ANSWERS
from shared.contracts.shapes import choice, flag, ident, instant, many, text
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
    """Note how the work goes 办理进展; restarts no clock."""

    matter: str = ident()
    note: str = text(maximum=4_000)
    milestone: str | None = choice(*MILESTONES, default=None, about="Stops the clock of that kind")


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


@command("dispatch.answer-whistle", needs="answer-whistle")
class AnswerWhistle:
    """Answer a whistle call for one's own department 报到."""

    whistle: str = ident()
    answer: str = choice(*ANSWERS)
    note: str = text(maximum=4_000)


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
