"""`gridwhistle serve SERVICE`: one service process in the foreground, for systemd, Kubernetes and debugging."""

from __future__ import annotations

import os
import sys

import click

from shared.contracts.topology import SERVICES
from shared.runtime.settings import read


@click.command("serve")
@click.argument("service", type=click.Choice(SERVICES))
@click.option(
    "--port", type=click.IntRange(1, 65_535), help="Where HTTP is served; default: GRIDWHISTLE_PORT_BASE + 1 … + 5."
)
def command(*, service: str, port: int | None) -> None:
    """Run one service 运行一个服务."""
    at = port if port is not None else read().port_for(service, SERVICES)
    # A fresh process: eventlet must patch before anything else is imported, and much has been by now.
    os.execv(  # noqa: S606 -- our own interpreter and module
        sys.executable, [sys.executable, "-m", "deploy.launcher.process", "serve", service, "--port", str(at)]
    )
