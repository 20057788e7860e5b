"""`gridwhistle replay`: hand events that a service hears to it again; what it lost is handled, the rest is known.

For a service whose database was restored to an earlier moment, or that was discarded or starved of messages. Safe on a
running suite. Only that service hears the events, so no other acts twice.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from datetime import datetime
from pathlib import Path

import click
from rich.console import Console

from deploy.launcher.choosing import application_at_hand, data_dir_option, settings_at_hand
from deploy.launcher.intervening import advancing, begun, checked_id, instant_of, json_option
from deploy.launcher.recovering import check_not_set_back, engine_of
from services.oversight.repository.history import Trace
from shared.contracts.topology import SERVICES, subscriptions_of
from shared.kernel.clock import rfc3339
from shared.kernel.errors import Invalid
from shared.ledger import interventions, parking
from shared.ledger.engines import open_engine, reading
from shared.ledger.interventions import Job
from shared.ledger.replay import Account, Outbox, Replay, Source
from shared.runtime.settings import Settings

_KIND = "replay"
#: What became of an event -> as people read it.
_WORDS = {
    "handled": "已处理 handled", "ignored": "无需处理 not concerned", "refused": "按规则拒绝 refused",
    "duplicate": "早已处理 known already", "parked": "待前序 parked", "quarantined": "隔离 quarantined",
    "lost": "尚未处理 not handled yet", "purged": "已清理 purged meanwhile",
}  # fmt: skip


@click.command("replay")
@click.option("--service", required=True, type=click.Choice(SERVICES), help="Who hears the events again.")
@click.option("--since", metavar="INSTANT", help="Those that left the sources' outboxes from then on (kept 35 days).")
@click.option("--from-trace", is_flag=True, help="All that are in the trace.")
@click.option("--matter", metavar="ID", callback=checked_id, help="Only those about one matter.")
@click.option("--dry-run", is_flag=True, help="Hand nothing over; count what would be.")
@click.option("--resume", is_flag=True, help="Go on where one with the same options was broken off.")
@click.option("--reason", metavar="TEXT", help="Why; kept with your name. Not needed for a dry run.")
@data_dir_option
@json_option
def command(  # noqa: PLR0913 -- one parameter per option
    *,
    service: str,
    since: str | None,
    from_trace: bool,
    matter: str | None,
    dry_run: bool,
    resume: bool,
    reason: str | None,
    data_dir: Path | None,
    as_json: bool,
) -> int:
    """Hand events to a service again 重放事件; exit 1 when some could not be handled."""
    _check(service, since, from_trace=from_trace)
    why = "" if dry_run else interventions.checked_reason(reason or "")
    settings = settings_at_hand(data_dir)
    application = application_at_hand(service, settings)
    if not dry_run:
        with engine_of(settings, "oversight") as oversight:
            check_not_set_back(application, oversight)
    instant = None if since is None else instant_of(since, "--since", application)
    scope = {
        "from": "trace" if instant is None else "outboxes", "since": None if instant is None else rfc3339(instant),
        "matter": matter,
    }  # fmt: skip
    console = Console(stderr=True)
    job = None if dry_run else begun(application, _KIND, why, scope, console, resume=resume)
    sources = _sources(service, settings, instant, matter)
    _warn(sources, console)
    replay = Replay(application.at_hand, sources, application.receive_many, job=job)
    with advancing(console, "重放 replaying", replay, quiet=as_json) as tick:
        account = replay.run(tick)
    with reading(application.at_hand.engine) as db:
        parked, _ = parking.backlog(db)
    _tell(account, parked, job, service, as_json=as_json)
    return 1 if account.counts["quarantined"] else 0


def _check(service: str, since: str | None, *, from_trace: bool) -> None:
    if from_trace == (since is not None):
        message = "say from where: either --since INSTANT or --from-trace"
        raise click.UsageError(message)
    if from_trace and service == "oversight":
        fault = "The trace is oversight's own: what is in it, oversight has heard."
        raise Invalid(
            fault, fields={"--from-trace": [fault]},
            remedy="Refill the trace with --since; make the read tables anew with gridwhistle rebuild.",
        )  # fmt: skip


def _sources(service: str, settings: Settings, since: datetime | None, matter: str | None) -> Sequence[Source]:
    if since is None:
        return [Trace(engine=open_engine(settings.database_for("oversight")), consumer=service, matter=matter)]
    return [
        Outbox(engine=open_engine(settings.database_for(each.source)), subscription=each, since=since, matter=matter)
        for each in subscriptions_of(service)
    ]


def _warn(sources: Sequence[Source], console: Console) -> None:
    """Say where an outbox was purged of what is asked for."""
    for source in sources:
        begins = source.begins() if isinstance(source, Outbox) else None
        if isinstance(source, Outbox) and begins is not None and begins > source.since:
            console.print(
                f"(the outbox of {source.name} goes back to {rfc3339(begins)}; for what was before: --from-trace "
                "更早的事件请用 --from-trace)",
                highlight=False,
            )


def _tell(account: Account, parked: int, job: Job | None, service: str, *, as_json: bool) -> None:
    counts = {name: account.counts[name] for name in _WORDS if account.counts[name]}
    if as_json:
        id_ = None if job is None else job.id
        click.echo(json.dumps({"service": service, "intervention": id_, "counts": counts, "parked_now": parked}))
        return
    click.echo(
        " · ".join(f"{_WORDS[name]} {number}" for name, number in counts.items()) or "nothing to replay 无可重放"
    )
    if counts.get("parked") and parked:
        click.echo(
            f"  {parked} event(s) wait for an earlier one of their stream: give an earlier --since, or --from-trace "
            "仍有事件等待前序，请提前起点"
        )
    if counts.get("quarantined"):
        click.echo("  some could not be handled: gridwhistle quarantine list 部分进入隔离区")
