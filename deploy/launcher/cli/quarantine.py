"""`gridwhistle quarantine list|show|release|discard`: decide about messages that could not be handled.

Works on the services' databases. Each decision is kept with the name of who took it and the reason.
"""

from __future__ import annotations

import getpass
import json
from pathlib import Path
from typing import Any

import click
from rich import box
from rich.console import Console
from rich.markup import escape
from rich.table import Table
from sqlalchemy import Row

from deploy.launcher.choosing import application_at_hand, data_dir_option, service_option, settings_at_hand
from shared.contracts.topology import SERVICES
from shared.kernel.clock import rfc3339
from shared.kernel.errors import NotFound
from shared.ledger import decisions, quarantine
from shared.ledger.engines import reading
from shared.runtime.application import Application

#: Entries of one service that are listed.
_LISTED = 200


@click.group("quarantine")
def command() -> None:
    """See and decide about quarantined messages 隔离区."""


@command.command("list")
@service_option
@click.option(
    "--state", type=click.Choice(["held", "released", "discarded"]), default="held", show_default=True,
    help="Those that wait for a decision, or those already decided.",
)  # fmt: skip
@data_dir_option
@click.option("--json", "as_json", is_flag=True, help="Print the entries as JSON.")
def list_entries(*, names: tuple[str, ...], state: str, data_dir: Path | None, as_json: bool) -> int:
    """List quarantined messages, oldest first 列出."""
    rows: list[dict[str, Any]] = []
    for application in _applications(names, data_dir):
        with reading(application.at_hand.engine) as db:
            rows += [_shown(application.name, row) for row in quarantine.listed(db, state=state, limit=_LISTED)]
    if as_json:
        click.echo(json.dumps({"entries": rows}, ensure_ascii=False))
        return 0
    if not rows:
        click.echo("nothing 无")
        return 0
    table = Table(box=box.SIMPLE_HEAD)
    table.add_column("id", no_wrap=True)
    for head in ("service 服务", "reason 原因", "held since 自", "detail 详情"):
        table.add_column(head, overflow="fold")
    for row in rows:
        table.add_row(row["id"], row["service"], row["reason"], row["held_at"], escape(row["detail"][:120]))
    Console().print(table)
    return 0


@command.command("show")
@click.argument("entry_id", metavar="ID")
@data_dir_option
def show(*, entry_id: str, data_dir: Path | None) -> int:
    """Show one message: reason, decision and bytes (JSON); it may hold personal data 查看."""
    application, row = _find(entry_id, (), data_dir)
    text = bytes(row.body).decode("utf-8", "backslashreplace")
    click.echo(json.dumps(_shown(application.name, row) | {"body": text}, ensure_ascii=False, indent=2))
    return 0


@command.command("release")
@click.argument("entry_id", metavar="ID")
@click.option("--reason", default="cause mended", show_default=True, help="Why it can be handled now.")
@data_dir_option
def release(*, entry_id: str, reason: str, data_dir: Path | None) -> int:
    """Handle a message now, after its cause was mended 放行."""
    application, _ = _find(entry_id, (), data_dir)
    outcome = decisions.release(application.reception, entry_id, by=_who(), why=reason)
    click.echo(f"released 已放行: {outcome.value}")
    return 0


@command.command("discard")
@click.argument("entry_id", metavar="ID")
@click.option("--reason", required=True, help="Why it is set aside; kept with your name.")
@data_dir_option
def discard(*, entry_id: str, reason: str, data_dir: Path | None) -> int:
    """Set a message aside for good; its stream goes on 作废."""
    application, _ = _find(entry_id, (), data_dir)
    freed = decisions.discard(application.reception, entry_id, by=_who(), why=reason)
    click.echo(f"discarded 已作废; {freed} later event(s) of its stream applied")
    return 0


def _applications(names: tuple[str, ...], data_dir: Path | None) -> list[Application]:
    settings = settings_at_hand(data_dir)
    return [application_at_hand(name, settings) for name in names or SERVICES]


def _find(entry_id: str, names: tuple[str, ...], data_dir: Path | None) -> tuple[Application, Row[Any]]:
    for application in _applications(names, data_dir):
        with reading(application.at_hand.engine) as db:
            try:
                return application, quarantine.entry(db, entry_id)
            except NotFound:
                continue
    raise NotFound(
        f"No service has a quarantined message {entry_id!r}.", code="unknown-quarantine-entry", where="ID",
        remedy="List them: gridwhistle quarantine list.",
    )  # fmt: skip


def _who() -> str:
    return f"operator:{getpass.getuser()}"


def _shown(service: str, row: Row[Any]) -> dict[str, Any]:
    return {
        "id": row.id, "service": service, "message_id": row.message_id, "reason": row.reason, "detail": row.detail,
        "held_at": rfc3339(row.held_at), "state": row.state, "decided_by": row.decided_by,
        "decided_why": row.decided_why, "decided_at": None if row.decided_at is None else rfc3339(row.decided_at),
    }  # fmt: skip
