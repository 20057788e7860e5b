"""Departments' own programs in a scenario: the example service of deploy/examples/department, on the kit.

Without a broker it works in this process, its messages carried by the loopback; in full mode it runs as a process of
its own, as its department's user. An officer's act is what the example's command line does: an answer into the spool.
It must never answer by any other way than the whistle contract.
"""

from __future__ import annotations

import importlib.util
import os
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Final
from urllib.parse import quote, urlsplit, urlunsplit

from deploy.launcher.scenario.form import BY_HAND
from deploy.launcher.scenario.stage import StageFailed
from deploy.launcher.suite import Suite
from shared.contracts import whistles
from shared.kernel.clock import parse_instant
from shared.kernel.errors import Refusal
from shared.kit import CannotAnswer, Desk, Handlers, Spool
from shared.wire import department_users
from shared.wire.backlog import waiting_in

#: The program that departments run.
EXAMPLE: Final = Path(__file__).parents[2] / "examples" / "department" / "department.py"
#: Real seconds within which an answer's fate must be known.
VERDICT_WITHIN_S = 60.0
_LOOK_EVERY_S = 0.05
_STOP_WITHIN_S = 30.0


def given_through(desk: Desk, content: Mapping[str, Any]) -> str:
    """An officer answers at the department's own desk; returns the answer's id. Raises Refusal."""
    until = content.get("until")
    try:
        return desk.answer(
            str(content.get("whistle", "")), str(content.get("answer", "")), str(content.get("note", "")),
            ground=content.get("ground"), until=parse_instant(until) if isinstance(until, str) else until,
        )  # fmt: skip
    except CannotAnswer as error:
        raise Refusal(str(error), code="cannot-answer", remedy="Mend the fields named.") from error


def verdict_of(desk: Desk, answer_id: str) -> Mapping[str, Any] | None:
    """What the suite said of an answer; None: nothing yet. Raises the refusal that it met."""
    given = desk.spool.answer(answer_id)
    if given is None or given.verdict is None:
        return None
    refusal = desk.refusal(answer_id)
    if refusal is not None:
        raise Refusal(refusal.detail, code=refusal.code, where=refusal.where, remedy=refusal.remedy)
    return {"answer_id": answer_id, "whistle": given.whistle, "answer": given.answer}


class LoopbackPrograms:
    """Programs in this process, on a suite without a broker."""

    def __init__(self, suite: Suite, folder: Path) -> None:
        self._suite = suite
        self._folder = folder
        self._desks: dict[str, Desk] = {}

    def run(self, department: str, way: str) -> None:
        """Have a department's program hear and answer from now on."""
        if department in self._desks:
            return
        handlers = _handlers(way)
        desk = Desk(department, Spool(self._folder / department), now=self._suite.clock.now)
        self._desks[department] = desk

        def receive(raw: bytes) -> None:
            desk.receive(raw)
            while desk.work(handlers):
                pass
            self._send(desk)

        self._suite.relay.attach(department, receive)

    def answer(self, department: str, content: Mapping[str, Any]) -> Mapping[str, Any]:
        """An officer's answer, and what became of it. Raises Refusal."""
        desk = self._desks[department]
        answer_id = given_through(desk, content)
        self._send(desk)
        self._suite.settle()
        verdict = verdict_of(desk, answer_id)
        if verdict is None:
            raise StageFailed(f"nobody said what became of {answer_id} of {department}")
        return verdict

    def close(self) -> None:
        """Let the spools go."""
        for desk in self._desks.values():
            desk.spool.close()

    def _send(self, desk: Desk) -> None:
        for given in desk.outgoing():
            # Before it is handed over: its verdict may come back before this returns.
            desk.sent(given.id)
            self._suite.relay.answered(desk.department, given.body)


