"""Demands: registered, imported, supplemented, withdrawn, located; and what their askers are told of the way."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from services.intake import commands, domain, repository
from shared.contracts import dispatch, intake, registry, shapes
from shared.contracts.values import Place
from shared.jurisdiction import Unit
from shared.kernel.errors import Conflict, Invalid, Refusal
from shared.kernel.hashing import sha256_hex
from shared.kernel.ids import normal_code
from shared.ledger.unit_of_work import UnitOfWork
from shared.runtime.definition import Reply


def register_demand(command: commands.RegisterDemand, work: UnitOfWork) -> Reply:
    """Register one demand. Raises Invalid (also for a category or grid that the pack does not have)."""
    asker = command.asker or commands.Asker(anonymous=True)
    domain.check_occurred_at(command.occurred_at, work.now)
    domain.check_asker(anonymous=asker.anonymous, name=asker.name, phone=asker.phone, mail=asker.mail)
    if (command.source is None) != (command.source_ref is None):
        fault = "source and source_ref come together."
        raise Invalid(fault, fields={"source" if command.source is None else "source_ref": [fault]})
    if command.category is not None and command.category not in work.jurisdiction.categories:
        fault = f"No category {command.category!r} in {work.jurisdiction.name}."
        raise Invalid(
            fault, fields={"category": [fault]}, remedy="Give a category of the pack, or none to have one suggested."
        )
    if command.source is not None and command.source_ref is not None:
        source = domain.own_source(command.source, work.actor)
        known = repository.from_source(work.db, source, command.source_ref)
        if known is not None:
            return _already(known, work)
        command = replace(command, source=source)
    return _register(command, asker, _locate(command.location, work), work)


def _locate(place: Place, work: UnitOfWork) -> Unit | None:
    if place.grid is None:
        return work.jurisdiction.locate(address=place.address)
    if place.grid not in work.jurisdiction.units:
        fault = f"No unit {place.grid!r} in {work.jurisdiction.name}."
        raise Invalid(
            fault,
            fields={"location.grid": [fault]},
            remedy="Give a grid of the pack, or the address in words.",
        )
    domain.check_territory(work.jurisdiction.unit(place.grid), "location.grid")
    return work.jurisdiction.unit(place.grid)


def _register(command: commands.RegisterDemand, asker: commands.Asker, unit: Unit | None, work: UnitOfWork) -> Reply:
    now = work.now
    demand_id = work.new_id()
    code = work.at_hand.ids.code()
    unit_id = None if unit is None else unit.id
    place = command.location
    spot = None if place.longitude is None or place.latitude is None else (place.longitude, place.latitude)
    same = domain.sameness(command.text, unit_id, place.address, spot, private=command.private)
    twin = None if same is None else repository.open_twin(work.db, same, now - domain.DUPLICATE_WINDOW)
    matter_id = work.new_id() if twin is None else twin.matter_id
    sealed = work.at_hand.sealer.seal(
        {"name": asker.name, "phone": asker.phone, "mail": (asker.mail or "").strip() or None, "tracking_code": code}
    )
    serial = repository.add_demand(
        work.db,
        demand_id=demand_id,
        matter_id=matter_id,
        registered_at=now,
        registered_by=work.actor.id,
        channel=command.channel,
        asker_kind=asker.kind,
        anonymous=asker.anonymous,
        private=command.private,
        text=command.text,
        place=shapes.dump(command.location),
        category=command.category,
        occurred_at=command.occurred_at,
        sealed_asker=sealed,
        code_digest=sha256_hex(normal_code(code).encode()),
        source=command.source,
        source_ref=command.source_ref,
    )
    zone = work.jurisdiction.timezone
    number = domain.number_of("D", now, serial, zone)
    if twin is None:
        matter_serial = repository.add_matter(
            work.db,
            matter_id=matter_id,
            opened_at=now,
            unit=unit_id,
            category=command.category,
            private=command.private,
            text_fingerprint=same.text_fingerprint if same else None,
            place_key=same.place_key if same else None,
            demands=1,
            standing=domain.Standing.REGISTERED,
            standing_since=now,
        )
        matter_number = domain.number_of("M", now, matter_serial, zone)
        work.emit(
            intake.MatterOpened(
                matter_id=matter_id,
                number=matter_number,
                demand_id=demand_id,
                text=command.text,
                channel=command.channel,
                asker_kind=asker.kind,
                private=command.private,
                unit=unit_id,
                category=command.category,
                place=command.location,
                occurred_at=command.occurred_at,
            )
        )
    else:
        matter_number = domain.number_of("M", twin.opened_at, twin.serial, zone)
        count = repository.count_in(work.db, matter_id)
        work.emit(
            intake.DemandJoinedMatter(
                matter_id=matter_id, demand_id=demand_id, asker_kind=asker.kind, demands=count, reason="exact-duplicate"
            )
        )
    work.emit(
        intake.DemandRegistered(
            demand_id=demand_id,
            matter_id=matter_id,
            number=number,
            matter_number=matter_number,
            channel=command.channel,
            asker_kind=asker.kind,
            anonymous=asker.anonymous,
            private=command.private,
            joined=twin is not None,
            unit=unit_id,
            category=command.category,
            sealed_asker=sealed,
            text=command.text,
            place=command.location,
            occurred_at=command.occurred_at,
            source=command.source,
            source_ref=command.source_ref,
        )
    )
    return Reply(
        body={
            "demand_id": demand_id,
            "matter_id": matter_id,
            "number": number,
            "matter_number": matter_number,
            "tracking_code": code,
            "unit": unit_id,
            "located": unit is not None,
            "joined": twin is not None,
        }
    )


def _already(known: Any, work: UnitOfWork) -> Reply:
    row = repository.matter(work.db, known.matter_id)
    zone = work.jurisdiction.timezone
    return Reply(
        body={
            "demand_id": known.demand_id,
            "matter_id": known.matter_id,
            "number": domain.number_of("D", known.registered_at, known.serial, zone),
            "matter_number": domain.number_of("M", row.opened_at, row.serial, zone),
            # An outside id can be guessed: the code, and with it the demand, is given again only to who registered it.
            "tracking_code": work.at_hand.sealer.open(known.sealed_asker)["tracking_code"]
            if known.registered_by == work.actor.id
            else None,
            "unit": row.unit,
            "located": row.unit is not None,
            "joined": row.demands > 1,
            "already_registered": True,
        },
        created=False,
    )


def import_demands(command: commands.ImportDemands, work: UnitOfWork) -> Reply:
    """Register many rows; a faulty one is reported with its place in the request, the others stand."""
    results: list[dict[str, Any]] = []
    for index, row in enumerate(command.rows):
        content = {"channel": "csv", "source": command.source} | row
        try:
            with work.attempt():
                reply = register_demand(shapes.load(commands.RegisterDemand, content), work)
        except Refusal as refusal:
            results.append(
                {
                    "row": index,
                    "result": "refused",
                    "code": refusal.code,
                    "detail": refusal.what,
                    "remedy": refusal.remedy,
                    "errors": refusal.fields if isinstance(refusal, Invalid) else {},
                }
            )
            continue
        known = bool(reply.body.get("already_registered"))
        results.append(
            {
                "row": index,
                "result": "known" if known else "registered",
                "number": reply.body["number"],
                "demand_id": reply.body["demand_id"],
                "matter_id": reply.body["matter_id"],
                "joined": reply.body["joined"],
            }
        )
    totals = {
        kind: sum(1 for entry in results if entry["result"] == kind) for kind in ("registered", "known", "refused")
    }
    return Reply(body={**totals, "rows": results})


def supplement_demand(command: commands.SupplementDemand, work: UnitOfWork) -> Reply:
    """Add words to a demand. Raises NotFound, Conflict (closed)."""
    found = repository.demand_by_code(work.db, _digest(command.tracking_code))
    domain.check_open(repository.matter(work.db, found.matter_id, lock=True).standing, "adding to it")
    domain.check_standing(repository.demand(work.db, found.demand_id).withdrawn_at)
    repository.add_supplement(
        work.db, supplement_id=work.new_id(), demand_id=found.demand_id, text=command.text, added_at=work.now
    )
    work.emit(intake.DemandSupplemented(demand_id=found.demand_id, matter_id=found.matter_id, text=command.text))
    return Reply(body={"demand_id": found.demand_id, "matter_id": found.matter_id})


def withdraw_demand(command: commands.WithdrawDemand, work: UnitOfWork) -> Reply:
    """Take a demand back. Raises NotFound, Conflict (closed, or withdrawn before)."""
    found = repository.demand_by_code(work.db, _digest(command.tracking_code))
    domain.check_open(repository.matter(work.db, found.matter_id, lock=True).standing, "withdrawing")
    # Read again under the lock: a twin of this request may have been first.
    domain.check_standing(repository.demand(work.db, found.demand_id).withdrawn_at)
    left = repository.withdraw(work.db, found.demand_id, work.now)
    work.emit(
        intake.DemandWithdrawn(
            demand_id=found.demand_id, matter_id=found.matter_id, reason=command.reason, last_of_matter=left == 0
        )
    )
    return Reply(body={"demand_id": found.demand_id, "matter_id": found.matter_id, "left": left})


def locate_matter(command: commands.LocateMatter, work: UnitOfWork) -> Reply:
    """Put an unlocated matter into its grid. Raises NotFound, Forbidden, Invalid, Conflict (located before)."""
    row = repository.matter(work.db, command.matter, lock=True)
    work.check_version(row.version)
    if row.unit is not None:
        message = f"The matter lies in {row.unit} already."
        raise Conflict(message, code="already-located", where="matter", remedy="Use dispatch.assign to move it.")
    domain.check_open(row.standing, "locating it")
    unit = work.jurisdiction.unit(command.unit)
    work.require_scope(unit.id)
    domain.check_territory(unit, "unit")
    repository.locate(work.db, command.matter, unit.id)
    work.emit(intake.MatterLocated(matter_id=command.matter, unit=unit.id, located_by=work.actor.id))
    return Reply(body={"matter_id": command.matter, "unit": unit.id}, version=row.version + 1)


def reveal_contact(command: commands.RevealContact, work: UnitOfWork) -> Reply:
    """The asker's contact data, with the look logged in the same transaction. Raises NotFound, Forbidden."""
    found = repository.demand(work.db, command.demand)
    row = repository.matter(work.db, found.matter_id)
    work.require_scope(row.handled_by or row.unit)
    repository.log_access(
        work.db,
        access_id=work.new_id(),
        demand_id=found.demand_id,
        actor=work.actor.id,
        reason=command.reason,
        at=work.now,
    )
    contact = work.at_hand.sealer.open(found.sealed_asker)
    return Reply(body={"demand_id": found.demand_id} | {key: contact[key] for key in ("name", "phone", "mail")})


def _digest(code: str) -> str:
    return sha256_hex(normal_code(code).encode())


def on_classified(event: dispatch.MatterClassified, work: UnitOfWork) -> None:
    """Show the asker the class that dispatch decided on."""
    repository.set_class(work.db, event.matter_id, event.response_class, event.category)


def on_step(event: Any, work: UnitOfWork) -> None:
    """Follow the way of a matter for its askers."""
    name = registry.by_shape(type(event)).name
    unit = getattr(event, "to_unit", None) or getattr(event, "unit", None)
    at = work.cause.time if work.cause is not None else work.now
    repository.set_standing(work.db, event.matter_id, domain.STANDING_AFTER[name], at, unit, name)
