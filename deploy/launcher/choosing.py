"""Which installation a command is about: the one that the GRIDWHISTLE_* variables describe, or a folder's.

A folder is that of a demo, or of a suite that `gridwhistle up --with-servers` started. With neither, the usual folders
are looked into, the suite's first, and which one was taken is said aloud.
"""

from __future__ import annotations

import os
from pathlib import Path

import click

from deploy.launcher import services
from deploy.launcher.demo import folder as demo
from deploy.launcher.installation import noted_settings
from shared.contracts.topology import SERVICES
from shared.kernel.errors import Misconfigured
from shared.ledger.engines import open_engine
from shared.ledger.migrate import pending
from shared.runtime.application import Application
from shared.runtime.settings import Settings, read
from shared.runtime.setup import application_of

#: Where `gridwhistle demo` and `gridwhistle up --with-servers` keep their files unless told otherwise.
USUAL_DEMO, USUAL_SUITE = Path("var/demo"), Path("var/suite")

#: The option that commands share.
data_dir_option = click.option(
    "--data-dir",
    type=click.Path(file_okay=False, path_type=Path),
    help=f"Folder of a demo or suite; else GRIDWHISTLE_* variables, else {USUAL_SUITE} or {USUAL_DEMO}.",
)
#: So do these commands say which database they look into.
service_option = click.option(
    "--service", "names", type=click.Choice(SERVICES), multiple=True, help="Only this service. Repeatable."
)


def settings_at_hand(data_dir: Path | None) -> Settings:
    """The settings of the installation meant. Raises Misconfigured."""
    if data_dir is not None:
        found = _in_folder(data_dir)
        if found is None:
            message = f"{data_dir} holds no demo and no suite; for another installation set the GRIDWHISTLE_* variables"
            raise Misconfigured(message)
        return found
    if any(name.startswith("GRIDWHISTLE_") for name in os.environ):
        return read()
    for folder in (USUAL_SUITE, USUAL_DEMO):
        found = _in_folder(folder)
        if found is not None:
            click.echo(f"(installation: {folder})", err=True)
            return found
    message = (
        "which installation? Set the GRIDWHISTLE_* variables or give --data-dir; "
        f"{USUAL_SUITE} and {USUAL_DEMO} hold none"
    )
    raise Misconfigured(message)


def _in_folder(folder: Path) -> Settings | None:
    found = demo.found(folder)
    return found.settings() if found is not None else noted_settings(folder)


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
