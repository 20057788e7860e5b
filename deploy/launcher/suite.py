"""All five services in one process, on a clock that moves when told: simulations, scenarios, the demo, and tests.

The same applications, outboxes and inboxes as in real operation; only the broker is replaced by the loopback relay.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import replace
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

from deploy.launcher import services
from shared.jurisdiction import Jurisdiction
from shared.kernel.actor import Actor
from shared.kernel.clock import ManualClock
from shared.kernel.ids import Ids
from shared.kernel.sealing import new_key_text
from shared.ledger import tables as ledger_tables
from shared.runtime.application import Application
from shared.runtime.definition import Reply
from shared.runtime.loopback import LoopbackRelay
from shared.runtime.settings import Settings
from shared.runtime.setup import application_of

#: Fixed secrets of in-memory suites: nothing outlives them.
_THROW_AWAY = "throw-away-secret-of-an-in-memory-suite"


class Suite:
    """The five applications, their relay and their clock."""

    def __init__(self, applications: dict[str, Application], clock: ManualClock, jurisdiction: Jurisdiction) -> None:
        self.applications = applications
        self.clock = clock
        self.jurisdiction = jurisdiction
        self.relay = LoopbackRelay(applications)
        #: Called whenever simulated time has been moved and everything has come to rest.
        self.on_rest: Callable[[datetime], None] | None = None

    @classmethod
    def in_memory(
        cls, jurisdiction: Jurisdiction, start: datetime, *, only: Iterable[str] | None = None, ids: Ids | None = None
    ) -> Suite:
        """A suite without files. `only` limits it to some services."""
        settings = Settings(
            database_url="sqlite://", jurisdiction=Path(), contact_keys=new_key_text(),
            token_secret=_THROW_AWAY, link_secret=_THROW_AWAY, public_url="http://127.0.0.1:8704",
        )  # fmt: skip
        return cls.open(settings, jurisdiction, start, only=only, ids=ids, create_tables=True)

    @classmethod
    def open(
        cls,
        settings: Settings,
        jurisdiction: Jurisdiction,
        start: datetime,
        *,
        only: Iterable[str] | None = None,
        ids: Ids | None = None,
        create_tables: bool = False,
    ) -> Suite:
        """A suite on the databases that the settings name (already migrated, unless `create_tables`)."""
        clock = ManualClock(start)
        names = tuple(only) if only is not None else tuple(services.definitions())
        applications = {
            name: application_of(services.definition(name), settings, clock=clock, ids=ids, jurisdiction=jurisdiction)
            for name in names
        }
        if create_tables:
            for application in applications.values():
                ledger_tables.metadata.create_all(application.at_hand.engine)
                application.definition.tables.create_all(application.at_hand.engine)
        return cls(applications, clock, jurisdiction)

    def actor(self, person: str) -> Actor:
        """A person of the pack as an actor. Raises jurisdiction.UnknownPerson."""
        found = self.jurisdiction.person(person)
        return Actor(id=found.id, roles=frozenset(found.roles), unit=found.unit)

    def execute(self, command: str, content: dict[str, Any], actor: Actor | str, **how: Any) -> Reply:
        """Carry out `<service>.<command>` and let its events arrive everywhere. Raises Refusal."""
        acting = self.actor(actor) if isinstance(actor, str) else actor
        reply = self.applications[command.split(".", 1)[0]].execute(command, content, acting, **how)
        self.settle()
        return reply

    def settle(self) -> None:
        """Deliver every event and do what is due right now, until nothing moves."""
        while True:
            moved = self.relay.settle()
            moved += sum(application.run_due() for application in self.applications.values())
            if moved == 0:
                return

    def advance(self, *, to: datetime | None = None, by: timedelta | None = None) -> None:
        """Move the clock, stopping at every due instant on the way so that clocks warn, breach and climb in order."""
        target = to if to is not None else self.clock.now() + (by or timedelta())
        self.settle()
        while True:
            dues = [due for app in self.applications.values() if (due := app.next_due()) is not None]
            upcoming = min(dues, default=None)
            if upcoming is None or upcoming > target:
                break
            if upcoming <= self.clock.now():
                # Due work that stays due would never let time pass; a tick breaks the tie.
                upcoming = self.clock.now() + timedelta(seconds=1)
                if upcoming > target:
                    break
            self.clock.set(upcoming)
            self.settle()
            if self.on_rest is not None:
                self.on_rest(self.clock.now())
        if target > self.clock.now():
            self.clock.set(target)
        self.settle()
        if self.on_rest is not None:
            self.on_rest(self.clock.now())

    def close(self) -> None:
        """Let the databases go."""
        for application in self.applications.values():
            application.at_hand.engine.dispose()


def with_public_url(settings: Settings, order: tuple[str, ...]) -> Settings:
    """Settings whose `public_url` is filled in from host and oversight's port when it was empty."""
    if settings.public_url:
        return settings
    return replace(settings, public_url=f"http://{settings.host}:{settings.port_for('oversight', order)}")
