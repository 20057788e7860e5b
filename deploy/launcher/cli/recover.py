"""`gridwhistle recover`: after one service's database was restored to an earlier moment, make the suite whole again.

Never to be run beside the service's own processes: it refuses while the service's relay works. docs/backup.md.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import click
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

from deploy.launcher import recovering
from deploy.launcher.choosing import application_at_hand, data_dir_option, settings_at_hand
from deploy.launcher.intervening import instant_of, json_option, reason_option, who
from deploy.launcher.recovering import Account, Found
from shared.contracts import registry
from shared.contracts.topology import SERVICES
from shared.kernel.clock import rfc3339
from shared.ledger import interventions

#: Transactions and streams that are listed; --json has all.
_LISTED = 20


@click.command("recover")
@click.option("--service", required=True, type=click.Choice(SERVICES), help="Whose database was restored.")
@click.option("--since", required=True, metavar="INSTANT", help="The moment it was restored to; earlier does no harm.")
@click.option("--until", metavar="INSTANT", help="When the service stopped; else, when it told its last event.")
@click.option("--dry-run", is_flag=True, help="Change nothing; say what was lost.")
@reason_option
@data_dir_option
@json_option
def command(
    *,
    service: str,
    since: str,
    until: str | None,
    dry_run: bool,
    reason: str,
    data_dir: Path | None,
    as_json: bool,
) -> int:
    """Do again what a restored service had done since 恢复后补齐; exit 1 when something needs a person."""
    why = interventions.checked_reason(reason)
    settings = settings_at_hand(data_dir)
    application = application_at_hand(service, settings)
    start = instant_of(since, "--since", application)
    end = None if until is None else instant_of(until, "--until", application)
    recovering.check_standing(application, settings)
    found = recovering.find(application, settings, start)
    if dry_run:
        _say_lost(found, as_json=as_json)
        return 0
    scope = {"since": rfc3339(start), "until": None if end is None else rfc3339(end)}
    job = interventions.begin(application.at_hand, "recover", by=who(), why=why, scope=scope)
    with _advancing(found, quiet=as_json) as progress:
        account = recovering.run(application, settings, found, since=start, until=end, job=job, progress=progress)
    _tell(account, job.id, as_json=as_json)
    return 1 if account.left or account.gone else 0


@contextmanager
def _advancing(found: Found, *, quiet: bool) -> Iterator[Callable[[], None]]:
    columns = (TextColumn("补齐 recovering"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn())
    with Progress(*columns, console=Console(stderr=True), disable=quiet) as progress:
        task = progress.add_task("recovering", total=len(found.lost) + len(found.heard))
        yield lambda: progress.advance(task)


def _say_lost(found: Found, *, as_json: bool) -> None:
    events = sum(len(lost.events) for lost in found.lost)
    if as_json:
        click.echo(json.dumps({"transactions": len(found.lost), "events": events, "heard": len(found.heard)}))
        return
    click.echo(
        f"lost 丢失: {len(found.lost)} transaction(s) 笔, {events} event(s) 个事件; heard 收到: {len(found.heard)}"
    )
    for lost in found.lost[:_LISTED]:
        click.echo(f"  {rfc3339(lost.at)} {registry.label_of(lost.first.type)} {lost.first.subject}")
    if len(found.lost) > _LISTED:
        click.echo(f"  … {len(found.lost) - _LISTED} more 更多")


def _tell(account: Account, intervention: str, *, as_json: bool) -> None:
    if as_json:
        click.echo(json.dumps({"intervention": intervention} | account.as_detail(), ensure_ascii=False))
        return
    received = ", ".join(f"{name} {count}" for name, count in sorted(account.received.items())) or "none 无"
    click.echo(f"done again 已补齐: {account.transactions} transaction(s) 笔, {account.events} event(s) 个事件")
    click.echo(f"messages handed over 重新接收: {received}")
    if account.left:
        click.echo(f"to be done by hand 需人工处理: {len(account.left)}", err=True)
        for what, about, at, why in account.left[:_LISTED]:
            click.echo(f"  {rfc3339(at)} {what} {about}: {why}", err=True)
    if account.gone:
        total = sum(account.gone.values())
        click.echo(f"told, seen by others, and kept by nobody 已无据可补: {total} event(s) 个事件", err=True)
        for stream, count in list(account.gone.items())[:_LISTED]:
            click.echo(f"  {stream}: {count}", err=True)
    if account.left or account.gone:
        click.echo(f"all of it 全部: gridwhistle recover --json, or intervention {intervention}", err=True)
