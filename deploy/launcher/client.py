"""A small HTTP client for a running suite: tokens, patience while a service restarts, and refusals as exceptions."""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Mapping
from datetime import timedelta
from functools import partial
from pathlib import Path
from typing import Any

import requests
from tenacity import RetryCallState, Retrying, retry_if_exception_type, stop_after_delay, wait_exponential_jitter

from deploy.launcher.choosing import settings_at_hand
from shared.contracts.topology import SERVICES
from shared.kernel.clock import SystemClock
from shared.kernel.errors import Refusal
from shared.runtime.auth import Gatekeeper
from shared.runtime.settings import Settings

#: The failed try after which somebody is told that a service is waited for.
_TOLD_AT = 2
#: Seconds for one answer.
_TIMEOUT_S = 60
#: Seconds during which a service that is away is asked again.
PATIENCE_S = 120


class Unreachable(Refusal):
    """The service does not answer. Start the suite, or name its address."""

    code = "unreachable"


class Answered(Refusal):
    """The service refused; its problem answer is in `problem`."""

    def __init__(self, problem: Mapping[str, Any]) -> None:
        super().__init__(
            str(problem.get("detail", problem)),
            code=str(problem.get("code", "refused")),
            where=problem.get("where"),
            remedy=problem.get("remedy"),
        )
        self.problem = problem


class _Away(Exception):
    """Not now: connection refused, reset, 503 or 504."""


class SuiteClient:
    """Talks to the services of one suite."""

    def __init__(
        self,
        addresses: Mapping[str, str],
        token: str,
        *,
        patience: float = PATIENCE_S,
        first_patience: float | None = None,
        say: Callable[[str], None] | None = None,
    ) -> None:
        """`addresses`: service -> base URL. Without a token it asks as nobody in particular.

        Until a first answer came it waits `first_patience` seconds only: an address that never answered is likely
        wrong. `say` hears, once a call, that a service is waited for.
        """
        self._addresses = addresses
        self._patience = patience
        self._now_patience = patience if first_patience is None else first_patience
        self._say = say
        self._session = requests.Session()
        if token:
            self._session.headers["Authorization"] = f"Bearer {token}"

    def post(self, service: str, path: str, body: Mapping[str, Any], *, key: str | None = None) -> dict[str, Any]:
        """Send a command.

        Repeats it while the service is away, so it must be safe to repeat. Raises Answered, Unreachable.
        """
        return self.send("POST", service, path, body, key=key)

    def send(
        self, method: str, service: str, path: str, body: Mapping[str, Any], *, key: str | None = None
    ) -> dict[str, Any]:
        """As `post`, by any method. Raises Answered, Unreachable."""
        return self._call(method, service, path, body, {"Idempotency-Key": key} if key else {})

    def get(self, service: str, path: str) -> dict[str, Any]:
        """Ask. Raises Answered, Unreachable."""
        return self._call("GET", service, path, None, {})

    def _call(
        self, method: str, service: str, path: str, body: Mapping[str, Any] | None, headers: Mapping[str, str]
    ) -> dict[str, Any]:
        url = self._addresses[service] + path
        try:
            for attempt in Retrying(
                retry=retry_if_exception_type(_Away),
                stop=stop_after_delay(self._now_patience),
                wait=wait_exponential_jitter(multiplier=0.2, max=3),
                before_sleep=partial(self._tell, service, url),
                reraise=True,
            ):
                with attempt:
                    answer = self._once(method, url, body, headers)
                    self._now_patience = self._patience
                    return answer
        except _Away as error:
            message = f"{service} does not answer at {url}: {error}"
            raise Unreachable(message, remedy="Start the suite (`gridwhistle up`), or give --url.") from error
        raise AssertionError

    def _tell(self, service: str, url: str, state: RetryCallState) -> None:
        if self._say is not None and state.attempt_number == _TOLD_AT:
            self._say(f"{service} 没有应答，继续尝试 does not answer at {url}; trying for {self._now_patience:.0f} s")

    def _once(
        self, method: str, url: str, body: Mapping[str, Any] | None, headers: Mapping[str, str]
    ) -> dict[str, Any]:
        data = None if body is None else json.dumps(body).encode("ascii")
        try:
            response = self._session.request(
                method, url, data=data, headers={"Content-Type": "application/json", **headers}, timeout=_TIMEOUT_S
            )
        except (requests.ConnectionError, requests.Timeout) as error:
            raise _Away("connection refused" if "refused" in str(error) else type(error).__name__) from error
        except requests.RequestException as error:
            message = f"{url} is no address to ask: {error}"
            raise Unreachable(message, remedy="Give an address such as http://127.0.0.1:8701.") from error
        # Also where nobody knows whether it was done: what is sent here is safe to repeat.
        if response.status_code in (requests.codes.service_unavailable, requests.codes.gateway_timeout):
            raise _Away(response.text[:200])
        try:
            content: dict[str, Any] = response.json()
        except requests.JSONDecodeError as error:
            message = f"{url} answered {response.status_code} with something that is not JSON"
            raise Unreachable(message, remedy="Is this the address of a Gridwhistle service?") from error
        if not response.ok:
            raise Answered(content)
        return content


def addresses_of(settings: Settings) -> dict[str, str]:
    """Where the first replica of each service listens."""
    return {name: f"http://{settings.host}:{settings.port_for(name, SERVICES)}" for name in SERVICES}


def operator_token(secret: str, *, issuer: str = "gridwhistle", audience: str = "gridwhistle") -> str:
    """An hour's token for the operator at this machine, who holds the signing secret anyway."""
    gatekeeper = Gatekeeper(secret=secret, issuer=issuer, audience=audience, clock=SystemClock())
    return gatekeeper.issue(
        subject="operator", roles=frozenset({"system-admin", "audit-admin"}), unit=None, lasting=timedelta(hours=1)
    )


def whom_to_ask(service: str, url: str | None, token: str | None, data_dir: Path | None) -> tuple[str, str]:
    """A service's address and a token, from the installation at hand where they are not given. Raises Misconfigured."""
    secret = os.environ.get("GRIDWHISTLE_TOKEN_SECRET")
    if token is None and secret and data_dir is None:
        token = operator_token(secret)
    if url is not None and token is not None:
        return url.rstrip("/"), token
    settings = settings_at_hand(data_dir)
    address = url or addresses_of(settings)[service]
    if token is None:
        token = operator_token(settings.token_secret, issuer=settings.token_issuer, audience=settings.token_audience)
    return address.rstrip("/"), token
