"""`gridwhistle import-demands FILE`: a CSV file of another system into a running suite, row by row answerable.

Rows go to intake in batches; a row that cannot be taken is reported with its line, the others are imported, exit 1.
Every row carries its id in the other system, so running the command again adds nothing.
"""

from __future__ import annotations

import json
import re
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from itertools import islice
from pathlib import Path
from typing import Any

import click
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

from deploy.launcher.choosing import data_dir_option
from deploy.launcher.client import Answered, SuiteClient, whom_to_ask
from deploy.launcher.csv_rows import DEFAULT_MAPPING, Reader, Row, read_mapping, with_overrides

#: Seconds to wait for an address that has never answered.
_FIRST_PATIENCE_S = 10
#: How intake names a row that made it refuse the request as a whole.
_ROW = re.compile(r"rows\[(\d+)\]")
#: Rows per request.
_BATCH = 50
#: Faulty rows printed in full; the rest are counted (all of them are in --json).
_SHOWN = 20


@click.command("import-demands")
@click.argument("file", type=click.Path(exists=True, dir_okay=False, path_type=Path))
@click.option("--limit", type=click.IntRange(min=1), help="Stop after that many rows.")
@click.option("--source", help="Name of the outside system; the file's name without ending when left out.")
@click.option(
    "--mapping",
    "mapping_file",
    type=click.Path(exists=True, dir_okay=False, path_type=Path),
    default=DEFAULT_MAPPING,
    help="Which columns give which fields (YAML, see docs/importing.md).",
)
@click.option(
    "--map",
    "pairs",
    multiple=True,
    metavar="FIELD=COLUMN",
    help="One field of the mapping, for example text=body or 'text={title}。{body}'. Repeatable.",
)
@click.option("--encoding", default="utf-8-sig", help="The file's encoding, for example gb18030.")
@click.option("--timezone", default="Asia/Shanghai", help="Zone of times without an offset.")
@click.option("--channel", default="csv", help="Channel noted for every row that names none.")
@click.option("--url", help="Address of intake; the installation's when left out.")
@click.option(
    "--token", envvar="GRIDWHISTLE_TOKEN", help="Bearer token; made from the installation's secret when left out."
)
@data_dir_option
@click.option("--json", "as_json", is_flag=True, help="Print the result as JSON.")
def command(  # noqa: PLR0913 -- one parameter per option
    *,
    file: Path,
    limit: int | None,
    source: str | None,
    mapping_file: Path,
    pairs: tuple[str, ...],
    encoding: str,
    timezone: str,
    channel: str,
    url: str | None,
    token: str | None,
    data_dir: Path | None,
    as_json: bool,
) -> int:
    """Import demands from a CSV file into a running suite 批量导入诉求."""
    mapping = with_overrides(read_mapping(mapping_file), pairs)
    reader = Reader(path=file, mapping=mapping, encoding=encoding, timezone=timezone)
    console = Console(stderr=True)
    address, bearer = whom_to_ask("intake", url, token, data_dir)
    client = SuiteClient(
        {"intake": address}, bearer, first_patience=_FIRST_PATIENCE_S,
        say=lambda words: console.print(words, markup=False, highlight=False),
    )  # fmt: skip
    account = _Account()
    began = time.monotonic()
    finished = False
    try:
        with _progress(console, disable=as_json) as progress:
            task = progress.add_task("rows", total=limit)
            for batch in _batches(islice(reader.rows(), limit)):
                _send(client, source or file.stem, channel, batch, account)
                progress.update(task, completed=account.totals["rows"])
        finished = True
    finally:
        seconds = time.monotonic() - began
        if as_json and finished:
            faults = account.refused
            click.echo(
                json.dumps(account.totals | {"seconds": round(seconds, 3), "faults": faults}, ensure_ascii=False)
            )
        elif not as_json:
            _print(Console(), account, seconds)
            if not finished:
                console.print("未完成；再次运行即可接着导入 Not finished; run it again, it goes on.", highlight=False)
    return 1 if account.refused else 0


@dataclass(kw_only=True)
class _Account:
    """What became of the rows so far."""

    totals: dict[str, int] = field(
        default_factory=lambda: {"rows": 0, "registered": 0, "known": 0, "refused": 0, "joined": 0}
    )
    refused: list[dict[str, Any]] = field(default_factory=list)

    def refuse(self, line: int, faults: dict[str, list[str]]) -> None:
        """Note a row that could not be taken."""
        self.totals["refused"] += 1
        self.refused.append({"line": line, "faults": faults})


def _progress(console: Console, *, disable: bool) -> Progress:
    columns = (TextColumn("导入 importing"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn())
    return Progress(*columns, console=console, disable=disable)


def _batches(rows: Iterator[Row]) -> Iterator[list[Row]]:
    while batch := list(islice(rows, _BATCH)):
        yield batch


def _send(client: SuiteClient, source: str, channel: str, batch: list[Row], account: _Account) -> None:
    faulty = {row.line: row.faults for row in batch if row.faults}
    usable = [row for row in batch if not row.faults]
    while usable:
        rows = [{"channel": channel} | row.content for row in usable]
        try:
            answer = client.post("intake", "/api/v1/demands/import", {"source": source, "rows": rows})
        except Answered as refusal:
            # Rows that the request as a whole was refused for are named by their place in it; the others go again.
            named = _rows_named(refusal)
            if not named:
                raise
            faulty |= {usable[place].line: {"": faults} for place, faults in named.items()}
            usable = [row for place, row in enumerate(usable) if place not in named]
            continue
        for row, result in zip(usable, answer["rows"], strict=True):
            if result["result"] == "refused":
                faulty[row.line] = result["errors"] or {"": [result["detail"]]}
            else:
                account.totals[result["result"]] += 1
                account.totals["joined"] += bool(result["joined"]) and result["result"] == "registered"
        break
    account.totals["rows"] += len(batch)
    for line in sorted(faulty):
        account.refuse(line, faulty[line])


def _rows_named(refusal: Answered) -> dict[int, list[str]]:
    named: dict[int, list[str]] = {}
    for path, faults in (refusal.problem.get("errors") or {}).items():
        found = _ROW.match(path)
        if found is not None:
            named.setdefault(int(found[1]), []).extend(str(fault) for fault in faults)
    return named


def _print(console: Console, account: _Account, seconds: float) -> None:
    totals, refused = account.totals, account.refused
    for entry in refused[:_SHOWN]:
        for name, faults in entry["faults"].items():
            place = f"第 {entry['line']} 行 line {entry['line']}" + (f", {name}" if name else "")
            console.print(f"  {place}: {' '.join(faults)}", markup=False, highlight=False)
    if len(refused) > _SHOWN:
        console.print(f"  … 另有 and {len(refused) - _SHOWN} more (--json)")
    rate = totals["rows"] / seconds if seconds else 0.0
    console.print(
        f"读取 read {totals['rows']} · 登记 registered {totals['registered']} (并案 joined {totals['joined']}) · "
        f"已有 known {totals['known']} · 拒绝 refused {totals['refused']} · {seconds:.1f} s · {rate:.0f}/s",
        highlight=False,
    )
