"""nameko containers in one process: made, watched, and stopped within seconds of a signal.

Used by the process of one service (`process`) and by the one that serves all five without a broker (`embedded`).
`shared.runtime.green` must have been imported first of all.
"""

from __future__ import annotations

import logging
import os
import signal
from collections.abc import Sequence
from types import FrameType
from typing import Any

import eventlet
from nameko.containers import ServiceContainer

from shared.runtime.entrypoints import DUE_INTERVAL
from shared.runtime.queues import RUNNING
from shared.runtime.running import RunningService
from shared.runtime.settings import Settings

log = logging.getLogger(__name__)

#: Seconds a clean stop may take before what is under way is dropped (nothing is lost: it was not committed).
STOP_WITHIN_S = 8.0
#: Seconds after the signal at which the process ends in any case.
GONE_WITHIN_S = 12
_LOOK_EVERY_S = 0.1
#: Exit codes: told to stop; sick, start another.
STOPPED, SICK = 0, 1


def container_of(service_class: type[Any], running: RunningService, settings: Settings, *, port: int) -> Any:
    """A container for a service, not started yet."""
    return ServiceContainer(
        service_class,
        {
            # One worker a queue and one for due work (entrypoints.py); the others are there for requests.
            "max_workers": settings.workers * 2,
            "WEB_SERVER_ADDRESS": f"{settings.host}:{port}",
            DUE_INTERVAL: settings.due_interval,
            RUNNING: running,
        },
    )


def listen_for_signals() -> list[int]:
    """The list that a signal's number is put into; twelve seconds after the first the process ends in any case."""
    told: list[int] = []

    def told_to_stop(number: int, _frame: FrameType | None) -> None:
        # Only a note: this runs between two bytecodes of any green thread, which may hold any lock.
        told.append(number)
        signal.alarm(GONE_WITHIN_S)

    signal.signal(signal.SIGALRM, _go)
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, told_to_stop)
    return told


def _go(_number: int, _frame: FrameType | None) -> None:
    os._exit(SICK)


def until_told_or_dead(containers: Sequence[Any], told: Sequence[int], *besides: Any) -> int:
    """Wait for a signal (STOPPED) or for the death of a container, or of a green thread of `besides` (SICK)."""
    watched = [*besides, *(eventlet.spawn(container.wait) for container in containers)]
    while not told:
        for thread in watched:
            if thread.dead:
                try:
                    thread.wait()
                except Exception as error:  # whatever killed it: log it, end with 1
                    log.critical("a part of the process died", exc_info=error)
                return SICK
        eventlet.sleep(_LOOK_EVERY_S)
    return STOPPED


def stop(containers: Sequence[Any]) -> None:
    """Stop them side by side; what takes too long is dropped and comes back."""
    try:
        with eventlet.Timeout(STOP_WITHIN_S):
            for stopping in [eventlet.spawn(container.stop) for container in containers]:
                stopping.wait()
    except eventlet.Timeout:
        log.warning("work under way was dropped; nothing of it was stored", extra={"after_s": STOP_WITHIN_S})
        for container in containers:
            with eventlet.Timeout(1, False):  # noqa: FBT003 -- eventlet's own way to say "silently"
                container.kill()
