"""Free ports on loopback for private servers.

Taken from below the range that Linux uses for outgoing connections, so that a server which is stopped and
started again finds its port still free.

A port handed out is held by a socket that is bound and does not listen. On Linux a server that sets SO_REUSEADDR, as
all of ours do, listens beside it; whoever looks for a port as `free_port` does, without SO_REUSEADDR, passes it by. So
two processes that look at the same moment never come to the same port, and what a killed process held is free at once.
"""

from __future__ import annotations

import atexit
import random
import socket
from collections import deque
from collections.abc import Iterable
from pathlib import Path

from deploy.servers.errors import ServerError

#: Where private servers listen; they never listen on another interface.
LOOPBACK = "127.0.0.1"
#: Lowest port handed out: above the ports that well-known servers use.
LOWEST_PORT = 20_000
#: Where Linux tells the range of ports for outgoing connections.
EPHEMERAL_RANGE = Path("/proc/sys/net/ipv4/ip_local_port_range")
#: First port of that range where the file cannot be read (the kernel's default).
DEFAULT_EPHEMERAL_START = 32_768
#: Ports tried before giving up.
ATTEMPTS = 200
#: Ports held at most; the oldest are let go, as their servers have been listening for long.
HELD_AT_MOST = 400

_handed_out: set[int] = set()
_held: deque[socket.socket] = deque()
_choice = random.SystemRandom()


def is_free(port: int) -> bool:
    """Whether a server could listen on this port of 127.0.0.1 now."""
    with socket.socket(socket.AF_INET, socket.SOCK_STREAM) as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((LOOPBACK, port))
        except OSError:
            return False
    return True


def free_port() -> int:
    """A port of 127.0.0.1 that nobody listens on or has been handed. Raises ServerError."""
    return free_block((0,))


def free_block(offsets: Iterable[int]) -> int:
    """A base for which base + offset is such a port for each of the offsets, 0 or more. Raises ServerError."""
    wanted = tuple(offsets)
    for _ in range(ATTEMPTS):
        base = _choice.randrange(LOWEST_PORT, _first_ephemeral_port() - max(wanted))
        ports = {base + offset for offset in wanted}
        if not ports & _handed_out and _hold(ports):
            _handed_out.update(ports)
            return base
    raise ServerError(f"No free port found on {LOOPBACK}.", "End servers that are no longer needed.")


def kept_port(remembered: int | None) -> int:
    """The port used last time when it is still free, else a new one: addresses outlive a restart."""
    if remembered is not None and is_free(remembered):
        _handed_out.add(remembered)
        return remembered
    return free_port()


def _hold(ports: Iterable[int]) -> bool:
    """Hold all of them against other processes, or none."""
    taken = []
    for port in ports:
        probe = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
        taken.append(probe)
        try:
            probe.bind((LOOPBACK, port))
        except OSError:
            for each in taken:
                each.close()
            return False
        # Set only now: with it the bind would have gone well beside another's hold.
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    _held.extend(taken)
    _let_go(HELD_AT_MOST)
    return True


def _let_go(kept: int) -> None:
    while len(_held) > kept:
        _held.popleft().close()


atexit.register(_let_go, 0)


def _first_ephemeral_port() -> int:
    try:
        first = int(EPHEMERAL_RANGE.read_text(encoding="ascii").split()[0])
    except (OSError, ValueError, IndexError):
        first = DEFAULT_EPHEMERAL_START
    # A machine that gives nearly all ports to outgoing connections leaves no room below: share the range.
    return first if first > LOWEST_PORT + ATTEMPTS else DEFAULT_EPHEMERAL_START
