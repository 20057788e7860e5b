"""`gridwhistle scenario run FILE…`: replay a town's day through the public commands, and check what must happen."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import click
from rich.console import Console
from rich.markup import escape

from deploy.launcher import services
from deploy.launcher.installation import pack_folder
from deploy.launcher.scenario import doors, form, meaning, player, timeline
from deploy.launcher.scenario.embedded import EmbeddedStage
from deploy.launcher.scenario.form import InvalidScenario, Scenario
from deploy.launcher.scenario.player import Played
from deploy.launcher.scenario.stage import Stage, StageFailed
from shared import jurisdiction as packs
from shared.jurisdiction import Jurisdiction
from shared.kernel.errors import Refusal


class NotOnePack(Refusal):
    """Full mode runs one pack at a time. Run the scenarios of each pack in a call of its own."""

    code = "not-one-pack"


@click.group("scenario")
def command() -> None:
    """Replay a town's day and check what must happen 场景回放."""


@command.command("check")
@click.argument("files", nargs=-1, required=True, type=click.Path(exists=True, dir_okay=False, path_type=Path))
def check(files: tuple[Path, ...]) -> int:
    """Check the form and meaning of scenario FILES without playing them 检查."""
    faulty = 0
    for path in files:
        try:
            scenario, _ = _load(path)
        except InvalidScenario as invalid:
            faulty += 1
            click.echo(f"gridwhistle: {invalid.what} [{invalid.code}]", err=True)
        else:
            click.echo(f"{path.name}: {len(scenario.steps)} steps, {len(scenario.expectations)} expectations")
    return 1 if faulty else 0


@command.command("run")
@click.argument("files", nargs=-1, required=True, type=click.Path(exists=True, dir_okay=False, path_type=Path))
@click.option(
    "--mode", type=click.Choice(["embedded", "full"]), default="embedded", show_default=True,
    help="embedded: in this process, no server. full: all processes, RabbitMQ and PostgreSQL.",
)  # fmt: skip
@click.option("--broker-url", help="Full mode: a RabbitMQ to use (amqp://…); a private one is started when left out.")
@click.option(
    "--database-url",
    help="Full mode: PostgreSQL to use, with {service} in its place (postgresql+psycopg2://…/{service}); "
    "a private one is started when left out.",
)
@click.option("--all-events", is_flag=True, help="Show events that repeat what others say, too.")
@click.option("--json", "as_json", is_flag=True, help="Print the results as JSON.")
def run(
    *,
    files: tuple[Path, ...],
    mode: str,
    broker_url: str | None,
    database_url: str | None,
    all_events: bool,
    as_json: bool,
) -> int:
    """Play scenario FILES on a simulated clock; exit 1 when an expectation is not met 场景回放."""
    loaded = [_load(path) for path in files]
    console = Console(highlight=False)
    results: list[dict[str, Any]] = []
    failed = False
    try:
        with _stage(mode, loaded, broker_url, database_url) as stage_for:
            for scenario, pack in loaded:
                played = player.play(scenario, stage_for(pack))
                failed = failed or not played.passed
                results.append(_as_json(played, pack))
                if not as_json:
                    _print(console, played, pack, everything=all_events)
    except StageFailed as error:
        raise click.ClickException(f"{error} [stage-failed]") from error
    if as_json:
        click.echo(json.dumps({"passed": not failed, "scenarios": results}, ensure_ascii=False, indent=2))
    return 1 if failed else 0


def _load(path: Path) -> tuple[Scenario, Jurisdiction]:
    scenario = form.read(path)
    pack = packs.load(pack_folder(scenario.jurisdiction))
    meaning.check(scenario, pack, doors.commands(services.definitions().values()))
    return scenario, pack


@contextmanager
def _stage(
    mode: str, wanted: list[tuple[Scenario, Jurisdiction]], broker_url: str | None, database_url: str | None
) -> Iterator[Callable[[Jurisdiction], Stage]]:
    """A function from pack to stage."""
    if mode == "embedded":
        stages: dict[str, EmbeddedStage] = {}

        def embedded(pack: Jurisdiction) -> Stage:
            return stages.setdefault(pack.name, EmbeddedStage(pack))

        try:
            yield embedded
        finally:
            for made in stages.values():
                made.close()
        return
    names = {pack.name for _, pack in wanted}
    if len(names) > 1:
        message = f"the scenarios belong to {', '.join(sorted(names))}"
        raise NotOnePack(message, remedy="Run those of each pack in a call of its own.")
    from deploy.launcher.scenario.private_suite import running_stage  # noqa: PLC0415 -- loads servers and supervisor

    first, pack = wanted[0]
    with running_stage(
        first.jurisdiction, pack, start=min(scenario.start for scenario, _ in wanted), broker_url=broker_url,
        database_url=database_url, say=lambda line: click.echo(line, err=True),
    ) as stage:  # fmt: skip
        yield lambda _pack: stage


def _print(console: Console, played: Played, pack: Jurisdiction, *, everything: bool) -> None:
    days = (played.ended_at - played.started_at).total_seconds() / 86_400
    console.print()
    console.print(timeline.table(played.happenings, pack, title=f"[bold]{played.scenario}[/]", everything=everything))
    verdict = "[bold green]通过 passed[/]" if played.passed else "[bold red]未通过 FAILED[/]"
    console.print(
        f"{verdict}  {played.scenario}: {played.checked} 项预期 expectations, "
        f"{len(played.happenings)} 个事件 events, {days:.1f} 天 days"
    )
    for unmet in played.unmet:
        console.print(f"  [red]✗[/] {escape(str(unmet))}", soft_wrap=True)


def _as_json(played: Played, pack: Jurisdiction) -> dict[str, Any]:
    return {
        "scenario": played.scenario,
        "passed": played.passed,
        "checked": played.checked,
        "unmet": [{"place": one.place, "expected": one.expected, "found": one.found} for one in played.unmet],
        "started_at": played.started_at.isoformat(),
        "ended_at": played.ended_at.isoformat(),
        "events": len(played.happenings),
        "timeline": timeline.as_json(played.happenings, pack),
    }
