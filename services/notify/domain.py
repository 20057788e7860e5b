"""The rules of telling: whom a piece of news concerns, when a message is tried again, when it is given up.

Pure: no database, no channel, no clock. It must never hold an address longer than it takes to mask it.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum

from shared.kernel.errors import Conflict

#: Pauses between attempts. After the attempt that follows the last pause the message has failed and a desk has to call.
BACK_OFF = (
    timedelta(minutes=1),
    timedelta(minutes=5),
    timedelta(minutes=30),
    timedelta(hours=2),
    timedelta(hours=12),
)
#: How long a process may take over the messages it has claimed; after that another one may take them.
CLAIM = timedelta(minutes=10)


class State(StrEnum):
    """Where a message stands."""

    #: Waits for its next attempt.
    PENDING = "pending"
    #: A process has claimed it.
    SENDING = "sending"
    #: A channel took it.
    DELIVERED = "delivered"
    #: No channel took it within the attempts allowed, or one refused it for good.
    FAILED = "failed"
    #: There is nobody to tell: no address, or the demand was withdrawn.
    SKIPPED = "skipped"


class Result(StrEnum):
    """What became of one attempt."""

    DELIVERED = "delivered"
    #: Not now; tried again.
    TEMPORARY = "temporary"
    #: Never.
    PERMANENT = "permanent"
    #: The asker left no address that a channel can use.
    NO_ADDRESS = "no-address"
    #: The process died between sending and recording: nobody knows. Tried again under the same id.
    UNKNOWN = "unknown"


@dataclass(frozen=True, kw_only=True)
class Verdict:
    """What follows from an attempt."""

    state: State
    #: When to try again; None unless pending.
    next_attempt_at: datetime | None = None


def after(result: Result, tries: int, now: datetime) -> Verdict:
    """What follows from attempt number `tries`, counted from 1 since the message was new or a desk had it retried."""
    if result is Result.DELIVERED:
        return Verdict(state=State.DELIVERED)
    if result is Result.NO_ADDRESS:
        return Verdict(state=State.SKIPPED)
    if result is Result.PERMANENT or tries > len(BACK_OFF):
        return Verdict(state=State.FAILED)
    return Verdict(state=State.PENDING, next_attempt_at=now + BACK_OFF[tries - 1])


def check_retry(state: State) -> None:
    """Raise Conflict unless the message has failed."""
    if state is not State.FAILED:
        message = f"The message is {state}."
        raise Conflict(
            message, code="message-not-failed", where="message",
            remedy="Only a failed message is sent again by hand; a pending one is tried again by itself.",
        )  # fmt: skip


def concerns(*, news_at: datetime, registered_at: datetime, joined: bool) -> bool:
    """Whether news of a matter is news for one of its askers.

    Whose demand opened the matter is told all of it. Who joined later is told what happens from then on: the way the
    matter had gone before is on the status page, not in ten messages. Events of one matter come by several queues, so
    this must not depend on which of them is handled first.
    """
    return not joined or news_at >= registered_at


#: Signs of a mobile number that stay readable at its ends, and of how long an address they are.
_HEAD, _TAIL, _LONG = 3, 4, 11
#: Of a shorter one (a landline) only the last signs: seven of eight digits would be no mask.
_SHORT, _SHORT_TAIL = 8, 2


def masked(address: str) -> str:
    """An address as a desk may see it: 138****5678, ****34, z***@example.org."""
    name, at, domain = address.rpartition("@")
    if at:
        return f"{name[:1]}***@{domain}"
    if len(address) >= _LONG:
        return f"{address[:_HEAD]}****{address[-_TAIL:]}"
    return "*" * len(address) if len(address) < _SHORT else f"****{address[-_SHORT_TAIL:]}"
