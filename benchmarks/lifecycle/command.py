"""`make bench ARGS='lifecycle …'`: lifecycles a second beside the same machine's raw figures, CPU by process.

Starts private servers, measures pgbench and pipelined publishing before and after, runs `gridwhistle up` on them, and
has eight clients drive whole lives over HTTP. A life counts when its last event is in the trace: the clock stops when
every outbox is empty, every letter is written, and the trace has grown by as many events as all services emitted. With
`--seeded` the same again with that many matters there already (benchmarks/lifecycle/seeding.py says how).
"""

from __future__ import annotations

import json
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Mapping
from contextlib import ExitStack
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import click
import psycopg2

from benchmarks import installation
from benchmarks.lifecycle import seeding
from benchmarks.lifecycle.processor import by_database, cpu_seconds
from benchmarks.lifecycle.table import print_profile, print_table
from benchmarks.lifecycle.work_plan import work_plan
from deploy.servers import PrivatePostgreSQL, PrivateRabbitMQ
from shared.contracts.topology import SERVICES
from shared.runtime.settings import Settings

#: Seconds that the idle suite is watched, and until the suite must be at rest after the last answer.
IDLE_S, REST_S = 5.0, 90.0
#: Lives driven before those that count: caches fill, connections open.
WARM_UP = 40
_DATABASES = "bench_"
_HERE = Path(__file__).parent


def _levels(_context: click.Context, _option: click.Parameter, text: str) -> tuple[int, ...]:
    return tuple(sorted({int(part.replace("_", "")) for part in text.split(",") if part}))


@click.command("lifecycle")
@click.option("--matters", default=200, show_default=True, help="How many lives to drive and count.")
@click.option("--seeded", default="0", show_default=True, callback=_levels, help="Matters there already: 0,100000,…")
@click.option("--clients", default=8, show_default=True, help="Clients at once.")
@click.option("--in-hand", default=80, show_default=True, help="Lives that one client has in hand at most.")
@click.option("--profile", is_flag=True, help="Also sample where the processes spend their CPU time, in a second pass.")
@click.option("--folder", type=click.Path(path_type=Path), help="Where to keep servers' data; default: temporary.")
@click.option("--json", "as_json", is_flag=True, help="Print the figures as JSON.")
def main(
    *, matters: int, seeded: tuple[int, ...], clients: int, in_hand: int, profile: bool, folder: Path | None,
    as_json: bool,
) -> None:  # fmt: skip
    """Measure, and print a table."""
    with ExitStack() as stack:
        if folder is None:
            folder = Path(
                stack.enter_context(
                    tempfile.TemporaryDirectory(prefix="gridwhistle-bench-", ignore_cleanup_errors=True)
                )
            )
        folder.mkdir(parents=True, exist_ok=True)
        folder.chmod(0o755)
        broker = stack.enter_context(PrivateRabbitMQ(folder / "rabbitmq"))
        database = stack.enter_context(PrivatePostgreSQL(folder / "postgresql"))
        bench = Bench(folder, broker, database, clients=clients, in_hand=in_hand)
        found = bench.at_levels(matters, seeded)
        if profile:
            found[-1]["profile"] = bench.profiled(matters)
    if as_json:
        click.echo(json.dumps(found, ensure_ascii=False))
        return
    print_table(found)
    print_profile(found[-1].get("profile", {}))


