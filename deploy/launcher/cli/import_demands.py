"""`gridwhistle import-demands FILE`: a CSV file of another system into a running suite, row by row answerable.

Rows go to intake in batches; a row that cannot be taken is reported with its line, the others are imported, exit 1.
Every row carries its id in the other system, so running the command again adds nothing.
"""

from __future__ import annotations

import json
import os
import time
from collections.abc import Iterator
from itertools import islice
from pathlib import Path
from typing import Any

import click
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

from deploy.launcher.client import SuiteClient, operator_token, secret_at_hand
from deploy.launcher.csv_rows import DEFAULT_MAPPING, Reader, Row, read_mapping, with_overrides

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
@click.option(
    "--url",
    default="http://127.0.0.1:8701",
    envvar="GRIDWHISTLE_INTAKE_URL",
    show_default=True,
    help="Address of intake.",
)
@click.option(
    "--token", envvar="GRIDWHISTLE_TOKEN", help="Bearer token; made from the installation's secret when left out."
)
@click.option(
    "--data-dir",
    type=click.Path(path_type=Path),
    default=Path("var/suite"),
    help="Folder of a trial installation, for its secret.",
)
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
    url: str,
    token: str | None,
    data_dir: Path,
    as_json: bool,
) -> int:
    """Import demands from a CSV file into a running suite 批量导入诉求."""
    mapping = with_overrides(read_mapping(mapping_file), pairs)
    reader = Reader(path=file, mapping=mapping, encoding=encoding, timezone=timezone)
    bearer = token or operator_token(secret_at_hand(os.environ, data_dir))
    client = SuiteClient({"intake": url.rstrip("/")}, bearer)
    console = Console(stderr=True)
    totals = {"rows": 0, "registered": 0, "known": 0, "refused": 0, "joined": 0}
    refused: list[dict[str, Any]] = []
    began = time.monotonic()
    with _progress(console, disable=as_json) as progress:
        task = progress.add_task("rows", total=limit)
        for batch in _batches(islice(reader.rows(), limit)):
            _send(client, source or file.stem, channel, batch, totals, refused)
            progress.update(task, completed=totals["rows"])
    seconds = time.monotonic() - began
    if as_json:
        click.echo(json.dumps(totals | {"seconds": round(seconds, 3), "faults": refused}, ensure_ascii=False))
    else:
        _print(Console(), totals, refused, seconds)
    return 1 if refused else 0


def _progress(console: Console, *, disable: bool) -> Progress:
    columns = (TextColumn("导入 importing"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn())
    return Progress(*columns, console=console, disable=disable)


def _batches(rows: Iterator[Row]) -> Iterator[list[Row]]:
    while batch := list(islice(rows, _BATCH)):
        yield batch


def _send(
    client: SuiteClient,
    source: str,
    channel: str,
    batch: list[Row],
    totals: dict[str, int],
    refused: list[dict[str, Any]],
) -> None:
    totals["rows"] += len(batch)
    usable = [row for row in batch if not row.faults]
    faulty = {row.line: row.faults for row in batch if row.faults}
    if usable:
        rows = [{"channel": channel} | row.content for row in usable]
        answer = client.post("intake", "/api/v1/demands/import", {"source": source, "rows": rows})
        for row, result in zip(usable, answer["rows"], strict=True):
            if result["result"] == "refused":
                faulty[row.line] = result["errors"] or {"": [result["detail"]]}
            else:
                totals[result["result"]] += 1
                totals["joined"] += bool(result["joined"]) and result["result"] == "registered"
    totals["refused"] += len(faulty)
    refused += [{"line": line, "faults": faulty[line]} for line in sorted(faulty)]


def _print(console: Console, totals: dict[str, int], refused: list[dict[str, Any]], seconds: float) -> None:
    for entry in refused[:_SHOWN]:
        for field, faults in entry["faults"].items():
            place = f"第 {entry['line']} 行 line {entry['line']}" + (f", {field}" if field else "")
            console.print(f"  {place}: {' '.join(faults)}", markup=False, highlight=False)
    if len(refused) > _SHOWN:
        console.print(f"  … 另有 and {len(refused) - _SHOWN} more (--json)")
    rate = totals["rows"] / seconds if seconds else 0.0
    console.print(
        f"读取 read {totals['rows']} · 登记 registered {totals['registered']} (并案 joined {totals['joined']}) · "
        f"已有 known {totals['known']} · 拒绝 refused {totals['refused']} · {seconds:.1f} s · {rate:.0f}/s",
        highlight=False,
    )
