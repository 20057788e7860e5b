"""`gridwhistle demo`: the whole loop in one process, with no server: a week played, shown, and then served.

The serving process takes this one's place (exec), so that Ctrl-C and signals go straight to it.
"""

from __future__ import annotations

import os
import sys
import time
from datetime import datetime
from pathlib import Path
from zoneinfo import ZoneInfo

import click
from rich.console import Console
from rich.progress import BarColumn, Progress, TaskProgressColumn, TextColumn, TimeElapsedColumn

from deploy.launcher.demo import folder as folders
from deploy.launcher.demo import summary
from deploy.launcher.demo.folder import DemoFolder
from deploy.launcher.demo.staging import Staged, keep, stage
from deploy.launcher.demo.week import Progress as WeekProgress
from deploy.launcher.demo.week import Week
from deploy.servers.ports import is_free
from shared.contracts.topology import SERVICES
from shared.kernel.errors import Misconfigured
from shared.kernel.wording import say
from shared.runtime.settings import Settings
from shared.runtime.setup import gatekeeper_of

#: The Monday of the week played: an ordinary one, with five working days.
FIRST_DAY = "2025-09-08"
#: Steps of the progress bar.
_STEPS = 1_000
_WIDEST = 150


@click.command("demo")
@click.option("--once", is_flag=True, help="End after the summary instead of serving.")
@click.option(
    "--data-dir", type=click.Path(file_okay=False, path_type=Path), default=Path("var/demo"), show_default=True,
    help="Folder for databases, letters and logs; emptied when a demo made it, refused otherwise.",
)  # fmt: skip
@click.option("--port-base", type=click.IntRange(1024, 65_000), default=8700, show_default=True,
              help="Services listen on this + 1 … + 5.")  # fmt: skip
@click.option("--seed", type=int, default=1, show_default=True, help="The same seed gives the same week.")
@click.option(
    "--first-day", type=click.DateTime(["%Y-%m-%d"]), default=FIRST_DAY, show_default=True,
    help="Where the week begins; days off are skipped.",
)  # fmt: skip
@click.option("--pack", default="jianwai", show_default=True, help="The jurisdiction pack; it must hold demo demands.")
def command(*, once: bool, data_dir: Path, port_base: int, seed: int, first_day: datetime, pack: str) -> int:
    """Run the whole loop here, with no server, and go on serving 演示."""
    console = Console(highlight=False)
    console.width = min(console.width, _WIDEST)
    began = time.monotonic()
    if not once:
        _check_ports(port_base)
    folder = folders.make(data_dir, pack, port_base)
    staged = stage(folder, first_day=first_day.date(), seed=seed)
    console.print(f"[bold]{say('demo.title', title=staged.suite.jurisdiction.title.zh)}[/]", end=" ")
    console.print(f"[dim]{say('demo.title', 'en', title=staged.suite.jurisdiction.title.en)}[/]")
    week = _play(console, staged)
    _show(console, staged, week, with_addresses=not once)
    keep(staged)
    staged.suite.close()
    seconds = f"{time.monotonic() - began:.1f}"
    console.print(f"[dim]{say('demo.seconds', seconds=seconds)} · {data_dir}[/]")
    if once:
        return 0
    _serve(folder, staged.settings)
    return 0


def _check_ports(port_base: int) -> None:
    taken = [port for port in range(port_base + 1, port_base + 1 + len(SERVICES)) if not is_free(port)]
    if taken:
        message = f"port(s) {', '.join(map(str, taken))} are in use; stop what listens there, or give --port-base"
        raise Misconfigured(message)


def _play(console: Console, staged: Staged) -> Week:
    columns = (
        TextColumn("{task.description}"), BarColumn(), TaskProgressColumn(), TextColumn("{task.fields[said]}"),
        TimeElapsedColumn(),
    )  # fmt: skip
    zone = ZoneInfo(staged.suite.jurisdiction.timezone)
    with Progress(*columns, console=console) as bar:
        title = f"{say('demo.playing')} [dim]{say('demo.playing', 'en')}[/]"
        task = bar.add_task(title, total=_STEPS, said="")

        def show(progress: WeekProgress) -> None:
            local = progress.now.astimezone(zone)
            day = say(f"value.weekday.{local.weekday()}")
            said = f"{day} {local:%H:%M} · {say('demo.demands', demands=progress.demands)}"
            said += f" · {say('demo.commands', commands=progress.commands)}"
            bar.update(task, completed=round(progress.share * _STEPS), said=said)

        return staged.player.play(show)


def _show(console: Console, staged: Staged, week: Week, *, with_addresses: bool) -> None:
    office = staged.player.office
    shown = summary.gather(office, week)
    console.print()
    console.print(summary.story(shown, office))
    console.print()
    console.print(summary.figures(shown.report))
    console.print()
    if with_addresses:
        gatekeeper = gatekeeper_of(staged.settings, staged.suite.clock)
        summary.addresses(console, shown, office, staged.settings, gatekeeper)
        console.print()


def _serve(folder: DemoFolder, settings: Settings) -> None:
    """Become the serving process."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith("GRIDWHISTLE_")}
    folder.note(pid=os.getpid())
    sys.stdout.flush()
    sys.stderr.flush()
    arguments = [sys.executable, "-m", "deploy.launcher.embedded_process", "--log", str(folder.log.resolve())]
    os.execve(sys.executable, arguments, kept | settings.environment())  # noqa: S606 -- no shell, our own interpreter
