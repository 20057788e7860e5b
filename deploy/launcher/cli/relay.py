"""`gridwhistle relay SERVICE`: the relay of one service in the foreground."""

from __future__ import annotations

import click

from deploy.launcher.process import main as run_process
from deploy.launcher.supervisor import RELAY_OFFSET
from shared.contracts.topology import SERVICES
from shared.runtime.settings import read


@click.command("relay")
@click.argument("service", type=click.Choice(SERVICES))
@click.option(
    "--port", type=click.IntRange(1, 65_535), help="Where its metrics are; default: GRIDWHISTLE_PORT_BASE + 11 … + 15."
)
def command(*, service: str, port: int | None) -> int:
    """Publish a service's events to the broker 转发事件."""
    at = port if port is not None else read().port_for(service, SERVICES) + RELAY_OFFSET
    return run_process(["relay", service, "--port", str(at)])
