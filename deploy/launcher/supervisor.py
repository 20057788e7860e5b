"""The supervisor of full mode: starts every process of the suite, restarts those that die, stops all of them cleanly.

For one machine. It holds no state of its own but a file that says who runs where; killed by force, it leaves nothing
behind (the kernel tells its children). Never touches databases or the broker: each process prepares what it needs.
"""

from __future__ import annotations

import json
import logging
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from types import FrameType
from typing import Any, Literal

import requests

from deploy.launcher.process import MISCONFIGURED
from deploy.servers.ports import is_free
from shared.contracts.topology import SERVICES
from shared.kernel.errors import Misconfigured
from shared.runtime.health import STARTING
from shared.runtime.settings import Settings

log = logging.getLogger(__name__)

#: Seconds between two looks at the processes.
LOOK_EVERY_S = 0.1
#: Seconds between two questions whether a process is ready.
ASK_EVERY_S = 0.5
#: Seconds before a process that died is started again; doubles up to the second figure while it keeps dying early.
FIRST_PAUSE_S, LONGEST_PAUSE_S = 0.2, 10.0
#: Seconds a process must live for the pause to be forgotten.
LIVED_S = 10.0
#: Seconds after which a process that does not stop is killed. Processes end by themselves after 12.
STOP_WITHIN_S = 14.0
#: Ports: relays listen this far above their services, each further replica of a service this far above the one before.
RELAY_OFFSET, REPLICA_OFFSET = 10, 20
STATE_FILE = "supervisor.json"
_HIGHEST_PORT = 65_535

Kind = Literal["serve", "relay"]


@dataclass(kw_only=True)
class Program:
    """One process to keep running."""

    kind: Kind
    service: str
    replica: int
    port: int
    log: Path
    process: subprocess.Popen[bytes] | None = None
    ready: bool = False
    #: What it says is missing, while it is not ready.
    missing: str = STARTING
    starts: int = 0
    started_at: float = 0.0
    start_at: float = 0.0
    pause_s: float = FIRST_PAUSE_S

    @property
    def name(self) -> str:
        """As it is called in logs and messages: `dispatch-2`, `relay-dispatch`."""
        return f"{self.service}-{self.replica}" if self.kind == "serve" else f"relay-{self.service}"


@dataclass(kw_only=True)
class Supervisor:
    """Runs the suite that the settings describe."""

    settings: Settings
    #: Service -> how many processes; 1 for those not named.
    replicas: Mapping[str, int] = field(default_factory=dict)
    #: Hears what a person should know.
    say: Callable[[str], None] = lambda _line: None
    programs: list[Program] = field(default_factory=list)
    _told: list[int] = field(default_factory=list)
    _asked_at: float = 0.0

    @property
    def state_file(self) -> Path:
        """Where `doctor` and tests find who runs where."""
        return self.settings.data_dir / STATE_FILE

    def run(self) -> int:
        """Run until SIGINT or SIGTERM; 0 after a clean stop, 1 when a process cannot run. Raises Misconfigured."""
        refuse_second(self.settings.data_dir)
        for number in (signal.SIGINT, signal.SIGTERM):
            signal.signal(number, self._note)
        self.programs = list(plan(self.settings, self.replicas))
        try:
            code = self._keep_running()
        finally:
            self._stop_all()
            self.state_file.unlink(missing_ok=True)
        return code

    # -- keeping them running ------------------------------------------------------------------------------------

    def _keep_running(self) -> int:
        announced = False
        while not self._told:
            for program in self.programs:
                self._look_at(program)
                if program.process is not None and program.process.returncode == MISCONFIGURED:
                    self.say(f"{program.name} cannot start: {last_line(program.log)}")
                    return 1
            if time.monotonic() - self._asked_at >= ASK_EVERY_S:
                self._ask_all()
                if not announced and all(program.ready for program in self.programs):
                    announced = True
                    self._announce()
            time.sleep(LOOK_EVERY_S)  # noqa: TID251 - a plain process watching others
        return 0

    def _look_at(self, program: Program) -> None:
        now = time.monotonic()
        if program.process is None:
            if now >= program.start_at:
                self._start(program)
            return
        code = program.process.poll()
        if code is None or code == MISCONFIGURED:
            return
        if now - program.started_at >= LIVED_S:
            program.pause_s = FIRST_PAUSE_S
        why = f": {last_line(program.log)}" if code > 0 else ""
        again = f"started again in {program.pause_s:.1f} s"
        self.say(f"{program.name} ended with {_meaning(code)}{why}; {again} (log: {program.log})")
        program.process, program.ready, program.missing = None, False, "restarting"
        program.start_at = now + program.pause_s
        program.pause_s = min(program.pause_s * 2, LONGEST_PAUSE_S)
        self._write_state()

    def _start(self, program: Program) -> None:
        command = [
            sys.executable, "-m", "deploy.launcher.process", program.kind, program.service,
            "--port", str(program.port), "--name", program.name, "--parent", str(os.getpid()),
        ]  # fmt: skip
        program.log.parent.mkdir(parents=True, exist_ok=True)
        with program.log.open("ab") as output:
            program.process = subprocess.Popen(
                command,
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=output,
                env=_environment(self.settings),
                start_new_session=True,  # Ctrl-C is for us; we stop the others in order
            )
        program.starts += 1
        program.started_at = time.monotonic()
        self._write_state()

    def _ask_all(self) -> None:
        self._asked_at = time.monotonic()
        changed = False
        for program in self.programs:
            if self._told:
                return
            if program.process is None or program.ready:
                continue
            before = program.missing
            program.ready, program.missing = ask(program, self.settings.host)
            changed = changed or program.ready
            if not program.ready and program.missing not in (before, STARTING):
                self.say(f"{program.name} waits: {program.missing}")
        if changed:
            self._write_state()

    def _announce(self) -> None:
        for program in self.programs:
            if program.kind == "serve":
                self.say(f"{program.name:<16} http://{self.settings.host}:{program.port}")
        self.say(f"logs: {self.settings.data_dir / 'logs'}; Ctrl-C stops everything")

    # -- stopping ------------------------------------------------------------------------------------------------

    def _note(self, number: int, _frame: FrameType | None) -> None:
        self._told.append(number)

    def _stop_all(self) -> None:
        """Services first, their relays after them: what the last handlers emitted still goes out."""
        self.say("正在停止 stopping …")
        deadline = time.monotonic() + STOP_WITHIN_S
        for kind in ("serve", "relay"):
            processes = [program.process for program in self.programs if program.kind == kind and program.process]
            for process in processes:
                process.terminate()
            for process in processes:
                try:
                    process.wait(max(0.1, deadline - time.monotonic()))
                except subprocess.TimeoutExpired:
                    process.kill()
                    process.wait()

    # -- the state file ------------------------------------------------------------------------------------------

    def _write_state(self) -> None:
        state = {
            "pid": os.getpid(),
            "host": self.settings.host,
            "processes": [
                {
                    "name": program.name,
                    "kind": program.kind,
                    "service": program.service,
                    "replica": program.replica,
                    "port": program.port,
                    "pid": program.process.pid if program.process else None,
                    "ready": program.ready,
                    "starts": program.starts,
                    "log": str(program.log),
                }
                for program in self.programs
            ],
        }
        self.state_file.parent.mkdir(parents=True, exist_ok=True)
        draft = self.state_file.with_suffix(".new")
        draft.write_text(json.dumps(state, indent=1), encoding="utf-8")
        draft.replace(self.state_file)


