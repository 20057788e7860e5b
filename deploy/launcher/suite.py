"""All five services in one process, on a clock that moves when told: simulations, scenarios, the demo, and tests.

The same applications, outboxes and inboxes as in real operation; only the broker is replaced by the loopback relay.
"""

from __future__ import annotations

import shutil
import tempfile
import weakref
from collections.abc import Callable, Collection, Iterable
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
        #: When each service has due work next, as long as nothing has touched it since.
        self._dues: dict[str, datetime | None] = {}
        self._swept = False
        #: Called whenever simulated time has been moved and everything has come to rest.
        self.on_rest: Callable[[datetime], None] | None = None

    @classmethod
    def in_memory(
        cls, jurisdiction: Jurisdiction, start: datetime, *, only: Iterable[str] | None = None, ids: Ids | None = None
    ) -> Suite:
        """A suite without files. `only` limits it to some services."""
        # The file notifier writes letters even here; they go away with the suite.
        folder = Path(tempfile.mkdtemp(prefix="gridwhistle-suite-"))
        settings = Settings(
            database_url="sqlite://", jurisdiction=Path(), contact_keys=new_key_text(), data_dir=folder,
            token_secret=_THROW_AWAY, link_secret=_THROW_AWAY, public_url="http://127.0.0.1:8704",
        )  # fmt: skip
        suite = cls.open(settings, jurisdiction, start, only=only, ids=ids, create_tables=True)
        weakref.finalize(suite, shutil.rmtree, folder, ignore_errors=True)
        return suite

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
        service = command.split(".", 1)[0]
        try:
            reply = self.applications[service].execute(command, content, acting, **how)
        finally:
            self.settle({service})
        return reply

    def settle(self, touched: Collection[str] | None = None) -> None:
        """Deliver every event and do what is due right now, until nothing moves.

        `touched`: the services that did something since the suite was at rest; None: any may have.
        """
        if not self._swept:
            # Left behind by a process that was killed; in this one nothing ever stays parked.
            self._swept = True
            for application in self.applications.values():
                application.reception.sweep()
        moved = set(self.applications if touched is None else touched)
        while True:
            moved |= self.relay.settle(moved)
            for name in moved:
                self._dues.pop(name, None)
            now = self.clock.now()
            moved = {name for name, due in self._upcoming().items() if due <= now and self._run_due(name)}
            if not moved:
                return

    def _run_due(self, name: str) -> int:
        self._dues.pop(name, None)
        return self.applications[name].run_due()

    def _upcoming(self) -> dict[str, datetime]:
        """When each service that has due work has it next."""
        for name, application in self.applications.items():
            if name not in self._dues:
                self._dues[name] = application.next_due()
        return {name: due for name, due in self._dues.items() if due is not None}

    def advance(self, *, to: datetime | None = None, by: timedelta | None = None) -> None:
        """Move the clock, stopping at every due instant on the way so that clocks warn, breach and climb in order."""
        target = to if to is not None else self.clock.now() + (by or timedelta())
        self.settle()
        while True:
            upcoming = self.next_due()
            if upcoming is None or upcoming > target:
                break
            if upcoming <= self.clock.now():
                # Due work that stays due would never let time pass; a tick breaks the tie.
                upcoming = self.clock.now() + timedelta(seconds=1)
                if upcoming > target:
                    break
            self.clock.set(upcoming)
            self.settle(())
            if self.on_rest is not None:
                self.on_rest(self.clock.now())
        if target > self.clock.now():
            self.clock.set(target)
        self.settle(())
        if self.on_rest is not None:
            self.on_rest(self.clock.now())

    def next_due(self) -> datetime | None:
        """The earliest instant at which something happens by itself."""
        return min(self._upcoming().values(), default=None)

    def close(self) -> None:
        """Let the databases go."""
        for application in self.applications.values():
            application.at_hand.engine.dispose()


def with_public_url(settings: Settings, order: tuple[str, ...]) -> Settings:
    """Settings whose `public_url` is filled in from host and oversight's port when it was empty."""
    if settings.public_url:
        return settings
    return replace(settings, public_url=f"http://{settings.host}:{settings.port_for('oversight', order)}")
