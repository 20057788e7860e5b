"""The keeper: a small process between ours and a server, so that no server outlives who wanted it.

It starts the server, passes signals on (one name a line on standard input) and, when its own parent is gone,
for whatever reason, stops the server cleanly and then by force. Run by path with `python -I`, so it imports
the standard library alone; it must never import the project, and never decide anything by itself.
"""

from __future__ import annotations

import argparse
import contextlib
import ctypes
import os
import select
import signal
import subprocess
import sys
import time

#: Seconds between two looks at the server and at the parent; input is noticed at once.
LOOK_EVERY_S = 0.2
#: prctl(2): signal sent to a process when its parent ends. Covers a keeper that is itself killed by force.
PR_SET_PDEATHSIG = 1


def main() -> int:
    """Keep one server; returns its exit code (128 + signal number when a signal ended it)."""
    options = _parse_arguments()
    stop_signal = signal.Signals[f"SIG{options.stop_signal}"]
    parent = os.getppid()
    for ignored in (signal.SIGINT, signal.SIGHUP):
        signal.signal(ignored, signal.SIG_IGN)
    asked_to_end: list[int] = []
    signal.signal(signal.SIGTERM, lambda number, _frame: asked_to_end.append(number))

    server = _start(options, stop_signal)
    print(server.pid, flush=True)  # noqa: T201 - the parent reads the server's process id here
    pending = b""
    while server.poll() is None:
        readable, _, _ = select.select([sys.stdin.fileno()], [], [], LOOK_EVERY_S)
        received = os.read(sys.stdin.fileno(), 4096) if readable else None
        if received == b"" or asked_to_end or os.getppid() != parent:
            _end(server, stop_signal, options.grace)
            break
        pending += received or b""
        *lines, pending = pending.split(b"\n")
        for line in lines:
            _pass_on(server, signal.Signals[f"SIG{line.decode('ascii')}"])
    code = server.wait()
    return code if code >= 0 else 128 - code


def _parse_arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description="Starts one server and ends it when the parent is gone.")
    parser.add_argument("--stop-signal", default="TERM")
    parser.add_argument("--grace", type=float, default=20.0, help="seconds before the server is killed")
    parser.add_argument("--lock", type=int, help="descriptor of a lock that the server holds while it lives")
    parser.add_argument("--uid", type=int)
    parser.add_argument("--gid", type=int)
    parser.add_argument("command", nargs="+")
    return parser.parse_args()


def _start(options: argparse.Namespace, stop_signal: signal.Signals) -> subprocess.Popen[bytes]:
    prctl = ctypes.CDLL(None, use_errno=True).prctl

    def before_exec() -> None:
        # After the change of user, which would clear it. The keeper has one thread, so this is safe.
        prctl(PR_SET_PDEATHSIG, int(stop_signal), 0, 0, 0)
        for changed in (signal.SIGINT, signal.SIGHUP, signal.SIGTERM):
            signal.signal(changed, signal.SIG_DFL)

    return subprocess.Popen(
        options.command,
        stdin=subprocess.DEVNULL,
        stdout=sys.stderr.fileno(),
        stderr=sys.stderr.fileno(),
        preexec_fn=before_exec,  # noqa: PLW1509 - see before_exec
        process_group=0,
        user=options.uid,
        group=options.gid,
        extra_groups=None if options.uid is None else [],
        umask=0o077,
        pass_fds=() if options.lock is None else (options.lock,),
    )


def _pass_on(server: subprocess.Popen[bytes], number: signal.Signals) -> None:
    """KILL goes to the whole group, its helpers included; anything else is for the server itself."""
    with contextlib.suppress(ProcessLookupError):  # it ended in this very moment
        if number == signal.SIGKILL:
            os.killpg(server.pid, number)
        else:
            server.send_signal(number)


def _end(server: subprocess.Popen[bytes], stop_signal: signal.Signals, grace: float) -> None:
    _pass_on(server, stop_signal)
    deadline = time.monotonic() + grace
    while server.poll() is None and time.monotonic() < deadline:
        try:
            server.wait(timeout=LOOK_EVERY_S)
        except subprocess.TimeoutExpired:
            continue
    if server.poll() is None:
        _pass_on(server, signal.SIGKILL)


if __name__ == "__main__":
    sys.exit(main())
