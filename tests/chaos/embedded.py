"""The world that the rig breaks in embedded mode: the suite in one process on SQLite files, with nobody watching it.

Who ends the process starts it again, on the same folder: there is no supervisor. The rig looks at the files over
connections that cannot write. It must never touch a table in order to put something right.
"""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from datetime import timedelta

import requests
from sqlalchemy import create_engine, event
from sqlalchemy.pool import NullPool

from shared.contracts.topology import SERVICES
from shared.kernel.clock import SteppedClock
from tests.chaos.suite import PROJECT, FullSuite

#: The one process.
NAME = "embedded"
#: What is run: it ends when we do, however we end (prctl PR_SET_PDEATHSIG).
_EMBEDDED = (
    "import ctypes, runpy; ctypes.CDLL(None).prctl(1, 9, 0, 0, 0); "
    "runpy.run_module('deploy.launcher.embedded_process', run_name='__main__', alter_sys=True)"
)
#: Seconds in which a reader of the rig waits for a lock.
_BUSY_S = 10
_READY_WITHIN_S = 60


class EmbeddedWorld(FullSuite):
    """A running suite of one process that can be broken.

    As tests.chaos.world.World, without broker, database server, proxies and replicas; `launch` starts it again.
    """

    mode = "embedded"
    replicas: dict[str, int] = {}  # noqa: RUF012 -- one process of everything

    def __init__(self, folder, **more):
        """Nothing is started yet."""
        self.clock = SteppedClock(folder / "clock.offset")
        self.started = 0
        database_url = f"sqlite:///{folder.resolve()}/{{service}}.sqlite"
        super().__init__(folder, None, database_url, clock_file=folder / "clock.offset", **more)
        for engine in self.engines.values():
            engine.dispose()
        self.engines = {name: _looking(self.database_file(name)) for name in SERVICES}
        #: What faults may need and this world has (`Fault.needs`).
        self.offers = frozenset({"root"}) if os.geteuid() == 0 else frozenset()

    def database_file(self, service):
        """A service's database."""
        return self.folder.resolve() / f"{service}.sqlite"

    def now(self):
        """The suite's present: its clock may be stepped."""
        return self.clock.now()

    def step_clock(self, seconds):
        """Move the suite's clock, forward or back."""
        self.clock.advance(timedelta(seconds=seconds))

    # -- running it ----------------------------------------------------------------------------------------------

    def up(self, *, ready_within=_READY_WITHIN_S):
        """Start it, and wait until it serves. From the main thread: it ends with the thread that started it."""
        self.launch()
        self.until_ready(ready_within)

    def launch(self):
        """Start it, unless it runs, and do not wait."""
        if self.process is not None and self.process.poll() is None:
            return
        kept = {name: value for name, value in os.environ.items() if not name.startswith("GRIDWHISTLE_")}
        with self.output.open("ab") as output:
            self.process = subprocess.Popen(
                [sys.executable, "-c", _EMBEDDED],
                env=kept | self.settings.environment(), cwd=PROJECT, stdout=output, stderr=output,
                start_new_session=True,
            )  # fmt: skip
        self.started += 1

    def running(self):
        """The one process, as the supervisor's state would show it."""
        alive = self.process is not None and self.process.poll() is None
        return [
            {
                "name": NAME, "kind": "serve", "service": NAME, "replica": 1, "port": self.settings.port_base + 1,
                "pid": self.process.pid if alive else None, "ready": alive and self._answers(),
                "starts": self.started, "log": str(self.output),
            }
        ]  # fmt: skip

    def _answers(self):
        try:
            return all(
                requests.get(f"http://{self.settings.host}:{port}/health/ready", timeout=5).ok
                for port in (self.settings.port_for(name, SERVICES) for name in SERVICES)
            )
        except requests.RequestException:
            return False

    def kill(self, name=NAME):
        """SIGKILL; returns how often it had been started. Nothing starts it again but `launch`."""
        assert name == NAME, name
        if self.process is not None and self.process.poll() is None:
            self.process.kill()
            self.process.wait()
        return self.started

    def pause(self, name=NAME):
        """SIGSTOP; returns the pid."""
        assert name == NAME, name
        self.process.send_signal(signal.SIGSTOP)
        return self.process.pid

    def resume(self, pid):
        """SIGCONT, by the pid that `pause` returned; nothing when that process has ended."""
        if self.process is not None and self.process.poll() is None and self.process.pid == pid:
            self.process.send_signal(signal.SIGCONT)

    def end(self):
        """Stop it for good."""
        if self.process is not None and self.process.poll() is None:
            self.process.send_signal(signal.SIGCONT)
        super().end()

    def dead_letters(self):
        """There is no broker to give anything up."""
        return 0

    def until_written(self, service, seconds=5.0):
        """Wait until a service is about to write: its log of writes (WAL) grows. False when it does not."""
        path = self.database_file(service).with_name(f"{service}.sqlite-wal")
        before, deadline = _size(path), time.monotonic() + seconds
        while _size(path) == before:
            if time.monotonic() > deadline:
                return False
        return True


def embedded_world(stack, folder, say=print, **more):
    """A started world in embedded mode, ended with the stack."""
    world = EmbeddedWorld(folder / "suite", **({"due_interval": 0.5} | more))
    stack.callback(world.end)
    world.up()
    say(f"one process, files in {world.folder}")
    return world


def _looking(path):
    """An engine whose connections cannot write."""
    engine = create_engine(f"sqlite:///{path}", poolclass=NullPool, connect_args={"timeout": _BUSY_S})

    @event.listens_for(engine, "connect")
    def _only_look(connection, _record):
        connection.execute("PRAGMA query_only=ON")

    return engine


def _size(path):
    try:
        found = path.stat()
    except FileNotFoundError:
        return None
    return found.st_size, found.st_mtime_ns
