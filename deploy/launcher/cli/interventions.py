"""`gridwhistle interventions`: what operators did to the flow of events by hand, who and why. Changes nothing."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import click
from rich import box
from rich.console import Console
from rich.markup import escape
from rich.table import Table

from deploy.launcher.choosing import application_at_hand, data_dir_option, service_option, settings_at_hand
from deploy.launcher.intervening import json_option
from shared.contracts.topology import SERVICES
from shared.kernel.clock import rfc3339
from shared.ledger import interventions
from shared.ledger.engines import reading

#: Rows of one service that are listed unless told otherwise.
_LISTED = 50


@click.command("interventions")
@service_option
@click.option(
    "--limit", type=click.IntRange(1, 1_000), default=_LISTED, show_default=True, help="Rows of each service."
)
@data_dir_option
@json_option
def command(*, names: tuple[str, ...], limit: int, data_dir: Path | None, as_json: bool) -> int:
    """List releases, discards, replays, rebuilds and recoveries, newest first 人工干预记录."""
    settings = settings_at_hand(data_dir)
    rows: list[dict[str, Any]] = []
    for name in names or SERVICES:
        with reading(application_at_hand(name, settings).at_hand.engine) as db:
            rows += [
                {
                    "id": row.id, "service": name, "kind": row.kind, "by": row.by, "why": row.why,
                    "at": rfc3339(row.at), "detail": row.detail,
                }
                for row in interventions.listed(db, limit=limit)
            ]  # fmt: skip
    rows.sort(key=lambda row: row["at"], reverse=True)
    if as_json:
        click.echo(json.dumps({"interventions": rows}, ensure_ascii=False))
        return 0
    if not rows:
        click.echo("nothing 无")
        return 0
    table = Table(box=box.SIMPLE_HEAD)
    for head in ("at 时间", "service 服务", "kind 类别", "by 何人", "why 缘由", "state 状态"):
        table.add_column(head, overflow="fold")
    for row in rows:
        state = str(row["detail"].get("state", row["detail"].get("outcome", "")))
        table.add_row(row["at"], row["service"], row["kind"], escape(row["by"]), escape(row["why"]), escape(state))
    Console().print(table)
    return 0
