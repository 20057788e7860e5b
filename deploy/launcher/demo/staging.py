"""From an empty folder to a played week: the suite runs in memory, and its databases are then written into the folder.

In memory because a newcomer waits: five databases that sync every commit take minutes on a slow disk. Nothing is
lost by it, since a demo that is stopped half-way begins anew. The schema is made by the same migrations as everywhere.
"""

from __future__ import annotations

import sqlite3
from contextlib import closing
from dataclasses import dataclass, replace
from datetime import UTC, date, datetime

from sqlalchemy import make_url

from deploy.launcher.demo import demands
from deploy.launcher.demo.folder import DemoFolder
from deploy.launcher.demo.week import OPENS, Player
from deploy.launcher.installation import pack_folder
from deploy.launcher.suite import Suite
from shared import jurisdiction as packs
from shared.kernel.clock import SteppedClock
from shared.kernel.errors import Misconfigured
from shared.ledger.migrate import migrate
from shared.runtime.settings import Settings


@dataclass(frozen=True, kw_only=True)
class Staged:
    """A suite in memory with a player ready to play."""

    settings: Settings
    suite: Suite
    player: Player


def stage(folder: DemoFolder, *, first_day: date, seed: int) -> Staged:
    """An empty suite on the morning of the first working day. Raises InvalidPack, InvalidDemands."""
    settings = folder.settings()
    where = pack_folder(folder.pack)
    pack = packs.load(where)
    asked = demands.read(where)
    days = demands.working_days(pack, first_day)
    start = demands.instant(pack, days[0], OPENS)
    suite = Suite.open(replace(settings, database_url="sqlite://"), pack, start)
    for application in suite.applications.values():
        migrate(application.at_hand.engine, application.definition)
    return Staged(settings=settings, suite=suite, player=Player(suite, asked, first_day=first_day, seed=seed))


def keep(staged: Staged) -> None:
    """Write the databases into the folder, and set its clock to where the simulation ended. Raises Misconfigured."""
    for name, application in staged.suite.applications.items():
        path = make_url(staged.settings.database_for(name)).database
        source = application.at_hand.engine.raw_connection()
        try:
            driver = source.driver_connection
            if path is None or not isinstance(driver, sqlite3.Connection):
                message = "the demo keeps its databases in SQLite files only"
                raise Misconfigured(message)
            with closing(sqlite3.connect(path)) as target:
                driver.backup(target)
        finally:
            source.close()
    if staged.settings.clock_file is not None:
        clock = SteppedClock(staged.settings.clock_file)
        clock.advance(staged.suite.clock.now() - datetime.now(UTC))
