"""What else dispatch hears: demands that join, grow or are withdrawn, and resolutions with their measures (J4)."""

from __future__ import annotations

from services.dispatch import repository
from services.dispatch.domain.states import Action, State, allows
from services.dispatch.handlers import clockwork, early, joining
from services.dispatch.handlers.calls import withdraw_calls
from services.dispatch.handlers.claiming import withdraw_claims
from shared.contracts import deliberation, dispatch, intake
from shared.ledger.unit_of_work import UnitOfWork


def on_demand_joined(event: intake.DemandJoinedMatter, work: UnitOfWork) -> None:
    """One handling, one asker more; no clock moves."""
    repository.count_demands(work.db, event.matter_id, event.demands)


def on_demand_supplemented(event: intake.DemandSupplemented, work: UnitOfWork) -> None:
    """The asker said more: handlers see it, no clock moves."""
    case = early.case_or_keep(event, work)
    if case is None:
        return
    case.note("supplemented", demand=event.demand_id, text=event.text)
    case.save()


def on_demand_withdrawn(event: intake.DemandWithdrawn, work: UnitOfWork) -> None:
    """The last asker took the demand back: handling ends without an outcome, clocks and calls are cancelled."""
    case = early.case_or_keep(event, work)
    if case is None:
        return
    if event.last_of_matter and allows(case.matter.state, Action.WITHDRAW):
        if case.matter.state is State.SUSPENDED:
            repository.end_pause(work.db, case.matter.id, case.now)
        case.do(Action.WITHDRAW)
        withdraw_calls(case)
        clockwork.cancel(case)
        work.emit(dispatch.MatterWithdrawn(matter_id=case.matter.id, reason=event.reason))
        case.note(Action.WITHDRAW, reason=event.reason)
        withdraw_claims(case, "诉求已撤回 the demand was withdrawn")
    else:
        case.note("demand-withdrawn", demand=event.demand_id, last=event.last_of_matter)
    case.save()
    if case.matter.state is State.WITHDRAWN:
        joining.part_ended(case)


def on_measure_assigned(event: deliberation.MeasureAssigned, work: UnitOfWork) -> None:
    """A resolution's measure serves this matter: kept with it, shown in its view."""
    case = early.case_or_keep(event, work)
    if case is None:
        return
    repository.add_measure(
        work.db, measure_id=event.measure_id, matter_id=event.matter_id, topic_id=event.topic_id,
        resolution_id=event.resolution_id, unit=event.unit, action=event.action, due_at=event.due_at,
        assigned_at=case.now,
    )  # fmt: skip
    case.note("measure-assigned", measure=event.measure_id, to_unit=event.unit, what=event.action)
    case.save()


def on_measure_completed(event: deliberation.MeasureCompleted, work: UnitOfWork) -> None:
    """Deliberation holds the measure done."""
    if early.case_or_keep(event, work) is not None:
        repository.complete_measure(work.db, event.measure_id, work.now)


def on_resolution_adopted(event: deliberation.ResolutionAdopted, work: UnitOfWork) -> None:
    """The matter's one resolution: kept among its steps."""
    case = early.case_or_keep(event, work)
    if case is None:
        return
    case.note("resolution-adopted", resolution=event.resolution_id, text=event.text, by=event.adopted_by)
    case.save()
