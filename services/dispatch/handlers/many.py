"""Several matters at once: each is judged by itself, in one transaction; a refusal undoes nothing of the others."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from services.dispatch import claim_commands, commands
from services.dispatch.handlers.handing import assign
from services.dispatch.handlers.working import accept
from shared.kernel.errors import Refusal
from shared.ledger.unit_of_work import UnitOfWork
from shared.runtime.definition import Reply


def accept_many(command: claim_commands.AcceptMany, work: UnitOfWork) -> Reply:
    """Take several matters on. What is refused is reported with its reason."""
    return _each(command.matters, lambda matter: accept(commands.Accept(matter=matter), work), work)


def assign_many(command: claim_commands.AssignMany, work: UnitOfWork) -> Reply:
    """Make a unit responsible for several matters. What is refused is reported with its reason."""

    def one(matter: str) -> Reply:
        return assign(commands.Assign(matter=matter, unit=command.unit, person=command.person), work)

    return _each(command.matters, one, work)


def _each(matters: Sequence[str], do: Callable[[str], Reply], work: UnitOfWork) -> Reply:
    """In the order of the ids, so that two that do this at once cannot lock each other; told in the order asked."""
    results: dict[str, dict[str, Any]] = {}
    for matter in sorted(set(matters)):
        try:
            with work.attempt():
                reply = do(matter)
        except Refusal as refusal:
            results[matter] = {
                "matter_id": matter, "result": "refused", "code": refusal.code, "detail": refusal.what,
                "remedy": refusal.remedy,
            }  # fmt: skip
        else:
            results[matter] = {"result": "done", **reply.body}
    told = [results[matter] for matter in dict.fromkeys(matters)]
    done = sum(one["result"] == "done" for one in told)
    return Reply(body={"done": done, "refused": len(told) - done, "items": told})
