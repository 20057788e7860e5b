"""Webhook: a department's messages POSTed to its own address, signed, with the time of the attempt in the signature.

Configured by the file that `GRIDWHISTLE_DEPARTMENTS` names (docs/department-guide.md, Webhook). Redirects are not
followed: a message goes where the operator said and nowhere else.
"""

from __future__ import annotations

import hashlib
import hmac
import os
import stat
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import requests

from shared.contracts.envelope import CONTENT_TYPE
from shared.kernel.errors import Misconfigured
from shared.plugins import PermanentFailure, PluginSettings, TemporaryFailure
from shared.plugins.connectors import Connector, Delivery

#: What the file calls it.
NAME = "webhook"
#: Seconds that connecting and each pause of the answer may take.
TIMEOUT_S = 10.0
#: Shortest secret, characters.
SHORTEST_SECRET = 32
_LOOPBACK = ("localhost", "127.0.0.1", "::1")


@dataclass(frozen=True, kw_only=True)
class Address:
    """Where one department listens."""

    url: str
    secret: bytes = field(repr=False)


def signature(secret: bytes, timestamp: str, body: bytes) -> str:
    """The header's value: HMAC-SHA256 over `<timestamp>.<body>`, as hex behind `v1=`."""
    return "v1=" + hmac.new(secret, timestamp.encode() + b"." + body, hashlib.sha256).hexdigest()


class WebhookConnector:
    """One POST per message and attempt."""

    def __init__(self, addresses: Mapping[str, Address]) -> None:
        self._addresses = addresses

    def reaches(self, department: str) -> bool:
        """Whether the department has an address."""
        return department in self._addresses

    def deliver(self, delivery: Delivery) -> None:
        """POST it. Raises TemporaryFailure or PermanentFailure, neither of which says more than the status."""
        address = self._addresses.get(delivery.department)
        if address is None:
            message = "the department has no address any more"
            raise PermanentFailure(message)
        timestamp = str(int(delivery.at.timestamp()))
        headers = {
            "Content-Type": CONTENT_TYPE, "User-Agent": "gridwhistle", "Gridwhistle-Id": delivery.id,
            "Gridwhistle-Timestamp": timestamp,
            "Gridwhistle-Signature": signature(address.secret, timestamp, delivery.body),
        }  # fmt: skip
        try:
            with requests.post(
                address.url, data=delivery.body, headers=headers, timeout=TIMEOUT_S, allow_redirects=False, stream=True
            ) as answer:
                status = answer.status_code
        except requests.RequestException as error:
            message = f"no answer: {type(error).__name__}"
            raise TemporaryFailure(message) from error
        if status == requests.codes.gone:
            message = "410: the department wants this message no more"
            raise PermanentFailure(message)
        if not requests.codes.ok <= status < requests.codes.multiple_choices:
            message = f"answered with {status}"
            raise TemporaryFailure(message)


def make(settings: PluginSettings) -> Connector | None:
    """The connector of this installation; None when no department has an address. Raises Misconfigured."""
    if settings.departments is None:
        return None
    rows = read(settings.departments)
    addresses = {name: _address(name, row) for name, row in rows.items() if row.get("connector") == NAME}
    return WebhookConnector(addresses) if addresses else None


def read(path: Path) -> dict[str, dict[str, Any]]:
    """Department -> its table in the file, whichever connector is meant. Raises Misconfigured, showing no secret."""
    try:
        if os.name == "posix" and stat.S_IMODE(path.stat().st_mode) & 0o077:
            message = f"{path} may be read by others than its owner; run: chmod 600 {path}"
            raise Misconfigured(message)
        content = tomllib.loads(path.read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError) as error:
        message = f"GRIDWHISTLE_DEPARTMENTS: {path} cannot be read as TOML ({type(error).__name__})"
        raise Misconfigured(message) from None
    wrong = sorted(name for name, row in content.items() if not isinstance(row, dict) or "connector" not in row)
    if wrong:
        message = f'{path}: {", ".join(wrong)} says no connector; write `connector = "{NAME}"` in its table'
        raise Misconfigured(message)
    return content


def _address(department: str, row: Mapping[str, Any]) -> Address:
    url, secret = str(row.get("url", "")), str(row.get("secret", ""))
    parts = urlsplit(url)
    if not parts.hostname or not (parts.scheme == "https" or (parts.scheme == "http" and parts.hostname in _LOOPBACK)):
        message = f"{department}: url must be https:// (http:// only on this machine)"
        raise Misconfigured(message)
    if len(secret) < SHORTEST_SECRET:
        message = f"{department}: secret is shorter than {SHORTEST_SECRET} characters"
        raise Misconfigured(message)
    return Address(url=url, secret=secret.encode())
