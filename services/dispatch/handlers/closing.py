"""The end of handling: resolve, verify, close, reopen (J5, J7). Evidence, a second pair of eyes, the pack's limits."""

from __future__ import annotations

from services.dispatch import commands
from services.dispatch.domain.matter import check_reopening
from services.dispatch.domain.refusals import EvidenceMissing, ReopenLimit, VerifierIsHandler
from services.dispatch.domain.states import Action, allows
from services.dispatch.handlers import clockwork, early, joining
from services.dispatch.handlers.calls import check_calls
from services.dispatch.handlers.case import Case, open_case
from services.dispatch.handlers.claiming import withdraw_claims
from shared.contracts import dispatch, oversight, shapes
from shared.ledger.unit_of_work import UnitOfWork
from shared.runtime.definition import Reply

#: Flags a desk sees when an asker is not satisfied (J7).
WANTS_REOPENING, BEYOND_LIMIT = "asker-wants-reopening", "reopen-limit-reached"


def resolve(command: commands.Resolve, work: UnitOfWork) -> Reply:
    """Say what was done. Raises EvidenceMissing, WhistleOpen, PartsOpen, IllegalTransition."""
    case = open_case(work, command.matter)
    case.do(Action.RESOLVE)
    if work.jurisdiction.policy.closure.evidence_required and not command.evidence:
        raise EvidenceMissing(
            "There is no evidence of what was done.",
            where="evidence",
            remedy="Attach a photo, note, document or signature.",
        )
    joining.check_parts(case)
    check_calls(case)
    case.change(outcome=command.outcome, resolved_at=case.now, resolved_by=case.actor)
    clockwork.hold(case)
    work.emit(
        dispatch.MatterResolved(
            matter_id=case.matter.id, unit=case.matter.unit, outcome=command.outcome, evidence=command.evidence,
            resolved_by=case.actor,
        )
    )  # fmt: skip
    case.note(Action.RESOLVE, outcome=command.outcome, evidence=[shapes.dump(piece) for piece in command.evidence])
    return case.saved()


def verify(command: commands.Verify, work: UnitOfWork) -> Reply:
    """Look whether it is done; not passed sends it back to work. Raises VerifierIsHandler, IllegalTransition."""
    case = open_case(work, command.matter)
    case.do(Action.VERIFY if command.passed else Action.REWORK)
    if work.jurisdiction.policy.closure.verify_by_other and case.actor == case.matter.resolved_by:
        raise VerifierIsHandler(
            f"{case.actor} resolved this matter and cannot verify it.",
            where="actor",
            remedy="Ask a colleague or the desk above.",
        )
    if command.passed:
        clockwork.stop(case, "resolve", at=case.matter.resolved_at)
        work.emit(dispatch.MatterVerified(matter_id=case.matter.id, verified_by=case.actor, note=command.note))
        case.note(Action.VERIFY, note=command.note)
    else:
        reason = (command.note or "").strip() or "核查未通过 not found done"
        clockwork.release(case)
        case.change(resolved_at=None, resolved_by=None)
        work.emit(
            dispatch.MatterReworked(
                matter_id=case.matter.id, unit=case.matter.unit, reason=reason, sent_back_by=case.actor
            )
        )
        case.note(Action.REWORK, reason=reason)
    return case.saved()


def close(command: commands.Close, work: UnitOfWork) -> Reply:
    """Close a verified matter. Raises PartsOpen, IllegalTransition."""
    case = open_case(work, command.matter)
    case.do(Action.CLOSE)
    joining.check_parts(case)
    clockwork.stop(case)
    on_time = clockwork.on_time(case)
    matter = case.matter
    case.change(closed_at=case.now)
    if matter.attempt == 1:
        case.change(first_outcome=matter.outcome, first_on_time=on_time)
    work.emit(
        dispatch.MatterClosed(
            matter_id=matter.id, unit=matter.unit, level=matter.level, response_class=matter.response_class,
            outcome=matter.outcome or "", on_time=on_time, closed_by=case.actor, attempt=matter.attempt,
        )
    )  # fmt: skip
    case.note(Action.CLOSE, note=command.note, on_time=on_time)
    withdraw_claims(case, "事项已结案 the matter is closed")
    reply = case.saved(on_time=on_time)
    joining.part_ended(case)
    return reply


def reopen(command: commands.Reopen, work: UnitOfWork) -> Reply:
    """Take a closed matter up again. Raises ReopenLimit, WholeClosed, IllegalTransition."""
    case = open_case(work, command.matter)
    _reopen(case, command.reason, case.actor)
    return case.saved()


def _reopen(case: Case, reason: str, by: str) -> None:
    case.do(Action.REOPEN)
    check_reopening(case.matter, case.jurisdiction.policy.reopen, case.now)
    joining.check_whole(case)
    attempt = case.matter.attempt + 1
    case.change(
        attempt=attempt, attempt_at=case.now, closed_at=None, resolved_at=None, resolved_by=None, person=None, stage=0,
        returns=0, hops=0, outcome=None,
    )  # fmt: skip
    case.unflag(WANTS_REOPENING, BEYOND_LIMIT)
    case.work.emit(
        dispatch.MatterReopened(
            matter_id=case.matter.id, unit=case.matter.unit, reason=reason, reopened_by=by, attempt=attempt
        )
    )
    case.note(Action.REOPEN, reason=reason, by=by)
    clockwork.start_attempt(case, case.now)


def on_evaluation_received(event: oversight.EvaluationReceived, work: UnitOfWork) -> None:
    """An unsatisfied asker may have the matter reopened, as the pack says: always, by a desk's decision, or never."""
    case = early.case_or_keep(event, work)
    if case is None:
        return
    mode = work.jurisdiction.policy.evaluation.reopen_when_unsatisfied
    wanted = event.wants_reopening and not event.satisfied and allows(case.matter.state, Action.REOPEN)
    case.note("evaluated", satisfied=event.satisfied, wants_reopening=event.wants_reopening)
    if wanted and mode != "never":
        try:
            check_reopening(case.matter, work.jurisdiction.policy.reopen, case.now)
        except ReopenLimit:
            case.flag(BEYOND_LIMIT)
        else:
            if mode == "always":
                _reopen(case, (event.comment or "").strip() or "群众不满意 asker not satisfied", "asker")
            else:
                case.flag(WANTS_REOPENING)
    case.save()
