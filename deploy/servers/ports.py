"""Free ports on loopback for private servers.

Taken from below the range that Linux uses for outgoing connections, so that a server which is stopped and
started again finds its port still free. Never reserves anything beyond this process.
"""

from __future__ import annotations

import random
import socket
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

_handed_out: set[int] = set()
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
    """A port of 127.0.0.1 that nobody listens on, handed out once in this process. Raises ServerError."""
    for _ in range(ATTEMPTS):
        port = _choice.randrange(LOWEST_PORT, _first_ephemeral_port())
        if port not in _handed_out and is_free(port):
            _handed_out.add(port)
            return port
    raise ServerError(f"No free port found on {LOOPBACK}.", "End servers that are no longer needed.")


def kept_port(remembered: int | None) -> int:
    """The port used last time when it is still free, else a new one: addresses outlive a restart."""
    if remembered is not None and is_free(remembered):
        _handed_out.add(remembered)
        return remembered
    return free_port()


def _first_ephemeral_port() -> int:
    try:
        first = int(EPHEMERAL_RANGE.read_text(encoding="ascii").split()[0])
    except (OSError, ValueError, IndexError):
        first = DEFAULT_EPHEMERAL_START
    # A machine that gives nearly all ports to outgoing connections leaves no room below: share the range.
    return first if first > LOWEST_PORT + ATTEMPTS else DEFAULT_EPHEMERAL_START
