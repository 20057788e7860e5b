"""A matter split into parts that are handled side by side 拆分联办. The askers stay with the whole, which ends last."""

from __future__ import annotations

from services.intake import commands, domain, repository
from shared.contracts import intake, shapes
from shared.contracts.values import Place
from shared.kernel.errors import Forbidden, Invalid
from shared.ledger.unit_of_work import UnitOfWork
from shared.runtime.definition import Reply


def split_matter(command: commands.SplitMatter, work: UnitOfWork) -> Reply:
    """Open a matter for every part. Raises NotFound, Forbidden, Invalid, Conflict (ended, or itself a part)."""
    whole = repository.matter(work.db, command.matter, lock=True)
    try:
        work.require_scope(whole.handled_by or whole.unit)
    except Forbidden:
        if whole.private:
            raise repository.unknown_matter(command.matter) from None
        raise
    work.check_version(whole.version)
    domain.check_splitting(whole.standing, whole.parent)
    pack, now = work.jurisdiction, work.now
    units = [_unit(place, part, whole.unit, work) for place, part in enumerate(command.parts)]
    first = repository.first_demand(work.db, command.matter)
    place = shapes.load(Place, first.place, tolerant=True)
    opened, events = [], []
    for part, unit in zip(command.parts, units, strict=True):
        part_id = work.new_id()
        serial = repository.add_matter(
            work.db, matter_id=part_id, opened_at=now, unit=unit, category=part.category or whole.category,
            private=whole.private, text_fingerprint=None, place_key=None, demands=0, parent=command.matter,
            standing=domain.Standing.REGISTERED, standing_since=now,
        )  # fmt: skip
        number = domain.number_of("M", now, serial, pack.timezone)
        opened.append({"matter_id": part_id, "number": number, "unit": unit})
        events.append(
            intake.MatterOpened(
                matter_id=part_id, number=number, demand_id=first.demand_id, text=part.text, channel=first.channel,
                asker_kind=first.asker_kind, private=whole.private, unit=unit,
                category=part.category or whole.category, parent=command.matter,
                # Spots on the map are the whole's; a part that lies elsewhere has only its grid.
                place=place if unit == whole.unit else Place(grid=unit),
            )
        )  # fmt: skip
    repository.raise_version(work.db, command.matter)
    work.emit(
        intake.MatterSplit(
            matter_id=command.matter, parts=tuple(each["matter_id"] for each in opened), reason=command.reason,
            split_by=work.actor.id,
        )
    )  # fmt: skip
    for event in events:
        work.emit(event)
    return Reply(body={"matter_id": command.matter, "parts": opened}, version=whole.version + 1)


def _unit(place: int, part: commands.Part, whole_unit: str | None, work: UnitOfWork) -> str:
    """Where a part lies. Raises Invalid, Forbidden."""
    pack = work.jurisdiction
    if part.category is not None and part.category not in pack.categories:
        fault = f"No category {part.category!r} in {pack.name}."
        raise Invalid(fault, fields={f"parts[{place}].category": [fault]}, remedy="Give a category of the pack.")
    unit = part.unit or whole_unit
    if unit is None or unit not in pack.units:
        fault = "The whole lies in no grid: say where the part lies." if unit is None else f"No unit {unit!r}."
        raise Invalid(fault, fields={f"parts[{place}].unit": [fault]}, remedy="Give a unit of the pack.")
    domain.check_territory(pack.unit(unit), f"parts[{place}].unit")
    if part.unit is not None:
        work.require_scope(unit)
    return unit
