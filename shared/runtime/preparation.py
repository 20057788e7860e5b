"""What a process needs before it can work, waited for with patience: a migrated database, a declared topology.

The same for a service and its relay. Never gives up by itself: it says what it waits for, in the log and to `note`.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Sequence
from threading import Event

from sqlalchemy import Engine
from tenacity import RetryCallState, Retrying, retry_if_exception_type, stop_when_event_set, wait_random_exponential
from tenacity.nap import sleep_using_event

from shared.ledger.errors import Transient
from shared.ledger.migrate import Migratable, migrate
from shared.wire.connection import BrokerAway
from shared.wire.declare import DeclarationRefused, declare, is_there

log = logging.getLogger(__name__)

#: Longest pause, in seconds, before a database or broker that is away is tried again.
LONGEST_PAUSE_S = 5.0


def prepare(
    engine: Engine,
    definition: Migratable,
    broker_url: str,
    stopping: Event,
    note: Callable[[str | None], None] = lambda _fault: None,
    departments: Sequence[str] = (),
) -> bool:
    """Migrate and declare, however long it takes to reach both; False when told to stop first.

    `departments`: those whose queues and exchanges are declared as well, unless they are there.
    `note` hears why the database cannot be used yet, and None once it can. Raises Misconfigured.
    """

    def database() -> None:
        try:
            applied = migrate(engine, definition)
        except Transient as error:
            note(str(error))
            raise
        note(None)
        if applied:
            log.info("database migrated", extra={"service": definition.name, "revisions": applied})

    def topology() -> None:
        try:
            declare(broker_url, () if not departments or is_there(broker_url, departments) else departments)
        except DeclarationRefused as error:
            # Where only administrators may declare, the queues are there already; if not, consuming says so.
            log.error("topology not as declared", extra={"faults": error.faults})  # noqa: TRY400 -- the faults say it

    try:
        _until_there(database, stopping)
        _until_there(topology, stopping)
    except (Transient, BrokerAway):
        return False
    return True


def _until_there(step: Callable[[], None], stopping: Event) -> None:
    Retrying(
        retry=retry_if_exception_type((Transient, BrokerAway)),
        wait=wait_random_exponential(multiplier=0.2, max=LONGEST_PAUSE_S),
        stop=stop_when_event_set(stopping),
        sleep=sleep_using_event(stopping),
        before_sleep=_say_why,
        reraise=True,
    )(step)


def _say_why(state: RetryCallState) -> None:
    error = state.outcome.exception() if state.outcome else None
    log.warning("waiting to start", extra={"reason": str(error), "again_in_s": round(state.upcoming_sleep, 1)})
