"""The resource list 资源清单: who offers what, where and how much (J2, D7, D8). Dispatch matches it to matters."""

from __future__ import annotations

from typing import Any

from services.intake import commands, domain
from services.intake import resource_repository as repository
from shared.contracts import intake
from shared.kernel.errors import Conflict, Forbidden, Invalid
from shared.ledger.unit_of_work import UnitOfWork
from shared.runtime.definition import Reply


def list_resource(command: commands.ListResource, work: UnitOfWork) -> Reply:
    """Put a resource on the list. Raises Invalid, Forbidden (territory that is not the actor's)."""
    domain.check_availability(command.available_from, command.available_until, work.now)
    pack = work.jurisdiction
    for place, category in enumerate(command.serves):
        if category not in pack.categories:
            fault = f"No category {category!r} in {pack.name}."
            raise Invalid(
                fault, fields={f"serves[{place}]": [fault]}, remedy="Give categories of the pack, or none for any."
            )
    units = tuple(dict.fromkeys(command.units)) or ((work.actor.unit,) if work.actor.unit else ())
    if not units:
        fault = "Name the territory that it is for."
        raise Invalid(fault, fields={"units": [fault]})
    for place, unit in enumerate(units):
        if unit not in pack.units:
            fault = f"No unit {unit!r} in {pack.name}."
            raise Invalid(fault, fields={f"units[{place}]": [fault]}, remedy="Give units of the pack.")
        domain.check_territory(pack.unit(unit), f"units[{place}]")
        work.require_scope(unit)
    serves = tuple(dict.fromkeys(command.serves))
    resource_id = work.new_id()
    about: dict[str, Any] = {
        "resource_id": resource_id, "owner": command.owner, "kind": command.kind, "title": command.title,
        "text": command.text, "capacity": command.capacity, "measure": command.measure,
        "available_from": command.available_from, "available_until": command.available_until,
        "listed_by": work.actor.id,
    }  # fmt: skip
    scopes = [above.id for unit in units for above in pack.path(unit)]
    repository.add(work.db, scopes, **about, serves=list(serves), units=list(units), listed_at=work.now)
    work.emit(intake.ResourceListed(**about, serves=serves, units=units))
    return Reply(body={"resource_id": resource_id, "units": list(units)}, version=1)


def withdraw_resource(command: commands.WithdrawResource, work: UnitOfWork) -> Reply:
    """Take a resource off the list: who listed it, or a desk above all of its territory. Raises NotFound, Conflict."""
    row = repository.resource(work.db, command.resource, lock=True)
    if row.listed_by != work.actor.id:
        try:
            for unit in row.units:
                work.require_scope(unit)
        except Forbidden:
            raise repository.unknown(command.resource) from None
    work.check_version(row.version)
    if row.withdrawn_at is not None:
        message = "The resource was withdrawn before."
        raise Conflict(message, code="already-withdrawn", where="resource", remedy="Nothing more is needed.")
    repository.withdraw(work.db, row.resource_id, work.now)
    work.emit(intake.ResourceWithdrawn(resource_id=row.resource_id, reason=command.reason, withdrawn_by=work.actor.id))
    return Reply(body={"resource_id": row.resource_id}, version=row.version + 1)
