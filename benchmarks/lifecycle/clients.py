"""The clients, a process of their own: `python benchmarks/lifecycle/clients.py < plan.json`. Standard library only.

Each client is a thread with one kept-alive connection per service and a desk of lives in hand. It does one step of
whatever life is ready; a step that comes too early (the event that makes it possible is still on its way) is asked
again three seconds later and counted. The asker learns of the evaluation from the letter, as people do, and answers by
its link. Cheap on purpose: what the clients burn is missing to the suite on the same machine.
"""

from __future__ import annotations

import http.client
import json
import sys
import threading
import time
from collections import deque
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

#: Seconds until a step that came too early is tried again; also between registering and accepting.
AGAIN_S = 3.0
#: Seconds between two looks into the file of letters.
LOOK_S = 0.1
#: Seconds without any step succeeding after which something is wrong.
PATIENCE_S = 120
_LINK = "/evaluate/"
_CONFLICT, _ABSENT, _ERROR = 409, 404, 400

Step = tuple[str, str, dict[str, Any]]


class Letters:
    """The evaluation links that came by letter: demand number -> (evaluation id, token)."""

    def __init__(self, path: Path) -> None:
        self.links: dict[str, tuple[str, str]] = {}
        self._path = path
        self._rest = b""
        self._offset = path.stat().st_size if path.exists() else 0

    def look(self) -> None:
        """Read what has been written since the last look."""
        if not self._path.exists():
            return
        with self._path.open("rb") as file:
            file.seek(self._offset)
            new = file.read()
        self._offset += len(new)
        *lines, self._rest = (self._rest + new).split(b"\n")
        for line in lines:
            if b'"template": "evaluation"' in line:
                letter = json.loads(line)
                link = letter["text"].split(_LINK, 1)[1].split()[0]
                evaluation, _, token = link.partition("?t=")
                number = next(word for word in letter["text"].split() if word.startswith("D"))
                self.links[number] = (evaluation, token)


class Life:
    """One demand on its way."""

    def __init__(self, asked: dict[str, Any]) -> None:
        self.asked = asked
        self.stage = 0
        self.matter = ""
        self.number = ""
        self.ready_at = 0.0


class Client(threading.Thread):
    """One of the eight."""

    def __init__(self, plan: dict[str, Any], todo: deque[dict[str, Any]], letters: Letters) -> None:
        super().__init__(daemon=True)
        self.plan = plan
        self.todo = todo
        self.letters = letters
        self.done = self.early = self.requests = 0
        self.longest_s = 0.0
        self.fault: str | None = None
        self._links: dict[str, http.client.HTTPConnection] = {}

    def run(self) -> None:
        """Live until every life is over."""
        try:
            self._work()
        except Exception as error:
            # The main thread tells it, and ends the process.
            self.fault = f"{type(error).__name__}: {error}"
            raise

    def _work(self) -> None:
        desk: deque[Life] = deque()
        waiting: deque[Life] = deque()
        moved_at = time.monotonic()
        while self.todo or desk or waiting:
            while len(desk) + len(waiting) < self.plan["in_hand"] and self.todo:
                desk.append(Life(self.todo.popleft()))
            now = time.monotonic()
            for _ in range(len(waiting)):
                life = waiting.popleft()
                (desk if self._is_ready(life, now) else waiting).append(life)
            if not desk:
                if now - moved_at > PATIENCE_S:
                    message = f"nothing moves any more; stages {[life.stage for life in waiting]}"
                    raise TimeoutError(message)
                time.sleep(0.02)  # noqa: TID251 -- waiting for other processes
                continue
            life = desk.popleft()
            if self._step(life):
                moved_at = time.monotonic()
            if life.stage == len(STEPS):
                self.done += 1
            else:
                waiting.append(life)

    def _is_ready(self, life: Life, now: float) -> bool:
        if life.stage == len(STEPS) - 1:
            return life.number in self.letters.links
        return now >= life.ready_at

    def _step(self, life: Life) -> bool:
        service, path, token, body = STEPS[life.stage](life, self.letters)
        status, content = self._post(service, path, self.plan["tokens"].get(token), body)
        if status in (_ABSENT, _CONFLICT):
            self.early += 1
            life.ready_at = time.monotonic() + AGAIN_S
            return False
        if status >= _ERROR:
            message = f"{service} {path} answered {status}: {content!r}"
            raise ValueError(message)
        if life.stage == 0:
            answer = json.loads(content)
            life.matter, life.number = answer["matter_id"], answer["number"]
            life.ready_at = time.monotonic() + AGAIN_S
        life.stage += 1
        return True

    def _post(self, service: str, path: str, token: str | None, body: dict[str, Any]) -> tuple[int, bytes]:
        headers = {"Content-Type": "application/json"}
        if token:
            headers["Authorization"] = f"Bearer {token}"
        if service not in self._links:
            address = urlsplit(self.plan["addresses"][service])
            self._links[service] = http.client.HTTPConnection(address.hostname or "", address.port, timeout=60)
        began = time.monotonic()
        link = self._links[service]
        link.request("POST", path, json.dumps(body).encode(), headers)
        response = link.getresponse()
        content = response.read()
        self.requests += 1
        self.longest_s = max(self.longest_s, time.monotonic() - began)
        return response.status, content


