"""`python -m deploy.servers`: starts private servers, prints their addresses and goes on until Ctrl-C.

For people who want to look at something, and for `make test`, which asks with `--install-only` that the
programs be there before the clock of any test runs.
"""

from __future__ import annotations

import signal
import sys
import tempfile
from contextlib import ExitStack
from pathlib import Path
from types import FrameType
from typing import NoReturn

import click
from rich.console import Console

from deploy.servers import PrivatePostgreSQL, PrivatePrometheus, PrivateRabbitMQ, ServerError, debian

#: Servers that can be asked for, in the order in which they are started.
SERVERS = {
    "rabbitmq": debian.RABBITMQ,
    "postgresql": debian.POSTGRESQL,
    "prometheus": debian.PROMETHEUS,
}
#: Databases made at once, one for each service.
DATABASES = ("intake", "deliberation", "dispatch", "oversight", "notify")


@click.command()
@click.argument("names", nargs=-1, type=click.Choice(list(SERVERS)))
@click.option(
    "--data",
    type=click.Path(file_okay=False, path_type=Path),
    help="Folder to keep data in; used again, it gives the same data and addresses. Default: temporary.",
)
@click.option("--install-only", is_flag=True, help="Only make sure that the programs are there.")
def main(names: tuple[str, ...], data: Path | None, *, install_only: bool) -> None:
    """Start private servers (all, or those NAMED) on loopback and print their addresses."""
    wanted = names or tuple(SERVERS)
    console = Console(highlight=False, soft_wrap=True)
    try:
        if install_only:
            for name in wanted:
                folder = debian.ensure(SERVERS[name], console.print)
                console.print(f"{SERVERS[name].name}: {folder}")
            return
        _serve(wanted, data, console)
    except ServerError as error:
        click.echo(f"{error.code}: {error.what}\n{error.remedy}", err=True)
        sys.exit(1)


def _serve(wanted: tuple[str, ...], data: Path | None, console: Console) -> None:
    signal.signal(signal.SIGTERM, _interrupt)
    with ExitStack() as stack:
        folder = data or Path(
            stack.enter_context(tempfile.TemporaryDirectory(prefix="gridwhistle-servers-", ignore_cleanup_errors=True))
        )
        console.print(f"Data and logs: {folder}")
        if "rabbitmq" in wanted:
            broker = stack.enter_context(PrivateRabbitMQ(folder / "rabbitmq", say=console.print))
            console.print(f"RabbitMQ (ready after {broker.started_in:.1f} s): {broker.url}")
            console.print(f"  management: {broker.management_url}  user {broker.user}  password {broker.password}")
            console.print(f"  metrics: {broker.metrics_url}")
        if "postgresql" in wanted:
            database = stack.enter_context(PrivatePostgreSQL(folder / "postgresql", say=console.print))
            console.print(f"PostgreSQL (ready after {database.started_in:.1f} s):")
            for name in DATABASES:
                console.print(f"  {database.url_for(name)}")
        if "prometheus" in wanted:
            monitor = stack.enter_context(PrivatePrometheus(folder / "prometheus", say=console.print))
            console.print(f"Prometheus (ready after {monitor.started_in:.1f} s): {monitor.url}")
        console.print("Ctrl-C ends them.")
        try:
            signal.pause()
        except KeyboardInterrupt:
            console.print("Stopping")


def _interrupt(_number: int, _frame: FrameType | None) -> NoReturn:
    raise KeyboardInterrupt


if __name__ == "__main__":
    main()