class Bench:
    """Servers, an installation on them, and what is measured there."""

    def __init__(
        self, folder: Path, broker: PrivateRabbitMQ, database: PrivatePostgreSQL, *, clients: int, in_hand: int
    ) -> None:
        self.folder = folder
        self.broker = broker
        self.database = database
        self.clients = clients
        self.in_hand = in_hand
        self.settings: Settings = installation.settings_for(folder, broker, database)
        for service in SERVICES:
            database.url_for(_DATABASES + service)
        self._runs = 0

    def at_levels(self, matters: int, levels: tuple[int, ...]) -> list[dict[str, Any]]:
        """One measurement for each number of matters there already."""
        found = []
        originals: seeding.Originals | None = None
        copies = 0
        for level in levels:
            about: dict[str, Any] = {"seeded": level}
            if level:
                if originals is None:
                    originals = self._originals(matters)
                seeding.be_careless(self.settings.database_for("intake"), careless=True)
                copies, about["seeding_s"] = seeding.grow(self._urls(), originals, copies, level)
                seeding.be_careless(self.settings.database_for("intake"), careless=False)
            about["database_gb"] = seeding.sizes(self._urls())
            before = installation.yardsticks(self.broker, self.database)
            about |= self._measured(matters)
            after = installation.yardsticks(self.broker, self.database)
            about |= {name: (before[name] + after[name]) / 2 for name in before}
            about |= {"raw_before": before, "raw_after": after}
            about["of_pgbench"] = about["lives_s"] / about["pgbench_tx_s"]
            about["of_publishing"] = about["events_s"] / about["publishing_msg_s"]
            found.append(about)
            _say(f"{level:,} there: {about['lives_s']:.1f} lives/s, {about['cpu_ms']['all']:.0f} ms CPU a life")
        return found

    def profiled(self, matters: int) -> dict[str, Any]:
        """Where each process spends its CPU time."""
        folder = self.folder / "samples"
        folder.mkdir(exist_ok=True)
        also = {"PYTHONPATH": str(_HERE / "sampling"), "BENCH_SAMPLES": str(folder)}
        with installation.suite(self.settings, self.folder, also=also):
            self._drive(matters, "样")
        return {path.stem: json.loads(path.read_text(encoding="utf-8")) for path in sorted(folder.glob("*.json"))}

    # ----------------------------------------------------------------------------------------------------------------

    def _originals(self, matters: int) -> seeding.Originals:
        """Drive the lives that will be copied, and set their rows aside."""
        began = datetime.now(UTC)
        with installation.suite(self.settings, self.folder):
            already = self._matters()
            self._drive(max(0, matters - already), "源")
        first = self._first_id()
        return seeding.keep_originals(self._urls(), min(began, first), datetime.now(UTC), self._matters())

    def _measured(self, matters: int) -> dict[str, Any]:
        with installation.suite(self.settings, self.folder):
            self._drive(WARM_UP, "热")
            families = self._families()
            before = cpu_seconds(families)
            time.sleep(IDLE_S)  # noqa: TID251 -- watching what it costs to do nothing
            idle = _difference(before, cpu_seconds(families))
            memory = installation.memory(self.settings)
            events_before = self._traced()
            before, before_in_database = cpu_seconds(families), by_database(self.database.pid, _DATABASES)
            told = self._drive(matters, "量")
            used = _difference(before, cpu_seconds(families))
            in_database = _difference(before_in_database, by_database(self.database.pid, _DATABASES))
            events = self._traced() - events_before
        used["clients"] = told["cpu_s"]
        seconds = told["rested"] - told["began"]
        cpu_ms = {name: 1_000 * value / matters for name, value in used.items()}
        return {
            "matters": matters,
            "seconds": seconds,
            "lives_s": matters / seconds,
            "events": events,
            "events_per_life": events / matters,
            "events_s": events / seconds,
            "requests_per_life": told["requests"] / matters,
            "early": told["early"],
            "longest_answer_s": told["longest_s"],
            "cpu_ms": cpu_ms | {"all": sum(cpu_ms.values())},
            "postgresql_ms": {name: 1_000 * value / matters for name, value in in_database.items()},
            "idle_cpu_percent": {name: 100 * value / IDLE_S for name, value in idle.items()},
            "memory_mb": memory,
        }

    def _drive(self, matters: int, run: str) -> dict[str, Any]:
        """Have the clients drive lives, and wait for the last event; adds `rested`, an instant in seconds."""
        self._runs += 1
        positions = {name: self._ask(name, "SELECT coalesce(max(position), 0) FROM outbox") for name in SERVICES}
        traced = self._traced()
        plan = work_plan(self.settings, matters, self.clients, self.in_hand, f"{run}{self._runs}")
        done = subprocess.run(
            [sys.executable, str(_HERE / "clients.py")], input=json.dumps(plan), capture_output=True, text=True,
            check=False,
        )  # fmt: skip
        if done.returncode:
            raise SystemExit(done.stderr)
        told: dict[str, Any] = json.loads(done.stdout)
        while busy := self._busy(positions, traced):
            if time.time() - told["answered"] > REST_S:
                raise SystemExit(f"not at rest {REST_S:.0f} s after the last answer: {busy}")
            time.sleep(0.1)  # noqa: TID251 -- waiting for other processes
        told["rested"] = time.time()
        if told["done"] != matters:
            raise SystemExit(f"{told['done']} of {matters} lives came to their end")
        return told

    def _busy(self, positions: Mapping[str, int], traced: int) -> list[str]:
        """Why the last event is not in the trace yet: everything emitted since must be there, every letter sent."""
        unpublished = "SELECT count(*) FROM outbox WHERE published_at IS NULL"
        waiting = {name: self._ask(name, unpublished) for name in SERVICES}
        busy = [f"{name}: {count} unpublished" for name, count in waiting.items() if count]
        letters = self._ask("notify", "SELECT count(*) FROM messages WHERE next_attempt_at IS NOT NULL")
        busy += [f"{letters} letters to send"] if letters else []
        if busy:
            return busy
        emitted = sum(
            self._ask(name, f"SELECT count(*) FROM outbox WHERE position > {positions[name]}")  # noqa: S608 -- a number
            for name in SERVICES
        )
        known = self._traced() - traced
        return [] if known == emitted else [f"{emitted} emitted, {known} in the trace"]

    def _families(self) -> dict[str, int]:
        return installation.processes(self.settings) | {
            "PostgreSQL": self.database.pid,
            "RabbitMQ": self.broker.pid,
        }

    def _traced(self) -> int:
        return self._ask("oversight", "SELECT coalesce(max(position), 0) FROM trace_head")

    def _matters(self) -> int:
        return self._ask("intake", "SELECT count(*) FROM matters")

    def _first_id(self) -> datetime:
        connection = self._connect("intake")
        with connection.cursor() as cursor:
            cursor.execute("SELECT min(opened_at) FROM matters")
            row = cursor.fetchone()
        connection.close()
        if row is None or row[0] is None:
            raise SystemExit("there is nothing to copy")
        found: datetime = row[0]
        return found

    def _ask(self, service: str, query: str) -> int:
        connection = self._connect(service)
        with connection.cursor() as cursor:
            cursor.execute(query)
            row = cursor.fetchone()
        connection.close()
        return int(row[0]) if row else 0

    def _connect(self, service: str) -> Any:
        return psycopg2.connect(self._urls()[service].replace("postgresql+psycopg2://", "postgresql://", 1))

    def _urls(self) -> dict[str, str]:
        return {service: self.settings.database_for(service) for service in SERVICES}


def _difference(before: Mapping[str, float], after: Mapping[str, float]) -> dict[str, float]:
    rest = Counter(after)
    rest.subtract(before)
    return dict(rest)


def _say(line: str) -> None:
    click.echo(line, err=True)
