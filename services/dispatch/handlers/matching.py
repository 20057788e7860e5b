"""Resources of intake's list matched to matters 资源匹配: suggested with the reason, reserved, landed or given back.

(J8, D7, D8.) The matter is locked before the offer; the offer's lock is why its capacity is never given out twice.
"""

from __future__ import annotations

from services.dispatch import claim_commands as commands
from services.dispatch import offer_repository as repository
from services.dispatch.domain import offers as rules
from services.dispatch.domain.claim_refusals import MatchSettled, UnknownMatch, UnknownOffer
from services.dispatch.domain.matter import Matter
from services.dispatch.domain.offers import Offer, Suggestion
from services.dispatch.domain.refusals import EvidenceMissing
from services.dispatch.handlers.case import find_case, open_case
from services.dispatch.handlers.claiming import check_open
from shared.contracts import claims, intake, shapes
from shared.jurisdiction import Jurisdiction
from shared.ledger.unit_of_work import UnitOfWork
from shared.runtime.definition import Reply

#: Flag of a matter that resources were matched to.
MATCHED = "matched"


def on_resource_listed(event: intake.ResourceListed, work: UnitOfWork) -> None:
    """Keep it, so that matters can find it."""
    repository.add(
        work.db,
        Offer(
            resource_id=event.resource_id, owner=event.owner, kind=event.kind, title=event.title, text=event.text,
            serves=event.serves, units=event.units, capacity=event.capacity, measure=event.measure, reserved=0,
            available_from=event.available_from, available_until=event.available_until,
            listed_at=work.now if work.cause is None else work.cause.time, withdrawn_at=None,
        ),
    )  # fmt: skip


def on_resource_withdrawn(event: intake.ResourceWithdrawn, work: UnitOfWork) -> None:
    """No longer suggested; what was matched stands."""
    repository.withdraw(work.db, event.resource_id, work.now if work.cause is None else work.cause.time)


def suggestions(work: UnitOfWork, matter: Matter, amount: int = 1) -> list[Suggestion]:
    """What of the resource list would help a matter, the best first, each with its reasons."""
    units, categories = place_of(work.jurisdiction, matter), kinds_of(work.jurisdiction, matter)
    found = repository.candidates(work.db, units, categories)
    return rules.suggest(found, categories=categories, units=units, now=work.now, amount=amount)


def place_of(pack: Jurisdiction, matter: Matter) -> list[str]:
    """Where the matter lies, bottom-up; where it is handled, while it lies nowhere."""
    here = matter.located_unit or matter.unit
    return [unit.id for unit in reversed(pack.path(here))] if here in pack.units else [here]


def kinds_of(pack: Jurisdiction, matter: Matter) -> list[str]:
    """The matter's category and those above it; none when it has none that the pack knows."""
    category = matter.category
    return list(pack.category_path(category)) if category is not None and category in pack.categories else []


def match_resource(command: commands.MatchResource, work: UnitOfWork) -> Reply:
    """Reserve some of a resource. Raises UnknownOffer, NotOffered, CapacityExhausted, MatterEnded."""
    case = open_case(work, command.matter)
    check_open(case)
    offer = repository.offer(work.db, command.resource, lock=True)
    if offer is None:
        raise UnknownOffer(
            f"There is no resource {command.resource!r}.", where="resource", remedy="Choose one of the suggestions."
        )
    reasons = rules.check_match(
        offer, categories=kinds_of(work.jurisdiction, case.matter), units=place_of(work.jurisdiction, case.matter),
        now=work.now, amount=command.amount,
    )  # fmt: skip
    match_id = work.new_id()
    repository.reserve(work.db, offer.resource_id, command.amount)
    repository.add_match(
        work.db, id=match_id, matter_id=case.matter.id, resource_id=offer.resource_id, amount=command.amount,
        reasons=list(reasons), note=command.note, matched_by=case.actor, matched_at=work.now,
    )  # fmt: skip
    work.emit(
        claims.ResourceMatched(
            match_id=match_id, matter_id=case.matter.id, resource_id=offer.resource_id, amount=command.amount,
            reasons=reasons, note=command.note, matched_by=case.actor,
        )
    )  # fmt: skip
    case.flag(MATCHED)
    case.note("resource-matched", match=match_id, resource=offer.resource_id, owner=offer.owner, amount=command.amount)
    return case.saved(match_id=match_id, left=offer.left - command.amount, reasons=list(reasons))


def settle_match(command: commands.SettleMatch, work: UnitOfWork) -> Reply:
    """Landed, or fallen through and its capacity free. Raises UnknownMatch, MatchSettled, EvidenceMissing."""
    seen = repository.match(work.db, command.match)
    case = None if seen is None else find_case(work, seen.matter_id)
    found = None if case is None else repository.match(work.db, command.match, lock=True)
    if case is None or found is None:
        raise UnknownMatch(f"There is no match {command.match!r}.", where="match", remedy="Check the id.")
    work.require_scope(case.matter.unit)
    work.check_version(found.version)
    if found.settled_at is not None:
        raise MatchSettled(
            "It has landed." if found.landed else "It has fallen through.", where="match",
            remedy="Nothing more is needed; match the resource anew if it is needed again.",
        )  # fmt: skip
    if command.landed and not command.evidence:
        raise EvidenceMissing(
            "There is no evidence that it came about.", where="evidence",
            remedy="Attach a photo, note, document or signature.",
        )  # fmt: skip
    if not command.landed:
        repository.offer(work.db, found.resource_id, lock=True)
        repository.reserve(work.db, found.resource_id, -found.amount)
    evidence = [shapes.dump(piece) for piece in command.evidence]
    repository.settle_match(
        work.db, found, landed=command.landed, settled_at=work.now, settled_by=case.actor, outcome=command.outcome,
        evidence=evidence,
    )  # fmt: skip
    work.emit(
        claims.MatchSettled(
            match_id=found.id, matter_id=found.matter_id, resource_id=found.resource_id, landed=command.landed,
            amount=found.amount, outcome=command.outcome, evidence=command.evidence, settled_by=case.actor,
        )
    )  # fmt: skip
    case.note("match-settled", match=found.id, landed=command.landed, outcome=command.outcome)
    case.save()
    body = {
        "match_id": found.id, "matter_id": found.matter_id, "landed": command.landed, "version": found.version + 1,
    }  # fmt: skip
    return Reply(body=body, version=found.version + 1)
