"""`gridwhistle up`: the whole suite in full mode, supervised, until Ctrl-C.

Against the RabbitMQ and PostgreSQL that GRIDWHISTLE_BROKER_URL and GRIDWHISTLE_DATABASE_URL name, or with
`--with-servers` against private ones that are started here and end with it.
"""

from __future__ import annotations

import os
from contextlib import ExitStack
from dataclasses import replace
from pathlib import Path

import click

from deploy.launcher import department_files
from deploy.launcher.installation import note_settings, trial_settings
from deploy.launcher.suite import with_public_url
from deploy.launcher.supervisor import Supervisor, check_ports, plan, refuse_second
from deploy.servers import PrivatePostgreSQL, PrivateRabbitMQ, ServerError
from shared import jurisdiction as packs
from shared.contracts.topology import SERVICES
from shared.kernel.errors import Misconfigured
from shared.runtime.settings import Settings, read
from shared.wire import department_users, inspection

#: Databases and the virtual host of private servers.
DATABASES, VHOST = "gridwhistle_{service}", "gridwhistle"


def _replicas(_context: click.Context, _option: click.Parameter, pairs: tuple[str, ...]) -> dict[str, int]:
    """Service -> processes. Raises click.BadParameter, so that a slip ends before anything is started or written."""
    made = {}
    for text in pairs:
        service, _, number = text.partition("=")
        if service not in SERVICES or not number.isdecimal() or int(number) < 1:
            message = f"{text!r} is not SERVICE=N: services are {', '.join(SERVICES)}, and N is 1 or more"
            raise click.BadParameter(message)
        made[service] = int(number)
    return made


@click.command("up")
@click.option(
    "--with-servers", is_flag=True, help="Start a private RabbitMQ and PostgreSQL, and end them with the suite."
)
@click.option(
    "--data-dir",
    type=click.Path(file_okay=False, path_type=Path),
    default=Path("var/suite"),
    show_default=True,
    help="With --with-servers: folder for data, logs and secrets.",
)
@click.option("--pack", default="jianwai", show_default=True, help="With --with-servers: the jurisdiction pack.")
@click.option("--port-base", type=click.IntRange(1024, 65_000), help="Services listen on this + 1 … + 5.")
@click.option(
    "--replicas",
    multiple=True,
    metavar="SERVICE=N",
    callback=_replicas,
    help="Processes of a service. Repeatable.",
)
@click.option(
    "--clock-file",
    type=click.Path(dir_okay=False, path_type=Path),
    help="File with seconds added to every process's clock; for scenarios and tests.",
)
def command(
    *,
    with_servers: bool,
    data_dir: Path,
    pack: str,
    port_base: int | None,
    replicas: dict[str, int],
    clock_file: Path | None,
) -> int:
    """Run the whole suite in full mode 启动全套."""
    if with_servers:
        refuse_second(data_dir)
        settings = trial_settings(data_dir, pack)
    else:
        settings = _read()
        refuse_second(settings.data_dir)
    if port_base is not None:
        public_url = "" if with_servers else settings.public_url
        settings = replace(settings, port_base=port_base, public_url=public_url)
    if clock_file is not None:
        settings = replace(settings, clock_file=clock_file.resolve())
    settings = with_public_url(replace(settings, data_dir=settings.data_dir.resolve()), SERVICES)
    check_ports(plan(settings, replicas))
    with ExitStack() as servers:
        if with_servers:
            try:
                settings = _with_servers(settings, servers)
            except ServerError as error:
                message = f"{error.what} {error.remedy}"
                raise Misconfigured(message) from error
            note_settings(settings)
        code = Supervisor(settings=settings, replicas=replicas, say=click.echo).run()
    click.echo("已停止 Stopped")
    return code


def _read() -> Settings:
    """The settings of the environment; whoever has set none at all is told how to do without."""
    try:
        return read()
    except Misconfigured as error:
        if any(name.startswith("GRIDWHISTLE_") for name in os.environ):
            raise
        message = f"{error}; or try it with `gridwhistle up --with-servers`"
        raise Misconfigured(message) from error


def _with_servers(settings: Settings, servers: ExitStack) -> Settings:
    folder = settings.data_dir / "servers"
    click.echo("starting RabbitMQ and PostgreSQL 启动服务器 …")
    broker = servers.enter_context(PrivateRabbitMQ(folder / "rabbitmq", say=click.echo))
    database = servers.enter_context(PrivatePostgreSQL(folder / "postgresql", say=click.echo))
    click.echo(f"RabbitMQ management {broker.management_url} (user {broker.user}); PostgreSQL port {database.port}")
    broker_url = broker.url_for(VHOST)
    management_url = broker.management_url.replace("://", f"://{broker.user}:{broker.password}@")
    inspection.set_policies(broker_url, management_url)
    departments = tuple(unit.id for unit in packs.load(Path(settings.jurisdiction)).departments())
    made = department_users.set_users(broker_url, management_url, departments)
    department_files.write(settings.data_dir / "departments", broker_url, made)
    return replace(
        settings,
        broker_url=broker_url,
        broker_management_url=management_url,
        database_url=database.url_for("postgres").rsplit("/", 1)[0] + "/" + DATABASES,
    )
