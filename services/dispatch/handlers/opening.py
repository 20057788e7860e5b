"""A matter arrives: classified by the pack, its clocks started as of the demand's registration, assigned (J5).

Nothing that arrives is refused here: a place or category the pack does not know is kept as a flag for the desk.
"""

from __future__ import annotations

from services.dispatch import repository
from services.dispatch.domain import ladder
from services.dispatch.domain.matter import NEVER, Matter
from services.dispatch.domain.states import Action, State
from services.dispatch.handlers import clockwork, early, joining, listening
from services.dispatch.handlers.case import Case, find_case
from services.dispatch.handlers.climbing import NOBODY
from services.dispatch.handlers.closing import on_evaluation_received
from services.dispatch.handlers.handing import assigned
from services.dispatch.handlers.working import tell_class
from shared.contracts import intake, shapes
from shared.jurisdiction import DEPARTMENT, Inputs, Jurisdiction, Unit
from shared.ledger.reception import EventHandler
from shared.ledger.unit_of_work import UnitOfWork

#: What may have come before the matter, and who deals with it.
_EARLY: dict[str, EventHandler] = {
    "intake.demand-withdrawn": listening.on_demand_withdrawn,
    "intake.demand-supplemented": listening.on_demand_supplemented,
    "deliberation.measure-assigned": listening.on_measure_assigned,
    "deliberation.measure-completed": listening.on_measure_completed,
    "deliberation.resolution-adopted": listening.on_resolution_adopted,
    "oversight.evaluation-received": on_evaluation_received,
}


def on_matter_opened(event: intake.MatterOpened, work: UnitOfWork) -> None:
    """Take a matter over from intake. The clocks start when the demand was registered, however late this event is."""
    # Openings of one matter come by one stream, one after the other: only its early events are raced with here.
    if repository.lock_arrival(work.db, event.matter_id):
        return
    pack = work.jurisdiction
    opened_at = work.now if work.cause is None else work.cause.time
    here = _territory(pack, event.unit)
    flags = []
    if event.unit is not None and here is None:
        flags.append("unknown-unit")
    if event.category is not None and event.category not in pack.categories:
        flags.append("unknown-category")
    inputs = _inputs(pack, event, here)
    found = pack.classify(inputs)
    desk = here or ladder.unlocated_desk(pack)
    matter = Matter(
        id=event.matter_id, number=event.number, state=State.UNLOCATED, version=1, attempt=1,
        response_class=found.class_id, category=found.category, rule=found.rule_id, inputs=dict(found.inputs),
        policy_version=pack.digest, decided_by=work.actor.id, private=event.private, text=event.text,
        channel=event.channel, asker_kind=event.asker_kind, place=shapes.dump(event.place), demands=1,
        located_unit=None if here is None else here.id, unit=desk.id, level=desk.level,
        street=ladder.street_of(pack, desk.id), person=None, stage=0, returns=0, hops=0, pauses=0, flags=tuple(flags),
        opened_at=opened_at, attempt_at=opened_at, resolved_at=None, resolved_by=None, outcome=None, closed_at=None,
        first_outcome=None, first_on_time=None, due_at=NEVER, soon_at=NEVER, gross_at=NEVER,
    )  # fmt: skip
    case = Case(work, matter, new=True)
    case.note("opened", rule=found.rule_id, response_class=found.class_id, demand=event.demand_id)
    tell_class(case)
    joining.opened_as_part(case, event.parent)
    concerned = [] if here is None or event.private else [unit.id for unit in pack.ladder(here.id)]
    if here is None:
        clockwork.start_attempt(case, opened_at)
    else:
        unit, reason = _first(case, here, inputs)
        # No hand-over yet: the first unit's accept clock starts with the others, at registration.
        case.change(unit=unit.id, level=unit.level)
        clockwork.start_attempt(case, opened_at)
        case.do(Action.LOCATE)
        assigned(case, unit, reason=reason)
    case.save()
    concerned += [unit.id for unit in pack.ladder(case.matter.unit)]
    repository.open_to(work.db, event.matter_id, dict.fromkeys(concerned))
    for name, kept in early.take(event.matter_id, work):
        _EARLY[name](kept, work)


def on_matter_located(event: intake.MatterLocated, work: UnitOfWork) -> None:
    """A desk found the place of an unlocated matter: it goes to the lowest level responsible; else it is only noted."""
    case = find_case(work, event.matter_id)
    here = _territory(work.jurisdiction, event.unit)
    if case is None:
        return
    if here is None:
        case.flag("unknown-unit")
        case.note("located", unit=event.unit, because="unknown-unit")
        case.save()
        return
    case.change(located_unit=here.id, street=ladder.street_of(work.jurisdiction, here.id))
    case.unflag("unknown-unit")
    case.note("located", unit=here.id, by=event.located_by)
    if not case.matter.private:
        repository.open_to(work.db, case.matter.id, [unit.id for unit in work.jurisdiction.ladder(here.id)])
    if case.matter.state is State.UNLOCATED:
        unit, reason = _first(case, here, _inputs_of(case, here))
        case.do(Action.LOCATE)
        assigned(case, unit, reason=reason)
    case.save()


def _first(case: Case, here: Unit, inputs: Inputs) -> tuple[Unit, str]:
    """The lowest level responsible from the routing rule's start on, and why it is that one."""
    pack = case.jurisdiction
    start = pack.start_unit(here, inputs)
    choice = ladder.first_responsible(pack, start.id)
    reason = "最低负责层级 lowest level responsible"
    if choice.skipped:
        reason += f"; 无人负责,越过 skipped, nobody responsible: {', '.join(choice.skipped)}"[:800]
        case.note("skipped", units=list(choice.skipped), because="nobody-responsible")
    if choice.unit is None:
        case.flag(NOBODY)
        return pack.ladder(start.id)[-1], reason
    return choice.unit, reason


def _territory(pack: Jurisdiction, unit_id: str | None) -> Unit | None:
    unit = None if unit_id is None else pack.units.get(unit_id)
    return None if unit is None or unit.level == DEPARTMENT else unit


def _inputs(pack: Jurisdiction, event: intake.MatterOpened, here: Unit | None) -> Inputs:
    return Inputs(
        text=event.text, category=event.category if event.category in pack.categories else None, asker=event.asker_kind,
        channel=event.channel, unit_kind=None if here is None else here.kind,
    )  # fmt: skip


def _inputs_of(case: Case, here: Unit) -> Inputs:
    matter = case.matter
    category = matter.category if matter.category in case.jurisdiction.categories else None
    return Inputs(
        text=matter.text, category=category, asker=matter.asker_kind, channel=matter.channel, unit_kind=here.kind
    )
