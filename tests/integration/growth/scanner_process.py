"""A process that scans for due work as a service does; started by test_leaders.py, never imported by pytest.

`scanner_process.py <database> <name> <folder>`: does chores. In the middle of a transaction it waits for as long as the
file `hold-<name>` is in the folder, and says so with the file `inside-<name>`.
"""

from __future__ import annotations

import logging
import sys
import time
from pathlib import Path

from sqlalchemy import Column, Integer, MetaData, String, Table, select, update

from shared.kernel.clock import SystemClock
from shared.kernel.ids import RandomIds
from shared.kernel.sealing import Sealer, new_key_text
from shared.ledger.engines import open_engine
from shared.ledger.errors import Transient
from shared.ledger.lease import Candidate
from shared.ledger.unit_of_work import Surroundings
from shared.runtime.application import Application
from shared.runtime.definition import DueWork, ServiceDefinition
from shared.runtime.metrics import ServiceMetrics

log = logging.getLogger(__name__)

metadata = MetaData()
chores = Table(
    "chores", metadata, Column("number", Integer, primary_key=True), Column("done_by", String(50)),
    Column("times", Integer, nullable=False),
)  # fmt: skip


def main(url: str, name: str, folder: Path) -> None:
    def do_chores(work, limit):
        waiting = select(chores.c.number).where(chores.c.done_by.is_(None)).order_by(chores.c.number).limit(limit)
        numbers = list(work.db.execute(waiting).scalars())
        doing = update(chores).where(chores.c.number.in_(numbers))
        work.db.execute(doing.values(done_by=name, times=chores.c.times + 1))
        while (folder / f"hold-{name}").exists():
            (folder / f"inside-{name}").touch()
            time.sleep(0.01)  # noqa: TID251 -- the test holds it here
        return len(numbers)

    definition = ServiceDefinition(
        name="dispatch", commands={}, subscriptions={}, routes=(), tables=metadata, migrations=folder,
        due_work=(DueWork(name="chores", run=do_chores, next_due=lambda _db: None),),
    )  # fmt: skip
    at_hand = Surroundings(
        service="dispatch", engine=open_engine(url, pool_size=1), clock=SystemClock(), ids=RandomIds(),
        jurisdiction=None, sealer=Sealer.from_text(new_key_text()), link_secret="x" * 32, public_url="",
    )  # fmt: skip
    application = Application(
        definition=definition, at_hand=at_hand, metrics=ServiceMetrics("dispatch"), candidate=Candidate(holder=name)
    )
    while True:
        try:
            application.run_due()
        except Transient as error:
            log.warning("transient: %s", error.__cause__)
        time.sleep(0.2)  # noqa: TID251 -- the interval of the scans


if __name__ == "__main__":
    logging.basicConfig(level=logging.WARNING)
    main(sys.argv[1], sys.argv[2], Path(sys.argv[3]))
