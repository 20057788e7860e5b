"""Asking the askers of a closed matter, and taking their answers (J7, Beijing regulation art. 23)."""

from __future__ import annotations

from services.oversight import commands
from services.oversight.domain import evaluation as rules
from services.oversight.domain.evaluation import Evaluation
from services.oversight.handlers.asking import ask, ask_in
from services.oversight.handlers.tracing import project
from services.oversight.repository import evaluations as repository
from shared.contracts.dispatch import MatterClosed, MatterResolved
from shared.contracts.intake import DemandRegistered
from shared.contracts.oversight import EvaluationReceived
from shared.kernel.actor import ANONYMOUS
from shared.kernel.errors import Conflict, Forbidden, NotFound, Unauthenticated
from shared.kernel.hashing import link_token, same
from shared.ledger.unit_of_work import UnitOfWork
from shared.runtime.definition import Reply

#: What the link's token is bound to, beside the evaluation's id.
TOKEN_PURPOSE = "evaluate"  # noqa: S105 -- a purpose, not a secret
#: Permission of those who may pass on what an asker told them.
_REVISIT = "inspect"


def on_matter_ended(event: MatterClosed | MatterResolved, work: UnitOfWork) -> None:
    """Resolved or closed: ask every asker, at whichever of the two the pack says."""
    project(event, work)
    if isinstance(event, MatterClosed) or "resolved" in ask_in(work):
        ask(event.matter_id, work)


def on_demand_registered(event: DemandRegistered, work: UnitOfWork) -> None:
    """A demand may become known only after its matter was closed; its asker is asked all the same."""
    project(event, work)
    ask(event.matter_id, work)


def evaluate(command: commands.Evaluate, work: UnitOfWork) -> Reply:
    """Take the answer. Raises NotFound, Unauthenticated, Forbidden, Conflict, Expired, Contradictory, Stale."""
    asked = find_evaluation(work, command.evaluation)
    _authorise(command, asked, work)
    work.check_version(asked.version)
    rules.may_answer(asked, work.now)
    rules.check_answer(satisfied=command.satisfied, wants_reopening=command.wants_reopening)
    given = {
        "satisfied": command.satisfied, "resolved": command.resolved, "comment": command.comment,
        "wants_reopening": command.wants_reopening, "channel": command.channel,
    }  # fmt: skip
    if not repository.answer(work.db, asked, work.now, **given):
        raise Conflict(
            "Another answer came at the same moment; the first answer counts.",
            code="already-evaluated",
            where="evaluation",
        )
    work.emit(
        EvaluationReceived(
            evaluation_id=asked.evaluation_id, matter_id=asked.matter_id, demand_id=asked.demand_id,
            satisfied=command.satisfied, resolved=command.resolved, comment=command.comment,
            wants_reopening=command.wants_reopening, channel=command.channel,
        )
    )  # fmt: skip
    body = {
        "evaluation": asked.evaluation_id,
        "satisfied": command.satisfied,
        "wants_reopening": command.wants_reopening,
    }
    return Reply(body=body, version=asked.version + 1)


def _authorise(command: commands.Evaluate, asked: Evaluation, work: UnitOfWork) -> None:
    """The link's holder answers for itself on the web; a supervisor in scope passes on what was said on a revisit."""
    if command.token is not None:
        check_link(command.token, asked, work)
        if command.channel != "web":
            raise Forbidden(
                "The link answers by web only.", code="not-your-channel", where="channel", remedy="Leave channel out."
            )
        return
    if work.actor is ANONYMOUS:
        raise Unauthenticated(
            "An evaluation needs the link's token.",
            code="link-token-needed",
            where="token",
            remedy="Use the link as sent.",
        )
    if not work.actor.may(_REVISIT):
        raise Forbidden(
            f"{work.actor.id} may not answer for an asker.", code="not-permitted", where="token",
            remedy="Let the asker use the link, or a supervisor revisit.",
        )  # fmt: skip
    seen = repository.matter(work.db, asked.matter_id)
    work.require_scope(seen.territory if seen else None)


def find_evaluation(work: UnitOfWork, evaluation_id: str) -> Evaluation:
    """The evaluation. Raises NotFound."""
    asked = repository.find(work.db, evaluation_id)
    if asked is None:
        raise NotFound(
            f"There is no evaluation {evaluation_id!r}.", code="unknown-evaluation", where="evaluation",
            remedy="Use the link exactly as it was sent.",
        )  # fmt: skip
    return asked


def check_link(token: str, asked: Evaluation, work: UnitOfWork) -> None:
    """Raise Forbidden unless the token is the one of the link that this evaluation's asker got."""
    if not same(token, link_token(work.at_hand.link_secret, TOKEN_PURPOSE, asked.evaluation_id)):
        raise Forbidden(
            "The link is not valid.", code="invalid-link", where="token", remedy="Use the link exactly as it was sent."
        )
