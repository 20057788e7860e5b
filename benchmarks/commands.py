"""What each command of a life costs intake and dispatch: CPU, statements, round trips. No broker, no relay.

First in this process, straight through `Application.execute` on a private PostgreSQL; then through the real HTTP stack:
`deploy.launcher.process serve` for either service, its CPU read from /proc. `python -m benchmarks commands`; with
`--profile` the costliest functions of all commands together. A busy neighbour makes CPU dear: compare runs by the last
row, which says how many plain loops a life cost.
"""

from __future__ import annotations

import cProfile
import http.client
import json
import os
import pstats
import subprocess
import sys
import tempfile
import time
from collections import Counter, defaultdict
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field, replace
from datetime import timedelta
from pathlib import Path
from typing import Any

import click
from sqlalchemy import Engine, event

from deploy.launcher import services
from deploy.launcher.installation import trial_settings
from deploy.servers import PrivatePostgreSQL
from deploy.servers.ports import free_port
from shared.kernel.actor import Actor
from shared.ledger import outbox
from shared.ledger.migrate import migrate
from shared.ledger.round_trips import ThriftyConnection
from shared.runtime.application import Application
from shared.runtime.settings import Settings
from shared.runtime.setup import application_of, gatekeeper_of

PROJECT = Path(__file__).parents[1]
#: Nobody listens there: a serving process answers requests without a broker.
NO_BROKER = "amqp://nobody:nothing@127.0.0.1:1/"
READY_S = 60
_TICKS = os.sysconf("SC_CLK_TCK")

WORKER = Actor(id="worker", roles=frozenset({"street-clerk"}), unit="jianwai")
VERIFIER = Actor(id="verifier", roles=frozenset({"street-clerk"}), unit="jianwai")
#: A life's steps in dispatch: command, last part of the path, body, who.
STEPS: tuple[tuple[str, str, dict[str, Any], Actor], ...] = (
    ("dispatch.accept", "accept", {}, WORKER),
    ("dispatch.progress", "progress", {"note": "已到现场查看，联系维修。"}, WORKER),
    (
        "dispatch.resolve",
        "resolve",
        {"outcome": "已修好", "evidence": [{"kind": "note", "description": "现场照片一张，居民签字确认。"}]},
        WORKER,
    ),
    ("dispatch.verify", "verify", {"passed": True, "note": "属实"}, VERIFIER),
    ("dispatch.close", "close", {"note": "办结"}, VERIFIER),
)
YARDSTICK = "a plain loop of 10,000 turns"
REGISTER, HEAR = "intake.register-demand", "dispatch hears matter-opened"


@dataclass
class Cost:
    """What the runs of one command cost together."""

    #: How often it was run.
    times: int = 0
    cpu_s: float = 0.0
    counts: Counter[str] = field(default_factory=Counter)


class Trips:
    """Counts what engines send: statements, and the round trips they take, a commit's or rollback's among them."""

    def __init__(self, *engines: Engine) -> None:
        self.counts: Counter[str] = Counter()
        #: What travelled, one entry a round trip.
        self.texts: list[str] = []
        for engine in engines:
            event.listen(engine, "before_cursor_execute", self._statement)
        send = ThriftyConnection.sent_by

        def counted(connection: ThriftyConnection, cursor: Any, text: bytes) -> None:
            self.counts["trips"] += 1
            self.texts.append(text.decode())
            send(connection, cursor, text)

        ThriftyConnection.sent_by = counted  # type: ignore[method-assign]

    def _statement(self, *_about: Any) -> None:
        self.counts["statements"] += 1


@click.command()
@click.option("--lives", default=200, show_default=True)
@click.option("--profile", default=0, help="Show so many of the costliest functions.")
@click.option("--statements", is_flag=True, help="Show the statements of one life.")
@click.option("--http/--no-http", "over_http", default=True)
def main(*, lives: int, profile: int, statements: bool, over_http: bool) -> None:
    """Measure, and print tables."""
    with tempfile.TemporaryDirectory(prefix="gridwhistle-bench-", ignore_cleanup_errors=True) as name:
        folder = Path(name)
        folder.chmod(0o755)
        with PrivatePostgreSQL(folder / "postgresql") as database:
            settings = _settings(folder, database)
            applications = {each: _application(each, settings) for each in ("intake", "dispatch")}
            _in_this_process(applications, lives, database.pid, profile=profile, statements=statements)
            if over_http:
                _over_http(applications, settings, lives)


