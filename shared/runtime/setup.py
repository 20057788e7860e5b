"""From settings to a running application: the only place where a service is wired together."""

from __future__ import annotations

import os
import socket
from pathlib import Path

from shared import jurisdiction as packs
from shared import plugins
from shared.kernel.clock import Clock, SteppedClock, SystemClock
from shared.kernel.ids import Ids, RandomIds
from shared.kernel.sealing import Sealer
from shared.ledger.engines import open_engine
from shared.ledger.lease import Candidate
from shared.ledger.unit_of_work import Surroundings
from shared.plugins import PluginSettings
from shared.runtime.application import Application
from shared.runtime.auth import Gatekeeper
from shared.runtime.definition import ServiceDefinition
from shared.runtime.metrics import ServiceMetrics
from shared.runtime.purging import Purging
from shared.runtime.settings import Settings


def clock_of(settings: Settings) -> Clock:
    """The clock the settings ask for."""
    return SystemClock() if settings.clock_file is None else SteppedClock(settings.clock_file)


def gatekeeper_of(settings: Settings, clock: Clock) -> Gatekeeper:
    """The token checker the settings ask for."""
    return Gatekeeper(
        secret=settings.token_secret, issuer=settings.token_issuer, audience=settings.token_audience, clock=clock
    )


def application_of(
    definition: ServiceDefinition,
    settings: Settings,
    *,
    clock: Clock | None = None,
    ids: Ids | None = None,
    jurisdiction: packs.Jurisdiction | None = None,
) -> Application:
    """Wire one service. Raises Misconfigured or jurisdiction.InvalidPack; does not yet connect to the database."""
    at_hand = Surroundings(
        service=definition.name,
        engine=open_engine(
            settings.database_for(definition.name),
            pool_size=settings.workers,
            answer_within_s=settings.database_deadline,
        ),
        clock=clock or clock_of(settings),
        ids=ids or RandomIds(),
        jurisdiction=jurisdiction or packs.load(Path(settings.jurisdiction)),
        sealer=Sealer.from_text(settings.contact_keys),
        link_secret=settings.link_secret,
        public_url=settings.public_url,
        data_dir=settings.data_dir,
        smtp_url=settings.smtp_url,
        plugins=plugins.load(
            definition.plugin_groups,
            PluginSettings(data_dir=settings.data_dir, smtp_url=settings.smtp_url, departments=settings.departments),
        ),
        next_due=definition.next_due,
        tell=definition.tell,
        deliver=definition.deliver,
    )
    application = Application(
        definition=definition,
        at_hand=at_hand,
        metrics=ServiceMetrics(definition.name),
        candidate=Candidate(holder=f"{socket.gethostname()}:{os.getpid()}:{at_hand.ids.new()}"),
        purging=Purging(retention=settings.retention()),
    )
    application.metrics.expect_commands(definition.commands)
    if definition.prepare is not None:
        definition.prepare(at_hand)
    return application
