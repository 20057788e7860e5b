"""Which installation a command is about: the one that the GRIDWHISTLE_* variables describe, or a folder's.

A folder is that of a demo. With neither, the demo's usual folder is taken when it is there, and that is said aloud.
"""

from __future__ import annotations

import os
from pathlib import Path

import click

from deploy.launcher import services
from deploy.launcher.demo import folder as demo
from shared.contracts.topology import SERVICES
from shared.kernel.errors import Misconfigured
from shared.ledger.engines import open_engine
from shared.ledger.migrate import pending
from shared.runtime.application import Application
from shared.runtime.settings import Settings, read
from shared.runtime.setup import application_of

#: Where `gridwhistle demo` keeps its files unless told otherwise.
USUAL_DEMO = Path("var/demo")

#: The option that commands share.
data_dir_option = click.option(
    "--data-dir",
    type=click.Path(file_okay=False, path_type=Path),
    help=f"Folder of a demo; else GRIDWHISTLE_* variables, else {USUAL_DEMO}.",
)
#: So do these commands say which database they look into.
service_option = click.option(
    "--service", "names", type=click.Choice(SERVICES), multiple=True, help="Only this service. Repeatable."
)


def settings_at_hand(data_dir: Path | None) -> Settings:
    """The settings of the installation meant. Raises Misconfigured."""
    if data_dir is not None:
        found = demo.found(data_dir)
        if found is None:
            message = f"{data_dir} holds no demo; for another installation set the GRIDWHISTLE_* variables"
            raise Misconfigured(message)
        return found.settings()
    if not any(name.startswith("GRIDWHISTLE_") for name in os.environ):
        found = demo.found(USUAL_DEMO)
        if found is not None:
            click.echo(f"(installation: the demo in {USUAL_DEMO})", err=True)
            return found.settings()
        message = (
            f"which installation? Set the GRIDWHISTLE_* variables, or give --data-dir; there is no demo in {USUAL_DEMO}"
        )
        raise Misconfigured(message)
    return read()


def application_at_hand(name: str, settings: Settings) -> Application:
    """One service's application on its database, for reading and deciding, not for serving.

    Raises Misconfigured when the database is not that of this release: a command must not change what it looks at.
    """
    definition = services.definition(name)
    database = settings.database_for(name)
    engine = open_engine(database)
    try:
        if pending(engine, definition):
            message = f"the database of {name} is not up to date; run `gridwhistle migrate`, or start the suite"
            raise Misconfigured(message)
    finally:
        engine.dispose()
    return application_of(definition, settings)