def _settings(folder: Path, database: PrivatePostgreSQL) -> Settings:
    return replace(
        trial_settings(folder / "suite", "jianwai", port_base=free_port()),
        broker_url=NO_BROKER,
        database_url=database.url_for("postgres").rsplit("/", 1)[0] + "/bench_{service}",
        due_interval=60.0,
    )


def _application(name: str, settings: Settings) -> Application:
    application = application_of(services.definition(name), settings)
    migrate(application.at_hand.engine, application.definition)
    return application


def demand(number: int, grids: list[str]) -> dict[str, Any]:
    """The body of one registration; no two alike."""
    return {
        "channel": "web",
        "text": f"{number % 40}号楼{number % 6}单元楼道的灯不亮，老人晚上上下楼不方便。第{number}次反映。",
        "location": {"grid": grids[number % len(grids)], "address": f"{number % 40}号楼"},
        "asker": {"kind": "resident", "name": "测试人", "phone": "13800000000"},
    }


def grids_of(application: Application) -> list[str]:
    """The grids of the pack."""
    return [unit.id for unit in application.at_hand.jurisdiction.units.values() if unit.level == "grid"]


# -- in this process -----------------------------------------------------------------------------------------------


def _in_this_process(
    applications: Mapping[str, Application], lives: int, server: int, *, profile: int, statements: bool
) -> None:
    intake, dispatch = applications["intake"], applications["dispatch"]
    trips = Trips(intake.at_hand.engine, dispatch.at_hand.engine)
    costs: defaultdict[str, Cost] = defaultdict(Cost)
    grids = grids_of(intake)

    def run(what: str, call: Callable[[], Any]) -> Any:
        before, began = Counter(trips.counts), time.process_time()
        result = call()
        cost = costs[what]
        cost.cpu_s += time.process_time() - began
        cost.times += 1
        cost.counts += trips.counts - before
        return result

    def life(number: int) -> None:
        run(YARDSTICK, yardstick)
        body = run(
            REGISTER, lambda: intake.execute(REGISTER, demand(number, grids), WORKER, idempotency_key=f"key-{number}")
        ).body
        run(HEAR, lambda: hear(applications))
        for command, _, content, actor in STEPS:
            run(command, lambda: dispatch.execute(command, content | {"matter": body["matter_id"]}, actor))  # noqa: B023

    for number in range(20):  # connections, plans, compiled statements
        life(number)
    costs.clear()
    if statements:
        trips.texts.clear()
        life(-1)
        click.echo("\n".join(f"{place:3} {' '.join(text.split())[:230]}" for place, text in enumerate(trips.texts)))
        costs.clear()
    profiler = cProfile.Profile()
    before = postgresql_cpu(server)
    if profile:
        profiler.enable()
    for number in range(1_000, 1_000 + lives):
        life(number)
    profiler.disable()
    click.echo(f"\nIn one process, without HTTP, {lives} lives\n")
    _print(costs)
    click.echo(f"PostgreSQL's own CPU: {(postgresql_cpu(server) - before) / lives * 1_000:.2f} ms a life")
    if profile:
        pstats.Stats(profiler).sort_stats("tottime").print_stats(profile)
        pstats.Stats(profiler).sort_stats("cumulative").print_stats(profile)


def hear(applications: Mapping[str, Application]) -> None:
    """Let dispatch hear what intake has to tell, as the relay would."""
    intake, dispatch = applications["intake"], applications["dispatch"]
    with intake.at_hand.engine.connect() as db:
        waiting = outbox.pending(db, 1_000)
        outbox.mark_published(db, [row.message_id for row in waiting], intake.at_hand.clock.now())
        db.commit()
    dispatch.receive_many([row.envelope for row in waiting if row.stream.startswith("intake.matter:")])


# -- through HTTP --------------------------------------------------------------------------------------------------


