"""Connections to the broker, with the limits that keep a dead link from holding a process for ever.

One address, `amqp://user:password@host:port/vhost` or `amqps://…` (the certificate is checked).
Knows nothing of messages.
"""

from __future__ import annotations

import contextlib
import socket
from collections.abc import Callable
from typing import Any

import amqp
from amqp.exceptions import AccessRefused, AMQPError, NotAllowed
from kombu.utils.url import maybe_sanitize_url, parse_url

from shared.kernel.errors import Misconfigured

#: Seconds to reach the broker and shake hands.
CONNECT_TIMEOUT_S = 5
#: Seconds after which a silent peer counts as gone (two missed beats).
HEARTBEAT_S = 20
#: Seconds a write may block, or an answer may take, before the link counts as dead.
WRITE_TIMEOUT_S = ANSWER_WITHIN_S = 30
#: py-amqp's own setting has the kernel end a connection of which one second's bytes were not taken: a broker that holds
#: publishers back takes none, for as long as its alarm lasts. Heartbeats, which it sends all the same, find the dead.
SOCKET_SETTINGS = {socket.TCP_USER_TIMEOUT: 0}
#: Bytes read at once: dozens of messages, of which each is nine reads to py-amqp.
_READ_AT_ONCE = 16_384
_SCHEMES = ("amqp", "amqps", "pyamqp")

#: What py-amqp raises when the broker or the link is gone, or the broker closed the channel.
BROKER_ERRORS: tuple[type[Exception], ...] = (OSError, AMQPError)


class BrokerAway(Exception):
    """The broker cannot be reached, or went away.

    Nothing is known of what was in flight: keep it, connect anew, send it again.
    """


def connect(
    url: str,
    name: str,
    *,
    heartbeat_s: int = HEARTBEAT_S,
    on_blocked: Callable[[str], Any] | None = None,
    on_unblocked: Callable[[], Any] | None = None,
) -> Any:
    """An open `amqp.Connection` that operators see as `name`. Raises BrokerAway, or Misconfigured for a bad address."""
    parts = _parse(url)
    tls = parts["transport"] == "amqps"
    host = parts["hostname"] or "localhost"
    connection = amqp.Connection(
        host=f"{host}:{parts['port'] or (5671 if tls else 5672)}",
        userid=parts["userid"] or "guest",
        password=parts["password"] or "guest",
        virtual_host=parts["virtual_host"] or "/",
        ssl={"context": {"check_hostname": True}, "server_hostname": host} if tls else False,
        connect_timeout=CONNECT_TIMEOUT_S,
        write_timeout=WRITE_TIMEOUT_S,
        heartbeat=heartbeat_s,
        socket_settings=SOCKET_SETTINGS,
        client_properties={"connection_name": name, "product": "gridwhistle"},
        on_blocked=on_blocked,
        on_unblocked=on_unblocked,
    )
    try:
        connection.connect()
        limit_waits(connection)
        read_ahead(connection)
    except (AccessRefused, NotAllowed) as error:
        message = f"the broker at {sanitized(url)} refuses us: {error}; check user, password and virtual host"
        raise BrokerAway(message) from error
    except BROKER_ERRORS as error:
        message = f"the broker at {sanitized(url)} does not answer: {error}"
        raise BrokerAway(message) from error
    return connection


def limit_waits(connection: Any) -> None:
    """Let no wait for an answer, such as that to an opened channel, last for ever: py-amqp's own would.

    Waits with a time-out of their own (`drain_events`) keep it. Raises OSError when the link is broken.
    """
    connection.sock.settimeout(ANSWER_WITHIN_S)


def read_ahead(connection: Any) -> None:
    """Have py-amqp read what there is instead of a few bytes at a time; what it does not need yet it keeps anyway."""
    transport = connection.transport
    receive = transport.sock.recv
    transport._quick_recv = lambda wanted: receive(max(wanted, _READ_AT_ONCE))  # noqa: SLF001 -- there is no other way


def drop(connection: Any) -> None:
    """Let a connection go at once, without a farewell: its state is not to be trusted any more."""
    with contextlib.suppress(*BROKER_ERRORS, AttributeError):
        connection.collect()


def close(connection: Any) -> None:
    """Say goodbye; a broker that does not answer is left within seconds."""
    try:
        if connection.connected:
            connection.sock.settimeout(CONNECT_TIMEOUT_S)
            connection.close()
    except BROKER_ERRORS:
        drop(connection)


def sanitized(url: str) -> str:
    """The address without its password, for people."""
    text: str = maybe_sanitize_url(url)
    return text


def _parse(url: str) -> dict[str, Any]:
    try:
        parts: dict[str, Any] = parse_url(url)
    except (ValueError, KeyError) as error:
        message = f"broker_url {url!r} is no address; write amqp://user:password@host:5672/vhost"
        raise Misconfigured(message) from error
    if parts.get("transport") not in _SCHEMES:
        message = f"broker_url must begin with amqp:// or amqps://, not {parts.get('transport')!r}"
        raise Misconfigured(message)
    return parts


#: What `drain_events` raises when nothing came in time.
NOTHING_CAME = socket.timeout
