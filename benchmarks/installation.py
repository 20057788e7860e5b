"""An installation of full mode for a measurement: private servers' addresses, `gridwhistle up`, and the raw figures."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

from benchmarks import raw
from deploy.launcher.client import SuiteClient, addresses_of, operator_token
from deploy.launcher.installation import trial_settings
from deploy.launcher.supervisor import read_state
from deploy.servers import PrivatePostgreSQL, PrivateRabbitMQ
from deploy.servers.ports import free_block
from shared.runtime.settings import Settings

#: Seconds until the suite must be ready.
READY_S = 120
PROJECT = Path(__file__).parents[1]


def yardsticks(broker: PrivateRabbitMQ, database: PrivatePostgreSQL) -> dict[str, float]:
    """Raw figures; taken before and after, because other work on the machine comes and goes."""
    return {"pgbench_tx_s": raw.pgbench(database), "publishing_msg_s": raw.publishing(broker.url_for("raw"))}


def settings_for(folder: Path, broker: PrivateRabbitMQ, database: PrivatePostgreSQL) -> Settings:
    """Settings of an installation on these servers, with free ports."""
    base = free_block((*range(1, 6), *range(11, 16)))
    return replace(
        trial_settings(folder / "suite", "jianwai", port_base=base),
        broker_url=broker.url_for("full"),
        database_url=database.url_for("postgres").rsplit("/", 1)[0] + "/bench_{service}",
    )


@contextmanager
def suite(settings: Settings, folder: Path, *, also: Mapping[str, str] | None = None) -> Iterator[SuiteClient]:
    """`gridwhistle up` until the block ends; `also`: further variables for its processes."""
    client = SuiteClient(addresses_of(settings), operator_token(settings.token_secret))
    with (folder / "up.log").open("wb") as output:
        process = subprocess.Popen(
            [sys.executable, "-m", "benchmarks", "up"],
            env=environment(settings) | dict(also or {}), cwd=PROJECT, stdout=output, stderr=output,
        )  # fmt: skip
        try:
            _until(lambda: _ready(settings), READY_S, process, folder)
            yield client
        finally:
            process.send_signal(signal.SIGINT)
            process.wait(60)


def environment(settings: Settings) -> dict[str, str]:
    """The variables of a child process of this installation."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith("GRIDWHISTLE_")}
    return kept | settings.environment()


def processes(settings: Settings) -> dict[str, int]:
    """The suite's processes: name -> process id."""
    state = read_state(settings.data_dir) or {"processes": []}
    return {each["name"]: each["pid"] for each in state["processes"]}


def memory(settings: Settings) -> dict[str, float]:
    """Resident memory of each process, MB."""
    found = {}
    for name, pid in processes(settings).items():
        status = Path(f"/proc/{pid}/status").read_text(encoding="ascii")
        line = next(line for line in status.splitlines() if line.startswith("VmRSS:"))
        found[name] = int(line.split()[1]) / 1_024
    return found


def _ready(settings: Settings) -> bool:
    state = read_state(settings.data_dir)
    return state is not None and all(each["ready"] for each in state["processes"])


def _until(condition: Callable[[], bool], seconds: float, process: subprocess.Popen[bytes], folder: Path) -> None:
    deadline = time.monotonic() + seconds
    while not condition():
        if process.poll() is not None or time.monotonic() > deadline:
            raise SystemExit((folder / "up.log").read_text(encoding="utf-8")[-3_000:])
        time.sleep(0.1)  # noqa: TID251 -- waiting for other processes