def _register(life: Life, _letters: Letters) -> tuple[str, str, str, dict[str, Any]]:
    body = {
        "channel": "hotline", "text": life.asked["text"], "location": {"grid": life.asked["grid"]},
        "asker": {"kind": "resident", "name": "测试人", "phone": "13800000000"},
    }  # fmt: skip
    return "intake", "/api/v1/demands", life.asked["registrar"], body


def _of_matter(verb: str, who: str, body: dict[str, Any]) -> Any:
    def step(life: Life, _letters: Letters) -> tuple[str, str, str, dict[str, Any]]:
        return "dispatch", f"/api/v1/matters/{life.matter}/{verb}", life.asked[who], body

    return step


def _evaluate(life: Life, letters: Letters) -> tuple[str, str, str, dict[str, Any]]:
    evaluation, token = letters.links[life.number]
    body = {"satisfied": True, "resolved": True, "comment": "处理得很快，谢谢", "token": token}
    return "oversight", f"/api/v1/evaluations/{evaluation}/answer", "", body


#: The way of a life, a request each.
STEPS = (
    _register,
    _of_matter("accept", "handler", {}),
    _of_matter("progress", "handler", {"note": "已到现场查看，正在联系物业处理"}),
    _of_matter(
        "resolve",
        "handler",
        {"outcome": "已处理完毕，现场恢复", "evidence": [{"kind": "photo", "description": "处理后的现场照片"}]},
    ),
    _of_matter("verify", "verifier", {"passed": True, "note": "现场核查属实"}),
    _of_matter("close", "verifier", {"note": "同意结案"}),
    _evaluate,
)


def main() -> None:
    """Read the plan, live the lives, print what happened."""
    plan = json.load(sys.stdin)
    todo = deque(plan["lives"])
    letters = Letters(Path(plan["letters"]))
    clients = [Client(plan, todo, letters) for _ in range(plan["clients"])]
    began = time.time()
    for client in clients:
        client.start()
    while any(client.is_alive() for client in clients):
        letters.look()
        fault = next((client.fault for client in clients if client.fault), None)
        if fault:
            sys.exit(fault)
        time.sleep(LOOK_S)  # noqa: TID251 -- waiting for other threads and processes
    fault = next((client.fault for client in clients if client.fault), None)
    if fault:
        sys.exit(fault)
    told = {
        "began": began,
        "answered": time.time(),
        "done": sum(client.done for client in clients),
        "early": sum(client.early for client in clients),
        "requests": sum(client.requests for client in clients),
        "longest_s": max(client.longest_s for client in clients),
        "cpu_s": time.process_time(),
    }
    print(json.dumps(told))


if __name__ == "__main__":
    main()
