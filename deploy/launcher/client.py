"""A small HTTP client for a running suite: tokens, patience while a service restarts, and refusals as exceptions."""

from __future__ import annotations

import json
from collections.abc import Mapping
from datetime import timedelta
from pathlib import Path
from typing import Any

import requests
from tenacity import Retrying, retry_if_exception_type, stop_after_delay, wait_exponential_jitter

from deploy.launcher.installation import trial_secrets
from shared.contracts.topology import SERVICES
from shared.kernel.clock import SystemClock
from shared.kernel.errors import Misconfigured, Refusal
from shared.runtime.auth import Gatekeeper
from shared.runtime.settings import Settings

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
    """Not now: connection refused, reset, or 503."""


class SuiteClient:
    """Talks to the services of one suite."""

    def __init__(self, addresses: Mapping[str, str], token: str, *, patience: float = PATIENCE_S) -> None:
        """`addresses`: service -> base URL. Without a token it asks as nobody in particular."""
        self._addresses = addresses
        self._patience = patience
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
                stop=stop_after_delay(self._patience),
                wait=wait_exponential_jitter(multiplier=0.2, max=3),
                reraise=True,
            ):
                with attempt:
                    return self._once(method, url, body, headers)
        except _Away as error:
            message = f"{service} does not answer at {url}: {error}"
            raise Unreachable(message, remedy="Start the suite (`gridwhistle up`), or give --url.") from error
        raise AssertionError

    def _once(
        self, method: str, url: str, body: Mapping[str, Any] | None, headers: Mapping[str, str]
    ) -> dict[str, Any]:
        data = None if body is None else json.dumps(body).encode("ascii")
        try:
            response = self._session.request(
                method, url, data=data, headers={"Content-Type": "application/json", **headers}, timeout=_TIMEOUT_S
            )
        except (requests.ConnectionError, requests.Timeout) as error:
            raise _Away(str(error)) from error
        if response.status_code == requests.codes.service_unavailable:
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


def secret_at_hand(environment: Mapping[str, str], data_dir: Path) -> str:
    """The token secret of GRIDWHISTLE_TOKEN_SECRET, else of a trial installation's folder. Raises Misconfigured."""
    given = environment.get("GRIDWHISTLE_TOKEN_SECRET")
    if given:
        return given
    if not data_dir.is_dir():
        message = f"no token: set GRIDWHISTLE_TOKEN_SECRET or give --token; {data_dir} is no installation's folder"
        raise Misconfigured(message)
    return trial_secrets(data_dir)["token_secret"]
