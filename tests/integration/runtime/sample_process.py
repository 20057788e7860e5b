"""A serving process with handlers that do as the event says; started by test_entrypoints.py, never imported by pytest.

It is the real thing from the green import to the exit code; only the service is made up.
"""

from __future__ import annotations

# isort: off
import shared.runtime.green  # noqa: F401 -- first

# isort: on
import sys
from pathlib import Path

from sqlalchemy import Column, MetaData, Table, insert

from shared.contracts.topology import subscriptions_of
from shared.kernel.errors import Refusal
from shared.ledger.types import Id, Instant
from shared.runtime import logs
from shared.runtime.definition import Query, Route, ServiceDefinition
from shared.runtime.entrypoints import Running, consume, due, serve
from shared.runtime.process import serve as run
from shared.runtime.settings import read

metadata = MetaData()
handled = Table("handled", metadata, Column("matter_id", Id, primary_key=True), Column("at", Instant))


def on_accepted(event, work):
    work.db.execute(insert(handled).values(matter_id=event.matter_id, at=work.now))
    if event.matter_id.startswith("crash"):
        raise ZeroDivisionError
    if event.matter_id.startswith("refuse"):
        raise Refusal("not this one")


def broken(work, parameters):
    raise RuntimeError("a secret of the inside")


ROUTES = (
    Route(method="GET", path="/broken", query=Query(name="broken", run=broken, needs=None, about="")),
    Route(method="POST", path="/only-post", query=Query(name="broken", run=broken, needs=None, about="")),
)
DEFINITION = ServiceDefinition(
    name="intake", commands={}, subscriptions={"dispatch.matter-accepted": on_accepted}, routes=ROUTES,
    tables=metadata, migrations=Path(sys.argv[1]),
)  # fmt: skip


class IntakeService:
    name = "intake"
    running = Running()

    @consume(*subscriptions_of(name))
    def hear(self, raws):
        return self.running.receive(raws)

    @serve(*ROUTES)
    def answer(self, request, route, path):
        return self.running.answer(request, route, path)

    @due
    def do_what_is_due(self):
        self.running.run_due()


logs.configure("sample")
sys.exit(run(IntakeService, DEFINITION, read(), port=int(sys.argv[2])))