def plan(settings: Settings, replicas: Mapping[str, int]) -> tuple[Program, ...]:
    """Every process of the suite, with its port. Raises Misconfigured for an unknown service or a bad number."""
    for service, count in replicas.items():
        if service not in SERVICES or count < 1:
            message = f"--replicas {service}={count}: services are {', '.join(SERVICES)}, and the number is 1 or more"
            raise Misconfigured(message)
    made = []
    for service in SERVICES:
        port = settings.port_for(service, SERVICES)
        for replica in range(1, replicas.get(service, 1) + 1):
            at = port + REPLICA_OFFSET * (replica - 1)
            made.append(_program("serve", service, replica, at, settings))
        made.append(_program("relay", service, 1, port + RELAY_OFFSET, settings))
    return tuple(made)


def _program(kind: Kind, service: str, replica: int, port: int, settings: Settings) -> Program:
    program = Program(kind=kind, service=service, replica=replica, port=port, log=Path())
    program.log = settings.data_dir / "logs" / f"{program.name}.log"
    return program


def check_ports(programs: Iterable[Program]) -> None:
    """Raises Misconfigured when a process of the plan could not listen on its port."""
    ports = sorted(program.port for program in programs)
    if ports[-1] > _HIGHEST_PORT:
        message = f"port {ports[-1]} does not exist; give a lower --port-base or fewer --replicas"
        raise Misconfigured(message)
    taken = [port for port in ports if not is_free(port)]
    if taken:
        message = f"port(s) {', '.join(map(str, taken))} are in use; stop what listens there, or give --port-base"
        raise Misconfigured(message)


def refuse_second(data_dir: Path) -> None:
    """Raises Misconfigured when another supervisor runs a suite from this folder."""
    state = read_state(data_dir)
    if state is not None and state["pid"] != os.getpid() and _alive(state["pid"]):
        message = f"A suite (process {state['pid']}) runs from {data_dir}; stop it first"
        raise Misconfigured(message)


def ask(program: Program, host: str) -> tuple[bool, str]:
    """Whether a process is ready, and if not, what it lacks."""
    path = "/health/ready" if program.kind == "serve" else "/metrics"
    try:
        answer = requests.get(f"http://{host}:{program.port}{path}", timeout=3)
    except requests.RequestException:
        return False, STARTING
    if answer.ok:
        return True, ""
    try:
        missing = answer.json()["missing"]
    except (requests.JSONDecodeError, KeyError, TypeError):
        return False, f"answered {answer.status_code}"
    if set(missing.values()) == {STARTING}:
        return False, STARTING
    return False, "; ".join(f"{what}: {why}" for what, why in missing.items())


def read_state(data_dir: Path) -> dict[str, Any] | None:
    """Who runs where, as the supervisor of this folder wrote it; None when none does."""
    try:
        state: dict[str, Any] = json.loads((data_dir / STATE_FILE).read_text(encoding="utf-8"))
    except (FileNotFoundError, json.JSONDecodeError):
        return None
    return state


def last_line(path: Path) -> str:
    """The last line of a log, for a message to a person."""
    lines = path.read_text(encoding="utf-8", errors="replace").strip().splitlines() if path.exists() else []
    if not lines:
        return "it said nothing"
    try:
        return str(json.loads(lines[-1])["message"])
    except (json.JSONDecodeError, KeyError, TypeError):
        return lines[-1]


def _environment(settings: Settings) -> dict[str, str]:
    kept = {name: value for name, value in os.environ.items() if not name.startswith("GRIDWHISTLE_")}
    return kept | settings.environment()


def _meaning(code: int) -> str:
    return f"signal {signal.Signals(-code).name}" if code < 0 else f"exit code {code}"


def _alive(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        return True
    return True
