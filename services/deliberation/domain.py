"""The rules of the 1+N platform: the steps of a topic, how a ballot is decided, who may speak (J4, 一事一议、一议一决).

Pure: no database, no clock, no broker. It must never learn who voted how.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from enum import StrEnum
from fractions import Fraction

from shared.jurisdiction import DEPARTMENT, Jurisdiction
from shared.kernel.errors import Conflict, Forbidden, IllegalTransition, Refusal


class TopicState(StrEnum):
    """Where a topic stands."""

    #: Parties give their opinions 议事.
    DELIBERATING = "deliberating"
    #: The one ballot runs 表决.
    VOTING = "voting"
    #: The ballot carried; the resolution has to be written.
    CARRIED = "carried"
    #: The ballot was lost or had no quorum.
    FAILED = "failed"
    #: The one resolution stands 决议通过.
    ADOPTED = "adopted"
    #: No resolution came about 决议否决, or the matter was withdrawn.
    REJECTED = "rejected"


class Step(StrEnum):
    """What can be done to a topic."""

    GIVE_OPINION = "give-opinion"
    OPEN_BALLOT = "open-ballot"
    CAST_VOTE = "cast-vote"
    CLOSE_CARRIED = "close-carried"
    CLOSE_FAILED = "close-failed"
    ADOPT = "adopt"
    REJECT = "reject"
    #: The matter was withdrawn; only the suite itself does this.
    DROP = "drop"


_S = TopicState

#: The whole machine. A pair that is not here is refused.
TRANSITIONS: Mapping[tuple[TopicState, Step], TopicState] = {
    (_S.DELIBERATING, Step.GIVE_OPINION): _S.DELIBERATING,
    (_S.DELIBERATING, Step.OPEN_BALLOT): _S.VOTING,
    (_S.DELIBERATING, Step.REJECT): _S.REJECTED,
    (_S.DELIBERATING, Step.DROP): _S.REJECTED,
    (_S.VOTING, Step.CAST_VOTE): _S.VOTING,
    (_S.VOTING, Step.CLOSE_CARRIED): _S.CARRIED,
    (_S.VOTING, Step.CLOSE_FAILED): _S.FAILED,
    (_S.VOTING, Step.DROP): _S.REJECTED,
    (_S.CARRIED, Step.ADOPT): _S.ADOPTED,
    (_S.CARRIED, Step.DROP): _S.REJECTED,
    (_S.FAILED, Step.REJECT): _S.REJECTED,
    (_S.FAILED, Step.DROP): _S.REJECTED,
}

#: States that end a topic; a matter may then have another one.
FINAL: frozenset[TopicState] = frozenset({TopicState.ADOPTED, TopicState.REJECTED})

#: Why a step is refused, by its code: the states it is refused in, what is wrong, what to do.
_WHY: Mapping[Step, tuple[tuple[str, frozenset[TopicState], str, str], ...]] = {
    Step.OPEN_BALLOT: (
        (
            "ballot-exists", frozenset({_S.VOTING, _S.CARRIED, _S.FAILED, _S.ADOPTED}), "The topic has its one ballot.",
            "One topic, one ballot 一议一决: bring this one to its end, then open a new topic.",
        ),
    ),
    Step.GIVE_OPINION: (
        ("opinions-closed", frozenset({_S.VOTING, _S.CARRIED, _S.FAILED}), "Opinions end with the ballot.", "Vote."),
    ),
    Step.ADOPT: (
        (
            "not-carried", frozenset({_S.DELIBERATING, _S.VOTING, _S.FAILED}), "No ballot of the topic has carried.",
            "Open and close its ballot; when it is lost, reject the resolution.",
        ),
        ("resolution-exists", frozenset({_S.ADOPTED}), "The topic has its one resolution.", "Open a new topic."),
    ),
    Step.REJECT: (
        ("ballot-open", frozenset({_S.VOTING}), "The ballot still runs.", "Close the ballot first."),
        ("ballot-carried", frozenset({_S.CARRIED}), "The ballot carried.", "Adopt the resolution."),
        ("resolution-exists", frozenset({_S.ADOPTED}), "The topic has its one resolution.", "Open a new topic."),
    ),
    Step.CAST_VOTE: (
        ("ballot-closed", frozenset({_S.CARRIED, _S.FAILED, *FINAL}), "The ballot is closed.", "The count stands."),
    ),
}  # fmt: skip


def next_state(state: TopicState, step: Step) -> TopicState:
    """The state after a step; raises IllegalTransition with the code that says why not."""
    after = TRANSITIONS.get((state, step))
    if after is not None:
        return after
    for code, states, what, remedy in _WHY.get(step, ()):
        if state in states:
            raise IllegalTransition(what, code=code, where="topic", remedy=remedy)
    message = f"A topic that is {state} allows no {step}."
    raise IllegalTransition(message, where="topic", remedy=f"It allows: {', '.join(allowed(state)) or 'nothing'}.")


#: The command that takes a step; the suite's own step DROP has none.
COMMAND_OF: Mapping[Step, str] = {
    Step.GIVE_OPINION: "give-opinion",
    Step.OPEN_BALLOT: "open-ballot",
    Step.CAST_VOTE: "cast-vote",
    Step.CLOSE_CARRIED: "close-ballot",
    Step.CLOSE_FAILED: "close-ballot",
    Step.ADOPT: "adopt-resolution",
    Step.REJECT: "reject-resolution",
}


def allowed(state: TopicState) -> tuple[str, ...]:
    """The commands that a topic in this state allows, in the machine's order."""
    steps = (step for (before, step) in TRANSITIONS if before is state)
    return tuple(dict.fromkeys(COMMAND_OF[step] for step in steps if step in COMMAND_OF))


