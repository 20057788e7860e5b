"""The state machine of a matter and of one department's part in a whistle call, as data (J5, A3).

A pair that is not in the table is not allowed: the refusal names the state and what it does allow. It must never decide
who may do a step; that is the ladder's and the handlers' business.
"""

from __future__ import annotations

from enum import StrEnum
from typing import Final

from shared.kernel.errors import IllegalTransition


class State(StrEnum):
    """Where a matter stands."""

    #: In no grid yet: on the street's list 待定位.
    UNLOCATED = "unlocated"
    #: A unit is responsible and has not yet said so 待签收.
    ASSIGNED = "assigned"
    #: Accepted 办理中.
    IN_PROGRESS = "in-progress"
    #: Rests with approval 挂账.
    SUSPENDED = "suspended"
    #: The handler says it is done 待核查.
    RESOLVED = "resolved"
    #: Somebody else found it done 待结案.
    VERIFIED = "verified"
    #: 已结案; may be reopened within the pack's limits.
    CLOSED = "closed"
    #: Every asker took the demand back 已撤诉.
    WITHDRAWN = "withdrawn"


class Action(StrEnum):
    """What moves a matter."""

    LOCATE = "locate"
    ASSIGN = "assign"
    ACCEPT = "accept"
    PROGRESS = "progress"
    RETURN = "return"
    ESCALATE = "escalate"
    HAND_BACK = "hand-back"
    ESTIMATE_COST = "estimate-cost"
    RECLASSIFY = "reclassify"
    REQUEST_EXTENSION = "request-extension"
    DECIDE_EXTENSION = "decide-extension"
    REQUEST_SUSPENSION = "request-suspension"
    DECIDE_SUSPENSION = "decide-suspension"
    SUSPEND = "suspend"
    RESUME = "resume"
    BLOW_WHISTLE = "blow-whistle"
    RESOLVE = "resolve"
    VERIFY = "verify"
    REWORK = "rework"
    CLOSE = "close"
    REOPEN = "reopen"
    WITHDRAW = "withdraw"


#: Where every matter begins: in a grid, or in none yet.
BEGINNINGS: Final = frozenset({State.ASSIGNED, State.UNLOCATED})
#: No step leads out of these.
FINAL: Final = frozenset({State.WITHDRAWN})
#: Somebody still has work with it.
OPEN: Final = frozenset(State) - {State.CLOSED, State.WITHDRAWN}

#: Where somebody below, through whom it climbed, may still say what he sees; that is no step of the machine.
SEEN_FROM_BELOW: Final = frozenset({State.ASSIGNED, State.IN_PROGRESS})

_S, _A = State, Action

