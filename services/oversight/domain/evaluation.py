"""When an asker's answer counts 一事一评 (J7): once, in time, by whoever holds the link or revisits the asker."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from shared.kernel.errors import Conflict, Refusal


class Expired(Refusal):
    """The time to answer is over. The desk can still be told; nothing was stored."""

    status = 410
    code = "evaluation-expired"


class Contradictory(Refusal):
    """The answer says two things that exclude each other. Choose one and send it again."""

    code = "contradictory-answer"


#: States of a matter in which its askers are asked, by the pack's `evaluation.ask_after`.
ASK_IN: dict[str, tuple[str, ...]] = {
    "closure": ("closed",),
    "resolution": ("resolved", "verified", "closed"),
}


@dataclass(frozen=True, kw_only=True)
class Evaluation:
    """One question to one asker."""

    evaluation_id: str
    matter_id: str
    demand_id: str
    attempt: int
    version: int
    requested_at: datetime
    #: From this instant on no answer is taken.
    expires_at: datetime
    answered_at: datetime | None


def may_answer(evaluation: Evaluation, now: datetime) -> None:
    """Raise Conflict (answered already) or Expired unless an answer counts now."""
    if evaluation.answered_at is not None:
        raise Conflict(
            "This evaluation has been answered; the first answer counts.", code="already-evaluated", where="evaluation",
            remedy="Tell the desk if you have changed your mind.",
        )  # fmt: skip
    if now >= evaluation.expires_at:
        raise Expired(
            "The time to answer this evaluation is over.", where="evaluation", remedy="Call the desk of your community."
        )


def check_answer(*, satisfied: bool, wants_reopening: bool) -> None:
    """Raise Contradictory when a satisfied asker wants the matter reopened."""
    if satisfied and wants_reopening:
        raise Contradictory(
            "Satisfied and to be reopened exclude each other.", where="wants_reopening",
            remedy="Say unsatisfied if the matter is to be taken up again.",
        )  # fmt: skip
