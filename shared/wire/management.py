"""The broker's management interface (HTTP): what AMQP cannot say or set, in one virtual host. For commands only.

Services never come here: they hold no right beyond their queues. Knows paths and answers, not what they mean.
"""

from __future__ import annotations

from typing import Any
from urllib.parse import quote, unquote, urlsplit, urlunsplit

import requests
from kombu.utils.url import parse_url

from shared.kernel.errors import Misconfigured
from shared.wire.connection import BrokerAway

#: Seconds one call may take.
TIMEOUT_S = 10.0
_DENIED = (requests.codes.unauthorized, requests.codes.forbidden)


class ManagementDenied(Exception):
    """The user may not see or set that. Look with another user, or do without this part and say so."""


class Management:
    """One virtual host, seen through the management interface."""

    def __init__(self, url: str, broker_url: str) -> None:
        """`url`: http(s)://user:password@host:15672; without a user, that of `broker_url`. Raises Misconfigured."""
        parts, broker = urlsplit(url), parse_url(broker_url)
        if parts.scheme not in ("http", "https") or not parts.hostname:
            message = "GRIDWHISTLE_BROKER_MANAGEMENT_URL is no address; write http://user:password@host:15672"
            raise Misconfigured(message)
        #: The suite's user, whose rights count.
        self.user: str = broker["userid"] or "guest"
        self.vhost: str = broker["virtual_host"] or "/"
        own = (unquote(parts.username), unquote(parts.password or "")) if parts.username else None
        self._auth = own or (self.user, broker["password"] or "guest")
        self._base = urlunsplit((parts.scheme, parts.netloc.rpartition("@")[2], parts.path.rstrip("/"), "", ""))

    def get(self, path: str) -> Any:
        """What `/api/<path>` answers. `{vhost}` and `{user}` in the path are filled in. Raises as `call`."""
        return self.call("GET", path)

    def put(self, path: str, body: Any) -> None:
        """Set something. Raises as `call`."""
        self.call("PUT", path, body)

    def call(self, method: str, path: str, body: Any = None) -> Any:
        """One call; its JSON, or None. Raises BrokerAway, or ManagementDenied."""
        filled = path.format(vhost=quote(self.vhost, safe=""), user=quote(self.user, safe=""))
        try:
            answer = requests.request(
                method, f"{self._base}/api/{filled}", json=body, auth=self._auth, timeout=TIMEOUT_S
            )
        except requests.RequestException as error:
            message = f"the broker's management interface at {self._base} does not answer: {error}"
            raise BrokerAway(message) from error
        if answer.status_code in _DENIED:
            message = f"the user {self._auth[0]} may not {method} /api/{filled} ({answer.status_code})"
            raise ManagementDenied(message)
        if not answer.ok:
            message = f"{method} {self._base}/api/{filled} was answered with {answer.status_code}: {answer.text[:300]}"
            raise BrokerAway(message)
        return answer.json() if answer.content else None
