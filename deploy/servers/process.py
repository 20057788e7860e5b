"""One server process as we see it: started through the keeper, signalled, waited for, never left behind."""

from __future__ import annotations

import contextlib
import fcntl
import os
import subprocess
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from deploy.servers.errors import ServerFailed

#: The keeper's file; run by path so that it loads nothing of ours.
KEEPER = Path(__file__).with_name("keeper.py")
#: Seconds that a start waits for the folder's previous server to end: its owner may have been killed just now.
PREDECESSOR_GRACE_S = 60.0
#: Seconds between two tries whether a starting server is ready.
READY_EVERY_S = 0.05


@dataclass(frozen=True)
class Account:
    """The system account that a server runs under when we are root."""

    uid: int
    gid: int


@dataclass(frozen=True)
class Program:
    """What to start and how to end it."""

    #: Shown in errors: "RabbitMQ".
    name: str
    command: Sequence[str]
    #: Everything the program prints is appended here.
    log: Path
    #: Environment of the program; None passes ours on.
    env: Mapping[str, str] | None = None
    cwd: Path | None = None
    #: Signal name without SIG that ends it cleanly.
    stop_signal: str = "TERM"
    #: Seconds it may take to end before it is killed.
    grace: float = 20.0
    account: Account | None = None


class KeptProcess:
    """A running server with its keeper. Ends with this process, even when this process is killed."""

    def __init__(self, program: Program) -> None:
        """Start it; returns when the process exists, not when it is ready. Raises ServerFailed."""
        self._program = program
        lock = _locked(program)
        arguments = [f"--lock={lock}", f"--stop-signal={program.stop_signal}", f"--grace={program.grace}"]
        if program.account is not None:
            arguments += [f"--uid={program.account.uid}", f"--gid={program.account.gid}"]
        with program.log.open("ab") as log, os.fdopen(lock):  # from here on the server's copy holds the lock
            self._keeper = subprocess.Popen(
                [sys.executable, "-I", str(KEEPER), *arguments, "--", *program.command],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=log,
                env=None if program.env is None else dict(program.env),
                cwd=program.cwd,
                pass_fds=(lock,),
                start_new_session=True,  # Ctrl-C in our terminal is for us, not for the server
            )
        assert self._keeper.stdout is not None  # noqa: S101 - for mypy: asked for above
        line = self._keeper.stdout.readline()
        self._keeper.stdout.close()
        if not line:
            self._close()
            raise ServerFailed.with_log(f"{program.name} could not be started.", program.log)
        #: The server's own process id, not the keeper's.
        self.pid = int(line)

    @property
    def running(self) -> bool:
        """Whether the server has not ended."""
        return self._keeper.poll() is None

    def signal(self, name: str) -> None:
        """Pass a signal on, by its name without SIG; KILL reaches its helpers too. No-op when ended."""
        assert self._keeper.stdin is not None  # noqa: S101 - for mypy: asked for in __init__
        try:
            self._keeper.stdin.write(f"{name}\n".encode("ascii"))
            self._keeper.stdin.flush()
        except (BrokenPipeError, ValueError):
            return  # ended already

    def end(self, name: str | None = None) -> int:
        """Send the stop signal (or the one named), wait, kill after the grace time; returns the exit code."""
        self.signal(name or self._program.stop_signal)
        try:
            self._keeper.wait(timeout=self._program.grace)
        except subprocess.TimeoutExpired:
            self.signal("KILL")
        return self._close()

    def wait_until(self, ready: Callable[[], bool], seconds: float) -> None:
        """Return once `ready()` is true. Raises ServerFailed when the server ends first or time runs out."""
        deadline = time.monotonic() + seconds
        while not ready():
            if not self.running:
                self._close()
                raise ServerFailed.with_log(f"{self._program.name} ended while starting.", self._program.log)
            if time.monotonic() > deadline:
                self.end()
                raise ServerFailed.with_log(
                    f"{self._program.name} was not ready after {seconds:.0f} s.", self._program.log
                )
            time.sleep(READY_EVERY_S)  # noqa: TID251 - a plain process waiting for another one to listen

    def _close(self) -> int:
        if self._keeper.stdin is not None and not self._keeper.stdin.closed:
            with contextlib.suppress(BrokenPipeError):  # the keeper went first
                self._keeper.stdin.close()
        return self._keeper.wait()


def _locked(program: Program) -> int:
    """Lock the program's log for its lifetime, so that one folder has one server. Raises ServerFailed."""
    descriptor = os.open(program.log, os.O_RDWR | os.O_CREAT | os.O_APPEND, 0o644)
    deadline = time.monotonic() + PREDECESSOR_GRACE_S
    while True:
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            if time.monotonic() < deadline:
                time.sleep(READY_EVERY_S)  # noqa: TID251 - as in wait_until
                continue
            os.close(descriptor)
            raise ServerFailed(
                f"{program.name} is already running in {program.log.parent}.",
                "End the other one, or choose another folder.",
            ) from None
        return descriptor