#: (state, action) -> next state.
TRANSITIONS: Final[dict[tuple[State, Action], State]] = {
    (_S.UNLOCATED, _A.LOCATE): _S.ASSIGNED,
    (_S.UNLOCATED, _A.ASSIGN): _S.ASSIGNED,
    (_S.UNLOCATED, _A.ESCALATE): _S.ASSIGNED,
    (_S.UNLOCATED, _A.RECLASSIFY): _S.UNLOCATED,
    (_S.UNLOCATED, _A.WITHDRAW): _S.WITHDRAWN,
    (_S.ASSIGNED, _A.ASSIGN): _S.ASSIGNED,
    (_S.ASSIGNED, _A.ACCEPT): _S.IN_PROGRESS,
    (_S.ASSIGNED, _A.RETURN): _S.ASSIGNED,
    (_S.ASSIGNED, _A.ESCALATE): _S.ASSIGNED,
    (_S.ASSIGNED, _A.HAND_BACK): _S.ASSIGNED,
    (_S.ASSIGNED, _A.ESTIMATE_COST): _S.ASSIGNED,
    (_S.ASSIGNED, _A.RECLASSIFY): _S.ASSIGNED,
    (_S.ASSIGNED, _A.DECIDE_EXTENSION): _S.ASSIGNED,
    (_S.ASSIGNED, _A.BLOW_WHISTLE): _S.ASSIGNED,
    (_S.ASSIGNED, _A.WITHDRAW): _S.WITHDRAWN,
    (_S.IN_PROGRESS, _A.ASSIGN): _S.ASSIGNED,
    (_S.IN_PROGRESS, _A.PROGRESS): _S.IN_PROGRESS,
    (_S.IN_PROGRESS, _A.RETURN): _S.ASSIGNED,
    (_S.IN_PROGRESS, _A.ESCALATE): _S.ASSIGNED,
    (_S.IN_PROGRESS, _A.HAND_BACK): _S.ASSIGNED,
    (_S.IN_PROGRESS, _A.ESTIMATE_COST): _S.IN_PROGRESS,
    (_S.IN_PROGRESS, _A.RECLASSIFY): _S.IN_PROGRESS,
    (_S.IN_PROGRESS, _A.REQUEST_EXTENSION): _S.IN_PROGRESS,
    (_S.IN_PROGRESS, _A.DECIDE_EXTENSION): _S.IN_PROGRESS,
    (_S.IN_PROGRESS, _A.REQUEST_SUSPENSION): _S.IN_PROGRESS,
    (_S.IN_PROGRESS, _A.DECIDE_SUSPENSION): _S.IN_PROGRESS,
    (_S.IN_PROGRESS, _A.SUSPEND): _S.SUSPENDED,
    (_S.IN_PROGRESS, _A.BLOW_WHISTLE): _S.IN_PROGRESS,
    (_S.IN_PROGRESS, _A.RESOLVE): _S.RESOLVED,
    (_S.IN_PROGRESS, _A.WITHDRAW): _S.WITHDRAWN,
    (_S.SUSPENDED, _A.RESUME): _S.IN_PROGRESS,
    # A class that never rests resumes it in the same step.
    (_S.SUSPENDED, _A.RECLASSIFY): _S.SUSPENDED,
    (_S.SUSPENDED, _A.WITHDRAW): _S.WITHDRAWN,
    (_S.RESOLVED, _A.VERIFY): _S.VERIFIED,
    (_S.RESOLVED, _A.REWORK): _S.IN_PROGRESS,
    (_S.RESOLVED, _A.WITHDRAW): _S.WITHDRAWN,
    (_S.VERIFIED, _A.CLOSE): _S.CLOSED,
    (_S.VERIFIED, _A.WITHDRAW): _S.WITHDRAWN,
    (_S.CLOSED, _A.REOPEN): _S.ASSIGNED,
}


class Part(StrEnum):
    """Where one department stands in a whistle call."""

    WAITING = "waiting"
    ACCEPTED = "accepted"
    DECLINED = "declined"
    COMPLETED = "completed"


#: (part, answer) -> next part. Asking for more time is reporting in; who declined may still come; done is done.
ANSWERING: Final[dict[tuple[Part, str], Part]] = {
    (Part.WAITING, "accepted"): Part.ACCEPTED,
    (Part.WAITING, "declined"): Part.DECLINED,
    (Part.WAITING, "progressed"): Part.ACCEPTED,
    (Part.WAITING, "completed"): Part.COMPLETED,
    (Part.WAITING, "extension-requested"): Part.ACCEPTED,
    (Part.ACCEPTED, "progressed"): Part.ACCEPTED,
    (Part.ACCEPTED, "completed"): Part.COMPLETED,
    (Part.ACCEPTED, "declined"): Part.DECLINED,
    (Part.ACCEPTED, "extension-requested"): Part.ACCEPTED,
    (Part.DECLINED, "accepted"): Part.ACCEPTED,
}


def allowed(state: State) -> tuple[Action, ...]:
    """The actions a state allows, in the order of the table."""
    return tuple(action for (from_state, action) in TRANSITIONS if from_state is state)


def allows(state: State, action: Action) -> bool:
    """Whether the action leads anywhere from the state."""
    return (state, action) in TRANSITIONS


def after(state: State, action: Action) -> State:
    """The next state. Raises IllegalTransition naming the state and the actions it allows."""
    try:
        return TRANSITIONS[state, action]
    except KeyError:
        ways = ", ".join(allowed(state)) or "nothing: it is final"
        raise IllegalTransition(
            f"A matter that is {state} does not allow {action}.",
            where="state",
            remedy=f"Allowed from {state}: {ways}.",
        ) from None


def after_answer(part: Part, answer: str) -> Part:
    """A department's next part in the call. Raises IllegalTransition."""
    try:
        return ANSWERING[part, answer]
    except KeyError:
        ways = ", ".join(known for (from_part, known) in ANSWERING if from_part is part) or "nothing: it is done"
        raise IllegalTransition(
            f"A department that has {part} cannot answer {answer}.",
            where="answer",
            remedy=f"Possible answers now: {ways}.",
        ) from None
