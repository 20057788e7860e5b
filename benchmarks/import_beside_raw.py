"""Demands a second through the bulk import into full mode, beside the same machine's raw figures, in one run.

Starts private servers, measures pgbench and pipelined publishing (before and after; the mean counts), starts
`gridwhistle up` on them, sends made-up demands through `gridwhistle import-demands`, and waits until every event has
been handled everywhere and every letter is written. Prints rates, ratios, and the memory of each process. `make bench`
runs it; `--json` for programs.
"""

from __future__ import annotations

import csv
import json
import random
import subprocess
import sys
import tempfile
import time
from collections.abc import Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import click

from benchmarks import installation
from deploy.launcher.client import SuiteClient, addresses_of
from deploy.launcher.installation import PACKS
from deploy.servers import PrivatePostgreSQL, PrivateRabbitMQ
from shared import jurisdiction
from shared.contracts.topology import SERVICES
from shared.kernel.clock import parse_instant
from shared.runtime.operations import not_at_rest
from shared.runtime.settings import Settings

#: What makes up the demands; every third of them is about something that needs another class.
WORDS = (
    "楼道的灯不亮，老人晚上上下楼不方便",
    "下水道堵了，污水往外冒",
    "快递车占了消防通道，请协调挪走",
    "电梯经常停，物业没人管",
    "小区停车难，晚上回来没有车位",
    "树枝挡住了窗户，请安排修剪",
    "楼下餐馆油烟直接排到院里",
    "大件垃圾堆在单元门口没人清运",
)
#: Seconds until the suite must be at rest after the import.
REST_S = 600


@click.command()
@click.option("--demands", default=2_000, show_default=True, help="How many demands to import.")
@click.option("--file", type=click.Path(exists=True, dir_okay=False, path_type=Path), help="A CSV file instead.")
@click.option("--json", "as_json", is_flag=True, help="Print the figures as JSON.")
def main(*, demands: int, file: Path | None, as_json: bool) -> None:
    """Measure, and print a table."""
    with tempfile.TemporaryDirectory(prefix="gridwhistle-bench-", ignore_cleanup_errors=True) as name:
        folder = Path(name)
        folder.chmod(0o755)
        with (
            PrivateRabbitMQ(folder / "rabbitmq") as broker,
            PrivatePostgreSQL(folder / "postgresql") as database,
        ):
            before = installation.yardsticks(broker, database)
            found: dict[str, Any] = {}
            settings = installation.settings_for(folder, broker, database)
            source = file or _made_up(folder / "demands.csv", demands)
            with installation.suite(settings, folder) as client:
                found["memory_idle_mb"] = installation.memory(settings)
                found |= _import(source, demands, settings, client)
                found["memory_mb"] = installation.memory(settings)
            after = installation.yardsticks(broker, database)
    found |= {name: (before[name] + after[name]) / 2 for name in before} | {"raw_before": before, "raw_after": after}
    found["import_of_pgbench"] = found["import_s"] / found["pgbench_tx_s"]
    found["through_of_pgbench"] = found["through_s"] / found["pgbench_tx_s"]
    found["events_of_publishing"] = found["events_s"] / found["publishing_msg_s"]
    if as_json:
        click.echo(json.dumps(found, ensure_ascii=False))
    else:
        _print(found)


def _made_up(path: Path, count: int) -> Path:
    """A CSV file of demands in Jianwai's grids, no two alike."""
    grids = [unit.id for unit in jurisdiction.load(PACKS / "jianwai").units.values() if unit.level == "grid"]
    choice = random.Random(1)
    with path.open("w", encoding="utf-8", newline="") as file:
        rows = csv.writer(file)
        rows.writerow(["id", "content", "grid", "asker_name", "asker_phone"])
        for number in range(count):
            place = f"{choice.randrange(1, 40)}号楼{choice.randrange(1, 7)}单元"
            words = f"{place}{choice.choice(WORDS)}。第{number}次反映。"
            rows.writerow([number, words, choice.choice(grids), "测试人", "13800000000"])
    return path


def _import(source: Path, limit: int, settings: Settings, client: SuiteClient) -> dict[str, Any]:
    command = [sys.executable, "-m", "benchmarks", "import-demands", str(source), "--json", "--limit", str(limit)]
    command += ["--url", addresses_of(settings)["intake"], "--source", "bench"]
    began = time.perf_counter()
    done = subprocess.run(
        command, env=installation.environment(settings), cwd=installation.PROJECT, capture_output=True, text=True,
        check=False,
    )  # fmt: skip
    result = json.loads(done.stdout) if done.stdout else {"rows": 0}
    if not result["rows"]:
        raise SystemExit(done.stderr)
    while _busy(answers := _operations(client)):
        if time.perf_counter() - began > REST_S:
            raise SystemExit(f"not at rest after {REST_S} s: {_busy(answers)}")
        time.sleep(0.05)  # noqa: TID251 -- waiting for other processes
    seconds = time.perf_counter() - began
    events = sum(sum(answer["emitted"].values()) for answer in answers.values())
    return {
        "demands": result["registered"],
        "refused": result["refused"],
        "import_s": result["rows"] / result["seconds"],
        "through_s": result["rows"] / seconds,
        "through_seconds": seconds,
        "events": events,
        "events_s": events / seconds,
    }


def _busy(answers: Mapping[str, Mapping[str, Any]]) -> list[str]:
    """Why the suite is not at rest: events on their way, or work that is due now."""
    now = datetime.now(UTC)
    due = [name for name, answer in answers.items() if answer["next_due"] and parse_instant(answer["next_due"]) <= now]
    return not_at_rest(answers) + [f"{name}: work is due" for name in due]


def _operations(client: SuiteClient) -> Mapping[str, Mapping[str, Any]]:
    return {name: client.get(name, "/api/v1/operations") for name in SERVICES}


def _print(found: Mapping[str, Any]) -> None:
    print(
        f"{found['demands']} demands imported, {found['events']} events, at rest after {found['through_seconds']:.1f} s"
    )
    if found["refused"]:
        print(f"{found['refused']} rows refused")
    spread = ", ".join(
        f"{name.split('_')[0]} {value:,.0f} and {found['raw_after'][name]:,.0f}"
        for name, value in found["raw_before"].items()
    )
    print(f"raw before and after: {spread}; far apart means that the machine was busy with something else")
    print("\n| what | a second | beside raw |")
    print("|---|---|---|")
    print(f"| pgbench, two one-row inserts, 8 clients | {found['pgbench_tx_s']:,.0f} | 1 |")
    print(f"| raw pipelined publishing, one quorum queue | {found['publishing_msg_s']:,.0f} | 1 |")
    accepted = f"1/{1 / found['import_of_pgbench']:.0f} of pgbench"
    print(f"| demands accepted by the import | {found['import_s']:,.0f} | {accepted} |")
    through = f"1/{1 / found['through_of_pgbench']:.0f} of pgbench"
    print(f"| demands through everything, till rest | {found['through_s']:,.1f} | {through} |")
    events = f"1/{1 / found['events_of_publishing']:.0f} of publishing"
    print(f"| events told and handled everywhere | {found['events_s']:,.0f} | {events} |")
    print("\n| process | idle, MB | after the import, MB |")
    print("|---|---|---|")
    for name, memory in found["memory_mb"].items():
        print(f"| {name} | {found['memory_idle_mb'].get(name, 0):.0f} | {memory:.0f} |")
