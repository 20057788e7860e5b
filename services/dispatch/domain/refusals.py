"""What dispatch refuses and what the sender may do about it; each with a stable code."""

from __future__ import annotations

from shared.kernel.errors import Conflict, Forbidden, NotFound, Refusal


class UnknownMatter(NotFound):
    """No such matter, or none that this actor may see. Check the id, or ask a desk whose territory includes it."""

    code = "unknown-matter"


class UnknownWhistle(NotFound):
    """No such whistle call, or none that this actor may see. Check the id."""

    code = "unknown-whistle"


class EvidenceMissing(Refusal):
    """The pack asks for proof of what was done. Attach at least one piece of evidence."""

    code = "evidence-missing"


class VerifierIsHandler(Refusal):
    """Whoever resolved a matter cannot verify it. Ask a colleague or the desk above."""

    code = "verifier-is-handler"


class UnknownReason(Refusal):
    """The pack does not list this reason. Use one that it lists; put your own words into the note."""

    code = "unknown-reason"


class NoLevelAbove(Refusal):
    """Nobody above is responsible. Handle it here, suspend it with approval, or blow a whistle."""

    code = "no-level-above"


class UnknownDepartment(Refusal):
    """The pack has no such department. Use the id of a unit of level department."""

    code = "unknown-department"


class LeadNotCalled(Refusal):
    """The lead must be one of the departments called. Add it to the call or name another."""

    code = "lead-not-called"


class MayNotBlow(Forbidden):
    """The pack does not let this level whistle. Escalate, or ask a level that may."""

    code = "level-may-not-whistle"


class NotWhistled(Forbidden):
    """This department is not part of the call. Only those called answer; the desk can blow another whistle."""

    code = "not-whistled"


class WhistleEnded(Conflict):
    """The call is over. Nothing more is needed; the desk can blow another whistle."""

    code = "whistle-ended"


class WhistleOpen(Conflict):
    """Departments are still at work. Wait for their completion, or have the street or district resolve the matter."""

    code = "whistle-open"


class ReopenLimit(Refusal):
    """The pack's limit of days or of times is reached. Register a new demand."""

    code = "reopen-limit"


class NotPausable(Refusal):
    """Clocks of this response class never pause. Escalate or blow a whistle; a desk may reclassify a mistaken class."""

    code = "not-pausable"


class SameClass(Refusal):
    """The matter has that response class already. Nothing to do."""

    code = "same-class"


class NotTerritory(Refusal):
    """A department cannot be made responsible for a matter. Blow a whistle on it."""

    code = "not-territory"


class NotInUnit(Refusal):
    """The person does not handle matters of that unit. Name one who does, or leave the person out."""

    code = "person-not-in-unit"


class InThePast(Refusal):
    """The instant has passed already. Give one that lies ahead."""

    code = "in-the-past"
