"""Recovering one service after its database was restored to an earlier moment: where everything needed is found.

The trace tells what the service told and heard; of oversight, whose own the trace is, the others' outboxes. All five
databases are read, one is written. The rules are `shared.ledger.recovery`.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from sqlalchemy import Engine, select

from deploy.launcher import services
from services.oversight.repository.since import envelopes_since, latest_of
from shared.contracts import envelope as envelopes
from shared.contracts import registry, topology
from shared.contracts.envelope import Envelope
from shared.contracts.topology import SERVICES
from shared.kernel.errors import Conflict
from shared.ledger import outbox, recovery
from shared.ledger.engines import open_engine, reading
from shared.ledger.interventions import DONE, Job
from shared.ledger.recovery import Lost, Recorded
from shared.ledger.replay import Outbox, Replay
from shared.ledger.tables import leases
from shared.ledger.unit_of_work import unit_of_work
from shared.runtime.application import Application
from shared.runtime.settings import Settings
from shared.wire import backlog
from shared.wire import relay as relays

_TRACE = "oversight"
#: Events of a service at the end of the trace that are looked for in its outbox.
_LOOKED_AT = 200
_LOOKED_BACK = timedelta(days=1)


class StillRunning(Conflict):
    """The service's relay works: its processes must not run meanwhile. Stop them, then recover."""

    code = "service-still-running"


class TraceBehind(Conflict):
    """Events of the service are on their way to the trace. Let oversight take them first."""

    code = "trace-behind"


class SetBack(Conflict):
    """The service's database stands at an earlier moment than what it told. Recover it first: docs/backup.md."""

    code = "database-set-back"


@dataclass(frozen=True, kw_only=True)
class Found:
    """What was found to recover."""

    #: The service's own transactions that its database does not have.
    lost: Sequence[Lost] = ()
    #: What it heard in the time, known or not.
    heard: Sequence[Recorded] = ()


@dataclass(kw_only=True)
class Account:
    """What came of it."""

    transactions: int = 0
    events: int = 0
    #: Outcome -> messages of others handed over.
    received: Counter[str] = field(default_factory=Counter)
    #: (what, about which matter, when, why) of each transaction that could not be done again.
    left: list[tuple[str, str, datetime, str]] = field(default_factory=list)
    #: Events that a consumer has seen and nobody has any more, by stream.
    gone: Mapping[str, int] = field(default_factory=dict)

    def as_detail(self) -> dict[str, object]:
        """As an intervention keeps it, and --json shows it."""
        return {
            "transactions": self.transactions,
            "events": self.events,
            "received": dict(self.received),
            "left": [
                {"event": what, "about": about, "at": at.isoformat(), "why": why} for what, about, at, why in self.left
            ],
            "gone": dict(self.gone),
        }


def check_standing(application: Application, settings: Settings) -> None:
    """Raise StillRunning or TraceBehind when it is too early."""
    with reading(application.at_hand.engine) as db:
        until = db.execute(select(leases.c.expires_at).where(leases.c.name == relays.LEASE)).scalar_one_or_none()
    if until is not None and until > application.at_hand.clock.now():
        raise StillRunning(
            f"The relay of {application.name} works.", where="--service",
            remedy=f"Stop every process of {application.name} and its relay, wait ten seconds, and run this again.",
        )  # fmt: skip
    if application.name == _TRACE or settings.broker_url is None:
        return
    queue = next(sub.queue for sub in topology.subscriptions_of(_TRACE) if sub.source == application.name)
    waiting = backlog.waiting_in(settings.broker_url, queue)
    if waiting:
        raise TraceBehind(
            f"{waiting} event(s) of {application.name} wait in {queue}.", where=queue,
            remedy="Let oversight run until the queue is empty; without them it would look as if they never happened.",
        )  # fmt: skip


def check_not_set_back(application: Application, oversight: Engine) -> None:
    """Raise SetBack when the trace's end holds events of the service that its own outbox does not have.

    A replay would have it act a second time, and tell so under versions that everybody has seen.
    """
    if application.name == _TRACE:
        return
    # Not further back than any outbox is purged.
    since = application.at_hand.clock.now() - _LOOKED_BACK
    with reading(oversight) as db:
        told = latest_of(db, application.name, since, _LOOKED_AT)
    with reading(application.at_hand.engine) as db:
        missing = sorted(set(told) - outbox.known(db, told))
    if missing:
        raise SetBack(
            f"{len(missing)} of the last {len(told)} events of {application.name} in the trace are not in its outbox.",
            where="--service",
            remedy=f"Its database was restored to an earlier moment: gridwhistle recover --service {application.name}.",
        )


def find(application: Application, settings: Settings, since: datetime) -> Found:
    """Look up what was lost since an instant. Raises TraceDamaged."""
    if application.name == _TRACE:
        return Found()
    with engine_of(settings, _TRACE) as engine, reading(engine) as db:
        recorded = list(envelopes_since(db, since))
    heard = [(envelopes.from_bytes(raw), raw) for raw in recorded]
    return Found(
        lost=recovery.lost_of(application.at_hand, recorded),
        heard=[pair for pair in heard if _hears(application.name, pair[0])],
    )


def run(
    application: Application,
    settings: Settings,
    found: Found,
    *,
    since: datetime,
    until: datetime | None,
    job: Job,
    progress: Callable[[], None],
) -> Account:
    """Recover. Safe to kill and to run again. Raises Transient, HandlerFailed."""
    account = Account()
    definition = services.definition(application.name)
    if definition.retell is not None:
        done = recovery.recover(
            application.reception, found.lost, found.heard, definition.retell, until=until, progress=progress
        )
        account.transactions, account.events = done.transactions, done.events
        account.received.update({outcome.value: count for outcome, count in done.received.items()})
        account.left = [
            (registry.label_of(lost.first.type), lost.first.subject, lost.at, why) for lost, why in done.left
        ]
    account.gone = recovery.pass_over(application.at_hand, _seen_by_others(application, settings))
    if application.name == _TRACE:
        sources = [
            Outbox(engine=open_engine(settings.database_for(each.source)), subscription=each, since=since)
            for each in topology.subscriptions_of(_TRACE)
        ]
        account.received.update(Replay(application.at_hand, sources, application.receive_many, job=job).run().counts)
    if definition.recovered is not None:
        with unit_of_work(application.at_hand) as work:
            definition.recovered(work.db)
            work.commit()
    job.save_now(account.as_detail(), state=DONE)
    return account


def _seen_by_others(application: Application, settings: Settings) -> dict[str, int]:
    seen: dict[str, int] = {}
    for name in SERVICES:
        if name == application.name:
            continue
        with engine_of(settings, name) as engine, reading(engine) as db:
            for stream, version in recovery.beyond(db, application.name).items():
                seen[stream] = max(version, seen.get(stream, 0))
    return seen


@contextmanager
def engine_of(settings: Settings, service: str) -> Iterator[Engine]:
    """An engine for one look."""
    engine = open_engine(settings.database_for(service), pool_size=1)
    try:
        yield engine
    finally:
        engine.dispose()


def _hears(service: str, envelope: Envelope) -> bool:
    return any(sub.consumer == service for sub in topology.hearers(envelope.stream))
