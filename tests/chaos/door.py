"""The way in: one command or question to the running suite, repeated until there is an answer. Nothing decides here."""

from __future__ import annotations

import json
import random
import re
import threading
import time
from datetime import UTC, datetime, timedelta

import requests

from deploy.launcher import services
from deploy.launcher.scenario import doors
from deploy.launcher.supervisor import REPLICA_OFFSET
from shared.contracts.topology import SERVICES
from shared.kernel.actor import ANONYMOUS
from shared.kernel.clock import ManualClock
from shared.kernel.ids import RandomIds
from shared.runtime.setup import gatekeeper_of
from tests.chaos.book import ACCEPTED, REFUSED, UNANSWERED, Entry

#: Seconds for one answer; a process that stands still is given up and another one, or the same again, is asked.
ANSWER_S = 8.0
#: Seconds after which a command is given up: more than any fault lasts.
PATIENCE_S = 300.0
#: Pause before the second try and longest pause.
FIRST_PAUSE_S, LONGEST_PAUSE_S = 0.05, 1.0
_PLACE = re.compile(r"<([^>]+)>")
#: A repeated PUT has no key: a vote that is there already is the vote whose answer was lost.
_DONE_BEFORE = {"deliberation.cast-vote": "already-voted"}


class NoAnswer(Exception):
    """Nobody answered for as long as the longest fault. The suite is stuck."""


class Door:
    """Speaks HTTP to the replicas of every service; safe for many threads."""

    def __init__(self, world, book, *, patience=PATIENCE_S):
        settings = world.settings
        self._book = book
        self._patience = patience
        self._addresses = {
            name: [
                f"http://{settings.host}:{settings.port_for(name, SERVICES) + REPLICA_OFFSET * number}"
                for number in range(world.replicas.get(name, 1))
            ]
            for name in SERVICES
        }
        self._definitions = services.definitions()
        # Issued before any clock of the run, and valid long after.
        self._gatekeeper = gatekeeper_of(settings, ManualClock(datetime.now(UTC) - timedelta(days=30)))
        self._ids = RandomIds()
        self._tokens = {}
        self._local = threading.local()

    def send(self, command, actor, content) -> Entry:
        """Carry out a command: sent again, under the same key, until it is done or refused. Writes it into the book."""
        service = command.split(".", 1)[0]
        route = doors.route_of(self._definitions[service], command=command)
        named = _PLACE.findall(route.path)
        path = _PLACE.sub(lambda place: str(content[place.group(1)]), route.path)
        body = json.dumps({name: value for name, value in content.items() if name not in named}).encode()
        key = self._ids.new()
        headers = self._headers(actor) | {"X-Correlation-ID": key, "Content-Type": "application/json"}
        if route.method == "POST":
            headers["Idempotency-Key"] = key
        began = time.monotonic()
        status, answer, tries = self._persistently(route.method, service, path, headers, body)
        result, code, reply = ACCEPTED, "", answer
        if status is None:
            result, code, reply = UNANSWERED, str(answer), {}
        elif status >= 400:
            result, code, reply = REFUSED, str(answer.get("code", status)), {"refusal": answer}
            if tries > 1 and code == _DONE_BEFORE.get(command):
                result = ACCEPTED
        return self._book.write(
            Entry(
                key=key, command=command, actor=actor.id, content=content, result=result, code=code, reply=reply,
                tries=tries, asked_at=began, answered_at=time.monotonic(),
            )
        )  # fmt: skip

    def ask(self, service, path, actor):
        """Ask. None when it does not exist yet. Raises NoAnswer."""
        status, answer, _ = self._persistently("GET", service, path, self._headers(actor), None)
        if status is None:
            raise NoAnswer(f"GET {service} {path}: {answer}")
        return answer if status < 400 else None

    def _headers(self, actor):
        if actor is ANONYMOUS:
            return {}
        if actor not in self._tokens:
            self._tokens[actor] = self._gatekeeper.issue(
                subject=actor.id, roles=actor.roles, unit=actor.unit, lasting=timedelta(days=3_650)
            )
        return {"Authorization": f"Bearer {self._tokens[actor]}"}

    def _persistently(self, method, service, path, headers, body):
        """(status, answer, tries); the status is None when nobody answered in time."""
        deadline = time.monotonic() + self._patience
        pause, tries, said = FIRST_PAUSE_S, 0, None
        while time.monotonic() < deadline:
            tries += 1
            address = random.choice(self._addresses[service])
            try:
                response = self._session().request(
                    method, address + path, data=body, headers=headers, timeout=(2.0, ANSWER_S)
                )
                if response.status_code < 500:
                    return response.status_code, response.json(), tries
                self._book.trouble(response.status_code)
                said = f"{response.status_code} {response.text[:300]}"
            except (requests.ConnectionError, requests.Timeout, requests.exceptions.ChunkedEncodingError) as error:
                said = repr(error)
                self._local.session = None
            except requests.JSONDecodeError as error:  # an answer cut off in the midst
                said = repr(error)
            time.sleep(pause * random.uniform(0.5, 1.0))  # noqa: TID251 -- a client waiting for a service
            pause = min(pause * 2, LONGEST_PAUSE_S)
        return None, said, tries

    def _session(self):
        if getattr(self._local, "session", None) is None:
            self._local.session = requests.Session()
        return self._local.session
