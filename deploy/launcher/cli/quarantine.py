"""`gridwhistle quarantine list|show|release|discard`: decide about messages that could not be handled.

Works on the services' databases, while they run or not. Each decision is kept with the name of who took it and the
reason, beside the message and among the interventions.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import click
from rich import box
from rich.console import Console
from rich.markup import escape
from rich.table import Table
from sqlalchemy import Row

from deploy.launcher.choosing import application_at_hand, data_dir_option, service_option, settings_at_hand
from deploy.launcher.intervening import checked_id, json_option, reason_option, who
from shared.contracts.topology import SERVICES
from shared.kernel.clock import rfc3339
from shared.kernel.errors import NotFound
from shared.ledger import decisions, quarantine
from shared.ledger.engines import reading
from shared.ledger.quarantine import Waiting
from shared.ledger.reception import Outcome
from shared.runtime.application import Application

#: Entries of one service that are listed.
_LISTED = 200

_entry_argument = click.argument("entry_id", metavar="ID", callback=checked_id)


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
@json_option
def list_entries(*, names: tuple[str, ...], state: str, data_dir: Path | None, as_json: bool) -> int:
    """List quarantined messages, oldest first, and what waits behind each 列出."""
    rows: list[dict[str, Any]] = []
    more = 0
    for application in _applications(names, data_dir):
        with reading(application.at_hand.engine) as db:
            entries = quarantine.listed(db, state=state, limit=_LISTED)
            behind = quarantine.waiting_behind(db, entries) if state == "held" else {}
            rows += [_shown(application.name, row, behind.get(row.id)) for row in entries]
            if state == "held":
                more += quarantine.held_count(db) - len(entries)
    if as_json:
        click.echo(json.dumps({"entries": rows, "more": more}, ensure_ascii=False))
        return 0
    if not rows:
        click.echo("nothing 无")
        return 0
    table = Table(box=box.SIMPLE_HEAD)
    table.add_column("id", no_wrap=True)
    for head in ("service 服务", "reason 原因", "held since 自", "waiting behind 其后等待", "detail 详情"):
        table.add_column(head, overflow="fold")
    for row in rows:
        waiting = "" if not row["waiting"] else f"{row['waiting']} since 自 {row['waiting_since']}"
        table.add_row(row["id"], row["service"], row["reason"], row["held_at"], waiting, escape(row["detail"][:120]))
    Console().print(table)
    if more:
        click.echo(f"… 另有 and {more} more; decide about these first")
    return 0


@command.command("show")
@_entry_argument
@service_option
@data_dir_option
@click.option("--json", "as_json", is_flag=True, help="As always: this command prints JSON.")
def show(*, entry_id: str, names: tuple[str, ...], data_dir: Path | None, as_json: bool) -> int:
    """Show one message: reason, decision and bytes (JSON); it may hold personal data 查看."""
    del as_json
    application, row = _find(entry_id, names, data_dir)
    with reading(application.at_hand.engine) as db:
        behind = quarantine.waiting_behind(db, [row]).get(row.id)
    text = bytes(row.body).decode("utf-8", "backslashreplace")
    click.echo(json.dumps(_shown(application.name, row, behind) | {"body": text}, ensure_ascii=False, indent=2))
    return 0


@command.command("release")
@_entry_argument
@reason_option
@service_option
@data_dir_option
@json_option
def release(*, entry_id: str, reason: str, names: tuple[str, ...], data_dir: Path | None, as_json: bool) -> int:
    """Handle a message now, after its cause was mended 放行."""
    application, _ = _find(entry_id, names, data_dir)
    outcome = decisions.release(application.reception, entry_id, by=who(), why=reason, letters=application.letters)
    if as_json:
        click.echo(json.dumps({"id": entry_id, "service": application.name, "outcome": outcome.value}))
        return 0
    click.echo(f"released 已放行: {outcome.value}")
    if outcome is Outcome.PARKED:
        click.echo("  an earlier event of its stream is missing; it is handled after that one 等待同一事项的前一事件")
    return 0


@command.command("discard")
@_entry_argument
@reason_option
@service_option
@data_dir_option
@json_option
def discard(*, entry_id: str, reason: str, names: tuple[str, ...], data_dir: Path | None, as_json: bool) -> int:
    """Set a message aside for good; its stream goes on 作废."""
    application, _ = _find(entry_id, names, data_dir)
    freed = decisions.discard(application.reception, entry_id, by=who(), why=reason)
    if as_json:
        click.echo(json.dumps({"id": entry_id, "service": application.name, "freed": freed}))
        return 0
    click.echo(f"discarded 已作废; {freed} later event(s) of its stream applied")
    return 0


def _applications(names: tuple[str, ...], data_dir: Path | None) -> Iterator[Application]:
    settings = settings_at_hand(data_dir)
    return (application_at_hand(name, settings) for name in names or SERVICES)


def _find(entry_id: str, names: tuple[str, ...], data_dir: Path | None) -> tuple[Application, Row[Any]]:
    for application in _applications(names, data_dir):
        with reading(application.at_hand.engine) as db:
            try:
                return application, quarantine.entry(db, entry_id)
            except NotFound:
                continue
    whose = " or ".join(names) if names else "No service"
    raise NotFound(
        f"{whose} has {'no' if names else 'a'} quarantined message {entry_id!r}.", code="unknown-quarantine-entry",
        where="ID", remedy="List them: gridwhistle quarantine list.",
    )  # fmt: skip


def _shown(service: str, row: Row[Any], behind: Waiting | None) -> dict[str, Any]:
    return {
        "id": row.id, "service": service, "message_id": row.message_id, "reason": row.reason, "detail": row.detail,
        "held_at": rfc3339(row.held_at), "state": row.state, "decided_by": row.decided_by,
        "decided_why": row.decided_why, "decided_at": None if row.decided_at is None else rfc3339(row.decided_at),
        "stream": None if behind is None else behind.stream, "waiting": 0 if behind is None else behind.events,
        "waiting_since": None if behind is None or behind.since is None else rfc3339(behind.since),
    }  # fmt: skip
