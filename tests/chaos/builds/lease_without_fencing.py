"""Broken: a scanner that trusts its lease. One that slept through a takeover does on waking what its successor did.

A clock's step has a key of its own in the database and is looked at again under the matter's lock: a lost fence alone
would do no harm. This scanner does neither (`trusting`): what it saw due it does. Behind the fence that is still safe;
`planted` takes the fence away as well.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from datetime import datetime
from typing import Any
from unittest.mock import patch

from sqlalchemy import Connection

from services.dispatch import repository
from services.dispatch.handlers import scans
from services.dispatch.handlers.case import Case, find_case
from shared.ledger import lease
from shared.ledger.engines import writing
from shared.ledger.unit_of_work import UnitOfWork


@contextmanager
def trusting() -> Iterator[None]:
    """Look once, without a lock, and do what was due then."""
    look = repository.due_clocks
    seen: dict[Connection, dict[str, Any]] = {}

    def look_and_keep(db: Connection, now: datetime, limit: int) -> Sequence[tuple[str, str]]:
        matters = {}
        due = look(db, now, limit)
        for _, matter_id in due:
            matters[matter_id] = repository.matter(db, matter_id), repository.clocks_of(db, matter_id)
        seen[db] = matters
        return due

    def as_seen(work: UnitOfWork, matter_id: str) -> Case | None:
        matter, clocks = seen[work.db][matter_id]
        with (
            patch.object(repository, "matter", lambda *_, **__: matter),
            patch.object(repository, "clocks_of", lambda *_, **__: dict(clocks)),
        ):
            case = find_case(work, matter_id)
            assert case is not None
            assert case.clocks == clocks
        return case

    def without_a_key(*_step: object) -> bool:
        return True

    with (
        patch.object(repository, "due_clocks", look_and_keep),
        patch.object(scans, "find_case", as_seen),
        patch.object(repository, "mark_step", without_a_key),
    ):
        yield


@contextmanager
def planted() -> Iterator[None]:
    """The trusting scanner, its lease taken in a transaction of its own and never proved again."""
    take = lease.take

    def take_and_let_go(db: Connection, *about: Any) -> int | None:
        with writing(db.engine) as own:
            token = take(own, *about)
            own.commit()
            return token

    def prove_nothing(*_about: object) -> None:
        return

    with trusting(), patch.object(lease, "take", take_and_let_go), patch.object(lease, "fence", prove_nothing):
        yield
