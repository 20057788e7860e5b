"""`gridwhistle purge`: takes away at once what the services would take away bit by bit; `--dry-run` only counts.

Works on the services' databases, while they run or not. What is kept for how long is said by the settings.
"""

from __future__ import annotations

import json
from pathlib import Path

import click

from deploy.launcher.choosing import application_at_hand, data_dir_option, settings_at_hand
from shared.contracts.topology import SERVICES
from shared.ledger import retention
from shared.ledger.engines import reading, writing
from shared.ledger.retention import PURGES, Retention
from shared.runtime.application import Application


@click.command("purge")
@click.option("--service", "names", type=click.Choice(SERVICES), multiple=True, help="Only this service. Repeatable.")
@click.option("--dry-run", is_flag=True, help="Change nothing; count what may go.")
@data_dir_option
@click.option("--json", "as_json", is_flag=True, help="Print the result as JSON.")
def command(*, names: tuple[str, ...], dry_run: bool, data_dir: Path | None, as_json: bool) -> int:
    """Take away what is older than it has to be kept 清理过期记录."""
    settings = settings_at_hand(data_dir)
    kept = settings.retention()
    result: dict[str, dict[str, int]] = {}
    for name in names or SERVICES:
        application = application_at_hand(name, settings)
        try:
            result[name] = _counted(application, kept) if dry_run else _purged(application, kept)
        finally:
            application.at_hand.engine.dispose()
        if not as_json:
            rows = ", ".join(f"{table} {count}" for table, count in result[name].items() if count)
            what = "may go 可清理" if dry_run else "purged 已清理"
            click.echo(f"{name}: {what} {rows}" if rows else f"{name}: nothing is old enough 无过期记录")
    if as_json:
        click.echo(json.dumps({"purgeable" if dry_run else "purged": result}))
    return 0


def _counted(application: Application, kept: Retention) -> dict[str, int]:
    cutoffs = retention.cutoffs(kept, application.at_hand.clock.now())
    with reading(application.at_hand.engine) as db:
        return {table: retention.purgeable(db, table, before) for table, before in cutoffs.items()}


def _purged(application: Application, kept: Retention) -> dict[str, int]:
    counts = {}
    for table, before in retention.cutoffs(kept, application.at_hand.clock.now()).items():
        counts[table], after = 0, 0
        while True:
            # In the same small transactions as the service's own, which may be at it at the same time.
            with writing(application.at_hand.engine) as db:
                done = PURGES[table](db, before, after)
                db.commit()
            counts[table] += done.purged
            if done.next is None:
                break
            after = done.next
    return counts
