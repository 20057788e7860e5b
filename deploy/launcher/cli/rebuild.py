"""`gridwhistle rebuild`: compare a service's read tables with the trace, and mend what differs, while everything runs.

For tables that were lost or damaged, and after a mended projection. `--check` only says what is wrong.
"""

from __future__ import annotations

import json
from pathlib import Path

import click
from rich.console import Console
from sqlalchemy import inspect

from deploy.launcher.choosing import application_at_hand, data_dir_option, settings_at_hand
from deploy.launcher.intervening import advancing, begun, checked_id, json_option
from services.oversight.repository.history import TraceHistory
from shared.contracts.topology import SERVICES
from shared.kernel.errors import Conflict, NotFound
from shared.ledger import interventions
from shared.ledger.engines import open_engine
from shared.ledger.interventions import Job
from shared.ledger.read_model import ReadModel
from shared.ledger.rebuild import Databases, Findings, Rebuild
from shared.runtime.application import Application
from shared.runtime.settings import Settings

_KIND = "rebuild"


class NothingToRebuild(NotFound):
    """The service has no read tables: all it keeps was decided there. Replay, recover or restore instead."""

    code = "no-read-tables"


class TableMissing(Conflict):
    """A read table was dropped. Rebuild without --check: that makes it again."""

    code = "read-table-missing"


@click.command("rebuild")
@click.option("--service", required=True, type=click.Choice(SERVICES), help="Whose read tables.")
@click.option("--matter", metavar="ID", callback=checked_id, help="Only what is about one matter.")
@click.option("--check", is_flag=True, help="Mend nothing; exit 1 when something is wrong.")
@click.option("--resume", is_flag=True, help="Go on where one with the same options was broken off.")
@click.option("--reason", metavar="TEXT", help="Why; kept with your name. Not needed with --check.")
@data_dir_option
@json_option
def command(
    *,
    service: str,
    matter: str | None,
    check: bool,
    resume: bool,
    reason: str | None,
    data_dir: Path | None,
    as_json: bool,
) -> int:
    """Compare a service's read tables with the trace and mend them 重建读表."""
    why = "" if check else interventions.checked_reason(reason or "")
    settings = settings_at_hand(data_dir)
    application = application_at_hand(service, settings)
    model = application.definition.read_model
    if model is None:
        raise NothingToRebuild(
            f"{service} has no read tables: all that it keeps was decided there.", where="--service",
            remedy="Lost events: gridwhistle replay. A lost database: restore it, then gridwhistle recover.",
        )  # fmt: skip
    _tables_there(application, model, check=check)
    console = Console(stderr=True)
    job = None if check else begun(application, _KIND, why, {"matter": matter}, console, resume=resume)
    rebuild = Rebuild(application.at_hand, model, _databases(settings, application), job=job, mend=not check)
    with advancing(console, "核对 comparing", rebuild, quiet=as_json) as tick:
        findings = rebuild.run(tick, matter=matter)
    _tell(findings, job, service, check=check, as_json=as_json)
    return 1 if findings.missing or (check and findings.wrong) else 0


def _databases(settings: Settings, application: Application) -> Databases:
    engines = {name: open_engine(settings.database_for(name)) for name in SERVICES}
    return Databases(history=TraceHistory(), engines=engines | {application.name: application.at_hand.engine})


def _tables_there(application: Application, model: ReadModel, *, check: bool) -> None:
    """Make read tables again that were dropped. Raises TableMissing."""
    engine = application.at_hand.engine
    there = set(inspect(engine).get_table_names())
    dropped = [each.table for each in model.tables if each.table.name not in there]
    if dropped and check:
        names = ", ".join(table.name for table in dropped)
        raise TableMissing(
            f"{application.name} has no table {names}.", where="--check", remedy="Rebuild without --check."
        )
    application.definition.tables.create_all(engine, tables=dropped)


def _tell(findings: Findings, job: Job | None, service: str, *, check: bool, as_json: bool) -> None:
    if as_json:
        detail = findings.as_detail()
        del detail["done"]
        click.echo(json.dumps({"service": service, "intervention": None if job is None else job.id} | detail))
        return
    click.echo(
        f"事项 matters {findings.matters} · 事件 events {findings.events} · 有误 wrong {findings.wrong}"
        + ("" if findings.wrong else " · 与留痕一致 as the trace has it")
    )
    for what, counts in (
        ("待补 to put back" if check else "补回 put back", findings.put_back),
        ("待改 to mend" if check else "改正 mended", findings.mended),
        ("待删 to remove" if check else "删除 removed", findings.removed),
        ("缺失 missing", findings.missing),
    ):
        if counts:
            click.echo(f"  {what}: " + ", ".join(f"{table} {number}" for table, number in sorted(counts.items())))
    if findings.missing:
        click.echo("  rows that commands made cannot come from events: restore the database 须从备份恢复")
