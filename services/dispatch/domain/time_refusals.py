"""What dispatch refuses about time, and what the sender may do about it; each with a stable code."""

from __future__ import annotations

from services.dispatch.domain.refusals import InThePast, NotPausable
from shared.kernel.errors import Conflict, Forbidden, NotFound, Refusal

__all__ = [
    "BadCalendar",
    "BeyondLimit",
    "ExtensionLimit",
    "ExtensionTooLate",
    "InThePast",
    "NoRequest",
    "NotExtendable",
    "NotPausable",
    "OwnRequest",
    "RequestPending",
    "SuspensionLimit",
    "UnknownClock",
]


class NotExtendable(Refusal):
    """The pack grants this class no more time, or no time limit runs. Escalate or blow a whistle."""

    code = "not-extendable"


class ExtensionLimit(Refusal):
    """It was extended as often as the pack allows. Ask for a suspension, or escalate."""

    code = "extension-limit"


class ExtensionTooLate(Refusal):
    """More time is asked for before the matter is due, not after. Say why in a note."""

    code = "extension-too-late"


class SuspensionLimit(Refusal):
    """It rested as often as the pack allows. Escalate, or handle what can be handled."""

    code = "suspension-limit"


class BeyondLimit(Refusal):
    """More than the pack allows at once. Ask for less; the message says how much there is."""

    code = "beyond-limit"


class RequestPending(Conflict):
    """The same was asked for and is not decided yet. Wait for the decision of the level above."""

    code = "request-pending"


class NoRequest(NotFound):
    """Nothing was asked for that could be decided. It may have lapsed when the matter went to another unit."""

    code = "no-request"


class OwnRequest(Forbidden):
    """Nobody decides about his own request. Ask a colleague of the level above."""

    code = "own-request"


class UnknownClock(NotFound):
    """The matter has no such clock, or this actor may not see it. Take an id of the matter's clocks."""

    code = "unknown-clock"


class BadCalendar(Refusal):
    """The year cannot be taken in as it is. Correct what the message names and send it again; nothing was changed."""

    code = "bad-calendar"
