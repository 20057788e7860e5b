"""A department's program as one process: the link in the main thread, handlers in another, a clean end on SIGTERM."""

from __future__ import annotations

import logging
import signal
import sqlite3
import threading
import time
from collections.abc import Callable
from typing import Any

from shared.kit import settings as kit_settings
from shared.kit.desk import Desk, Handlers
from shared.kit.link import Link
from shared.kit.settings import KitSettings
from shared.kit.spool import Spool

log = logging.getLogger(__name__)

#: Seconds between two looks for messages to be handled; also the pause after a handler failed.
_LOOK_EVERY_S = 1.0
#: Seconds given to what is still to be sent when all else has ended.
_FAREWELL_S = 5.0


def serve(
    handlers: Handlers,
    settings: KitSettings | None = None,
    *,
    on_start: Callable[[Desk], None] = lambda _desk: None,
) -> int:
    """Receive, handle and answer until SIGTERM or SIGINT; returns 0, or 1 when the disk failed.

    Call it from the main thread. `settings`: from the environment when left out. `on_start` gets the desk, for a user
    interface beside it. Raises SettingsMissing, SpoolInUse.
    """
    known = settings or kit_settings.read()
    spool = Spool(known.spool)
    spool.serve_alone()
    desk = Desk(known.department, spool)
    link = Link(known, desk)
    desk.on_answer = link.wake
    worker = _Worker(desk, handlers, link)

    def told_to_stop(number: int, _frame: Any) -> None:
        log.info("told to stop (%s)", signal.Signals(number).name)
        threading.Thread(target=worker.leave, args=(known.grace_s,), daemon=True).start()

    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, told_to_stop)
    on_start(desk)
    worker.start()
    try:
        link.run()
    finally:
        worker.stopping.set()
        desk.fresh.set()
    # A handler that is still at it is left: its message is handled again at the next start.
    worker.thread.join(0.5)
    if not worker.thread.is_alive():
        spool.close()
    return 1 if worker.broken else 0


class _Worker:
    """The thread that handlers run in."""

    def __init__(self, desk: Desk, handlers: Handlers, link: Link) -> None:
        self._desk = desk
        self._handlers = handlers
        self._link = link
        self.stopping = threading.Event()
        self.broken = False
        self.thread = threading.Thread(target=self._run, name="handlers", daemon=True)

    def start(self) -> None:
        """Begin."""
        self.thread.start()

    def leave(self, grace_s: float) -> None:
        """Take no more, let the handler at work come to its end, send what is left, end."""
        self._link.stop()
        self.stopping.set()
        self._desk.fresh.set()
        self.thread.join(grace_s)
        until = time.monotonic() + _FAREWELL_S
        while self._desk.outgoing(1) and self._link.connected.is_set() and time.monotonic() < until:
            self._link.wake()
            threading.Event().wait(0.1)
        self._link.finish()

    def _run(self) -> None:
        try:
            while not self.stopping.is_set():
                self._desk.fresh.clear()
                if not self._desk.work(self._handlers):
                    self._desk.fresh.wait(_LOOK_EVERY_S)
        except sqlite3.Error:
            # The disk does not take what has to be kept: better to end loudly than to receive what cannot be kept.
            log.exception("the spool cannot be written")
            self.broken = True
            self._link.finish()
