"""A whole suite in full mode for scenarios alone: private servers unless given, its own folder, a clock that jumps.

Started as `gridwhistle up` in a process of its own and stopped with it. It must never touch a suite that runs already.
"""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import replace
from datetime import datetime, timedelta
from pathlib import Path

from deploy.launcher.client import addresses_of
from deploy.launcher.installation import trial_settings
from deploy.launcher.scenario.department_programs import processes
from deploy.launcher.scenario.full import FullStage
from deploy.launcher.scenario.stage import StageFailed
from deploy.launcher.supervisor import RELAY_OFFSET, read_state
from deploy.servers import PrivatePostgreSQL, PrivateRabbitMQ, ServerError
from deploy.servers.ports import free_block
from shared.contracts.topology import SERVICES
from shared.jurisdiction import Jurisdiction
from shared.kernel.clock import SteppedClock
from shared.kernel.errors import Misconfigured
from shared.runtime.settings import Settings

#: Real seconds between two scans for due work: a jump should not wait long for what it makes due.
DUE_INTERVAL_S = 0.1
#: Real seconds until every process must be ready.
READY_WITHIN_S = 120.0
_LOOK_EVERY_S = 0.2
_STOP_WITHIN_S = 30.0
#: The suite's own process: it ends when we do, however we end (prctl PR_SET_PDEATHSIG).
_UP = "import ctypes; ctypes.CDLL(None).prctl(1, 15, 0, 0, 0); from deploy.launcher.cli import main; main(['up'])"
_VHOST, _DATABASES = "gridwhistle", "gridwhistle_{service}"


@contextmanager
def running_stage(
    pack: str,
    jurisdiction: Jurisdiction,
    *,
    start: datetime,
    broker_url: str | None = None,
    database_url: str | None = None,
    say: Callable[[str], None] = lambda _line: None,
) -> Iterator[FullStage]:
    """A stage on a suite started for it. `start`: what its clock shows first. Raises StageFailed, Misconfigured."""
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="gridwhistle-scenario-")))
        folder.chmod(0o755)  # PostgreSQL's own account has to reach its data below
        settings = trial_settings(folder / "suite", pack, port_base=_free_block())
        management_url = None
        try:
            if broker_url is None:
                broker_url, management_url = _broker(stack, folder, say)
            settings = replace(
                settings,
                broker_url=broker_url,
                database_url=database_url or _database(stack, folder, say),
                due_interval=DUE_INTERVAL_S,
                clock_file=folder / "clock.offset",
            )
        except ServerError as error:
            message = f"{error.what} {error.remedy}"
            raise Misconfigured(message) from error
        clock = SteppedClock(folder / "clock.offset")
        clock.advance(start - clock.now())
        say("starting the suite 启动全套 …")
        stack.enter_context(_up(settings))
        programs = stack.enter_context(processes(broker_url, management_url, folder / "departments"))
        yield FullStage(jurisdiction, settings, addresses_of(settings), programs)


def _broker(stack: ExitStack, folder: Path, say: Callable[[str], None]) -> tuple[str, str]:
    """Its address, and that of its management interface."""
    say("starting RabbitMQ 启动消息服务器 …")
    broker = stack.enter_context(PrivateRabbitMQ(folder / "rabbitmq", say=say))
    return broker.url_for(_VHOST), broker.management_url.replace("://", f"://{broker.user}:{broker.password}@")


def _database(stack: ExitStack, folder: Path, say: Callable[[str], None]) -> str:
    say("starting PostgreSQL 启动数据库 …")
    server = stack.enter_context(PrivatePostgreSQL(folder / "postgresql", say=say))
    return server.url_for("postgres").rsplit("/", 1)[0] + "/" + _DATABASES


def _free_block() -> int:
    """A port base whose services and relays find their ports free."""
    return free_block(shift + place for shift in (0, RELAY_OFFSET) for place in range(1, len(SERVICES) + 1))


@contextmanager
def _up(settings: Settings) -> Iterator[None]:
    kept = {name: value for name, value in os.environ.items() if not name.startswith("GRIDWHISTLE_")}
    output = settings.data_dir / "up.log"
    with output.open("ab") as log:
        process = subprocess.Popen(
            [sys.executable, "-c", _UP], stdin=subprocess.DEVNULL, stdout=log, stderr=log,
            env=kept | settings.environment(), start_new_session=True,
        )  # fmt: skip
        try:
            _until_ready(process, settings, output)
            yield
        finally:
            process.send_signal(signal.SIGTERM)
            try:
                process.wait(_STOP_WITHIN_S)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()


def _until_ready(process: subprocess.Popen[bytes], settings: Settings, output: Path) -> None:
    deadline = time.monotonic() + READY_WITHIN_S
    while time.monotonic() < deadline:
        if process.poll() is not None:
            break
        state = read_state(settings.data_dir)
        if state is not None and state["processes"] and all(program["ready"] for program in state["processes"]):
            return
        time.sleep(_LOOK_EVERY_S)  # noqa: TID251 -- a plain process watching others
    said = output.read_text(encoding="utf-8", errors="replace").strip().splitlines()[-5:]
    raise StageFailed(f"the suite was not ready within {timedelta(seconds=READY_WITHIN_S)}: {' | '.join(said)}")