class ProcessPrograms:
    """Programs as processes of their own, each as its department's user at the broker."""

    def __init__(self, broker_url: str, management_url: str | None, folder: Path) -> None:
        self._broker_url = broker_url
        self._management_url = management_url
        self._folder = folder
        self._processes: dict[str, subprocess.Popen[bytes]] = {}
        self._desks: dict[str, Desk] = {}

    def run(self, department: str, way: str) -> None:
        """Start a department's program, once. Raises StageFailed, BrokerAway, ManagementDenied."""
        if department in self._processes:
            return
        if self._management_url is None:
            message = "a department's program needs a user at the broker: let the stage start its own RabbitMQ"
            raise StageFailed(message)
        (made,) = department_users.set_users(self._broker_url, self._management_url, [department], anew=[department])
        parts = urlsplit(self._broker_url)
        account = f"{quote(made.user, safe='')}:{quote(made.password or '', safe='')}"
        url = urlunsplit(parts._replace(netloc=f"{account}@{parts.netloc.rpartition('@')[2]}"))
        spool = self._folder / department
        self._desks[department] = Desk(department, Spool(spool))
        environment = {name: value for name, value in os.environ.items() if not name.startswith("GRIDWHISTLE_")}
        environment |= {
            "DEPARTMENT": department, "DEPARTMENT_BROKER_URL": url, "DEPARTMENT_SPOOL": str(spool),
            "PYTHONPATH": str(EXAMPLE.parents[3]), "DEPARTMENT_REPORT_IN": "no" if way == BY_HAND else "yes",
        }  # fmt: skip
        with (self._folder / f"{department}.log").open("ab") as log:
            self._processes[department] = subprocess.Popen(
                [sys.executable, str(EXAMPLE), "serve"],
                env=environment,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
            )

    def answer(self, department: str, content: Mapping[str, Any]) -> Mapping[str, Any]:
        """An officer's answer, and what became of it. Raises Refusal, StageFailed."""
        desk = self._desks[department]
        answer_id = given_through(desk, content)
        deadline = time.monotonic() + VERDICT_WITHIN_S
        while time.monotonic() < deadline:
            verdict = verdict_of(desk, answer_id)
            if verdict is not None:
                return verdict
            time.sleep(_LOOK_EVERY_S)  # noqa: TID251 -- a plain process watching others
        raise StageFailed(f"nobody said within {VERDICT_WITHIN_S:.0f} s what became of {answer_id} of {department}")

    def under_way(self) -> list[str]:
        """Why departments are not at rest; empty when they are."""
        reasons = []
        for department, desk in self._desks.items():
            if self._processes[department].poll() is not None:
                raise StageFailed(f"the program of {department} ended; see {self._folder / department}.log")
            # In this order: what leaves the queue is in the spool, what leaves the spool is at the suite.
            waiting = waiting_in(self._broker_url, whistles.key_of(department))
            if waiting or desk.spool.told(state="new") or desk.outgoing(1):
                reasons.append(f"{department}: messages wait to be handled or sent")
            elif any(given.verdict is None for given in desk.spool.answers()):
                reasons.append(f"{department}: an answer is on its way")
        return reasons

    def close(self) -> None:
        """Stop the programs."""
        for process in self._processes.values():
            process.terminate()
        for process in self._processes.values():
            try:
                process.wait(_STOP_WITHIN_S)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()
        for desk in self._desks.values():
            desk.spool.close()


@contextmanager
def processes(broker_url: str, management_url: str | None, folder: Path) -> Iterator[ProcessPrograms]:
    """Programs that end with the block."""
    folder.mkdir(parents=True, exist_ok=True)
    programs = ProcessPrograms(broker_url, management_url, folder)
    try:
        yield programs
    finally:
        programs.close()


def _handlers(way: str) -> Handlers:
    """What the example does, loaded from its own file as a department would copy it."""
    spec = importlib.util.spec_from_file_location("department_example", EXAMPLE)
    if spec is None or spec.loader is None:
        raise StageFailed(f"{EXAMPLE} cannot be loaded")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    handlers: Handlers = module.BY_HAND if way == BY_HAND else module.HANDLERS
    return handlers