def _over_http(applications: Mapping[str, Application], settings: Settings, lives: int) -> None:
    gatekeeper = gatekeeper_of(settings, applications["intake"].at_hand.clock)
    tokens = {
        actor.id: gatekeeper.issue(subject=actor.id, roles=actor.roles, unit=actor.unit, lasting=timedelta(hours=1))
        for actor in (WORKER, VERIFIER)
    }
    costs: defaultdict[str, Cost] = defaultdict(Cost)
    grids = grids_of(applications["intake"])
    with ExitStack() as stack:
        served = {name: stack.enter_context(_served(name, settings)) for name in applications}

        def run(what: str, path: str, body: Mapping[str, Any], actor: Actor, **headers: str) -> Any:
            door, pid = served[what.split(".", maxsplit=1)[0]]
            headers |= {"Authorization": f"Bearer {tokens[actor.id]}", "Content-Type": "application/json"}
            before = cpu_of(pid)
            door.request("POST", path, json.dumps(body), headers)
            answer = door.getresponse()
            found = json.loads(answer.read())
            if answer.status >= 300:
                raise SystemExit(f"{path}: {found}")
            cost = costs[what]
            cost.cpu_s += cpu_of(pid) - before
            cost.times += 1
            return found

        for first, count in ((100_000, 20), (200_000, lives)):
            costs.clear()
            matters = [
                run(REGISTER, "/api/v1/demands", demand(number, grids), WORKER, **{"Idempotency-Key": f"key-{number}"})[
                    "matter_id"
                ]
                for number in range(first, first + count)
            ]
            hear(applications)
            for command, door, content, actor in STEPS:
                for matter in matters:
                    began = time.process_time()
                    yardstick()
                    costs[YARDSTICK].cpu_s += time.process_time() - began
                    costs[YARDSTICK].times += 1
                    run(command, f"/api/v1/matters/{matter}/{door}", content, actor)
    click.echo(f"\nThrough HTTP, {lives} lives (CPU of the serving process)\n")
    _print(costs)


@contextmanager
def _served(name: str, settings: Settings) -> Iterator[tuple[http.client.HTTPConnection, int]]:
    port = free_port()
    kept = {key: value for key, value in os.environ.items() if not key.startswith("GRIDWHISTLE_")}
    process = subprocess.Popen(
        [sys.executable, "-m", "deploy.launcher.process", "serve", name, "--port", str(port)],
        env=kept | settings.environment(), cwd=PROJECT, stderr=subprocess.DEVNULL,
    )  # fmt: skip
    try:
        door = http.client.HTTPConnection("127.0.0.1", port)
        deadline = time.monotonic() + READY_S
        while not _answers(door):
            if time.monotonic() > deadline:
                raise SystemExit(f"{name} did not get ready")
            time.sleep(0.1)  # noqa: TID251 -- waiting for another process
        yield door, process.pid
        door.close()
    finally:
        process.terminate()
        process.wait(30)


def _answers(door: http.client.HTTPConnection) -> bool:
    """Whether the database is ready behind the door; the broker never is."""
    try:
        door.request("GET", "/health/ready")
        return "database" not in json.loads(door.getresponse().read()).get("missing", {})
    except OSError:
        door.close()
        return False


# -- figures -------------------------------------------------------------------------------------------------------


def yardstick() -> int:
    """What every machine can do, for comparison: about as long as a fast command."""
    total = 0
    for number in range(10_000):
        total += number & 7
    return total


def cpu_of(pid: int) -> float:
    """CPU seconds a process has used, in nanosecond steps."""
    return int(Path(f"/proc/{pid}/schedstat").read_text(encoding="ascii").split()[0]) / 1e9


def postgresql_cpu(postmaster: int) -> float:
    """CPU seconds of the server's living processes, in the kernel's ticks."""
    total = 0
    for stat in Path("/proc").glob("[0-9]*/stat"):
        try:
            fields = stat.read_text(encoding="utf-8").rpartition(")")[2].split()
        except OSError:
            continue  # it ended meanwhile
        if int(fields[1]) == postmaster:
            total += int(fields[11]) + int(fields[12])
    return total / _TICKS


def _print(costs: Mapping[str, Cost]) -> None:
    print("| command | CPU, ms | statements | round trips |")
    print("|---|---|---|---|")
    for name, cost in costs.items():
        counted = " | ".join(f"{cost.counts[kind] / cost.times:.1f}" for kind in ("statements", "trips"))
        print(f"| {name} | {cost.cpu_s / cost.times * 1_000:.2f} | {counted} |")
    loop = costs[YARDSTICK]
    life = sum(cost.cpu_s / cost.times for name, cost in costs.items() if name != YARDSTICK)
    print(f"| a life | {life * 1_000:.2f} | | |")
    print(f"| a life, in plain loops | {life / (loop.cpu_s / loop.times):.1f} | | |")


if __name__ == "__main__":
    main()
