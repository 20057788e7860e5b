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


class ForeignDepartment(Refusal):
    """The department belongs to another territory. Call one of the place itself or of a level above it."""

    code = "foreign-department"


class DecisionFinal(Conflict):
    """It was finally decided that the department has to come. Report in; whoever decided may end the call."""

    code = "decision-final"


class NoContest(Conflict):
    """No dispute of that department is open in the call. Look at the call again; perhaps it was decided already."""

    code = "no-contest"


class NoExtensionAsked(Conflict):
    """The department did not ask for more time, or its wish was decided on. Look at the call again."""

    code = "no-extension-asked"


class WhistleExtensionLimit(Refusal):
    """The department was granted more time as often as the pack allows. Finish, or say what stands in the way."""

    code = "whistle-extension-limit"


class UntilMissing(Refusal):
    """Nobody said until when. Give the instant by which the department is to be done."""

    code = "until-missing"


class AlreadyScored(Conflict):
    """The department was scored for this call; a score is given once. Nothing to do."""

    code = "already-scored"


class PartNotOver(Conflict):
    """The department is still at work. Score it when its part, or the call, is over."""

    code = "part-not-over"


class NotTheWhistler(Forbidden):
    """Only the unit that whistled may do this. Ask its desk."""

    code = "not-the-whistler"


class LevelAboveDecides(Forbidden):
    """That is for the level above the one that whistled. Ask its desk."""

    code = "level-above-decides"


class NotBelow(Refusal):
    """A matter is handed back downwards, to a unit below the one responsible where somebody can take it. Name one."""

    code = "not-below"