@dataclass(frozen=True, kw_only=True)
class Tally:
    """The count of a ballot."""

    voters: int
    yes: int
    no: int
    abstain: int

    @property
    def cast(self) -> int:
        """Votes given, abstentions among them."""
        return self.yes + self.no + self.abstain


def outcome(tally: Tally, *, quorum_share: float, adopt_share: float) -> str:
    """`carried`, `lost` or `inquorate`, by the pack's shares.

    The quorum holds when votes cast reach their share of those entitled; a resolution carries when the yes votes are
    more than their share of all votes cast, abstentions included (as in Civil Code art. 278: more than half of those
    who took part). Exact fractions: a share of 0.1 means a tenth, not the binary number beside it.
    """
    if tally.cast == 0 or Fraction(tally.cast, tally.voters) < _exact(quorum_share):
        return "inquorate"
    return "carried" if Fraction(tally.yes, tally.cast) > _exact(adopt_share) else "lost"


def _exact(share: float) -> Fraction:
    return Fraction(str(share))


#: Role -> as whom an opinion counts; the first that fits. Everybody else speaks for a unit.
_PARTY_KINDS = (
    ("expert", "expert"),
    ("department-officer", "department"),
    ("resident-representative", "resident"),
    ("citizen", "resident"),
)


def party_kind(roles: Collection[str]) -> str:
    """As whom somebody with these roles speaks on the platform."""
    return next((kind for role, kind in _PARTY_KINDS if role in roles), "unit")


def speaks_for(pack: Jurisdiction, person: str, unit: str | None) -> tuple[str, ...]:
    """The names under which somebody may be a party: own id, own unit and those above it.

    A department is beside the ladder: what its street or district is invited to, it is not.
    """
    found = pack.units.get(unit or "")
    if found is None:
        return (person,)
    above = (found,) if found.level == DEPARTMENT else pack.path(found.id)
    return (person, *(one.id for one in above))


def check_party(*, resident: bool, invited: bool, in_scope: bool) -> None:
    """Raise Forbidden unless one is a resident, an invited party or one of its people, or works where the topic is."""
    if not (resident or invited or in_scope):
        message = "You are no party to this topic."
        raise Forbidden(
            message,
            code="not-a-party",
            where="topic",
            remedy="Ask the host to open the topic with your unit as a party.",
        )


def check_voter(*, listed: bool, has_voted: bool) -> None:
    """Raise Forbidden for one who is not on the ballot's list, Conflict for one who has voted."""
    if not listed:
        message = "You are not on this ballot's list of voters."
        raise Forbidden(
            message, code="not-a-voter", where="ballot", remedy="The list is fixed when the ballot opens; ask the host."
        )
    if has_voted:
        message = "You have voted in this ballot."
        raise Conflict(
            message,
            code="already-voted",
            where="ballot",
            remedy="A vote cannot be changed; your receipt shows that it is counted.",
        )


class Miscounted(Refusal):
    """Voters marked, receipts and choices differ in number: they were altered. Touch nothing; call the audit desk."""

    status = 409
    code = "ballot-miscounted"


def check_books(*, marked: int, receipts: int, choices: int) -> None:
    """Raise Miscounted unless there are as many voters marked as receipts and choices."""
    if not marked == receipts == choices:
        message = f"{marked} voters are marked, {receipts} receipts and {choices} choices are stored"
        raise Miscounted(message, where="ballot", remedy="Leave everything as it is and call the audit administrator.")


def once_each(items: Collection[str], *, code: str, where: str) -> None:
    """Raise Refusal when an item is named twice: a list of people or units with a repetition is a slip of the pen."""
    twice = sorted({item for item in items if list(items).count(item) > 1})
    if twice:
        message = f"Named more than once: {', '.join(twice)}."
        raise Refusal(message, code=code, where=where, remedy="Name each once.")
