"""How intake's lost transactions are told from their events, so that its own handlers can do them again.

The asker's contact data and tracking code are in the event, sealed. In no event: who registered for the asker, the
looks at contact data, the ids of supplements. Numbers told to people hold the serials of the rows.
"""

from __future__ import annotations

from collections.abc import Callable

from sqlalchemy import Connection, Table, func, select

from services.intake import commands, handlers, repository, tables
from shared.contracts import intake
from shared.contracts.envelope import Envelope
from shared.jurisdiction import Jurisdiction
from shared.kernel.actor import Actor
from shared.ledger.recovery import Lost, Retold
from shared.ledger.unit_of_work import Surroundings, UnitOfWork

#: Stands for whoever registered; may speak for every source, as whoever it was might for theirs.
UNKNOWN = Actor(id="recovered:unknown", roles=frozenset({"system-admin"}))
#: Length of a number's kind and date in front of the serial: `D20261122`.
_BEFORE_SERIAL = 9


def retell(lost: Lost, at_hand: Surroundings) -> Retold:
    """How a lost transaction of intake is done again."""
    registered = lost.of("intake.demand-registered")
    if registered:
        return _registered(registered, at_hand)
    first = lost.first
    telling = _TELLINGS.get(first.name)
    return Retold() if telling is None else telling(lost, at_hand.jurisdiction)


def _registered(registered: list[Envelope], at_hand: Surroundings) -> Retold:
    """One demand, or the rows of one import."""
    events: list[intake.DemandRegistered] = [envelope.payload() for envelope in registered]
    ids, codes, sealed = [], [], []
    for event in events:
        ids += [event.demand_id] if event.joined else [event.demand_id, event.matter_id]
        if event.sealed_asker is not None:
            codes.append(at_hand.sealer.open(event.sealed_asker)["tracking_code"])
            sealed.append(event.sealed_asker)

    def run(work: UnitOfWork) -> None:
        for event in events:
            _next_serial(work.db, tables.demands, event.number)
            if not event.joined:
                _next_serial(work.db, tables.matters, event.matter_number)
            handlers.register_demand(_asked(event, work), work)

    return Retold(ids=ids, codes=codes, sealed=sealed, actor=UNKNOWN, run=run)


def _asked(event: intake.DemandRegistered, work: UnitOfWork) -> commands.RegisterDemand:
    contact = {} if event.sealed_asker is None else work.at_hand.sealer.open(event.sealed_asker)
    return commands.RegisterDemand(
        channel=event.channel,
        text=event.text,
        location=event.place,
        asker=commands.Asker(
            kind=event.asker_kind, anonymous=event.anonymous, name=contact.get("name"), phone=contact.get("phone"),
            mail=contact.get("mail"),
        ),
        category=event.category,
        private=event.private,
        occurred_at=event.occurred_at,
        source=event.source,
        source_ref=event.source_ref,
    )  # fmt: skip


def _next_serial(db: Connection, table: Table, number: str) -> None:
    """Have the next row get the serial that its number holds (SQLite: the highest plus one, always right)."""
    if db.dialect.name != "postgresql":
        return
    serial = int(number[_BEFORE_SERIAL:])
    sequence = func.pg_get_serial_sequence(table.name, "serial")
    db.execute(select(func.setval(sequence, serial, False)))  # noqa: FBT003 -- setval's own third parameter


def settle(db: Connection) -> None:
    """After the last one: serials go on behind the highest (transactions were not done in the order of serials)."""
    if db.dialect.name != "postgresql":
        return
    for table in (tables.demands, tables.matters):
        sequence = func.pg_get_serial_sequence(table.name, "serial")
        highest = select(func.max(table.c.serial)).scalar_subquery()
        db.execute(select(func.setval(sequence, func.coalesce(highest, 1))))


def _supplemented(lost: Lost, _pack: Jurisdiction) -> Retold:
    event: intake.DemandSupplemented = lost.first.payload()
    return Retold(run=lambda work: _supplement(event, work))


def _supplement(event: intake.DemandSupplemented, work: UnitOfWork) -> None:
    code = _code(event.demand_id, work)
    handlers.supplement_demand(commands.SupplementDemand(tracking_code=code, text=event.text), work)


def _withdrawn(lost: Lost, _pack: Jurisdiction) -> Retold:
    event: intake.DemandWithdrawn = lost.first.payload()
    return Retold(run=lambda work: _withdraw(event, work))


def _withdraw(event: intake.DemandWithdrawn, work: UnitOfWork) -> None:
    code = _code(event.demand_id, work)
    handlers.withdraw_demand(commands.WithdrawDemand(tracking_code=code, reason=event.reason), work)


def _code(demand_id: str, work: UnitOfWork) -> str:
    code: str = work.at_hand.sealer.open(repository.demand(work.db, demand_id).sealed_asker)["tracking_code"]
    return code


def _located(lost: Lost, pack: Jurisdiction) -> Retold:
    event: intake.MatterLocated = lost.first.payload()
    command = commands.LocateMatter(matter=event.matter_id, unit=event.unit)
    actor = Actor(id=event.located_by, roles=frozenset(), unit=pack.ladder(event.unit)[-1].id)
    return Retold(actor=actor, run=lambda work: handlers.locate_matter(command, work))


def _top(person: str, pack: Jurisdiction) -> Actor:
    """Somebody whose scope is everything."""
    top = next(each.id for each in pack.units.values() if each.level == pack.levels[-1])
    return Actor(id=person, roles=frozenset(), unit=top)


def _split(lost: Lost, pack: Jurisdiction) -> Retold:
    """The whole and its parts; their serials follow one another, as they did then."""
    event: intake.MatterSplit = lost.first.payload()
    opened: dict[str, intake.MatterOpened] = {
        each.data["matter_id"]: each.payload() for each in lost.of("intake.matter-opened")
    }
    parts = [opened[part] for part in event.parts]
    command = commands.SplitMatter(
        matter=event.matter_id, reason=event.reason,
        parts=tuple(commands.Part(text=part.text, unit=part.unit, category=part.category) for part in parts),
    )  # fmt: skip

    def run(work: UnitOfWork) -> None:
        _next_serial(work.db, tables.matters, parts[0].number)
        handlers.split_matter(command, work)

    return Retold(ids=event.parts, actor=_top(event.split_by, pack), run=run)


def _listed(lost: Lost, pack: Jurisdiction) -> Retold:
    event: intake.ResourceListed = lost.first.payload()
    command = commands.ListResource(
        owner=event.owner, kind=event.kind, title=event.title, text=event.text, serves=event.serves, units=event.units,
        capacity=event.capacity, measure=event.measure, available_from=event.available_from,
        available_until=event.available_until,
    )  # fmt: skip
    actor = _top(event.listed_by, pack)
    return Retold(ids=[event.resource_id], actor=actor, run=lambda work: handlers.list_resource(command, work))


def _unlisted(lost: Lost, pack: Jurisdiction) -> Retold:
    event: intake.ResourceWithdrawn = lost.first.payload()
    command = commands.WithdrawResource(resource=event.resource_id, reason=event.reason)
    return Retold(actor=_top(event.withdrawn_by, pack), run=lambda work: handlers.withdraw_resource(command, work))


#: First event of a transaction -> how it is done again.
_TELLINGS: dict[str, Callable[[Lost, Jurisdiction], Retold]] = {
    "intake.demand-supplemented": _supplemented,
    "intake.demand-withdrawn": _withdrawn,
    "intake.matter-located": _located,
    "intake.matter-split": _split,
    "intake.resource-listed": _listed,
    "intake.resource-withdrawn": _unlisted,
}
